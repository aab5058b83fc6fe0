package boltlog

import (
	"fmt"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// groupMaxBytes bounds what one transaction takes of queued batches, in bytes: bbolt copies it all before it writes. A
// batch that is larger has a transaction to itself.
const groupMaxBytes = 64 << 20

// groupLen says how many calls from the first on are Appends that one transaction takes.
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

// commitAll is the committer: it carries out calls and steps until none is left. While it waits for the disk the next
// ones gather.
func (l *Log) commitAll(ended chan struct{}) {
	defer close(ended)
	var calls []call
	for {
		l.mu.Lock()
		clear(calls) // what they refer to is free to go
		calls, l.queue = l.queue, calls[:0]
		var s *step
		if l.step != nil && (l.step.alone || groupLen(calls) > 0) {
			s, l.step = l.step, nil
		}
		if len(calls) == 0 && s == nil {
			l.committing = nil
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		l.carryOut(calls, s)
	}
}

// carryOut carries out calls in order, successive ones of Append together, and the first of those together with s: a
// step that has a commit to itself would keep an Append waiting that comes meanwhile.
func (l *Log) carryOut(calls []call, s *step) {
	if s != nil && s.replace != nil {
		if l.failed == nil {
			s.err = l.replace(s.replace)
		}
		s.end(l.failed)
		s = nil
	}
	for len(calls) > 0 {
		n := 1
		switch c := calls[0]; {
		case c.saved != nil:
			l.handSave(c)
		case c.closed:
			c.appended(0, journal.ErrClosed)
		default:
			n = groupLen(calls)
			l.commit(calls[:n], s)
			s = nil
		}
		calls = calls[n:]
	}
	if s != nil {
		l.commit(nil, s)
	}
}

// handSave gives the saver a call whose turn it is: its index may be that of a batch that is durable now.
func (l *Log) handSave(c call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.saves = append(l.saves, save{call: c, last: l.last, tail: l.tail})
	if c.update.Index != 0 {
		l.tail = 0
	}
	l.wakeSaver()
}

// commit makes the batches of group durable and does a step, which may be nil, in one transaction, and calls the dones.
func (l *Log) commit(group []call, s *step) {
	first := l.last + 1
	last := l.last + uint64(len(group))
	err := l.failed
	if err == nil && (len(group) > 0 || s.apply != nil) {
		err = l.write(func(tx *bolt.Tx) error {
			if err := putBatches(tx, group, first); err != nil {
				return err
			}
			if s != nil && s.apply != nil {
				if err := s.apply(tx); err != nil {
					return err
				}
			}
			// gofail: var commitBefore struct{}
			return nil
		})
		// gofail: var commitAfter struct{}
		if err != nil {
			err = l.fail(err)
		}
	}
	if err == nil {
		l.last = last
	}
	for i, c := range group {
		if err != nil {
			c.appended(0, err)
			continue
		}
		l.tail += int64(len(c.batch.Bytes()))
		c.appended(first+uint64(i), nil)
	}
	if s != nil {
		s.end(err)
	}
}

// write makes one transaction. Where apply returns an error, or the mapped file cannot be read any more, which is a
// fault, or bbolt meets a page that was damaged since Open and panics, the transaction is left as it is: bbolt's Rollback
// would read all of the file, on a goroutine where a fault ends the program. What is in the file is what it was before, or
// the whole transaction, and bbolt is of no more use.
func (l *Log) write(apply func(*bolt.Tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		if fault, ok := p.(interface {
			error
			Addr() uintptr // as package runtime's errors of faults have
		}); ok {
			err = fmt.Errorf("%w: it cannot be read: %w", journal.ErrDamaged, fault)
		} else if isFailpoint(p) {
			panic(p)
		} else if p != nil {
			err = fmt.Errorf("%w: %v", journal.ErrDamaged, p)
		}
	}()
	l.lost = true
	tx, err := l.db.Begin(true)
	if err != nil {
		return err
	}
	if err := apply(tx); err != nil {
		return err
	}
	err = tx.Commit()
	l.lost = false
	return err
}

// putBatches puts the batches of group, the first with the index first.
func putBatches(tx *bolt.Tx, group []call, first uint64) error {
	if len(group) == 0 {
		return nil
	}
	b := batchesOf(tx)
	for i, c := range group {
		if err := b.Put(indexKey(first+uint64(i)), c.batch.Bytes()); err != nil {
			return err
		}
		// gofail: var commitBetweenBatches struct{}
	}
	return b.SetSequence(first + uint64(len(group)) - 1)
}

// end tells of the end of a step; failed is what ended the Log, or nil.
func (s *step) end(failed error) {
	if failed != nil && s.err != journal.ErrClosed {
		s.err = failed
	}
	if s.saved != nil {
		s.saved(s.err)
	}
	s.result <- s.err
}

// fail ends the Log. Whatever the cause, it is not tried again: after a sync that failed the kernel may hold the pages
// for clean, and the next sync would acknowledge what was never stored.
func (l *Log) fail(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = fmt.Errorf("journal file %s: %w: %w", l.path, journal.ErrFailed, systemError(cause))
	return l.failed
}
