package boltlog_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

func openReadOnly(t *testing.T, path string) *boltlog.Log {
	t.Helper()
	log, err := boltlog.Open(path, boltlog.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// TestReadOnly reads files of either format, with what a Save and a Compact that were cut short have left: nothing that
// is there changes, and nothing new is there.
func TestReadOnly(t *testing.T) {
	for name, write := range map[string]func(*testing.T, string){
		"format 1": func(t *testing.T, path string) { format1(t, path) },
		"format 2": func(t *testing.T, path string) { someLog(t, path) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "kv.journal")
			write(t, path)
			if err := os.WriteFile(path+".compact", []byte("half a file"), 0o600); err != nil {
				t.Fatal(err)
			}
			old := time.Unix(1e9, 0)
			if err := errors.Join(os.Chmod(path, 0o444), os.Chtimes(path, old, old)); err != nil {
				t.Fatal(err)
			}
			before := files(t, dir)
			log := openReadOnly(t, path)
			second := openReadOnly(t, path) // beside the first
			got := read(t, log)
			var copied bytes.Buffer
			if err := second.Backup(&copied, nil); err != nil {
				t.Error(err)
			}
			if _, err := boltlog.Open(path, boltlog.Options{LockTimeout: -1}); !errors.Is(err, journal.ErrLocked) {
				t.Errorf("opened to be written while it is read: %v", err)
			}
			_, appended := appendTo(log, []byte("x"))
			saved := trySave(log, journal.Update{States: put("p", []byte("other"))})
			for what, err := range map[string]error{"Append": appended, "Save": saved, "Compact": log.Compact(nil)} {
				if !errors.Is(err, errors.ErrUnsupported) || !strings.HasPrefix(err.Error(), "journal file "+path+": opened for reading only") {
					t.Errorf("%s: %v", what, err)
				}
			}
			closeLog(t, second)
			closeLog(t, log)
			if _, err := appendTo(log, []byte("x")); err != journal.ErrClosed {
				t.Errorf("Append after Close: %v", err)
			}
			if info, err := os.Stat(path); err != nil || !info.ModTime().Equal(old) || info.Mode().Perm() != 0o444 {
				t.Errorf("%v, %v", info, err)
			}
			if !maps.Equal(files(t, dir), before) {
				t.Error("something has changed")
			}
			copy := filepath.Join(t.TempDir(), "copy")
			if err := boltlog.Restore(&copied, copy, nil); err != nil {
				t.Fatal(err)
			}
			log = open(t, copy)
			if want := read(t, log); !reflect.DeepEqual(got, want) || len(got.batches) == 0 || len(got.states) == 0 {
				t.Errorf("read %+v, want %+v", got, want)
			}
			closeLog(t, log)
		})
	}
}

// TestReadOnlyRefuses refuses what Open refuses, with the same words, and makes nothing.
func TestReadOnlyRefuses(t *testing.T) {
	for _, test := range refusedFiles {
		if test.want == fs.ErrNotExist {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "kv.journal")
			test.make(t, path)
			before := files(t, dir)
			_, err := boltlog.Open(path, boltlog.Options{LockTimeout: -1, ReadOnly: true})
			if _, other := boltlog.Open(path, boltlog.Options{LockTimeout: -1}); !errors.Is(err, test.want) || err.Error() != other.Error() {
				t.Errorf("%v; want %v", err, other)
			}
			if !maps.Equal(files(t, dir), before) {
				t.Error("something has changed")
			}
		})
	}
	path := filepath.Join(t.TempDir(), "none")
	_, err := boltlog.Open(path, boltlog.Options{ReadOnly: true})
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "journal file "+path+": ") || strings.Count(err.Error(), path) != 1 {
		t.Errorf("no file: %v", err)
	}
	if left := files(t, filepath.Dir(path)); len(left) != 0 {
		t.Errorf("%d files were made", len(left))
	}
}
