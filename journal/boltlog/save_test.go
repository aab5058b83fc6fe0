package boltlog_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// putAll makes the States of an Update, in the order of a map: any.
func putAll(states map[string]string) func(func(string, journal.Encode) bool) {
	return func(yield func(string, journal.Encode) bool) {
		for name, state := range states {
			if !yield(name, func(dst []byte) ([]byte, error) { return append(dst, state...), nil }) {
				return
			}
		}
	}
}

// buckets counts what is in each bucket of a file.
func buckets(t *testing.T, path string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			counts[string(name)] = 0
			return b.ForEach(func(_, _ []byte) error { counts[string(name)]++; return nil })
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return counts
}

// mustBeTidy lets a Log tidy, and checks that its file holds what it must and no more: one layer with each state, the
// batches behind the snapshot, and the parts of the states that are split.
func mustBeTidy(t *testing.T, path string) {
	t.Helper()
	log := open(t, path)
	save(t, log, journal.Update{}) // it waits until all is tidied
	got := read(t, log)
	closeLog(t, log)
	const partBytes = 16340
	states, parts, layers := 0, 0, 0
	for _, state := range got.states {
		if len(state) > partBytes {
			parts += (len(state) + partBytes - 1) / partBytes
		}
	}
	if len(got.app) > 128<<10 {
		parts += (len(got.app) + partBytes - 1) / partBytes
	}
	mustBeIntact(t, path)
	counts := buckets(t, path)
	for name, n := range counts {
		if strings.HasPrefix(name, "layer-") {
			layers++
			states += n
		}
	}
	if layers != 1 || states != len(got.states) || counts["parts"] != parts || counts["batches"] != len(got.batches) {
		t.Errorf("%v; want one layer of %d, %d parts, %d batches", counts, len(got.states), parts, len(got.batches))
	}
}

func mustBeIntact(t *testing.T, path string) {
	t.Helper()
	if sum, problems, err := check(path); err != nil || sum.Problems != 0 {
		t.Fatalf("Check: %v, %q", err, problems)
	}
}

// TestSaveCrash copies the file after each commit while a large Save is under way and what it replaces is removed, as a
// loss of power would leave it. Each copy holds what was before or what is after, and all batches that were done; and a
// Log that goes on with it removes what is of no use.
func TestSaveCrash(t *testing.T) {
	large := func(c string, n int) string { return strings.Repeat(c, n) }
	many := func(n int, data string) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprintf("many %04d", i)] = fmt.Sprint(i, large(data, 9000))
		}
		return m
	}
	first := many(80, "a")
	first["huge"], first["large"] = large("b", 1_500_000), large("c", 40_000)
	all := many(80, "A")
	all["huge"], all["large"] = large("B", 1_000_000), ""
	for _, test := range []struct {
		name     string
		states   map[string]string
		deleted  []string
		app      string
		switches bool // there are copies from before and after it
	}{
		{"all", all, nil, large("app", 100_000), true},
		{"one huge", map[string]string{"huge": large("B", 1_000_000)}, []string{"many 0007", "nobody", "large"}, "app", true},
		{"most", many(60, "A"), []string{"huge", "many 0079"}, "", true},
		{"few", map[string]string{"many 0003": "A", "new": "N"}, []string{"many 0004"}, "app", false},
		{"only deletions", nil, []string{"huge", "many 0001"}, "app", false},
		{"only application", nil, nil, large("app", 200_000), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := journal.Update{Index: 205, Time: 2, App: []byte(test.app), States: putAll(test.states), Delete: test.deleted}
			var seen map[string]int
			for range 5 { // on a busy machine all of a small save may come before the first copy
				seen = crashes(t, first, u, func(want map[string]string) {
					for _, name := range test.deleted {
						delete(want, name)
					}
					maps.Copy(want, test.states)
				})
				if seen["after"] > 0 && (seen["before"] > 0 || !test.switches) {
					return
				}
			}
			t.Errorf("copies of %v; want of before and after", seen)
		})
	}
}

// crashes is what TestSaveCrash does with one update u of what the states are first. It returns how many copies were
// from before u, and after it.
func crashes(t *testing.T, first map[string]string, u journal.Update, change func(map[string]string)) map[string]int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	log, err := boltlog.Open(path, boltlog.Options{InitialMmapBytes: 1 << 15})
	if err != nil {
		t.Fatal(err)
	}
	for range 210 {
		add(t, log, []byte("x"))
	}
	save(t, log, journal.Update{Index: 5, Time: 1, App: bytes.Repeat([]byte("old"), 100_000), States: putAll(first)})
	before := read(t, log)
	after := before
	after.states = maps.Clone(before.states)
	change(after.states)
	after.index, after.time, after.app = u.Index, u.Time, string(u.App)

	copies := copiesDuring(t, path, log, u)
	closeLog(t, log)
	mustBeTidy(t, path)
	seen := map[string]int{}
	for i, image := range copies {
		c := filepath.Join(t.TempDir(), "copy")
		if err := os.WriteFile(c, image, 0o600); err != nil {
			t.Fatal(err)
		}
		mustBeIntact(t, c)
		log := open(t, c)
		got := read(t, log)
		closeLog(t, log)
		which, want := "before", before
		if got.index == u.Index {
			which, want = "after", after
		}
		seen[which]++
		want.batches = slices.Repeat([]string{"x"}, 210+i+1-int(want.index))
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("copy %d, %s: it differs: %d states, %d batches, app of %d bytes",
				i, which, len(got.states), len(got.batches), len(got.app))
		}
		mustBeTidy(t, c)
		log = open(t, c)
		if again := read(t, log); !reflect.DeepEqual(again, want) {
			t.Fatalf("copy %d, %s: it differs once it is tidy", i, which)
		}
		closeLog(t, log)
	}
	return seen
}

