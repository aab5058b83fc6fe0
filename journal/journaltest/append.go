package journaltest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
)

func testEmpty(t *testing.T, open func() journal.Log) {
	for range 2 {
		log := open()
		mustHold(t, log, content{})
		mustClose(t, log)
	}
}

// testAppendOrder appends without waiting, and expects the dones in the order of the calls.
func testAppendOrder(t *testing.T, open func() journal.Log) {
	const batches = 300
	log := open()
	var want content
	var dones []int // by the number of the call; written on the Log's goroutine, read after the last
	all := make(chan struct{})
	for i := range batches {
		b := batch(t, int64(i), fmt.Sprint("input ", i), "another")
		want.batches = append(want.batches, string(b.Bytes()))
		log.Append(b, func(index uint64, err error) {
			if index != uint64(i+1) || err != nil {
				t.Errorf("call %d: index %d, error %v", i, index, err)
			}
			if dones = append(dones, i); len(dones) == batches {
				close(all)
			}
		})
	}
	<-all
	mustHold(t, log, want)
	mustClose(t, log)
	for i, call := range dones {
		if call != i {
			t.Fatalf("done %d was that of call %d", i, call)
		}
	}
	if len(dones) != batches {
		t.Fatalf("%d dones; want %d", len(dones), batches)
	}

	log = open()
	mustHold(t, log, want)
	mustAppend(t, log, batches+1, batch(t, 0, "next"))
	mustClose(t, log)
}

// testAppendConcurrently appends from many goroutines: each index is given once, and to the batch that is found there.
func testAppendConcurrently(t *testing.T, open func() journal.Log) {
	const callers, each = 16, 20
	log := open()
	var mu sync.Mutex
	acknowledged := map[uint64]string{}
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				b := batch(t, int64(i), fmt.Sprint("caller ", c, " input ", i))
				index, err := appendOne(log, b)
				if err != nil {
					t.Errorf("Append: %v", err)
				}
				mu.Lock()
				acknowledged[index] = string(b.Bytes())
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	mustClose(t, log)
	log = open()
	got := read(t, log)
	mustClose(t, log)
	if len(got.batches) != callers*each || len(acknowledged) != callers*each {
		t.Fatalf("%d batches under %d indices; want %d", len(got.batches), len(acknowledged), callers*each)
	}
	for i, b := range got.batches {
		if b != acknowledged[uint64(i+1)] {
			t.Fatalf("batch %d is not what was acknowledged", i+1)
		}
	}
}

// testAppendFromDone appends from within a done, and while holding a lock that done takes.
func testAppendFromDone(t *testing.T, open func() journal.Log) {
	log := open()
	var mu sync.Mutex
	end := make(chan uint64, 1)
	b := batch(t, 1, "x")
	var done func(uint64, error)
	done = func(index uint64, err error) {
		mu.Lock()
		defer mu.Unlock()
		if index == 5 || err != nil {
			end <- index
			return
		}
		log.Append(b, done)
	}
	mu.Lock()
	log.Append(b, done)
	mu.Unlock()
	if index := <-end; index != 5 {
		t.Fatalf("ended at index %d; want 5", index)
	}
	mustClose(t, log)
}

func testAppendOddBatches(t *testing.T, open func() journal.Log) {
	var all journal.Builder
	all.Reset(-1)
	for kind, name := range map[journal.Kind]string{
		journal.KindStart: "",
		journal.KindInput: "\x00\xff/ \"\n",
		journal.KindExit:  string(bytes.Repeat([]byte{0x80}, journal.MaxNameBytes)),
	} {
		if err := all.Add(kind, name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	log := open()
	var want content
	for i, b := range []journal.Batch{
		batch(t, 0),
		all.Seal(),
		batch(t, 1, string(bytes.Repeat([]byte("large"), 1<<20))),
		batch(t, 2, ""),
		batch(t, 3, make([]string, 10_000)...),
	} {
		mustAppend(t, log, uint64(i+1), b)
		want.batches = append(want.batches, string(b.Bytes()))
	}
	mustClose(t, log)
	log = open()
	mustHold(t, log, want)
	mustClose(t, log)
}

// testAppendReusesBatch reuses one Builder from its done on, as a loop does: the Log keeps no view of it.
func testAppendReusesBatch(t *testing.T, open func() journal.Log) {
	log := open()
	var want content
	var b journal.Builder
	for i := range 20 {
		b.Reset(int64(i))
		if err := b.Add(journal.KindInput, "p", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		want.batches = append(want.batches, string(b.Seal().Bytes()))
		mustAppend(t, log, uint64(i+1), b.Seal())
	}
	mustHold(t, log, want)
	mustClose(t, log)
}

func testAppendZeroBatch(t *testing.T, open func() journal.Log) {
	log := open()
	defer mustClose(t, log)
	defer func() {
		if recover() == nil {
			t.Fatal("Append of the zero Batch did not panic")
		}
	}()
	log.Append(journal.Batch{}, func(uint64, error) {})
}

func testRecoverErrors(t *testing.T, open func() journal.Log) {
	log := open()
	mustAppend(t, log, 1, batch(t, 1, "x"))
	mustAppend(t, log, 2, batch(t, 2, "y"))
	mine := errors.New("mine")
	err := log.Recover(func(journal.Snapshot) error { return mine }, func(uint64, journal.Batch) error {
		t.Error("a batch after the snapshot was refused")
		return nil
	})
	if err != mine {
		t.Fatalf("Recover returned %v; want what snapshot did", err)
	}
	calls := 0
	err = log.Recover(func(journal.Snapshot) error { return nil }, func(uint64, journal.Batch) error {
		calls++
		return mine
	})
	if err != mine || calls != 1 {
		t.Fatalf("Recover returned %v after %d batches; want what batch did after 1", err, calls)
	}
	mustClose(t, log)
}

// testRecoverWhileAppending appends from within Recover, without waiting, and expects to see what was there before.
func testRecoverWhileAppending(t *testing.T, open func() journal.Log) {
	log := open()
	mustAppend(t, log, 1, batch(t, 1, "x"))
	mustAppend(t, log, 2, batch(t, 2, "y"))
	b := batch(t, 3, "z")
	done := make(chan uint64, 2)
	var seen []uint64
	err := log.Recover(func(journal.Snapshot) error { return nil }, func(index uint64, _ journal.Batch) error {
		seen = append(seen, index)
		log.Append(b, func(index uint64, _ error) { done <- index })
		return nil
	})
	if err != nil || len(seen) != 2 {
		t.Fatalf("Recover saw %v, error %v; want 1 and 2", seen, err)
	}
	if first, second := <-done, <-done; first != 3 || second != 4 {
		t.Fatalf("indices %d and %d; want 3 and 4", first, second)
	}
	mustClose(t, log)
}
