package boltlog_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// TestCompactLink compacts a file that was opened by a symbolic link: what the link leads to becomes small, is locked
// as before, and keeps its mode.
func TestCompactLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is in use cannot be replaced there")
	}
	dir := t.TempDir()
	file, link := filepath.Join(dir, "far", "journal"), filepath.Join(dir, "link")
	err := errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.Symlink(filepath.Join("far", "journal"), link))
	if err != nil {
		t.Fatal(err)
	}
	variedLog(t, file)
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	log := open(t, link)
	if err := log.Compact(nil); err != nil {
		t.Fatal(err)
	}
	add(t, log, []byte("behind it"))
	want := read(t, log)
	if _, err := boltlog.Open(file, boltlog.Options{LockTimeout: -1}); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("Open of the file behind the link: %v", err)
	}
	closeLog(t, log)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link has become %v (error %v)", info.Mode(), err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file has mode %v (error %v)", info.Mode(), err)
	}
	log = open(t, file)
	defer closeLog(t, log)
	if got := read(t, log); !reflect.DeepEqual(got, want) {
		t.Errorf("it holds index %d, %d states, %d batches", got.index, len(got.states), len(got.batches))
	}
}

// TestCompactMoved compacts when the file was moved away, and another Log has made one in its place: both keep what they
// have.
func TestCompactMoved(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is in use cannot be moved there")
	}
	path := filepath.Join(t.TempDir(), "journal")
	moved := path + ".moved"
	variedLog(t, path)
	first := open(t, path)
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if err := first.Compact(nil); err == nil || !strings.Contains(err.Error(), "not at its place") {
		t.Errorf("Compact of a file that was moved: %v", err)
	}
	second := open(t, path)
	add(t, second, []byte("of the second"))
	if err := first.Compact(nil); err == nil || !strings.Contains(err.Error(), "not at its place") {
		t.Errorf("Compact of a file that was replaced: %v", err)
	}
	if _, err := os.Stat(path + ".compact"); err == nil {
		t.Error("something is left beside the file")
	}
	add(t, first, []byte("of the first")) // it goes on
	add(t, second, []byte("of the second, later"))
	want := map[string]content{moved: read(t, first), path: read(t, second)}
	closeLog(t, first)
	closeLog(t, second)
	for path, want := range want {
		log := open(t, path)
		if got := read(t, log); !reflect.DeepEqual(got, want) {
			t.Errorf("%s holds %d batches; want %d", filepath.Base(path), len(got.batches), len(want.batches))
		}
		closeLog(t, log)
	}
}
