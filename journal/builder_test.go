package journal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
)

// TestBuilderAllocatesNothing builds like a loop: once the buffer has grown, a batch costs no memory.
func TestBuilderAllocatesNothing(t *testing.T) {
	data := bytes.Repeat([]byte("x"), 100)
	var b journal.Builder
	encode := func(dst []byte) ([]byte, error) { return append(dst, data...), nil }
	batch := func() {
		b.Reset(1)
		for range 100 {
			_ = b.Add(journal.KindInput, "p", data)
			_ = b.AddFunc(journal.KindInput, "p", encode)
		}
		sealed := b.Seal()
		for e := range sealed.Entries() {
			if len(e.Data) != len(data) {
				t.Fatal("wrong data")
			}
		}
		if _, err := journal.Decode(sealed.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	batch()
	if n := testing.AllocsPerRun(10, batch); n != 0 {
		t.Errorf("a batch of 200 entries allocates %v times", n)
	}
}

// TestAddFuncEncoders lets encoders misbehave: entries before and after are as they were.
func TestAddFuncEncoders(t *testing.T) {
	mine := errors.New("mine")
	large := string(make([]byte, 1000))
	for _, test := range []struct {
		name   string
		encode journal.Encode
		want   string
		err    error
	}{
		{"nil", func([]byte) ([]byte, error) { return nil, nil }, "", nil},
		{"empty", func(dst []byte) ([]byte, error) { return dst, nil }, "", nil},
		{"own slice", func([]byte) ([]byte, error) { return []byte("own"), nil }, "own", nil},
		{"not from the start", func(dst []byte) ([]byte, error) { return append(dst, "abcdef"...)[2:4], nil }, "cd", nil},
		{"beyond its room", func(dst []byte) ([]byte, error) { return append(dst, large...), nil }, large, nil},
		{"error", func(dst []byte) ([]byte, error) { return append(dst, "lost"...), mine }, "", mine},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b journal.Builder
			b.Reset(1)
			add := func(data string) {
				if err := b.Add(journal.KindInput, "p", []byte(data)); err != nil {
					t.Fatal(err)
				}
			}
			add("before")
			if err := b.AddFunc(journal.KindExit, "q", test.encode); err != test.err {
				t.Fatalf("AddFunc: %v; want %v", err, test.err)
			}
			add("after")
			batch, err := journal.Decode(b.Seal().Bytes())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for e := range batch.Entries() {
				got = append(got, string(e.Name)+":"+string(e.Data))
			}
			want := []string{"p:before", "q:" + test.want, "p:after"}
			if test.err != nil {
				want = []string{"p:before", "p:after"}
			}
			if len(got) != len(want) {
				t.Fatalf("entries %q; want %q", got, want)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("entries %q; want %q", got, want)
				}
			}
		})
	}
}

func TestBuilderPanics(t *testing.T) {
	for name, misuse := range map[string]func(b *journal.Builder){
		"unknown kind": func(b *journal.Builder) { _ = b.Add(0, "p", nil) },
		"sealed":       func(b *journal.Builder) { b.Seal(); _ = b.Add(journal.KindInput, "p", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			misuse(new(journal.Builder))
		})
	}
}

func TestKindString(t *testing.T) {
	for kind, want := range map[journal.Kind]string{
		journal.KindStart: "start", journal.KindInput: "input", journal.KindExit: "exit", journal.KindChild: "child", journal.KindSent: "sent", journal.KindMessage: "message", 9: "kind(9)",
	} {
		if got := kind.String(); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func BenchmarkBuilder(b *testing.B) {
	data := bytes.Repeat([]byte("x"), 32)
	var batch journal.Builder
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%1024 == 0 {
			batch.Seal()
			batch.Reset(int64(i))
		}
		_ = batch.Add(journal.KindInput, "counter", data)
	}
}

func BenchmarkDecode(b *testing.B) {
	data := bytes.Repeat([]byte("x"), 32)
	var batch journal.Builder
	for range 1024 {
		_ = batch.Add(journal.KindInput, "counter", data)
	}
	sealed := batch.Seal().Bytes()
	b.SetBytes(int64(len(sealed)))
	b.ReportAllocs()
	for b.Loop() {
		batch, err := journal.Decode(sealed)
		if err != nil {
			b.Fatal(err)
		}
		for range batch.Entries() {
		}
	}
}
