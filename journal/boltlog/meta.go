package boltlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// A commit writes one of the file's two meta pages last, in turn; bbolt goes by the one that is whole and newer. If it
// is the other one that is newer, a commit is lost that may have been acknowledged.

// Of a meta page, from behind its header on, in bbolt's layout.
const (
	metaPageSize = 8  // where the size of the file's pages is
	metaTxid     = 48 // where the number of the commit is
	metaSum      = 56 // where the checksum of what is before it is
	metaBytes    = 64

	minPageBytes, maxPageBytes = 1 << 10, 64 << 10
)

// metaPage is what is known of a meta page.
type metaPage struct {
	number  int
	whole   bool
	changed bool   // it was whole: one byte is another since
	txid    uint64 // of the commit that wrote it, if it is, or was, whole
}

// readMetas reads both meta pages.
func readMetas(file *os.File, pageSize int) (metas [2]metaPage, err error) {
	for i := range metas {
		b := make([]byte, metaBytes)
		if _, err := file.ReadAt(b, int64(i*pageSize)+pageHeaderBytes); err != nil {
			return metas, systemError(err)
		}
		whole := isMeta(b)
		changed := !whole && mend(b)
		metas[i] = metaPage{i, whole, changed, binary.NativeEndian.Uint64(b[metaTxid:])}
	}
	return metas, nil
}

// anyMeta returns an error unless both meta pages can be read and one of them is whole. That the file is closed is none.
func anyMeta(file *os.File) error {
	b := make([]byte, metaBytes)
	_, err := file.ReadAt(b, pageHeaderBytes)
	switch {
	case err != nil:
	case isMeta(b):
		_, err = file.ReadAt(b, int64(binary.NativeEndian.Uint32(b[metaPageSize:]))+pageHeaderBytes)
	default: // it does not say where the other one is
		found := false
		for size := int64(minPageBytes); err == nil && !found && size <= maxPageBytes; size *= 2 {
			_, err = file.ReadAt(b, size+pageHeaderBytes)
			found = err == nil && isMeta(b)
		}
		if !found && !errors.Is(err, os.ErrClosed) {
			return errNoMeta
		}
	}
	switch {
	case errors.Is(err, os.ErrClosed):
		return nil
	case errors.Is(err, io.EOF):
		return errNoMeta
	}
	return err
}

var errNoMeta = fmt.Errorf("%w: both meta pages, or one is missing", journal.ErrDamaged)

func isMeta(b []byte) bool {
	h := fnv.New64a()
	h.Write(b[:metaSum])
	return h.Sum64() == binary.NativeEndian.Uint64(b[metaSum:])
}

// mend makes a meta page whole by changing one byte of it back, and reports whether that can be. A write that was cut
// short does not look like that: a disk writes all of it, which is in one sector, or none, or something else instead.
func mend(b []byte) bool {
	for i, was := range b {
		for range 255 {
			if b[i]++; isMeta(b) {
				return true
			}
		}
		b[i] = was
	}
	return false
}

// problem says what is wrong with the page, if the file is as the commit tx has left it. Lost: so is what a later commit
// has written.
func (m metaPage) problem(tx *bolt.Tx) (lost bool, err error) {
	switch {
	case m.whole:
		return false, nil
	case m.changed && m.txid > uint64(tx.ID()):
		return true, fmt.Errorf("%w: meta page %d: a byte of it was changed since the last commit, which is lost without it", journal.ErrDamaged, m.number)
	case m.changed:
		return false, fmt.Errorf("%w: meta page %d: a byte of it was changed; the other one is newer", journal.ErrDamaged, m.number)
	}
	return false, fmt.Errorf("%w: meta page %d: a commit was cut short, or is lost", journal.ErrDamaged, m.number)
}

// verifyMetas returns an error if the last commit is lost, and as torn what is to be told if it may be.
func verifyMetas(file *os.File, tx *bolt.Tx) (torn, err error) {
	metas, err := readMetas(file, tx.DB().Info().PageSize)
	if err != nil {
		return nil, err
	}
	for _, m := range metas {
		lost, problem := m.problem(tx)
		if lost {
			return nil, problem
		}
		if !m.changed && problem != nil {
			torn = problem
		}
	}
	return torn, nil
}
