package boltlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// formatVersion is the version of what is described here.
const formatVersion = 1

// The buckets of the file, integers big-endian:
//
//	lineshaft  "format"   → uint32 format version: this bucket makes the file one of ours
//	           "snapshot" → uint64 index, int64 time, application state, CRC32C of it all; absent until the first
//	                        checkpoint
//	batches    uint64 index → sealed batch; the bucket's sequence is the index of the last batch, even if it was dropped
//	states     name → encoded state, CRC32C of name and state; the bucket's sequence is the number of states
//
// The sequences live in a page that every commit writes anyway. They tell a file that has lost its last batches or some
// of its states, each part of which looks intact.
var (
	bucketOurs    = []byte("lineshaft")
	keyFormat     = []byte("format")
	keySnapshot   = []byte("snapshot")
	bucketBatches = []byte("batches")
	bucketStates  = []byte("states")
)

const (
	formatBytes   = 4
	indexBytes    = 8
	crcBytes      = 4
	snapshotBytes = 8 + 8 // of the snapshot's record, before the application state
)

// What the journal allows, bbolt must be able to store.
const (
	_ = uint(bolt.MaxKeySize - journal.MaxNameBytes)
	_ = uint(bolt.MaxValueSize - journal.MaxBatchBytes)
	_ = uint(bolt.MaxValueSize - journal.MaxStateBytes - snapshotBytes - crcBytes)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// buckets are those of one transaction.
type buckets struct {
	ours, batches, states *bolt.Bucket
}

// bucketsOf returns the buckets of a file of ours. Open has seen to it that they are there.
func bucketsOf(tx *bolt.Tx) buckets {
	return buckets{tx.Bucket(bucketOurs), batchesOf(tx), tx.Bucket(bucketStates)}
}

func batchesOf(tx *bolt.Tx) *bolt.Bucket {
	b := tx.Bucket(bucketBatches)
	b.FillPercent = 1 // batches are only ever added at the end
	return b
}

func indexKey(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

func stateSum(name string, state []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(name), castagnoli), castagnoli, state)
}

// encodeState is the value of a state. It may use the spare room behind state.
func encodeState(name string, state []byte) []byte {
	return binary.BigEndian.AppendUint32(state, stateSum(name, state))
}

func decodeState(name, value []byte) ([]byte, error) {
	n := len(value) - crcBytes
	if n < 0 {
		return nil, fmt.Errorf("%w: state of %q: %d bytes are too few", journal.ErrDamaged, name, len(value))
	}
	state := value[:n:n]
	want := binary.BigEndian.Uint32(value[n:])
	if got := stateSum(string(name), state); got != want {
		return nil, fmt.Errorf("%w: state of %q: CRC32C %08x where the content has %08x",
			journal.ErrDamaged, name, want, got)
	}
	return state, nil
}

func encodeSnapshot(u journal.Update) []byte {
	value := make([]byte, 0, snapshotBytes+len(u.App)+crcBytes)
	value = binary.BigEndian.AppendUint64(value, u.Index)
	value = binary.BigEndian.AppendUint64(value, uint64(u.Time))
	value = append(value, u.App...)
	return binary.BigEndian.AppendUint32(value, crc32.Checksum(value, castagnoli))
}

// decodeSnapshot reads the record of the snapshot; nil, where nothing was saved, is the zero Snapshot.
func decodeSnapshot(value []byte) (journal.Snapshot, error) {
	if value == nil {
		return journal.Snapshot{}, nil
	}
	n := len(value) - crcBytes
	if n < snapshotBytes {
		return journal.Snapshot{}, fmt.Errorf("%w: snapshot: %d bytes are too few", journal.ErrDamaged, len(value))
	}
	want := binary.BigEndian.Uint32(value[n:])
	if got := crc32.Checksum(value[:n], castagnoli); got != want {
		return journal.Snapshot{}, fmt.Errorf("%w: snapshot: CRC32C %08x where the content has %08x",
			journal.ErrDamaged, want, got)
	}
	s := journal.Snapshot{
		Index: binary.BigEndian.Uint64(value),
		Time:  int64(binary.BigEndian.Uint64(value[8:])),
	}
	if n > snapshotBytes {
		s.App = value[snapshotBytes:n:n]
	}
	return s, nil
}
