package boltlog_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// busyWriter appends and saves with each write that is made to it.
type busyWriter struct {
	bytes.Buffer
	t   *testing.T
	log journal.Log
	n   int
}

func (w *busyWriter) Write(b []byte) (int, error) {
	w.n++
	last := add(w.t, w.log, []byte(strings.Repeat("during", 2000)))
	if w.n%5 == 0 {
		save(w.t, w.log, journal.Update{Index: last, Time: 2, States: put("during", make([]byte, 500_000))})
	}
	return w.Buffer.Write(b)
}

// TestBackup copies a file while others append and save, and restores the copy.
func TestBackup(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that grows waits for its backup there")
	}
	dir := t.TempDir()
	path, restored := filepath.Join(dir, "journal"), filepath.Join(dir, "restored")
	variedLog(t, path)
	log := open(t, path)
	add(t, log, []byte("before"))
	want := read(t, log)
	w := &busyWriter{t: t, log: log}
	calls, last, most := 0, int64(0), int64(0)
	err := log.Backup(w, func(done, total int64) { calls, last, most = calls+1, done, total })
	if err != nil || last != most || last != int64(w.Len()) || w.n < 10 {
		t.Fatalf("%v: %d of %d bytes, %d written in %d", err, last, most, w.Len(), w.n)
	}
	if got := read(t, log); got.states["during"] == "" {
		t.Error("nothing was saved meanwhile")
	}
	closeLog(t, log)

	copied := slices.Clone(w.Bytes())
	done, total := int64(0), int64(0)
	err = boltlog.Restore(bytes.NewReader(copied), restored, func(d, t int64) { done, total = d, t })
	if err != nil || done != total || done == 0 {
		t.Fatalf("%v: %d of %d bytes", err, done, total)
	}
	if b, err := os.ReadFile(restored); err != nil || !bytes.Equal(b, copied) {
		t.Errorf("the restored file differs from the copy (error %v)", err)
	}
	log = open(t, restored)
	if got := read(t, log); !reflect.DeepEqual(got, want) {
		t.Errorf("the copy holds index %d, %d states, %d batches", got.index, len(got.states), len(got.batches))
	}
	if index := add(t, log, nil); index != 22 {
		t.Errorf("the next batch is %d; want 22", index)
	}
	closeLog(t, log)
	mustBeTidy(t, restored)
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
func (failing) Read([]byte) (int, error)  { return 0, io.ErrUnexpectedEOF }

func TestBackupFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	log := open(t, path)
	err := log.Backup(failing{}, nil)
	if !errors.Is(err, io.ErrShortWrite) || !strings.HasPrefix(err.Error(), "journal file "+path+": backup: ") {
		t.Errorf("Backup: %v; want the writer's", err)
	}
	add(t, log, nil) // it goes on
	closeLog(t, log)
	if err := log.Backup(io.Discard, nil); err != journal.ErrClosed {
		t.Errorf("Backup after Close: %v", err)
	}
}

// TestRestoreRefuses restores what is no intact copy, or to where something is. It leaves nothing.
func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	variedLog(t, path)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.LastIndex(sound, []byte("<batch 12>"))
	flipped := bytes.Clone(sound)
	flipped[i] ^= 1
	to := filepath.Join(dir, "restored")
	for _, test := range []struct {
		name string
		r    io.Reader
		to   string
		want error
		text string
	}{
		{"file is there", bytes.NewReader(sound), path, fs.ErrExist, "file already exists"},
		{"reader fails", io.MultiReader(bytes.NewReader(sound[:10_000]), failing{}), to, io.ErrUnexpectedEOF, "not restored: unexpected EOF"},
		{"nothing", bytes.NewReader(nil), to, journal.ErrFormat, "it is empty"},
		{"cut", bytes.NewReader(sound[:len(sound)/8]), to, journal.ErrDamaged, "the copy is damaged"},
		{"damaged", bytes.NewReader(flipped), to, journal.ErrDamaged, "the first: batch 12: damaged"},
		{"no journal", strings.NewReader("hello"), to, journal.ErrFormat, "not a journal"},
		{"no directory", bytes.NewReader(sound), filepath.Join(dir, "none", "x"), fs.ErrNotExist, "the directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := boltlog.Restore(test.r, test.to, nil)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v; want %v in a line with %q", err, test.want, test.text)
			}
			if !strings.HasPrefix(err.Error(), "journal file "+test.to+": ") || strings.Contains(err.Error(), ".new-") {
				t.Errorf("%q does not name the file, or names another", err)
			}
			if left := files(t, dir); len(left) != 1 || left[path] != string(sound) {
				t.Errorf("%d files are there, or the one has changed", len(left))
			}
		})
	}
}
