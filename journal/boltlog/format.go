package boltlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// formatVersion is the version of what is described here. Files of oldVersion are read, and become files of this version
// with the first Save.
const (
	formatVersion = 2
	oldVersion    = 1
)

// The buckets of the file, integers big-endian:
//
//	lineshaft  "format"   → uint32 format version: this bucket makes the file one of ours
//	           "snapshot" → uint64 index, int64 time, application state as a content, CRC32C of it all; absent until the
//	                        first checkpoint
//	           "layers"   → uint64 number of each layer in force, one or two, ascending; CRC32C
//	batches    uint64 index → sealed batch; the bucket's sequence is the index of the last batch, even if it was dropped.
//	           Those up to the snapshot's index are on their way out
//	layer-…    name → content, CRC32C of name and content; the bucket's sequence is the number of names
//	parts      uint64 layer, uint32 group, uint32 part, from 0 → partBytes of a split value, CRC32C of key and bytes
//
// A state is what the highest layer in force says of its name. There is one layer, but while a Save that is too large for
// one transaction is written, to a layer that is not in force yet, and while two layers become one: see saver.
//
// A content ends with a byte that says what is before it:
//
//	contentWhole  the state
//	contentSplit  uint64 layer, uint32 group of its parts, uint64 size of the state in bytes
//	contentGone   nothing: the state was deleted, whatever lower layers say
//
// Version 1 has no layers and no parts, the application state without that byte, and instead
//
//	states     name → state, CRC32C of name and state; the bucket's sequence is the number of states
//
// which is layer 0 here. The sequences live in a page that every commit writes anyway. They tell a file that has lost its
// last batches or some of its states, each part of which looks intact.
var (
	bucketOurs    = []byte("lineshaft")
	keyFormat     = []byte("format")
	keySnapshot   = []byte("snapshot")
	keyLayers     = []byte("layers")
	bucketBatches = []byte("batches")
	bucketParts   = []byte("parts")
	bucketStates  = []byte("states")
)

const layerPrefix = "layer-"

const (
	formatBytes   = 4
	indexBytes    = 8
	crcBytes      = 4
	snapshotBytes = 8 + 8 // of the snapshot's record, before the application state
	refBytes      = 8 + 4
	partKeyBytes  = refBytes + 4
	splitBytes    = refBytes + 8
	layersMax     = 2

	// partBytes is what one part holds of a split value, and the most that is not split. Two of them with their keys and
	// what bbolt needs fill eight pages of 4 KiB.
	partBytes = (8*4096-16)/2 - 16 - partKeyBytes - crcBytes
)

const (
	contentWhole = iota
	contentSplit
	contentGone
)

// What the journal allows, bbolt must be able to store.
const (
	_ = uint(bolt.MaxKeySize - journal.MaxNameBytes)
	_ = uint(bolt.MaxValueSize - journal.MaxBatchBytes)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func indexKey(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

func putFormat(ours *bolt.Bucket) error {
	return ours.Put(keyFormat, binary.BigEndian.AppendUint32(nil, formatVersion))
}

// layerName is the name of the bucket of a layer.
func layerName(number uint64) []byte {
	if number == 0 {
		return bucketStates
	}
	return fmt.Appendf(nil, "%s%016x", layerPrefix, number)
}

// layerNumber is the number of the layer in a bucket, if it is one's.
func layerNumber(bucket string) (uint64, bool) {
	if bucket == string(bucketStates) {
		return 0, true
	}
	digits, ok := strings.CutPrefix(bucket, layerPrefix)
	n, err := strconv.ParseUint(digits, 16, 64)
	return n, ok && err == nil && n > 0
}

// ref names the parts of one split value. No two that are in the file at a time have the same.
type ref struct {
	layer uint64
	group uint32
}

func (r ref) key(part uint32) []byte {
	key := binary.BigEndian.AppendUint64(make([]byte, 0, partKeyBytes), r.layer)
	key = binary.BigEndian.AppendUint32(key, r.group)
	return binary.BigEndian.AppendUint32(key, part)
}

// refOf is the ref of a part's key, and which part it is.
func refOf(key []byte) (ref, uint32, error) {
	if len(key) != partKeyBytes {
		return ref{}, 0, fmt.Errorf("%w: part %x", journal.ErrDamaged, key)
	}
	r := ref{binary.BigEndian.Uint64(key), binary.BigEndian.Uint32(key[8:])}
	return r, binary.BigEndian.Uint32(key[refBytes:]), nil
}

// has reports whether key is that of one of the parts.
func (r ref) has(key []byte) bool {
	return len(key) == partKeyBytes && binary.BigEndian.Uint64(key) == r.layer &&
		binary.BigEndian.Uint32(key[8:]) == r.group
}

// content is what is known of a state.
type content struct {
	kind  byte
	state []byte // contentWhole
	ref   ref    // contentSplit
	size  int    // contentSplit
}

// bytes is the size of the state.
func (c content) bytes() int { return len(c.state) + c.size }

// whole appends what makes state a content. It may use the spare room behind state.
func whole(state []byte) []byte { return append(state, contentWhole) }

func split(r ref, size int) []byte {
	c := binary.BigEndian.AppendUint64(nil, r.layer)
	c = binary.BigEndian.AppendUint32(c, r.group)
	c = binary.BigEndian.AppendUint64(c, uint64(size))
	return append(c, contentSplit)
}

func gone() []byte { return []byte{contentGone} }

// isSplit and isGone tell of what layers say, without verifying it; not of layer 0.
func isSplit(value []byte) bool {
	return len(value) == splitBytes+1+crcBytes && value[splitBytes] == contentSplit
}

func isGone(value []byte) bool { return len(value) == 1+crcBytes && value[0] == contentGone }

func decodeContent(b []byte) (content, error) {
	if len(b) == 0 {
		return content{}, fmt.Errorf("%w: nothing", journal.ErrDamaged)
	}
	n := len(b) - 1
	c := content{kind: b[n]}
	switch {
	case c.kind == contentWhole:
		c.state = b[:n:n]
	case c.kind == contentSplit && n == splitBytes:
		c.ref = ref{binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:])}
		size := binary.BigEndian.Uint64(b[refBytes:])
		if size == 0 || size > journal.MaxStateBytes {
			return c, fmt.Errorf("%w: %d bytes in parts", journal.ErrDamaged, size)
		}
		c.size = int(size)
	case c.kind == contentGone && n == 0:
	default:
		return c, fmt.Errorf("%w: a content of kind %d and %d bytes", journal.ErrDamaged, c.kind, n)
	}
	return c, nil
}

