package boltlog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// compactSuffix is of the name beside the Log's where Compact writes. Who holds the lock on the Log's file may delete it.
const compactSuffix = ".compact"

const (
	compactStepBytes = 1 << 20 // copied in one transaction
	fewBatchesLeft   = 64      // that are copied while Appends wait
)

// compaction is a call of Compact.
type compaction struct {
	progress func(done, total int64)
	done     chan error // capacity 1
}

// Compact makes the file as small as what it holds, and returns when that is so. The room that states leave which have
// become smaller, or fewer, is used again, but given back to the system by a compaction only; the Log does one by itself
// when it pays: see Options.CompactBytes.
//
// It writes all that is there to a file path + ".compact", which takes the place of the old one, and has its mode; where
// path is a symbolic link, beside and in the place of the file that it leads to. If the Log's file is not there any more,
// since somebody has moved or deleted it, nothing is done: what is there now is another's. Appends go on, but for a
// moment at the end; Saves that are called meanwhile are done afterwards. A Recover or Backup that is under way keeps the
// old file, and the room that it takes, until it is finished. After a crash there is the old file or the new one, which
// hold the same; what else there is, the next Open deletes.
//
// progress is told now and then how many bytes were copied of at most how many, on a goroutine of the Log's. It may be nil.
//
// Returns journal.ErrClosed if the Log is closed before it is done; errors.ErrUnsupported if it is ReadOnly, or on Windows, where a file that
// is in use cannot be replaced: there, restore a backup; or one line that names the file. The Log goes on then, and its
// file is as it was, but for an error that wraps journal.ErrFailed.
func (l *Log) Compact(progress func(done, total int64)) error {
	if runtime.GOOS == "windows" {
		return fmt.Errorf("journal file %s: compact: %w", l.path, errors.ErrUnsupported)
	}
	c := &compaction{progress, make(chan error, 1)}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return journal.ErrClosed
	}
	if l.opts.ReadOnly {
		defer l.mu.Unlock()
		return l.failed
	}
	l.saves = append(l.saves, save{compact: c})
	l.wakeSaver()
	l.mu.Unlock()
	return <-c.done
}

// compact does what Compact asks for.
func (s *saver) compact(c *compaction) {
	err := s.tryCompact(c)
	switch {
	case errors.Is(err, errStopped), errors.Is(err, journal.ErrClosed):
		err = journal.ErrClosed
	case err != nil && !errors.Is(err, journal.ErrFailed):
		err = fmt.Errorf("journal file %s: compact: %w", s.log.path, systemError(err))
	}
	c.done <- err
}

// compactIfItPays does what Options.CompactBytes says. There is nothing to tidy.
func (s *saver) compactIfItPays() {
	s.saved = false
	l := s.log
	if l.opts.CompactBytes < 0 {
		return
	}
	before, used, err := s.sizes()
	if err != nil || before < l.opts.CompactBytes || before <= 2*(2*used+s.tail) || runtime.GOOS == "windows" {
		return // an error is told where it does harm
	}
	c := &compaction{done: make(chan error, 1)}
	s.compact(c)
	err = <-c.done
	if err == journal.ErrClosed || l.opts.OnCompact == nil {
		return
	}
	after, _, _ := s.sizes()
	l.opts.OnCompact(before, after, err)
}

// sizes returns the size of the file, and what of it is in use, in bytes.
func (s *saver) sizes() (size, used int64, err error) {
	info, err := s.log.file.Stat()
	if err != nil {
		return 0, 0, err
	}
	err = viewFile(s.log.db, s.log.file, func(tx *bolt.Tx) error {
		used = inUse(tx)
		return nil
	})
	return info.Size(), used, err
}

// inUse is how many bytes of the file were in use after the last commit.
func inUse(tx *bolt.Tx) int64 {
	stats, page := tx.DB().Stats(), tx.DB().Info().PageSize
	return tx.Size() - int64(stats.FreePageN+stats.PendingPageN)*int64(page)
}

func (s *saver) tryCompact(c *compaction) error {
	if err := s.mayGoOn(); err != nil {
		return err
	}
	if s.untidy {
		if err := s.tidy(func() bool { return s.mayGoOn() != nil }); err != nil {
			return err
		}
	}
	if err := s.log.inPlace(); err != nil { // else what is there, and beside it, may be another program's
		return err
	}
	path := s.log.real + compactSuffix
	if err := removeIfThere(path); err != nil {
		return err
	}
	db, file, err := openWritable(path, s.log.opts)
	if err != nil {
		return err
	}
	db.AllocSize = compactStepBytes // by which it grows; until it takes the other's place
	if info, err := s.log.file.Stat(); err == nil {
		_ = file.Chmod(info.Mode()) // who may read the one may read the other
	}
	to := &writable{DB: db, file: file, copied: c.progress}
	err = s.copyTo(to)
	if err == nil {
		err = s.log.do(&step{replace: to})
	}
	if err != nil {
		_, _ = to.Close(), os.Remove(path) // err says what is wrong
	}
	if errors.Is(err, journal.ErrDamaged) && !errors.Is(err, journal.ErrFailed) { // the Log's own file, as in view
		err = s.log.do(&step{apply: func(*bolt.Tx) error { return err }})
	}
	if err != nil {
		return err
	}
	if c.progress != nil {
		c.progress(to.total, to.total)
	}
	return nil
}

