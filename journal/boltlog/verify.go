package boltlog

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// bbolt trusts the pages of its file. On a damaged one it panics, reads beyond its memory or never returns, some of that
// on a goroutine of its own when it looks for free pages, where nobody can recover. So every page that it may follow is
// checked here first, by reading and not through the mapping. bbolt's own Check would not do: it follows the pages too.
//
// The layout is bbolt's, in the machine's byte order:
//
//	page     uint64 number, uint16 flags, uint16 count of elements, uint32 count of further pages that belong to it
//	branch   elements: uint32 position, uint32 key size, uint64 page
//	leaf     elements: uint32 flags, uint32 position, uint32 key size, uint32 value size
//	bucket   the value of a leaf element with elementBucket: uint64 page, uint64 sequence, and if the page is 0 an
//	         inline leaf page
//
// Positions count from their element on; the value follows its key.
const (
	pageHeaderBytes   = 16
	elementBytes      = 16
	bucketHeaderBytes = 16

	flagBranch    = 1
	flagLeaf      = 2
	elementBucket = 1

	firstPage = 2 // 0 and 1 are the meta pages
)

// verifier walks the trees of a file.
type verifier struct {
	file     io.ReaderAt
	pageSize int64
	pages    uint64   // Invariant: every page's number is below it, and the file holds as many
	seen     []uint64 // a bit a page
	levels   []level  // what is kept of the pages from the root of a tree to the current one
	found    []subtree
	bucket   string // whose tree is being walked; "" for that of the buckets

	// These are for Check, and nil otherwise. damage is told of an error, and of the keys between which things are lost
	// with it, and may return nil to have the walk go on. visit is given each value. seen is told how much has been read.
	damage func(err error, least, limit []byte) error
	visit  func(key []byte, s span, e element) error
	read   func(bytes int64)
}

type level struct {
	buf      []byte
	elements []element
}

// subtree is a bucket whose tree is still to be walked.
type subtree struct {
	name     string
	root     uint64
	sequence uint64
}

// verifyPages checks all pages that tx can reach in file. Returns errForeign without looking further if it is not ours.
func verifyPages(file *os.File, tx *bolt.Tx) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if tx.Size() > info.Size() {
		return cutShort(info.Size(), tx.Size())
	}
	return newVerifier(file, tx, tx.Size()).walk(tx)
}

func cutShort(size, want int64) error {
	return fmt.Errorf("%w: %d bytes are left of %d", journal.ErrDamaged, size, want)
}

func newVerifier(file io.ReaderAt, tx *bolt.Tx, size int64) *verifier {
	v := &verifier{file: file, pageSize: int64(tx.DB().Info().PageSize)}
	v.pages = uint64(size / v.pageSize)
	v.seen = make([]uint64, v.pages/64+1)
	return v
}

// walk walks all trees that tx can reach.
func (v *verifier) walk(tx *bolt.Tx) error {
	if err := v.tree(uint64(tx.Cursor().Bucket().RootPage()), nil, nil, 0); err != nil {
		return err
	}
	if _, ours := v.subtree(string(bucketOurs)); !ours && v.damage == nil {
		return errForeign
	}
	for _, s := range v.found { // it does not grow: there are no buckets within ours
		if s.root == 0 {
			continue // inline, and checked where it was found
		}
		v.bucket = s.name
		if err := v.tree(s.root, nil, nil, 0); err != nil {
			return err
		}
	}
	return nil
}

// subtree returns the bucket of a name, if it was found.
func (v *verifier) subtree(name string) (subtree, bool) {
	i := slices.IndexFunc(v.found, func(s subtree) bool { return s.name == name })
	if i < 0 {
		return subtree{}, false
	}
	return v.found[i], true
}

