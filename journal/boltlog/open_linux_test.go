package boltlog_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// asNobody runs f without the right to override permissions, which root has.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	const nobody = 65534
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock it: the thread ends with the goroutine
		if os.Geteuid() == 0 {
			if err := syscall.Setfsuid(nobody); err != nil {
				t.Error(err)
				return
			}
		}
		f()
	}()
	<-done
}

func TestOpenNotPermitted(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(dir, path string) error
		text string
	}{
		{"directory", func(dir, _ string) error { return os.Chmod(dir, 0o555) }, "cannot create: permission denied"},
		{"write", func(dir, path string) error {
			someLog(t, path)
			return errors.Join(os.Chmod(path, 0o444), os.Chmod(dir, 0o777))
		}, "cannot open: permission denied"},
		{"read", func(dir, path string) error {
			someLog(t, path)
			return errors.Join(os.Chmod(path, 0o000), os.Chmod(dir, 0o777))
		}, "cannot open: permission denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "kv.journal")
			if err := test.make(dir, path); err != nil {
				t.Fatal(err)
			}
			before := files(t, dir)
			asNobody(t, func() {
				if _, err := os.Stat(dir); err != nil {
					t.Logf("not tested: %v", err) // nobody may not even look into the directory for temporary files
					return
				}
				_, err := boltlog.Open(path, boltlog.Options{})
				if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), test.text) {
					t.Errorf("%v; want ErrPermission with %q", err, test.text)
				}
			})
			if after := files(t, dir); len(after) != len(before) || after[path] != before[path] {
				t.Error("Open changed what it refused")
			}
		})
	}
}

// TestReadOnlyPermitted reads a file that may not be written, in a directory that may not either.
func TestReadOnlyPermitted(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kv.journal")
	someLog(t, path)
	for _, err := range []error{os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o555), os.Chmod(path, 0o444)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	defer os.Chmod(dir, 0o700)
	asNobody(t, func() {
		if _, err := os.Stat(path); err != nil {
			t.Logf("not tested: %v", err)
			return
		}
		if _, err := boltlog.Open(path, boltlog.Options{}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("opened to be written: %v", err)
		}
		log, err := boltlog.Open(path, boltlog.Options{ReadOnly: true})
		if err != nil {
			t.Error(err)
			return
		}
		if got, err := tryRead(log); err != nil || len(got.batches) != 2 {
			t.Errorf("%+v, %v", got, err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		if _, err := boltlog.Check(path, nil, nil); err != nil {
			t.Error(err)
		}
	})
}