// mayGoOn returns errStopped if the Log was closed, or what ended it.
func (s *saver) mayGoOn() error {
	closed, failed := s.log.state()
	if failed == nil && closed {
		return errStopped
	}
	return failed
}

// copyTo copies all that there is, but for a few batches that may have been appended since.
func (s *saver) copyTo(to *writable) error {
	err := s.log.read(func(tx *bolt.Tx) error {
		to.total = tx.Size()
		var names [][]byte
		err := guard(func() error {
			return tx.ForEach(func(name []byte, _ *bolt.Bucket) error { names = append(names, bytes.Clone(name)); return nil })
		})
		for _, name := range names {
			if err == nil {
				err = to.copyBucket(s, tx, name)
			}
		}
		return err
	})
	for err == nil {
		left := uint64(0)
		err = s.log.read(func(tx *bolt.Tx) (err error) {
			left, err = to.catchUp(tx)
			return err
		})
		if left <= fewBatchesLeft {
			break
		}
		err = cmp.Or(err, s.mayGoOn())
	}
	return err
}

// writable is a bbolt file that may take the place of the Log's.
type writable struct {
	*bolt.DB
	file   *os.File
	last   uint64 // index of the last batch in it
	bytes  int64
	total  int64
	copied func(done, total int64)
}

// update makes one transaction, in which apply may read the Log's file: that it cannot, or that its pages were damaged
// since Open, is an error.
func (w *writable) update(apply func(*bolt.Tx) error) error {
	return guard(func() error { return w.Update(apply) })
}

// copyBucket copies a bucket, in several transactions.
func (w *writable) copyBucket(s *saver, tx *bolt.Tx, name []byte) error {
	var from *bolt.Bucket
	var c *bolt.Cursor
	var key, value []byte
	for more := true; more; more = key != nil {
		if err := s.mayGoOn(); err != nil {
			return err
		}
		err := w.update(func(tx2 *bolt.Tx) error {
			if c == nil {
				from = tx.Bucket(name)
				c = from.Cursor()
				key, value = c.First()
			}
			b, err := tx2.CreateBucketIfNotExists(name)
			if err != nil {
				return err
			}
			b.FillPercent = 1
			for n := 0; key != nil && n < compactStepBytes; key, value = c.Next() {
				if err := b.Put(key, value); err != nil {
					return err
				}
				n += len(key) + len(value)
				w.bytes += int64(len(key) + len(value))
			}
			sequence := from.Sequence()
			if string(name) == string(bucketBatches) {
				w.last = sequence
			}
			return b.SetSequence(sequence)
		})
		if err != nil {
			return err
		}
		// gofail: var compactBetweenCopies struct{}
		if w.copied != nil {
			w.copied(min(w.bytes, w.total), w.total)
		}
	}
	return nil
}

// catchUp copies batches that were appended since, and returns how many there were.
func (w *writable) catchUp(from *bolt.Tx) (n uint64, err error) {
	var b *bolt.Bucket
	err = guard(func() error {
		b = batchesOf(from)
		n = b.Sequence() - w.last
		return nil
	})
	if err != nil || n == 0 {
		return 0, err
	}
	err = w.update(func(tx *bolt.Tx) error {
		to := batchesOf(tx)
		c := b.Cursor()
		size := 0
		for key, value := c.Seek(indexKey(w.last + 1)); key != nil; key, value = c.Next() {
			if size += len(value); size > groupMaxBytes && size > len(value) {
				break
			}
			if err := cmp.Or(checkIndex(key, w.last+1), to.Put(key, value)); err != nil {
				return err
			}
			w.last++
		}
		if size == 0 { // or it would be tried for ever
			return checkIndex(nil, w.last+1)
		}
		return to.SetSequence(w.last)
	})
	return n, err
}

// inPlace returns nil if the Log's file is where it was opened: nobody has moved or deleted it since, or put another there.
func (l *Log) inPlace() error {
	there, err := isAt(l.real, l.file)
	if err == nil && !there {
		err = errors.New("it is not at its place any more: it was moved, deleted or replaced")
	}
	return err
}

// replace puts to in the place of the Log's file. The committer calls it.
func (l *Log) replace(to *writable) error {
	for left := uint64(1); left > 0; {
		err := viewFile(l.db, l.file, func(tx *bolt.Tx) (err error) {
			left, err = to.catchUp(tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	// gofail: var compactBeforeSwap struct{}
	if err := l.inPlace(); err != nil {
		return err
	}
	if err := os.Rename(l.real+compactSuffix, l.real); err != nil {
		return err
	}
	// gofail: var compactAfterSwap struct{}
	if err := syncDir(filepath.Dir(l.real)); err != nil {
		return l.fail(err) // either file may be there after a crash, and what is appended goes to one of them
	}
	old := l.db
	to.AllocSize = old.AllocSize
	l.mu.Lock()
	l.db, l.file = to.DB, to.file
	l.mu.Unlock()
	l.replaced.Go(func() { _ = old.Close() }) // once nobody reads it
	return nil
}
