package boltlog

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// Backup writes a copy of the file to w, as it is at one moment between two commits while this runs. It is a journal
// file like any other, once it is as a whole in a file: see Restore. Appends and Saves go on; what they make room for in
// the file is not used again before Backup returns.
//
// progress is told now and then how many bytes of how many were written, on the caller's goroutine. It may be nil.
//
// Returns journal.ErrClosed after Close, or one line that names the file and wraps what w returned.
func (l *Log) Backup(w io.Writer, progress func(done, total int64)) error {
	err := l.read(func(tx *bolt.Tx) error {
		m := &meter{w: w, total: tx.Size(), progress: progress}
		_, err := tx.WriteTo(m)
		return cmp.Or(m.err, err) // bbolt does not always wrap it
	})
	if err != nil && err != journal.ErrClosed {
		return fmt.Errorf("journal file %s: backup: %w", l.path, err)
	}
	return err
}

// meter is a Writer that tells how much was written to it.
type meter struct {
	w                 io.Writer
	done, told, total int64 // bytes
	progress          func(done, total int64)
	err               error // of w
}

func (m *meter) Write(b []byte) (int, error) {
	n, err := m.w.Write(b)
	m.done, m.err = m.done+int64(n), err
	if m.progress != nil && (m.done-m.told >= progressBytes || m.done == m.total) {
		m.told = m.done
		m.progress(m.done, m.total)
	}
	return n, err
}

// Restore makes a new journal file at path of a copy that Backup has written. What is read from r is written beside path,
// checked, synced, and only then linked to path: whatever happens, there is no file at path or an intact one. What may be
// left over is a file path + ".new-…", which can be deleted.
//
// progress is told now and then how many bytes were read, with a total of 0, and then what Check tells. It may be nil.
//
// Returns one line that names the file and wraps fs.ErrExist if there is one at path, what r returned, or what Check says
// of what was read.
func Restore(r io.Reader, path string, progress func(done, total int64)) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("journal file %s: %w", path, fs.ErrExist)
	}
	err := writeBeside(path, func(f *os.File) error {
		_, err := io.Copy(&meter{w: f, progress: progress}, r)
		if err := cmp.Or(err, f.Sync()); err != nil {
			return err
		}
		var first error // problem
		_, err = checkFile(f.Name(), progress, func(p Problem) { first = cmp.Or(first, p.Err) })
		if first != nil {
			return fmt.Errorf("the copy is %w; the first: %w", err, first)
		}
		if err != nil {
			return fmt.Errorf("the copy: %w", err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("journal file %s: not restored: %w", path, systemError(err))
	}
	return nil
}
