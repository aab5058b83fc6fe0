package boltlog_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

var soakFlag = flag.Duration("soak", 0, "how long TestSoak goes on at least")

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestCompact compacts a file that was large, while others append, save and read.
func TestCompact(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is in use cannot be replaced there")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	variedLog(t, path)
	log := open(t, path)
	save(t, log, journal.Update{States: put("was large", make([]byte, 40<<20))})
	save(t, log, journal.Update{States: put("was large", []byte("is small"))})
	want := read(t, log)
	large := fileSize(t, path)

	var wg sync.WaitGroup
	stop := make(chan struct{})
	appended := 0
	wg.Go(func() { appended = appendUntil(t, log, stop, 21) })
	reading, goOn := make(chan struct{}), make(chan struct{})
	wg.Go(func() { // what is being recovered stays what it was
		err := log.Recover(func(journal.Snapshot) error { close(reading); <-goOn; return nil },
			func(_ uint64, b journal.Batch) error {
				_, err := journal.Decode(b.Bytes())
				return err
			})
		if err != nil {
			t.Error(err)
		}
	})
	<-reading
	calls, last, most := 0, int64(0), int64(0)
	if err := log.Compact(func(done, total int64) { calls, last, most = calls+1, done, total }); err != nil {
		t.Fatal(err)
	}
	if calls < 3 || last != most || last == 0 {
		t.Errorf("progress %d of %d in %d calls", last, most, calls)
	}
	small := fileSize(t, path)
	if small > large/2 {
		t.Errorf("%d bytes were %d", small, large)
	}
	save(t, log, journal.Update{States: put("later", []byte("later"))})
	close(goOn)
	close(stop)
	wg.Wait()
	want.states["later"] = "later"
	for range appended {
		want.batches = append(want.batches, "meanwhile")
	}
	if got := read(t, log); !reflect.DeepEqual(got, want) {
		t.Errorf("it holds index %d, %d states, %d batches; want %d batches", got.index, len(got.states), len(got.batches), len(want.batches))
	}
	closeLog(t, log)
	mustBeTidy(t, path)
	log = open(t, path)
	if got := read(t, log); !reflect.DeepEqual(got, want) || appended == 0 {
		t.Errorf("opened again it holds index %d, %d states, %d batches, %d appended", got.index, len(got.states), len(got.batches), appended)
	}
	closeLog(t, log)
	if err := log.Compact(nil); err != journal.ErrClosed {
		t.Errorf("Compact after Close: %v", err)
	}
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("%d files are there", len(left))
	}
}

// appendUntil appends one batch after the other, the first with the index first, and returns how many.
func appendUntil(t *testing.T, log journal.Log, stop chan struct{}, first uint64) (n int) {
	for {
		select {
		case <-stop:
			return n
		default:
		}
		if index, err := appendTo(log, []byte("meanwhile")); err != nil || index != first+uint64(n) {
			t.Errorf("Append: %d, %v", index, err)
			return n
		}
		n++
	}
}

// TestCompactFails cannot write beside, and then closes while it compacts: the file is as it was.
func TestCompactFails(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is in use cannot be replaced there")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	variedLog(t, path)
	log := open(t, path)
	want := read(t, log)
	blocked := filepath.Join(path+".compact", "x")
	if err := os.MkdirAll(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := log.Compact(nil); err == nil || !strings.HasPrefix(err.Error(), "journal file "+path+": compact: ") {
		t.Errorf("Compact: %v", err)
	}
	add(t, log, nil)
	want.batches = append(want.batches, "")
	if err := os.RemoveAll(path + ".compact"); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	var once sync.Once
	err := log.Compact(func(int64, int64) {
		once.Do(func() {
			go func() { closeLog(t, log); close(closed) }()
			for !errors.Is(log.Recover(func(journal.Snapshot) error { return os.ErrExist }, nil), journal.ErrClosed) {
			}
		})
	})
	if err != journal.ErrClosed {
		t.Errorf("Compact while it is closed: %v", err)
	}
	<-closed
	log = open(t, path)
	if got := read(t, log); !reflect.DeepEqual(got, want) {
		t.Errorf("it holds index %d, %d states, %d batches", got.index, len(got.states), len(got.batches))
	}
	closeLog(t, log)
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("%d files are there", len(left))
	}
}

