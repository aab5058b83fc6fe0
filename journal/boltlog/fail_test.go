package boltlog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
)

// TestWriteFails takes the file away under a Log: the first call that fails is the last that is tried.
func TestWriteFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	var file *os.File
	log, err := Open(path, Options{openFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	var b journal.Builder
	errs := make(chan error, 1)
	appended := func(_ uint64, err error) { errs <- err }
	log.Append(b.Seal(), appended)
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	log.Append(b.Seal(), appended)
	first := <-errs
	if !errors.Is(first, journal.ErrFailed) || !errors.Is(first, os.ErrClosed) {
		t.Fatalf("Append: %v; want ErrFailed and its cause", first)
	}
	db := log.db
	log.db = nil // whoever tries again, ends here
	log.Append(b.Seal(), appended)
	if err := <-errs; err != first {
		t.Errorf("Append: %v; want the first error", err)
	}
	log.Save(journal.Update{Index: 1}, func(err error) { errs <- err })
	if err := <-errs; err != first {
		t.Errorf("Save: %v; want the first error", err)
	}
	log.db = db
	if err := log.Close(); err == nil {
		t.Error("Close of a file that was taken away returned no error")
	}

	log, err = Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if log.last != 1 {
		t.Errorf("the last batch is %d; want 1", log.last)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestReadFails cuts a file while a Log maps it, as a disk does that fails: to read there is a fault.
func TestReadFails(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be cut there")
	}
	path := filepath.Join(t.TempDir(), "journal")
	log, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	log.Append(new(journal.Builder).Seal(), func(_ uint64, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 2*4096); err != nil {
		t.Fatal(err)
	}
	err = log.Recover(func(journal.Snapshot) error { t.Error("a snapshot"); return nil }, nil)
	if !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("Recover: %v; want ErrDamaged", err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTakenAway cuts a file while a Log writes to it: the next commit cannot read it, and fails.
func TestTakenAway(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be cut there")
	}
	path := filepath.Join(t.TempDir(), "journal")
	log, err := Open(path, Options{InitialMmapBytes: 1 << 15})
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	appended := func(_ uint64, err error) { errs <- err }
	log.Append(new(journal.Builder).Seal(), appended)
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 2*4096); err != nil {
		t.Fatal(err)
	}
	log.Append(new(journal.Builder).Seal(), appended)
	first := <-errs
	if !errors.Is(first, journal.ErrFailed) || !errors.Is(first, journal.ErrDamaged) {
		t.Errorf("Append: %v; want ErrFailed and ErrDamaged", first)
	}
	log.Save(journal.Update{}, func(err error) { errs <- err })
	if err := <-errs; err != first {
		t.Errorf("Save: %v; want the first error", err)
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	if err := log.Recover(nil, nil); err != journal.ErrClosed {
		t.Errorf("Recover: %v; want ErrClosed", err)
	}
}

// TestGroupLen bounds what one transaction takes.
func TestGroupLen(t *testing.T) {
	var b journal.Builder
	if err := b.Add(journal.KindInput, "p", make([]byte, groupMaxBytes/2)); err != nil {
		t.Fatal(err)
	}
	large := call{batch: b.Seal(), appended: func(uint64, error) {}}
	small := call{batch: new(journal.Builder).Seal(), appended: large.appended}
	closed := small
	closed.closed = true
	save := call{saved: func(error) {}}
	for _, test := range []struct {
		calls []call
		want  int
	}{
		{[]call{small}, 1},
		{[]call{small, small, small}, 3},
		{[]call{large, large}, 1},
		{[]call{large, small, large}, 2},
		{[]call{small, save, small}, 1},
		{[]call{small, small, closed}, 2},
	} {
		if got := groupLen(test.calls); got != test.want {
			t.Errorf("%d calls: %d in one transaction; want %d", len(test.calls), got, test.want)
		}
	}
}

// TestPagesDamaged damages the pages of a file under a Log: bbolt panics, and the Log ends with one line.
func TestPagesDamaged(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is locked cannot be written there")
	}
	for name, from := range map[string]int{"all": 0, "all but the meta pages": 2} {
		path := filepath.Join(t.TempDir(), "journal")
		log, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		appended := func(_ uint64, err error) { done <- err }
		log.Append(new(journal.Builder).Seal(), appended)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		page := log.db.Info().PageSize
		for i := from; i < 8; i++ {
			if _, err := log.file.WriteAt(bytes.Repeat([]byte{0xa5}, page), int64(i*page)); err != nil {
				t.Fatal(err)
			}
		}
		log.Append(new(journal.Builder).Seal(), appended)
		err = <-done
		if !errors.Is(err, journal.ErrFailed) || !errors.Is(err, journal.ErrDamaged) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: Append: %v; want ErrFailed and ErrDamaged", name, err)
		}
		log.Append(new(journal.Builder).Seal(), appended)
		if again := <-done; again != err {
			t.Errorf("%s: Append: %v; want the first error", name, again)
		}
		_ = log.Close() // it has failed already
	}
}
