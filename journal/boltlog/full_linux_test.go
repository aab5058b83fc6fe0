package boltlog_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// fill appends and saves until the Log fails, and returns with what, and the last index that was done.
func fill(t *testing.T, log journal.Log, saves bool) (last uint64, failed error) {
	t.Helper()
	for n := 0; failed == nil && n < 10_000; n++ {
		var b journal.Builder
		if err := b.Add(journal.KindInput, "p", crashData(last+1)); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		log.Append(b.Seal(), func(index uint64, err error) {
			if err == nil {
				last = index
			}
			failed = err
			close(done)
		})
		<-done
		if saves && failed == nil {
			saved := make(chan error, 1)
			log.Save(journal.Update{States: put("p", make([]byte, n*100_000))}, func(err error) { saved <- err })
			failed = <-saved
		}
	}
	return last, failed
}

// mustHaveFailed checks how a Log on a full disk ends, and what it leaves; room makes room again.
func mustHaveFailed(t *testing.T, path string, log *boltlog.Log, last uint64, failed error, text string, room func()) {
	t.Helper()
	if !errors.Is(failed, journal.ErrFailed) || !strings.Contains(failed.Error(), text) || strings.Contains(failed.Error(), "\n") {
		t.Fatalf("%v; want ErrFailed with %q, one line", failed, text)
	}
	t.Log(failed)
	if index, err := appendTo(log, []byte("x")); err != failed || index != 0 {
		t.Errorf("Append: %d, %v; want the first error", index, err)
	}
	closeLog(t, log)
	mustBeIntact(t, path)
	log = open(t, path) // while there is no room
	got := read(t, log)
	for i, data := range got.batches {
		if !bytes.HasPrefix([]byte(data), crashData(uint64(i+1))) {
			t.Fatalf("batch %d is %.50q", i+1, data)
		}
	}
	if n := uint64(len(got.batches)); n < last || n > last+1 {
		t.Errorf("%d batches; %d were acknowledged", n, last)
	}
	closeLog(t, log)
	room()
	log = open(t, path)
	if again := read(t, log); !reflect.DeepEqual(again, got) {
		t.Error("it differs when there is room")
	}
	add(t, log, make([]byte, 100_000))
	closeLog(t, log)
	mustBeTidy(t, path)
}

// TestFull fills a filesystem: with batches, and with a Save.
func TestFull(t *testing.T) {
	for name, saves := range map[string]bool{"batches": false, "states": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
				t.Skipf("no filesystem to fill: mount: %v", err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(dir, 0); err != nil {
					t.Error(err)
				}
			})
			path := filepath.Join(dir, "journal")
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			log := open(t, path)
			last, failed := fill(t, log, saves)
			mustHaveFailed(t, path, log, last, failed, "no space left on device", func() {
				if err := os.Remove(ballast); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// limitFlag is the variable that tells TestFileLimit that it is the child.
const limitFlag = "BOLTLOG_TEST_LIMIT"

// TestFileLimit lets a file reach the size that the system allows; in a process of its own, since it allows no file more.
func TestFileLimit(t *testing.T) {
	if os.Getenv(limitFlag) == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, "-test.run=^TestFileLimit$", "-test.v")
		cmd.Env = append(os.Environ(), limitFlag+"=1")
		out, err := cmd.CombinedOutput()
		if t.Logf("%s", out); err != nil {
			t.Error(err)
		}
		return
	}
	for name, saves := range map[string]bool{"batches": false, "states": true} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			log := open(t, path)
			var was syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
				t.Fatal(err)
			}
			limit := was
			limit.Cur = 2 << 20
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
				t.Skipf("the size of files cannot be limited: %v", err)
			}
			room := func() {
				if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
					t.Fatal(err)
				}
			}
			t.Cleanup(room)
			last, failed := fill(t, log, saves)
			mustHaveFailed(t, path, log, last, failed, "file too large", room)
		})
	}
}
