package boltlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// span is a page with those that belong to it, or an inline page. Nothing in it is trusted.
type span struct {
	what  string // for messages
	size  int64
	start []byte // its first bytes, a page header at least
	file  io.ReaderAt
	at    int64 // where in file it begins
}

// element is one of a span's, with its key read.
type element struct {
	key   []byte
	page  uint64 // in a branch
	flags uint32 // in a leaf
	value int64  // where in the span the value begins, in a leaf
	size  int64  // of the value
}

func (s span) damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", journal.ErrDamaged, s.what, fmt.Sprintf(format, args...))
}

// bytes returns n bytes of the span from at on.
func (s span) bytes(at, n int64) ([]byte, error) {
	if at+n > s.size {
		return nil, s.damaged("bytes %d to %d exceed its %d", at, at+n, s.size)
	}
	if at+n <= int64(len(s.start)) {
		return s.start[at : at+n], nil
	}
	b := make([]byte, n)
	if _, err := s.file.ReadAt(b, s.at+at); err != nil {
		return nil, fmt.Errorf("%s: %w", s.what, err)
	}
	return b, nil
}

// elements appends the span's elements to es. Each lies within the span.
func (s span) elements(es []element, flags uint16) ([]element, error) {
	count := int64(binary.NativeEndian.Uint16(s.start[10:]))
	raw, err := s.bytes(pageHeaderBytes, count*elementBytes)
	if err != nil {
		return nil, err
	}
	for i := range count {
		e, err := s.element(pageHeaderBytes+i*elementBytes, raw[i*elementBytes:], flags)
		if err != nil {
			return nil, err
		}
		es = append(es, e)
	}
	return es, nil
}

// element reads the element at a position.
func (s span) element(at int64, raw []byte, flags uint16) (e element, err error) {
	field := func(i int) int64 { return int64(binary.NativeEndian.Uint32(raw[i:])) }
	var position, keySize int64
	if flags == flagBranch {
		position, keySize, e.page = field(0), field(4), binary.NativeEndian.Uint64(raw[8:])
	} else {
		e.flags, position, keySize, e.size = uint32(field(0)), field(4), field(8), field(12)
	}
	e.value = at + position + keySize
	switch {
	case keySize == 0 || keySize > bolt.MaxKeySize:
		return e, s.damaged("a key of %d bytes", keySize)
	case e.flags != 0 && e.flags != elementBucket:
		return e, s.damaged("element flags %#x", e.flags)
	case e.value+e.size > s.size:
		return e, s.damaged("a value of %d bytes at %d exceeds its %d", e.size, e.value, s.size)
	}
	e.key, err = s.bytes(at+position, keySize)
	return e, err
}

// order checks that the keys ascend, from least on and below limit; nil means no bound.
func (s span) order(es []element, least, limit []byte) error {
	for i, e := range es {
		switch {
		case i == 0 && bytes.Compare(e.key, least) < 0, i > 0 && bytes.Compare(e.key, es[i-1].key) <= 0:
			return s.damaged("key %x is out of order", e.key)
		case limit != nil && bytes.Compare(e.key, limit) >= 0:
			return s.damaged("key %x is not before %x", e.key, limit)
		}
	}
	return nil
}

// inline checks a page that is the value of a bucket, and returns its elements.
func (s span) inline() ([]element, error) {
	if flags := binary.NativeEndian.Uint16(s.start[8:]); flags != flagLeaf {
		return nil, s.damaged("flags %#x", flags)
	}
	es, err := s.elements(nil, flagLeaf)
	if err != nil {
		return nil, err
	}
	for _, e := range es {
		if e.flags == elementBucket {
			return nil, s.damaged("a bucket within")
		}
	}
	return es, s.order(es, nil, nil)
}
