package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Encode appends the encoding of something to dst and returns the extended slice, as the built-in append does. dst may
// be nil. Neither it nor what is returned may be used by the encoder later.
type Encode func(dst []byte) ([]byte, error)

// Builder makes batches, one after the other, in one buffer: once that has grown to what a batch needs, nothing is
// allocated. The zero Builder is an empty batch at time 0. It belongs to one goroutine at a time.
type Builder struct {
	buf     []byte // Invariant: empty, or a header's room and then whole entries
	time    int64
	count   uint32
	version uint32 // the lowest that has the kinds so far; 0 before the first
	sealed  bool
}

// Reset starts a new, empty batch at a time in Unix nanoseconds. It reuses the buffer: the Batch that was sealed last
// must not be in use any more.
func (b *Builder) Reset(timeNanos int64) {
	b.buf, b.time, b.count, b.version, b.sealed = b.buf[:0], timeNanos, 0, 0, false
}

// Len is the number of entries so far.
func (b *Builder) Len() int { return int(b.count) }

// Size is what the batch takes when it is sealed now, in bytes.
func (b *Builder) Size() int { return max(len(b.buf), BatchOverheadBytes) }

// Add appends an entry, copying data. Returns an error that wraps ErrTooLarge if the name exceeds MaxNameBytes or the
// batch would exceed MaxBatchBytes: the batch then stays as it was. It panics if the kind is unknown or the batch is
// sealed.
func (b *Builder) Add(kind Kind, name string, data []byte) error {
	at, err := b.begin(kind, name)
	if err != nil {
		return err
	}
	if err := b.checkRoom(len(data)); err != nil {
		b.buf = b.buf[:at]
		return err
	}
	b.buf = append(b.buf, data...)
	b.end(at, len(name))
	return nil
}

// AddFunc appends an entry whose data encode appends: usually in place, without a copy. encode may also return a slice
// of its own; it is copied then. Returns what encode returns if that is an error, or ErrTooLarge as Add does: the batch
// then stays as it was. It panics as Add does.
func (b *Builder) AddFunc(kind Kind, name string, encode Encode) error {
	at, err := b.begin(kind, name)
	if err != nil {
		return err
	}
	// encode is given the spare room behind the entry's name and not the buffer, so that it cannot touch what is there.
	n := len(b.buf)
	spare := b.buf[n:n:cap(b.buf)]
	b.buf = b.buf[:at] // and so it stays if encode fails, panics or ends the goroutine
	data, err := encode(spare)
	if err != nil {
		return err
	}
	b.buf = b.buf[:n]
	if err := b.checkRoom(len(data)); err != nil {
		b.buf = b.buf[:at]
		return err
	}
	if inPlace := len(data) > 0 && n < cap(b.buf) && &data[0] == &b.buf[:n+1][n]; inPlace {
		b.buf = b.buf[:n+len(data)]
	} else {
		b.buf = append(b.buf, data...)
	}
	b.end(at, len(name))
	return nil
}

// Seal completes the batch. It is a view of the builder's buffer and lives until the next Reset; until then the builder
// takes no more entries. To seal again returns the same.
func (b *Builder) Seal() Batch {
	b.reserveHeader()
	if !b.sealed {
		binary.BigEndian.PutUint32(b.buf[offsetVersion:], max(1, b.version))
		binary.BigEndian.PutUint64(b.buf[offsetTime:], uint64(b.time))
		binary.BigEndian.PutUint32(b.buf[offsetCount:], b.count)
		binary.BigEndian.PutUint32(b.buf, crc32.Checksum(b.buf[offsetVersion:], castagnoli))
		b.sealed = true
	}
	return Batch{sealed: b.buf[:len(b.buf):len(b.buf)], time: b.time, count: int(b.count)}
}

func (b *Builder) reserveHeader() {
	if len(b.buf) == 0 {
		b.buf = append(b.buf, make([]byte, BatchOverheadBytes)...)
	}
}

// begin writes an entry up to its name and returns where it begins; end or cutting the buffer there must follow.
func (b *Builder) begin(kind Kind, name string) (at int, err error) {
	if b.sealed {
		panic("journal: entry added to a sealed batch")
	}
	if !kind.known(batchVersion) {
		panic("journal: entry of unknown " + kind.String())
	}
	if len(name) > MaxNameBytes {
		return 0, fmt.Errorf("%w: a name of %d bytes exceeds %d", ErrTooLarge, len(name), MaxNameBytes)
	}
	b.reserveHeader()
	if err := b.checkRoom(EntryOverheadBytes + len(name)); err != nil {
		return 0, err
	}
	at = len(b.buf)
	b.buf = append(b.buf, byte(kind), byte(len(name)>>8), byte(len(name)), 0, 0, 0, 0)
	b.buf = append(b.buf, name...)
	return at, nil
}

func (b *Builder) end(at, nameSize int) {
	data := len(b.buf) - at - EntryOverheadBytes - nameSize
	binary.BigEndian.PutUint32(b.buf[at+offsetDataSize:], uint32(data))
	b.count++
	b.version = max(b.version, Kind(b.buf[at]).version())
}

func (b *Builder) checkRoom(n int) error {
	if n > MaxBatchBytes-len(b.buf) {
		return fmt.Errorf("%w: %d bytes more exceed a batch's %d", ErrTooLarge, n, MaxBatchBytes)
	}
	return nil
}
