package boltlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
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

// garble damages all pages but the meta pages.
func garble(t *testing.T, log *Log) {
	t.Helper()
	info, err := log.file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.file.WriteAt(bytes.Repeat([]byte{0xa5}, int(info.Size())-2*4096), 2*4096); err != nil {
		t.Fatal(err)
	}
}

// cut leaves some pages of the file.
func cut(pages int64) func(*testing.T, *Log) {
	return func(t *testing.T, log *Log) {
		t.Helper()
		if err := log.file.Truncate(pages * 4096); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamagedWhileRead damages pages that are read outside of commits: an error, and no panic on a goroutine of the Log's.
func TestDamagedWhileRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is locked cannot be written there")
	}
	backup := func(log *Log) error { return log.Backup(io.Discard, nil) }
	compact := func(log *Log) error { return log.Compact(nil) }
	recovered := func(log *Log) error {
		nothing := func(journal.Snapshot) error { return nil }
		return log.Recover(nothing, func(uint64, journal.Batch) error { return nil })
	}
	saved := func(log *Log) error {
		done := make(chan error, 1)
		log.Save(journal.Update{Delete: []string{"s"}}, func(err error) { done <- err })
		return <-done
	}
	for name, test := range map[string]struct {
		damage func(*testing.T, *Log)
		read   func(*Log) error
	}{
		"Compact":              {garble, compact},
		"Compact of nothing":   {cut(0), compact},
		"Compact of two pages": {cut(2), compact},
		"Recover":              {garble, recovered},
		"Recover of nothing":   {cut(0), recovered},
		"Recover of one page":  {cut(1), recovered},
		"Backup of nothing":    {cut(0), backup},
		"Save of nothing":      {cut(0), saved},
		"Save":                 {garble, saved},
	} {
		t.Run(name, func(t *testing.T) { damagedWhileRead(t, test.damage, test.read) })
	}
}

func damagedWhileRead(t *testing.T, damage func(*testing.T, *Log), read func(*Log) error) {
	log, err := Open(filepath.Join(t.TempDir(), "journal"), Options{CompactBytes: -1}) // else it looks by itself whether that pays
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	appended := func(_ uint64, err error) { done <- err }
	for range 100 {
		log.Append(new(journal.Builder).Seal(), appended)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	states := maps.All(map[string]journal.Encode{"s": func(dst []byte) ([]byte, error) { return append(dst, 1), nil }})
	log.Save(journal.Update{Index: 50, States: states}, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	damage(t, log)
	if err := read(log); !errors.Is(err, journal.ErrDamaged) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v; want ErrDamaged", err)
	}
	log.Append(new(journal.Builder).Seal(), appended)
	if err := <-done; !errors.Is(err, journal.ErrFailed) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Append: %v; want ErrFailed", err)
	}
	_ = log.Close() // it has failed already
}

// TestDamagedBetweenStates damages pages while states are being handed over.
func TestDamagedBetweenStates(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is locked cannot be written there")
	}
	log, err := Open(filepath.Join(t.TempDir(), "journal"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]journal.Encode{}
	for i := range 100 {
		states[fmt.Sprint(i)] = func(dst []byte) ([]byte, error) { return append(dst, make([]byte, 1000)...), nil }
	}
	done := make(chan error, 1)
	log.Save(journal.Update{States: maps.All(states)}, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	n := 0
	err = log.Recover(func(s journal.Snapshot) error {
		for range s.States {
			if n++; n == 1 {
				if _, err := log.file.WriteAt(bytes.Repeat([]byte{0xa5}, 100*4096), 2*4096); err != nil {
					t.Fatal(err)
				}
			}
		}
		return nil
	}, nil)
	if !errors.Is(err, journal.ErrDamaged) || n == len(states) {
		t.Errorf("%v, after %d states; want ErrDamaged", err, n)
	}
	_ = log.Close() // it is damaged
}
