package boltlog_test

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/lineshaft/lineshaft/journal"
)

// notSynced returns how many pages of f the kernel has yet to store. False: it does not say.
func notSynced(f *os.File) (pages uint64, ok bool) {
	const cachestat = 451 // the call's number, on every machine
	var all struct{ at, length uint64 }
	var stat struct{ cached, dirty, writeback, evicted, recently uint64 }
	_, _, errno := syscall.Syscall6(cachestat, f.Fd(), uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&stat)), 0, 0, 0)
	return stat.dirty + stat.writeback, errno == 0
}

// saysSynced reports whether the kernel says what is not synced in a file of dir: a file system in memory never is.
func saysSynced(t *testing.T, dir string) bool {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, 1<<16), 0); err != nil {
		t.Fatal(err)
	}
	before, ok := notSynced(f)
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	after, _ := notSynced(f)
	return ok && before > 0 && after == 0
}

// TestSyncs asks the kernel: when a meta page is written all that it refers to is stored, and so is the meta page when a
// call is done. TestTornPages goes by that.
func TestSyncs(t *testing.T) {
	dir := t.TempDir()
	if !saysSynced(t, dir) {
		t.Skip("the system does not say what is synced")
	}
	path := filepath.Join(dir, "journal")
	log := open(t, path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	metas := 0
	log.Watch(func(b []byte, at int64, write func([]byte, int64) (int, error)) (int, error) {
		if (diskEvent{data: b, at: at}).meta() {
			metas++
			if pages, _ := notSynced(f); pages > 0 {
				t.Errorf("meta page %d is written, %d pages are not synced", metas, pages)
			}
		}
		return write(b, at)
	})
	var calls sync.WaitGroup
	done := func(err error) { // on the goroutine that writes
		defer calls.Done()
		if pages, _ := notSynced(f); pages > 0 || err != nil {
			t.Errorf("a call is done, %d pages are not synced: %v", pages, err)
		}
	}
	for i := range uint64(20) {
		var b journal.Builder
		if err := b.Add(journal.KindInput, "p", []byte(tornBatch(i))); err != nil {
			t.Fatal(err)
		}
		calls.Add(1)
		log.Append(b.Seal(), func(_ uint64, err error) { done(err) })
		if i%5 == 4 {
			calls.Add(1)
			log.Save(journal.Update{Index: i, States: put("p", []byte(tornBytes(i, 1_000_000)))}, done)
		}
		if i%2 == 0 {
			calls.Wait()
		}
	}
	calls.Wait()
	closeLog(t, log)
	if metas < 20 {
		t.Errorf("%d meta pages were written", metas)
	}
}