// TestCompactWaiting opens the file while another Log holds it and compacts: what it waits for is no journal's file any
// more once it gets it.
func TestCompactWaiting(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is in use cannot be replaced there")
	}
	path := filepath.Join(t.TempDir(), "journal")
	first := open(t, path)
	opened := make(chan *boltlog.Log)
	go func() {
		log, err := boltlog.Open(path, boltlog.Options{LockTimeout: 1 << 40})
		for errors.Is(err, journal.ErrLocked) { // it may have waited for the file that was replaced
			log, err = boltlog.Open(path, boltlog.Options{LockTimeout: 1 << 40})
		}
		if err != nil {
			t.Error(err)
		}
		opened <- log
	}()
	for range 20 {
		add(t, first, []byte("x"))
		if err := first.Compact(nil); err != nil {
			t.Fatal(err)
		}
	}
	add(t, first, []byte("last"))
	closeLog(t, first)
	second := <-opened
	if got := read(t, second); len(got.batches) != 21 {
		t.Errorf("%d batches; want 21", len(got.batches))
	}
	closeLog(t, second)
}

// TestSoak appends and checkpoints on and on: what is in use of the file does not grow beyond what bounds it, the states
// twice, since the old ones stay until the new ones are complete, and the tail; and it is compacted to the states once.
func TestSoak(t *testing.T) {
	const (
		tailBytes  = 1 << 20
		names      = 300
		stateBytes = 10 << 10 // of each on average, but for one
		largeBytes = 2 << 20  // at most
		rounds     = 15
		states     = names*stateBytes + largeBytes
	)
	r := random(t)
	path := filepath.Join(t.TempDir(), "journal")
	log := open(t, path)
	start, index, round := time.Now(), uint64(0), 0
	for ; round < rounds || time.Since(start) < *soakFlag; round++ {
		index = soakTail(t, r, log, tailBytes)
		save(t, log, journal.Update{Index: index - uint64(r.IntN(10)), States: soakStates(r, names, stateBytes, largeBytes)})
	}
	closeLog(t, log)
	// Pages are filled by two thirds or more, and what is free is used again after the next commit, if it is in one piece.
	sum, _, err := check(path)
	if bound := int64(2*states+2*tailBytes) * 3 / 2; err != nil || sum.InUseBytes > bound {
		t.Errorf("%v; %d bytes are in use, more than %d", err, sum.InUseBytes, bound)
	}
	most := sum.InUseBytes

	log = open(t, path)
	save(t, log, journal.Update{Index: index})
	err = log.Compact(nil)
	closeLog(t, log)
	if errors.Is(err, errors.ErrUnsupported) {
		return
	}
	sum, _, checked := check(path)
	if bound := sum.StateBytes*3/2 + 2<<20; err != nil || checked != nil || sum.FileBytes > bound {
		t.Errorf("%v; %v; compacted, the file has %d bytes, more than %d", err, checked, sum.FileBytes, bound)
	}
	t.Logf("%d rounds, %d batches: at most %d bytes in use; compacted %d, of states %d",
		round, index, most, sum.FileBytes, sum.StateBytes)
}

// soakTail appends some bytes in batches of any size, and returns the last index.
func soakTail(t *testing.T, r *rand.Rand, log journal.Log, size int) (last uint64) {
	t.Helper()
	for size > 0 {
		var done sync.WaitGroup
		for range 32 {
			n := r.IntN(400)
			if r.IntN(10) == 0 {
				n = r.IntN(100_000)
			}
			size -= n
			var b journal.Builder
			if err := b.Add(journal.KindInput, "p", make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			done.Add(1)
			log.Append(b.Seal(), func(i uint64, err error) {
				if err != nil {
					t.Error(err)
				}
				last = i
				done.Done()
			})
		}
		done.Wait()
	}
	return last
}

// soakStates is a state for each of many names, of any size up to twice the average, and a large one.
func soakStates(r *rand.Rand, names, average, large int) func(func(string, journal.Encode) bool) {
	return func(yield func(string, journal.Encode) bool) {
		for i := range names {
			size := r.IntN(2 * average)
			if i == 0 {
				size = large/2 + r.IntN(large/2)
			}
			if !yield(fmt.Sprint("state ", i), func(dst []byte) ([]byte, error) { return append(dst, make([]byte, size)...), nil }) {
				return
			}
		}
	}
}