// copiesDuring saves u, and appends until it is done and somewhat longer. It returns what the file was when each of
// these batches was done, the i-th that of i+1 batches.
func copiesDuring(t *testing.T, path string, log journal.Log, u journal.Update) (copies [][]byte) {
	t.Helper()
	finished := make(chan struct{})
	log.Save(u, func(err error) {
		if err != nil {
			t.Error(err)
		}
		close(finished)
	})
	for left := 20; left > 0; { // some steps after the Save is done, in which what it has replaced goes
		select {
		case <-finished:
			left--
		default:
		}
		var b journal.Builder
		if err := b.Add(journal.KindInput, "p", []byte("x")); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		log.Append(b.Seal(), func(_ uint64, err error) {
			if err != nil {
				t.Error(err)
			}
			image, err := os.ReadFile(path) // nothing else is written until this returns
			if err != nil {
				t.Error(err)
			}
			copies = append(copies, image)
			close(done)
		})
		<-done
	}
	return copies
}

// format1 makes a file that a program of version 1 has made, and returns what is in it.
func format1(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "format1.journal.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	old, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	return old
}

// TestFormat1 opens such a file, and saves to it.
func TestFormat1(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	old := format1(t, path)
	want := content{index: 3, time: 33, app: "application", batches: []string{"batch 4", "batch 5", "batch 6"}}
	want.states = map[string]string{"empty": "", "large": strings.Repeat("large ", 10_000)}
	for i := range 100 {
		want.states[fmt.Sprintf("state %03d", i)] = strings.Repeat(fmt.Sprint(i), i)
	}
	log := open(t, path)
	if got := read(t, log); !reflect.DeepEqual(got, want) {
		t.Fatalf("it holds %v", got)
	}
	closeLog(t, log)
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, old) {
		t.Errorf("to open and recover it has changed it (error %v)", err)
	}

	log = open(t, path)
	add(t, log, []byte("batch 7"))
	want.batches = append(want.batches, "batch 7")
	if got := read(t, log); !reflect.DeepEqual(got, want) {
		t.Fatalf("after an Append it holds %v", got)
	}
	save(t, log, journal.Update{Index: 5, Time: 55, App: []byte("new"), States: put("state 000", []byte("zero")), Delete: []string{"state 001"}})
	want.index, want.time, want.app, want.batches = 5, 55, "new", want.batches[2:]
	want.states["state 000"] = "zero"
	delete(want.states, "state 001")
	if got := read(t, log); !reflect.DeepEqual(got, want) {
		t.Fatalf("after a Save it holds %v", got)
	}
	closeLog(t, log)
	mustBeTidy(t, path)
	log = open(t, path)
	if got := read(t, log); !reflect.DeepEqual(got, want) {
		t.Fatalf("tidied it holds %v", got)
	}
	closeLog(t, log)
}

// TestSaveEncoderFailsLate refuses a large update after much of it was staged.
func TestSaveEncoderFailsLate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	log := open(t, path)
	save(t, log, journal.Update{States: put("kept", []byte("state"))})
	before := read(t, log)
	done := make(chan error, 1)
	log.Save(journal.Update{States: func(yield func(string, journal.Encode) bool) {
		_ = yield("a", func([]byte) ([]byte, error) { return make([]byte, 1<<20), nil }) &&
			yield("z", func([]byte) ([]byte, error) { return nil, io.ErrUnexpectedEOF })
	}}, func(err error) { done <- err })
	if err := <-done; err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("Save: %v; want the encoder's", err)
	}
	if got := read(t, log); !reflect.DeepEqual(got, before) {
		t.Errorf("it holds %v", got)
	}
	closeLog(t, log)
	mustBeTidy(t, path)
}

// TestSaveRandom saves updates of any size, many of them large, and compares with a map.
func TestSaveRandom(t *testing.T) {
	r := random(t)
	path := filepath.Join(t.TempDir(), "journal")
	log := open(t, path)
	want := map[string]string{}
	name := func() string { return fmt.Sprint("name ", r.IntN(400)) }
	for range 40 {
		u := journal.Update{}
		states := map[string]string{}
		for range r.IntN(20) {
			u.Delete = append(u.Delete, name())
			delete(want, u.Delete[len(u.Delete)-1])
		}
		for range []int{3, 300}[r.IntN(2)] {
			n := size(r)
			states[name()] = strings.Repeat(fmt.Sprint(r.IntN(1_000_000)), n)[:n]
		}
		maps.Copy(want, states)
		u.States = putAll(states)
		save(t, log, u)
		if r.IntN(3) == 0 {
			closeLog(t, log)
			log = open(t, path)
		}
		if got := read(t, log); !maps.Equal(got.states, want) {
			t.Fatalf("%d states; want %d", len(got.states), len(want))
		}
	}
	closeLog(t, log)
	mustBeTidy(t, path)
}

func size(r *rand.Rand) int { return []int{0, 100, 5_000, 16_339, 16_340, 16_341, 50_000}[r.IntN(7)] }