func sum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// sealed appends the checksum of key and value to value, as a layer and parts have it.
func sealed(key, value []byte) []byte { return binary.BigEndian.AppendUint32(value, sum(key, value)) }

// unseal verifies and cuts off the checksum. Its errors do not say what it is of.
func unseal(key, value []byte) ([]byte, error) {
	n := len(value) - crcBytes
	if n < 0 {
		return nil, fmt.Errorf("%w: %d bytes are too few", journal.ErrDamaged, len(value))
	}
	want := binary.BigEndian.Uint32(value[n:])
	if got := sum(key, value[:n]); got != want {
		return nil, fmt.Errorf("%w: CRC32C %08x where the content has %08x", journal.ErrDamaged, want, got)
	}
	return value[:n:n], nil
}

// decodeEntry reads what a layer says of a name.
func decodeEntry(layer uint64, name, value []byte) (content, error) {
	b, err := unseal(name, value)
	if err != nil {
		return content{}, fmt.Errorf("state of %q: %w", name, err)
	}
	if layer == 0 {
		return content{kind: contentWhole, state: b}, nil
	}
	c, err := decodeContent(b)
	if err != nil {
		return c, fmt.Errorf("state of %q: %w", name, err)
	}
	return c, nil
}

func encodeSnapshot(index uint64, time int64, app []byte) []byte {
	value := make([]byte, 0, snapshotBytes+len(app)+crcBytes)
	value = binary.BigEndian.AppendUint64(value, index)
	value = binary.BigEndian.AppendUint64(value, uint64(time))
	return sealed(nil, append(value, app...))
}

// snapshotRecord is the record of the snapshot. The zero one is that of a file into which nothing was saved.
type snapshotRecord struct {
	index uint64
	time  int64
	app   content
}

// decodeSnapshot reads the record of the snapshot; nil, where nothing was saved, is the zero one.
func decodeSnapshot(version uint32, value []byte) (s snapshotRecord, err error) {
	if value == nil {
		return s, nil
	}
	b, err := unseal(nil, value)
	if err == nil && len(b) < snapshotBytes {
		err = fmt.Errorf("%w: %d bytes are too few", journal.ErrDamaged, len(value))
	}
	if err != nil {
		return s, fmt.Errorf("snapshot: %w", err)
	}
	s.index, s.time = binary.BigEndian.Uint64(b), int64(binary.BigEndian.Uint64(b[8:]))
	if b = b[snapshotBytes:]; version == oldVersion {
		s.app.state = b
	} else if s.app, err = decodeContent(b); err == nil && s.app.kind == contentGone {
		err = fmt.Errorf("%w: no application state", journal.ErrDamaged)
	}
	if err != nil {
		return s, fmt.Errorf("snapshot: %w", err)
	}
	return s, nil
}

func encodeLayers(numbers []uint64) []byte {
	var b []byte
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return sealed(nil, b)
}

func decodeLayers(value []byte) ([]uint64, error) {
	b, err := unseal(nil, value)
	if err != nil {
		return nil, fmt.Errorf("layers: %w", err)
	}
	if len(b)%indexBytes != 0 || len(b) == 0 || len(b) > layersMax*indexBytes {
		return nil, fmt.Errorf("%w: layers: %d bytes", journal.ErrDamaged, len(b))
	}
	var numbers []uint64
	for ; len(b) > 0; b = b[indexBytes:] {
		n := binary.BigEndian.Uint64(b)
		if len(numbers) > 0 && n <= numbers[0] {
			return nil, fmt.Errorf("%w: layer %d above layer %d", journal.ErrDamaged, n, numbers[0])
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}
