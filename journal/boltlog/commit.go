package boltlog

import (
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// groupMaxBytes bounds what one transaction takes of queued batches, in bytes: bbolt copies it all before it writes. A
// batch that is larger has a transaction to itself.
const groupMaxBytes = 64 << 20

// groupLen says how many of calls are Appends that one transaction takes; the first is one.
func groupLen(calls []call) int {
	size := 0
	for i, c := range calls {
		size += len(c.batch.Bytes())
		if c.appended == nil || c.closed || i > 0 && size > groupMaxBytes {
			return i
		}
	}
	return len(calls)
}

// appendGroup makes the batches of group durable in one transaction and calls their dones.
func (l *Log) appendGroup(group []call) {
	first := l.last + 1
	last := l.last + uint64(len(group))
	err := l.db.Update(func(tx *bolt.Tx) error {
		b := batchesOf(tx)
		for i, c := range group {
			if err := b.Put(indexKey(first+uint64(i)), c.batch.Bytes()); err != nil {
				return err
			}
		}
		return b.SetSequence(last)
	})
	if err != nil {
		l.fail(err)
		for _, c := range group {
			c.fail(l.failed)
		}
		return
	}
	l.last = last
	for i, c := range group {
		c.appended(first+uint64(i), nil)
	}
}

// fail ends the Log. Whatever the cause, it is not tried again: after a sync that failed the kernel may hold the pages
// for clean, and the next sync would acknowledge what was never stored.
func (l *Log) fail(cause error) {
	l.failed = fmt.Errorf("journal file %s: %w: %w", l.path, journal.ErrFailed, cause)
}

// save applies u in one transaction.
func (l *Log) save(u journal.Update) error {
	err := l.db.Update(func(tx *bolt.Tx) error { return l.apply(bucketsOf(tx), tx, u) })
	if errors.Is(err, journal.ErrRefused) {
		return fmt.Errorf("journal file %s: %w", l.path, err)
	}
	if err != nil {
		l.fail(err)
		return l.failed
	}
	if u.Index != 0 {
		l.snapshot = u.Index
	}
	return nil
}

func (l *Log) apply(b buckets, tx *bolt.Tx, u journal.Update) error {
	if err := u.Check(l.snapshot, l.last); err != nil {
		return err
	}
	if err := applyStates(b.states, u); err != nil {
		return err
	}
	if u.Index == 0 {
		return nil
	}
	if err := b.ours.Put(keySnapshot, encodeSnapshot(u)); err != nil {
		return err
	}
	return l.drop(b.batches, tx, u.Index)
}

// applyStates deletes and puts states, and counts them.
func applyStates(b *bolt.Bucket, u journal.Update) error {
	count := b.Sequence()
	for _, name := range u.Delete {
		key := []byte(name)
		if len(key) == 0 || b.Get(key) == nil {
			continue
		}
		if err := b.Delete(key); err != nil {
			return err
		}
		count--
	}
	if u.States != nil {
		for name, encode := range u.States {
			state, err := journal.EncodeState(name, encode, nil)
			if err != nil {
				return err
			}
			key := []byte(name)
			if b.Get(key) == nil {
				count++
			}
			if err := b.Put(key, encodeState(name, state)); err != nil {
				return err
			}
		}
	}
	return b.SetSequence(count)
}

// drop deletes the batches up to index. A few are deleted one by one; where few stay, they are put into a new bucket,
// which saves looking at each that goes.
func (l *Log) drop(b *bolt.Bucket, tx *bolt.Tx, index uint64) error {
	if going, staying := index-l.snapshot, l.last-index; staying > going {
		for i := l.snapshot + 1; i <= index; i++ {
			if err := b.Delete(indexKey(i)); err != nil {
				return err
			}
		}
		return nil
	}
	var stay [][]byte
	for i := index + 1; i <= l.last; i++ {
		stay = append(stay, b.Get(indexKey(i)))
	}
	if err := tx.DeleteBucket(bucketBatches); err != nil {
		return err
	}
	b, err := tx.CreateBucket(bucketBatches)
	if err != nil {
		return err
	}
	b.FillPercent = 1
	for i, sealed := range stay {
		if err := b.Put(indexKey(index+1+uint64(i)), sealed); err != nil {
			return err
		}
	}
	return b.SetSequence(l.last)
}
