package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"iter"
)

// Limits.
const (
	MaxBatchBytes = 1 << 30 // of one sealed Batch, in bytes
	MaxNameBytes  = 1 << 10 // of a process name, in bytes
)

// What a Batch costs beside the names and the data, in bytes.
const (
	BatchOverheadBytes = 20
	EntryOverheadBytes = 7
)

// A sealed batch, integers big-endian:
//
//	 0  uint32  CRC32C of everything behind it
//	 4  uint32  format version
//	 8  int64   time, Unix nanoseconds
//	16  uint32  number of entries
//	20  entries, each: uint8 kind, uint16 length of name, uint32 length of data, name, data
//
// The first two fields keep their places in every version, so that damage is told from another version.
const (
	batchVersion   = 2 // the newest; of a batch it is the lowest that has all its kinds
	offsetVersion  = 4
	offsetTime     = 8
	offsetCount    = 16
	offsetNameSize = 1 // within an entry
	offsetDataSize = 3 // within an entry
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is a number of entries that become durable together, sealed: it is only made by [Builder.Seal] and [Decode], so
// it is well-formed, and it does not change. It is a view of bytes and lives as long as they do; see there. The zero
// Batch is none, and no Log takes it.
type Batch struct {
	sealed []byte
	time   int64
	count  int
}

// Time is when the entries happen, in Unix nanoseconds.
func (b Batch) Time() int64 { return b.time }

// Len is the number of entries. A sealed batch may have none.
func (b Batch) Len() int { return b.count }

// Bytes is the batch as it is stored; Decode reads it. It must not be changed. It is nil for the zero Batch only.
func (b Batch) Bytes() []byte { return b.sealed }

// Entries yields the entries in order. It copies nothing: see Entry.
func (b Batch) Entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		rest := b.sealed
		for i := range b.count {
			if i == 0 {
				rest = rest[BatchOverheadBytes:]
			}
			var e Entry
			e, rest = cutEntry(rest)
			if !yield(e) {
				return
			}
		}
	}
}

// cutEntry takes the first entry off b, which is known to hold a whole one.
func cutEntry(b []byte) (Entry, []byte) {
	name, data := entrySizes(b)
	e := Entry{Kind: Kind(b[0])}
	b = b[EntryOverheadBytes:]
	e.Name, b = b[:name:name], b[name:]
	e.Data, b = b[:data:data], b[data:]
	return e, b
}

func entrySizes(b []byte) (name, data int) {
	return int(binary.BigEndian.Uint16(b[offsetNameSize:])), int(binary.BigEndian.Uint32(b[offsetDataSize:]))
}

// Decode reads a sealed batch. It verifies all of it before it returns, copies nothing and keeps a view of sealed,
// which must not be changed while the Batch is used.
//
// Returns an error that wraps ErrDamaged and says at which byte what is wrong, whatever the bytes are; or ErrVersion if
// they are intact but of another format version.
func Decode(sealed []byte) (Batch, error) {
	if len(sealed) < BatchOverheadBytes {
		return Batch{}, damaged(0, "%d bytes are too few for a batch", len(sealed))
	}
	if len(sealed) > MaxBatchBytes {
		return Batch{}, damaged(0, "%d bytes are too many for a batch", len(sealed))
	}
	want := binary.BigEndian.Uint32(sealed)
	if got := crc32.Checksum(sealed[offsetVersion:], castagnoli); got != want {
		return Batch{}, damaged(0, "CRC32C %08x where the content has %08x", want, got)
	}
	v := binary.BigEndian.Uint32(sealed[offsetVersion:])
	if v < 1 || v > batchVersion {
		return Batch{}, fmt.Errorf("%w: batch version %d where 1 to %d are read", ErrVersion, v, batchVersion)
	}
	b := Batch{
		sealed: sealed[:len(sealed):len(sealed)],
		time:   int64(binary.BigEndian.Uint64(sealed[offsetTime:])),
	}
	count := binary.BigEndian.Uint32(sealed[offsetCount:])
	// Compared as int64: on a machine of 32 bits the count of a forged batch would be negative as an int.
	if room := (len(sealed) - BatchOverheadBytes) / EntryOverheadBytes; int64(count) > int64(room) {
		return Batch{}, damaged(offsetCount, "%d entries where there is room for %d", count, room)
	}
	b.count = int(count)
	if err := verifyEntries(sealed, b.count, v); err != nil {
		return Batch{}, err
	}
	return b, nil
}

// verifyEntries checks that exactly count well-formed entries fill sealed behind its header.
func verifyEntries(sealed []byte, count int, version uint32) error {
	at := BatchOverheadBytes
	needs := uint32(1)
	for i := range count {
		rest := sealed[at:]
		if len(rest) < EntryOverheadBytes {
			return damaged(at, "entry %d: %d bytes are too few for an entry", i, len(rest))
		}
		k := Kind(rest[0])
		if !k.known(version) {
			return damaged(at, "entry %d: unknown kind %d", i, uint8(k))
		}
		needs = max(needs, k.version())
		name := int64(binary.BigEndian.Uint16(rest[offsetNameSize:]))
		data := int64(binary.BigEndian.Uint32(rest[offsetDataSize:]))
		if name > MaxNameBytes {
			return damaged(at+offsetNameSize, "entry %d: a name of %d bytes exceeds %d", i, name, MaxNameBytes)
		}
		if left := int64(len(rest)) - EntryOverheadBytes; name+data > left {
			return damaged(at+offsetNameSize, "entry %d: a name of %d and data of %d bytes where %d are left",
				i, name, data, left)
		}
		at += EntryOverheadBytes + int(name) + int(data)
	}
	if needs != version {
		return damaged(offsetVersion, "version %d where the entries are of %d", version, needs)
	}
	if at != len(sealed) {
		return damaged(at, "%d bytes behind the last entry", len(sealed)-at)
	}
	return nil
}

func damaged(at int, format string, args ...any) error {
	return fmt.Errorf("%w: at byte %d: %s", ErrDamaged, at, fmt.Sprintf(format, args...))
}
