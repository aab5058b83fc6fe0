package boltlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/lineshaft/lineshaft/journal"
)

// Recover implements journal.Log.
func (l *Log) Recover(snapshot func(journal.Snapshot) error, batch func(uint64, journal.Batch) error) error {
	var theirs error // what snapshot or batch returned
	err := l.db.View(func(tx *bolt.Tx) error {
		var b buckets
		var s journal.Snapshot
		var last uint64
		err := guard(func() (err error) {
			b = bucketsOf(tx)
			last = b.batches.Sequence()
			s, err = readSnapshot(b)
			return err
		})
		if err != nil {
			return err
		}
		if theirs = snapshot(s); theirs != nil {
			return nil
		}
		return eachBatch(b.batches, s.Index, last, func(index uint64, sealed journal.Batch) bool {
			theirs = batch(index, sealed)
			return theirs == nil
		})
	})
	switch {
	case theirs != nil:
		return theirs
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return journal.ErrClosed
	case err != nil:
		return fmt.Errorf("journal file %s: %w", l.path, err)
	}
	return nil
}

// guard runs read, which calls nothing of a user's, and turns a panic of bbolt's, or a fault where the mapped file cannot
// be read, into ErrDamaged. Open has checked the pages, so this is left for a disk that fails since.
func guard(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", journal.ErrDamaged, p)
		}
	}()
	return read()
}

// readSnapshot reads the snapshot and verifies every state, so that what is handed over later is intact.
func readSnapshot(b buckets) (journal.Snapshot, error) {
	s, err := decodeSnapshot(b.ours.Get(keySnapshot))
	if err != nil {
		return s, err
	}
	var count uint64
	err = b.states.ForEach(func(name, value []byte) error {
		count++
		_, err := decodeState(name, value)
		return err
	})
	if err != nil {
		return s, err
	}
	if want := b.states.Sequence(); count != want {
		return s, fmt.Errorf("%w: %d states where there were %d", journal.ErrDamaged, count, want)
	}
	s.States = eachState(b.states)
	return s, nil
}

// eachState yields the states of a bucket that was verified.
func eachState(b *bolt.Bucket) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		c := b.Cursor()
		for name, value := c.First(); name != nil; name, value = c.Next() {
			n := len(value) - crcBytes
			if !yield(string(name), value[:n:n]) {
				return
			}
		}
	}
}

// eachBatch verifies and hands over the batches after index until handOver returns false, and sees to it that none is
// missing up to last.
func eachBatch(b *bolt.Bucket, index, last uint64, handOver func(uint64, journal.Batch) bool) error {
	c := b.Cursor()
	for step := c.First; ; step = c.Next {
		var sealed journal.Batch
		var end bool
		err := guard(func() (err error) {
			key, value := step()
			if end = key == nil; end {
				return nil
			}
			index++
			sealed, err = readBatch(index, key, value)
			return err
		})
		if err != nil {
			return err
		}
		if end {
			break
		}
		if !handOver(index, sealed) {
			return nil
		}
	}
	if index != last {
		return fmt.Errorf("%w: the last batch is %d where it was %d", journal.ErrDamaged, index, last)
	}
	return nil
}

// readBatch reads the batch that must have the given index.
func readBatch(index uint64, key, value []byte) (journal.Batch, error) {
	if err := checkIndex(key, index); err != nil {
		return journal.Batch{}, err
	}
	sealed, err := journal.Decode(value)
	if err != nil {
		return sealed, fmt.Errorf("batch %d: %w", index, err)
	}
	return sealed, nil
}

func checkIndex(key []byte, want uint64) error {
	if len(key) != indexBytes || binary.BigEndian.Uint64(key) != want {
		return fmt.Errorf("%w: batch %x where batch %d was", journal.ErrDamaged, key, want)
	}
	return nil
}

// readIndices reads the indices of the snapshot and of the last batch, and checks them by the ends of the batches.
func readIndices(b buckets) (snapshot, last uint64, err error) {
	s, err := decodeSnapshot(b.ours.Get(keySnapshot))
	if err != nil {
		return 0, 0, err
	}
	last = b.batches.Sequence()
	c := b.batches.Cursor()
	if first, _ := c.First(); first != nil {
		if err := checkIndex(first, s.Index+1); err != nil {
			return 0, 0, err
		}
		end, _ := c.Last()
		return s.Index, last, checkIndex(end, last)
	}
	if s.Index != last {
		return 0, 0, fmt.Errorf("%w: batches %d to %d are missing", journal.ErrDamaged, s.Index+1, last)
	}
	return s.Index, last, nil
}
