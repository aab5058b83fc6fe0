//go:build unix

package journal_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
)

// unreadable returns a slice of n bytes that costs no memory and must not be touched.
func unreadable(t *testing.T, n int) []byte {
	t.Helper()
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(b) })
	return b
}

func TestEntryTooLarge(t *testing.T) {
	huge := unreadable(t, journal.MaxBatchBytes)
	room := journal.MaxBatchBytes - journal.BatchOverheadBytes - journal.EntryOverheadBytes - len("p")
	var b journal.Builder
	for name, err := range map[string]error{
		"data":     b.Add(journal.KindInput, "p", huge[:room+1]),
		"encoding": b.AddFunc(journal.KindInput, "p", func([]byte) ([]byte, error) { return huge[:room+1], nil }),
		"name":     b.Add(journal.KindInput, strings.Repeat("n", journal.MaxNameBytes+1), nil),
	} {
		if !errors.Is(err, journal.ErrTooLarge) {
			t.Errorf("%s: %v; want ErrTooLarge", name, err)
		}
	}
	if b.Len() != 0 || b.Size() != journal.BatchOverheadBytes {
		t.Errorf("the batch has %d entries, %d bytes; want none", b.Len(), b.Size())
	}
	if err := b.Add(journal.KindInput, "p", []byte("x")); err != nil {
		t.Error(err)
	}
	if b, err := journal.Decode(b.Seal().Bytes()); err != nil || b.Len() != 1 {
		t.Errorf("after refused entries: %v", err)
	}
	if _, err := journal.Decode(unreadable(t, journal.MaxBatchBytes+1)); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("Decode: %v; want ErrDamaged", err)
	}
}

func TestStateTooLarge(t *testing.T) {
	huge := unreadable(t, journal.MaxStateBytes+1)
	encode := func(n int) journal.Encode { return func([]byte) ([]byte, error) { return huge[:n], nil } }
	if _, err := journal.EncodeState("p", encode(journal.MaxStateBytes), nil); err != nil {
		t.Error(err)
	}
	_, err := journal.EncodeState("p", encode(journal.MaxStateBytes+1), nil)
	if !errors.Is(err, journal.ErrRefused) || !errors.Is(err, journal.ErrTooLarge) {
		t.Errorf("state: %v; want ErrRefused and ErrTooLarge", err)
	}
	err = journal.Update{Index: 1, App: huge}.Check(0, 1)
	if !errors.Is(err, journal.ErrRefused) || !errors.Is(err, journal.ErrTooLarge) {
		t.Errorf("application state: %v; want ErrRefused and ErrTooLarge", err)
	}
}
