package journal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lineshaft/lineshaft/journal"
)

// sample is a batch with an entry of each kind.
func sample(t testing.TB) journal.Batch {
	t.Helper()
	var b journal.Builder
	b.Reset(1_700_000_000_123_456_789)
	for _, e := range []journal.Entry{
		{Kind: journal.KindStart},
		{Kind: journal.KindInput, Name: []byte("kv"), Data: []byte("\x81\xa5store\x2a")},
		{Kind: journal.KindInput, Name: []byte("kv"), Data: nil},
		{Kind: journal.KindExit, Name: []byte("\x00\xff"), Data: []byte("division by zero")},
	} {
		if err := b.Add(e.Kind, string(e.Name), e.Data); err != nil {
			t.Fatal(err)
		}
	}
	return b.Seal()
}

// reseal corrects the CRC of what was changed on purpose.
func reseal(b []byte) []byte {
	binary.BigEndian.PutUint32(b, crc32.Checksum(b[4:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func TestBatchRoundTrip(t *testing.T) {
	type entry struct {
		kind journal.Kind
		name string
		data []byte
	}
	entries := rapid.SliceOf(rapid.Custom(func(t *rapid.T) entry {
		return entry{
			rapid.SampledFrom([]journal.Kind{journal.KindStart, journal.KindInput, journal.KindExit}).Draw(t, "kind"),
			string(rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "name")),
			rapid.SliceOf(rapid.Byte()).Draw(t, "data"),
		}
	}))
	var b journal.Builder // one for all: it must forget
	rapid.Check(t, func(t *rapid.T) {
		time := rapid.Int64().Draw(t, "time")
		want := entries.Draw(t, "entries")
		b.Reset(time)
		for i, e := range want {
			var err error
			switch i % 3 {
			case 0:
				err = b.Add(e.kind, e.name, e.data)
			case 1: // in place
				err = b.AddFunc(e.kind, e.name, func(dst []byte) ([]byte, error) { return append(dst, e.data...), nil })
			case 2: // in a slice of its own
				err = b.AddFunc(e.kind, e.name, func([]byte) ([]byte, error) { return e.data, nil })
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		size := b.Size()
		sealed := b.Seal()
		if len(sealed.Bytes()) != size || b.Len() != len(want) {
			t.Fatalf("Size %d, Len %d; want %d, %d", size, b.Len(), len(sealed.Bytes()), len(want))
		}
		got, err := journal.Decode(bytes.Clone(sealed.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if got.Time() != time || got.Len() != len(want) || sealed.Time() != time || sealed.Len() != len(want) {
			t.Fatalf("time %d, %d entries; want %d, %d", got.Time(), got.Len(), time, len(want))
		}
		i := 0
		for e := range got.Entries() {
			if w := want[i]; e.Kind != w.kind || string(e.Name) != w.name || !bytes.Equal(e.Data, w.data) {
				t.Fatalf("entry %d is %v %q %q; want %v %q %q", i, e.Kind, e.Name, e.Data, w.kind, w.name, w.data)
			}
			i++
		}
		if i != len(want) {
			t.Fatalf("%d entries; want %d", i, len(want))
		}
	})
}

// TestDecodeDamaged damages a batch in every place in every way that changes a byte, and cuts it and adds to it.
func TestDecodeDamaged(t *testing.T) {
	sealed := sample(t).Bytes()
	check := func(what string, at int, b []byte) {
		if batch, err := journal.Decode(b); !errors.Is(err, journal.ErrDamaged) || batch.Bytes() != nil {
			t.Fatalf("%s at byte %d: %v; want ErrDamaged", what, at, err)
		}
	}
	for at := range sealed {
		b := bytes.Clone(sealed)
		for flip := 1; flip < 256; flip++ {
			b[at] = sealed[at] ^ byte(flip)
			check("flip", at, b)
		}
		check("cut", at, sealed[:at])
		check("insertion", at, append(append(bytes.Clone(sealed[:at]), 0), sealed[at:]...))
	}
	check("addition", len(sealed), append(bytes.Clone(sealed), 0))
	if _, err := journal.Decode(sealed); err != nil {
		t.Fatal(err)
	}
}

// TestDecodeForged damages a batch and corrects its CRC, so that nothing else is left to find it.
func TestDecodeForged(t *testing.T) {
	const second = journal.BatchOverheadBytes + journal.EntryOverheadBytes // where the second entry begins
	for _, test := range []struct {
		name  string
		forge func(b []byte) []byte
		want  error
		text  string
	}{
		{"version", func(b []byte) []byte { b[7] = 3; return b }, journal.ErrVersion, "version 3 where 1 to 2 are read"},
		{"many entries", func(b []byte) []byte { b[16] = 0xff; return b }, journal.ErrDamaged, "at byte 16: "},
		{"an entry more", func(b []byte) []byte { b[19]++; return b }, journal.ErrDamaged, "too few for an entry"},
		{"an entry less", func(b []byte) []byte { b[19]--; return b }, journal.ErrDamaged, "behind the last entry"},
		{"kind 0", func(b []byte) []byte { b[second] = 0; return b }, journal.ErrDamaged, "byte 27: entry 1: unknown kind 0"},
		{"needless version", func(b []byte) []byte { b[7] = 2; return b }, journal.ErrDamaged, "version 2 where the entries are of 1"},
		{"kind 7", func(b []byte) []byte { b[7], b[second] = 2, 7; return b }, journal.ErrDamaged, "unknown kind 7"},
		{"kind 5", func(b []byte) []byte { b[second] = 5; return b }, journal.ErrDamaged, "unknown kind 5"},
		{"long name", func(b []byte) []byte { b[second+1] = 0xff; return b }, journal.ErrDamaged, "byte 28: entry 1: a name of"},
		{"longer name", func(b []byte) []byte { b[second+2] = 200; return b }, journal.ErrDamaged, "are left"},
		{"long data", func(b []byte) []byte { b[second+3] = 0xff; return b }, journal.ErrDamaged, "are left"},
		{"cut", func(b []byte) []byte { return b[:len(b)-1] }, journal.ErrDamaged, "are left"},
		{"trailing", func(b []byte) []byte { return append(b, 0) }, journal.ErrDamaged, "1 bytes behind the last entry"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := journal.Decode(reseal(test.forge(bytes.Clone(sample(t).Bytes()))))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v; want %v with %q", err, test.want, test.text)
			}
		})
	}
}

// FuzzDecode decodes any bytes, as they are and with their CRC corrected. What is decoded must be sealed again the same.
func FuzzDecode(f *testing.F) {
	f.Add(sample(f).Bytes())
	f.Add(new(journal.Builder).Seal().Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		sealed := bytes.Clone(raw)
		batch, err := journal.Decode(sealed)
		if err != nil && len(sealed) >= journal.BatchOverheadBytes {
			batch, err = journal.Decode(reseal(sealed))
		}
		if err != nil {
			if !errors.Is(err, journal.ErrDamaged) && !errors.Is(err, journal.ErrVersion) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		var b journal.Builder
		b.Reset(batch.Time())
		for e := range batch.Entries() {
			if err := b.Add(e.Kind, string(e.Name), e.Data); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(b.Seal().Bytes(), sealed) {
			t.Fatalf("sealed again: %x\nwas: %x", b.Seal().Bytes(), sealed)
		}
	})
}
