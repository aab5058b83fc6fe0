package journaltest

import (
	"errors"
	"sync"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
)

// testCloseWaits closes with work under way, from several goroutines, and twice.
func testCloseWaits(t *testing.T, open func() journal.Log) {
	const batches = 50
	log := open()
	done := 0 // written on the Log's goroutine, read after Close
	for range batches {
		log.Append(batch(t, 1, "x"), func(_ uint64, err error) {
			if err == nil {
				done++
			}
		})
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := log.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if done != batches {
				t.Errorf("Close returned after %d dones; want %d", done, batches)
			}
		})
	}
	wg.Wait()
	mustClose(t, log)
	log = open()
	if got := read(t, log); len(got.batches) != batches {
		t.Errorf("%d batches after Close; want %d", len(got.batches), batches)
	}
	mustClose(t, log)
}

func testAfterClose(t *testing.T, open func() journal.Log) {
	log := open()
	mustAppend(t, log, 1, batch(t, 1, "x"))
	mustClose(t, log)
	for range 2 {
		if index, err := appendOne(log, batch(t, 2, "y")); index != 0 || !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Append: index %d, %v; want ErrClosed", index, err)
		}
		if err := save(log, journal.Update{Index: 1}); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Save: %v; want ErrClosed", err)
		}
		err := log.Recover(
			func(journal.Snapshot) error { t.Error("a snapshot after Close"); return nil },
			func(uint64, journal.Batch) error { t.Error("a batch after Close"); return nil })
		if !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Recover: %v; want ErrClosed", err)
		}
	}
	log = open()
	if got := read(t, log); len(got.batches) != 1 {
		t.Errorf("%d batches; want 1", len(got.batches))
	}
	mustClose(t, log)
}
