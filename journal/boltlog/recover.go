package boltlog

import (
	"fmt"
	"iter"
	"runtime/debug"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// Recover implements journal.Log.
func (l *Log) Recover(snapshot func(journal.Snapshot) error, batch func(uint64, journal.Batch) error) error {
	var theirs error // what snapshot or batch returned
	err := l.read(func(tx *bolt.Tx) error {
		var v view
		var s journal.Snapshot
		var last uint64
		var damage error // since the states were verified
		err := guard(func() (err error) {
			if v, err = viewOf(tx); err == nil {
				last = v.batches.Sequence()
				s, err = readSnapshot(v, &damage)
			}
			return err
		})
		if err != nil {
			return err
		}
		if theirs = snapshot(s); theirs != nil {
			return nil
		}
		if damage != nil {
			return damage
		}
		return eachBatch(v.batches, s.Index, last, func(index uint64, sealed journal.Batch) bool {
			theirs = batch(index, sealed)
			return theirs == nil
		})
	})
	switch {
	case theirs != nil:
		return theirs
	case err == journal.ErrClosed:
		return err
	case err != nil:
		return fmt.Errorf("journal file %s: %w", l.path, err)
	}
	return nil
}

// guard runs read, which calls nothing of a user's, and turns a panic of bbolt's, or a fault where the mapped file cannot
// be read, into ErrDamaged. Open has checked the pages, so this is left for a disk, or somebody, that takes them away since.
func guard(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		if isFailpoint(p) {
			panic(p)
		}
		if p != nil {
			err = fmt.Errorf("%w: it cannot be read: %v", journal.ErrDamaged, p)
		}
	}()
	return read()
}

// isFailpoint reports whether p is the panic of a failpoint, which is to end the program: see package boltlog.
func isFailpoint(p any) bool { return strings.HasPrefix(fmt.Sprint(p), "failpoint panic") }

// readSnapshot reads the snapshot and verifies every state, so that what is handed over later is intact. Where States
// comes to an end because of what was damaged since, damage says so.
func readSnapshot(v view, damage *error) (journal.Snapshot, error) {
	r := v.snapshot
	if err := v.verify(r.app); err != nil {
		return journal.Snapshot{}, fmt.Errorf("application state: %w", err)
	}
	err := v.walk(func(l layer, name, value []byte) error {
		c, err := decodeEntry(l.number, name, value)
		if err != nil {
			return err
		}
		if err := v.verify(c); err != nil {
			return fmt.Errorf("state of %q: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return journal.Snapshot{}, err
	}
	s := journal.Snapshot{Index: r.index, Time: r.time, App: v.bytes(r.app), States: v.states(damage)}
	if len(s.App) == 0 {
		s.App = nil
	}
	return s, nil
}

// states yields the states, which were verified.
func (v view) states(damage *error) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		w := v.walker()
		for {
			var c content
			var name string
			var state []byte
			var end bool
			err := guard(func() error {
				l, key, value, err := w.next()
				if end = key == nil; end {
					return err
				}
				c, name = content{state: value[:len(value)-crcBytes]}, string(key)
				if l.number != 0 {
					if c, err = decodeContent(c.state); err != nil {
						return err
					}
				}
				state = v.bytes(c)
				return nil
			})
			if err != nil {
				*damage = err
			}
			if end || err != nil || c.kind != contentGone && !yield(name, state) {
				return
			}
		}
	}
}

// eachBatch verifies and hands over the batches after index until handOver returns false, and sees to it that none is
// missing up to last.
func eachBatch(b *bolt.Bucket, index, last uint64, handOver func(uint64, journal.Batch) bool) error {
	c := b.Cursor()
	first := func() ([]byte, []byte) { return c.Seek(indexKey(index + 1)) } // those before it are on their way out
	for step := first; ; step = c.Next {
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
			return fmt.Errorf("%w; %s", err, behind(c))
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

// behind says what is behind the batch that cannot be read at which c is: so a damaged tail is told from a damaged middle.
func behind(c *bolt.Cursor) string {
	intact := false
	err := guard(func() error {
		for key, value := c.Next(); key != nil && !intact; key, value = c.Next() {
			_, err := journal.Decode(value)
			intact = err == nil
		}
		return nil
	})
	if intact && err == nil {
		return "batches behind it are intact"
	}
	return "no batch behind it is intact"
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
