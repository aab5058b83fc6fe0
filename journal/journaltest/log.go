package journaltest

import (
	"bytes"
	"iter"
	"maps"
	"slices"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
)

// fataler is what the suite needs of a *testing.T or *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

var _ fataler = (*testing.T)(nil)

// batch seals a batch of one input for each data.
func batch(t fataler, timeNanos int64, data ...string) journal.Batch {
	t.Helper()
	var b journal.Builder
	b.Reset(timeNanos)
	for _, d := range data {
		if err := b.Add(journal.KindInput, "p", []byte(d)); err != nil {
			t.Fatalf("Add: %v", err)
		}
	}
	return b.Seal()
}

// appendOne appends and waits.
func appendOne(log journal.Log, b journal.Batch) (uint64, error) {
	type result struct {
		index uint64
		err   error
	}
	c := make(chan result, 1)
	log.Append(b, func(index uint64, err error) { c <- result{index, err} })
	r := <-c
	return r.index, r.err
}

// mustAppend appends, waits and checks the index.
func mustAppend(t fataler, log journal.Log, want uint64, b journal.Batch) {
	t.Helper()
	if index, err := appendOne(log, b); index != want || err != nil {
		t.Fatalf("Append: index %d, error %v; want index %d", index, err, want)
	}
}

// save saves and waits.
func save(log journal.Log, u journal.Update) error {
	c := make(chan error, 1)
	log.Save(u, func(err error) { c <- err })
	return <-c
}

func mustSave(t fataler, log journal.Log, u journal.Update) {
	t.Helper()
	if err := save(log, u); err != nil {
		t.Fatalf("Save: %v", err)
	}
}

func mustClose(t fataler, log journal.Log) {
	t.Helper()
	if err := log.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// put makes the States of an Update of what is encoded already.
func put(states map[string]string) iter.Seq2[string, journal.Encode] {
	return func(yield func(string, journal.Encode) bool) {
		for name, state := range states {
			encode := func(dst []byte) ([]byte, error) { return append(dst, state...), nil }
			if !yield(name, encode) {
				return
			}
		}
	}
}

// content is what a Log holds, and what it must hold: the model of the random test.
type content struct {
	index   uint64
	time    int64
	app     string
	states  map[string]string
	batches []string // sealed; the first has index+1
}

func (c *content) last() uint64 { return c.index + uint64(len(c.batches)) }

// read recovers log into a content of its own.
func read(t fataler, log journal.Log) content {
	t.Helper()
	c := content{states: map[string]string{}}
	snapshots := 0
	err := log.Recover(func(s journal.Snapshot) error {
		snapshots++
		c.index, c.time, c.app = s.Index, s.Time, string(s.App)
		var names []string
		for range 2 {
			names = names[:0]
			for name, state := range s.States {
				names = append(names, name)
				c.states[name] = string(state)
			}
		}
		if !slices.IsSorted(names) || len(names) != len(c.states) {
			t.Fatalf("names of the states are out of order: %q", names)
		}
		for range s.States {
			break // ends the iteration early
		}
		return nil
	}, func(index uint64, b journal.Batch) error {
		if snapshots != 1 {
			t.Fatalf("batch %d after %d snapshots; want 1", index, snapshots)
		}
		if want := c.last() + 1; index != want {
			t.Fatalf("recovered batch %d; want %d", index, want)
		}
		if _, err := journal.Decode(bytes.Clone(b.Bytes())); err != nil {
			t.Fatalf("batch %d: %v", index, err)
		}
		c.batches = append(c.batches, string(b.Bytes()))
		return nil
	})
	if err != nil {
		t.Fatalf("Recover: %v", err)
	}
	if snapshots != 1 {
		t.Fatalf("%d snapshots; want 1", snapshots)
	}
	return c
}

// mustHold checks that log holds want.
func mustHold(t fataler, log journal.Log, want content) {
	t.Helper()
	got := read(t, log)
	if got.index != want.index || got.time != want.time || got.app != want.app {
		t.Fatalf("snapshot is %d, %d, %q; want %d, %d, %q",
			got.index, got.time, got.app, want.index, want.time, want.app)
	}
	if !maps.Equal(got.states, want.states) {
		t.Fatalf("states are %q; want %q", got.states, want.states)
	}
	if !slices.Equal(got.batches, want.batches) {
		t.Fatalf("%d batches: %q; want %d: %q", len(got.batches), got.batches, len(want.batches), want.batches)
	}
}
