package boltlog_test

import (
	"flag"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
	"github.com/lineshaft/lineshaft/journal/journaltest"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 for another each time")

// random returns the randomness of a test and prints its seed.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestLog(t *testing.T) {
	journaltest.Run(t, func(t *testing.T) func() journal.Log {
		path := filepath.Join(t.TempDir(), "journal")
		return func() journal.Log { return open(t, path) }
	})
}

// TestGrow lets the file outgrow its mapping again and again.
func TestGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	log, err := boltlog.Open(path, boltlog.Options{InitialMmapBytes: 1 << 15})
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 100_000)
	for i := range 30 {
		add(t, log, data)
		if i%10 == 9 {
			save(t, log, journal.Update{Index: uint64(i), States: put("p", data)})
		}
	}
	closeLog(t, log)
	log = open(t, path)
	if got := read(t, log); got.index != 29 || len(got.batches) != 1 || len(got.states["p"]) != len(data) {
		t.Errorf("index %d, %d batches, a state of %d bytes", got.index, len(got.batches), len(got.states["p"]))
	}
	closeLog(t, log)
}

func open(t testing.TB, path string) *boltlog.Log {
	t.Helper()
	log, err := boltlog.Open(path, boltlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func closeLog(t testing.TB, log *boltlog.Log) {
	t.Helper()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// add appends a batch of one input, and waits.
func add(t testing.TB, log journal.Log, data []byte) uint64 {
	t.Helper()
	var b journal.Builder
	if err := b.Add(journal.KindInput, "p", data); err != nil {
		t.Fatal(err)
	}
	done := make(chan uint64, 1)
	log.Append(b.Seal(), func(index uint64, err error) {
		if err != nil {
			t.Errorf("Append: %v", err)
		}
		done <- index
	})
	return <-done
}

// appendTo appends a batch of one input, waits, and returns what done was given.
func appendTo(log journal.Log, data []byte) (uint64, error) {
	var b journal.Builder
	if err := b.Add(journal.KindInput, "p", data); err != nil {
		return 0, err
	}
	type result struct {
		index uint64
		err   error
	}
	done := make(chan result, 1)
	log.Append(b.Seal(), func(index uint64, err error) { done <- result{index, err} })
	r := <-done
	return r.index, r.err
}

func save(t testing.TB, log journal.Log, u journal.Update) {
	t.Helper()
	if err := trySave(log, u); err != nil {
		t.Fatalf("Save: %v", err)
	}
}

func trySave(log journal.Log, u journal.Update) error {
	done := make(chan error, 1)
	log.Save(u, func(err error) { done <- err })
	return <-done
}

// put makes the States of an Update of one state.
func put(name string, state []byte) func(func(string, journal.Encode) bool) {
	return func(yield func(string, journal.Encode) bool) {
		yield(name, func(dst []byte) ([]byte, error) { return append(dst, state...), nil })
	}
}

// content is what a Log holds.
type content struct {
	index   uint64
	time    int64
	app     string
	states  map[string]string
	batches []string // the data of the first entry of each
}

func read(t testing.TB, log journal.Log) content {
	t.Helper()
	c, err := tryRead(log)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryRead(log journal.Log) (content, error) {
	c := content{states: map[string]string{}}
	err := log.Recover(func(s journal.Snapshot) error {
		c.index, c.time, c.app = s.Index, s.Time, string(s.App)
		for name, state := range s.States {
			c.states[name] = string(state)
		}
		return nil
	}, func(_ uint64, b journal.Batch) error {
		for e := range b.Entries() {
			c.batches = append(c.batches, string(e.Data))
			break
		}
		return nil
	})
	return c, err
}
