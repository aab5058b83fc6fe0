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