// tree checks the page and everything below it. Its keys must be in order, from least on and below limit; nil means no
// bound.
func (v *verifier) tree(page uint64, least, limit []byte, depth int) error {
	elements, flags, s, err := v.page(page, least, limit, depth)
	if err == nil && flags == flagLeaf {
		err = v.leaf(s, elements)
	}
	if err != nil && v.damage != nil {
		return v.damage(err, least, limit)
	}
	if err != nil || flags == flagLeaf {
		return err
	}
	for i, e := range elements {
		below := limit
		if i+1 < len(elements) {
			below = elements[i+1].key
		}
		if err := v.tree(e.page, e.key, below, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// page checks a page but for what it refers to.
func (v *verifier) page(page uint64, least, limit []byte, depth int) (es []element, flags uint16, s span, err error) {
	if depth == len(v.levels) {
		v.levels = append(v.levels, level{})
	}
	l := v.levels[depth]
	if s, err = v.load(page, l.buf); err != nil {
		return nil, 0, s, err
	}
	l.buf = s.start
	flags = binary.NativeEndian.Uint16(s.start[8:])
	if flags != flagBranch && flags != flagLeaf {
		return nil, flags, s, s.damaged("flags %#x", flags)
	}
	if l.elements, err = s.elements(l.elements[:0], flags); err != nil {
		return nil, flags, s, err
	}
	v.levels[depth] = l
	if flags == flagBranch && len(l.elements) == 0 {
		return nil, flags, s, s.damaged("a branch without a page")
	}
	return l.elements, flags, s, s.order(l.elements, least, limit)
}

// load reads the start of a page and marks it, and those that belong to it, as seen.
func (v *verifier) load(page uint64, buf []byte) (span, error) {
	s := span{what: fmt.Sprintf("page %d", page), size: v.pageSize, file: v.file, at: int64(page) * v.pageSize}
	if page < firstPage || page >= v.pages {
		return s, s.damaged("it is not one of the pages %d to %d", firstPage, v.pages-1)
	}
	if int64(cap(buf)) < v.pageSize {
		buf = make([]byte, v.pageSize)
	}
	s.start = buf[:v.pageSize]
	if _, err := v.file.ReadAt(s.start, s.at); err != nil {
		return s, fmt.Errorf("%s: %w", s.what, err)
	}
	if id := binary.NativeEndian.Uint64(s.start); id != page {
		return s, s.damaged("it says that it is page %d", id)
	}
	further := uint64(binary.NativeEndian.Uint32(s.start[12:]))
	if further >= v.pages-page {
		return s, s.damaged("%d further pages exceed the file's %d", further, v.pages)
	}
	for p := page; p <= page+further; p++ {
		if v.seen[p/64]&(1<<(p%64)) != 0 {
			return s, s.damaged("page %d has a place already", p)
		}
		v.seen[p/64] |= 1 << (p % 64)
	}
	s.size += int64(further) * v.pageSize
	return s, nil
}

// leaf checks the buckets of a leaf, and notes those that have trees of their own.
func (v *verifier) leaf(s span, elements []element) error {
	for _, e := range elements {
		var err error
		switch {
		case e.flags == elementBucket:
			err = v.addSubtree(s, e)
		case v.visit != nil:
			err = v.visit(e.key, s, e)
		}
		if err != nil {
			return err
		}
	}
	if v.read != nil {
		v.read(s.size)
	}
	return nil
}

// addSubtree checks a bucket as far as it lies in the leaf that has its name.
func (v *verifier) addSubtree(s span, e element) error {
	if v.bucket != "" {
		return s.damaged("a bucket within %q", v.bucket)
	}
	header, err := s.bytes(e.value, min(e.size, bucketHeaderBytes))
	if err != nil {
		return err
	}
	if len(header) < bucketHeaderBytes {
		return s.damaged("bucket %q has %d bytes", e.key, e.size)
	}
	root, sequence := binary.NativeEndian.Uint64(header), binary.NativeEndian.Uint64(header[8:])
	v.found = append(v.found, subtree{string(e.key), root, sequence})
	if root != 0 {
		return nil
	}
	inline := span{what: fmt.Sprintf("bucket %q in %s", e.key, s.what), size: e.size - bucketHeaderBytes}
	if inline.size < pageHeaderBytes || inline.size > v.pageSize {
		return inline.damaged("%d bytes", inline.size)
	}
	if inline.start, err = s.bytes(e.value+bucketHeaderBytes, inline.size); err != nil {
		return err
	}
	es, err := inline.inline()
	if err != nil || v.visit == nil {
		return err
	}
	v.bucket = string(e.key)
	defer func() { v.bucket = "" }()
	for _, e := range es {
		if err := v.visit(e.key, inline, e); err != nil {
			return err
		}
	}
	return nil
}
