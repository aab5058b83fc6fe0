package boltlog_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

var imagesFlag = flag.Int("images", 100, "images of a disk after a loss of power that each test of torn pages looks at")

const (
	pageSize   = 4096 // where the images are made; files have the system's
	sectorSize = 512  // is written whole or not at all
)

// TestTornPages records what a Log writes and when it has that synced, and makes images of what a loss of power may leave
// on a disk: all that was synced, and of the rest any sectors, whatever their order. Each is opened: what was acknowledged
// is there, nothing is there in part, and Check finds nothing wrong.
func TestTornPages(t *testing.T) {
	r := random(t)
	path := filepath.Join(t.TempDir(), "journal")
	kinds := map[string]int{}
	for n := 0; n < *imagesFlag; {
		d := recordWrites(t, r, filepath.Join(t.TempDir(), "recorded"))
		for range 50 {
			n++
			at := r.IntN(len(d.events) + 1)
			img := d.image(at)
			kinds[img.tear(r)]++
			img.write(t, path)
			if err := d.verify(t, path, at, r); err != nil {
				t.Fatalf("cut at event %d of %d: %v", at, len(d.events), err)
			}
		}
	}
	t.Logf("%v", kinds)
	if kinds["torn"] == 0 || kinds["whole"] == 0 {
		t.Error("not all kinds of images were made")
	}
}

// TestBrokenPromise is the same on a disk that loses sectors that it has synced, which no journal can prevent: then the
// file is refused, or it holds all, or what it held at some time before; never anything else.
func TestBrokenPromise(t *testing.T) {
	r := random(t)
	path := filepath.Join(t.TempDir(), "journal")
	outcomes := map[string]int{}
	for n := 0; n < *imagesFlag; {
		d := recordWrites(t, r, filepath.Join(t.TempDir(), "recorded"))
		for range 50 {
			n++
			at := r.IntN(len(d.events)-1) + 1
			d.breakPromise(at, r).write(t, path)
			err := d.verify(t, path, at, r)
			switch {
			case err == nil:
				outcomes["harmless"]++
			case errors.Is(err, journal.ErrDamaged) || errors.Is(err, journal.ErrFormat): // of which nothing is left that says so
				outcomes["refused"]++
			case errors.Is(err, errLost): // the newest meta page, or the root that it names
				outcomes["earlier"]++
			default:
				t.Fatalf("cut at event %d of %d: %v", at, len(d.events), err)
			}
		}
	}
	t.Logf("%v", outcomes)
	if outcomes["refused"] < outcomes["earlier"] || outcomes["harmless"] == 0 {
		t.Error("the journal does not notice what is lost")
	}
}

// recorded is what a disk saw, and what callers were told meanwhile.
type recorded struct {
	first  []byte // the file at the beginning
	events []diskEvent
	states map[uint64]map[string]string // that were saved at an index
}

// diskEvent is a write, a sync, or something that was acknowledged.
type diskEvent struct {
	data  []byte // a write, at
	at    int64
	size  int64  // of the file, at a write
	sync  bool   //
	batch uint64 // its index was acknowledged
	saved uint64 // so was the Save of this index
}

func (e diskEvent) meta() bool { return e.data != nil && e.at < 2*int64(os.Getpagesize()) }

// tornBytes is the content of a batch, or of a state: no two sectors are the same.
func tornBytes(index uint64, n int) string {
	r := rand.New(rand.NewPCG(index, uint64(n)))
	b := fmt.Appendf(nil, "%d ", index)
	for len(b) < n {
		b = fmt.Appendf(b, "%x", r.Uint64())
	}
	return string(b)
}

func tornBatch(index uint64) string { return tornBytes(index, int(index*index*7919%9000)) }

// recorder gathers events.
type recorder struct {
	mu    sync.Mutex
	dirty bool // there was a write since the last sync
	recorded
}

// note notes an event. bbolt writes the pages of a transaction, syncs, writes a meta page and syncs: whatever comes
// behind a meta page, or is one, comes behind a sync.
func (d *recorder) note(e diskEvent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := len(d.events) - 1
	if d.dirty && (e.meta() || d.events[last].meta()) {
		d.events = append(d.events, diskEvent{sync: true})
		d.dirty = false
	}
	d.dirty = d.dirty || e.data != nil
	d.events = append(d.events, e)
}

// recordWrites has a Log do a number of things.
func recordWrites(t *testing.T, r *rand.Rand, path string) *recorded {
	t.Helper()
	closeLog(t, open(t, path))
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := &recorder{recorded: recorded{first: first, states: map[uint64]map[string]string{0: {}}}}
	var opts boltlog.Options
	if r.IntN(2) == 0 {
		opts.InitialMmapBytes = 1 << 16 // the file grows again and again
	}
	log, err := boltlog.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	if !log.Syncs() {
		t.Fatal("the Log does not sync")
	}
	log.Watch(func(b []byte, at int64, write func([]byte, int64) (int, error)) (int, error) {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
		}
		d.note(diskEvent{data: bytes.Clone(b), at: at, size: info.Size()})
		return write(b, at)
	})
	var last, saved uint64
	states := map[string]string{}
	for range 15 {
		var wg sync.WaitGroup
		for range r.IntN(12) {
			last++
			var b journal.Builder
			if err := b.Add(journal.KindInput, "p", []byte(tornBatch(last))); err != nil {
				t.Fatal(err)
			}
			wg.Add(1)
			log.Append(b.Seal(), func(index uint64, err error) {
				defer wg.Done()
				if err != nil {
					t.Error(err)
				}
				d.note(diskEvent{batch: index})
			})
		}
		if r.IntN(2) == 0 && last > saved {
			saved += 1 + r.Uint64N(last-saved)
			u := randomUpdate(r, saved, states)
			d.states[saved] = maps.Clone(states)
			wg.Add(1)
			log.Save(u, func(err error) {
				defer wg.Done()
				if err != nil {
					t.Error(err)
				}
				d.note(diskEvent{saved: u.Index})
			})
		}
		if r.IntN(3) > 0 {
			wg.Wait() // else the next calls come while these are under way
		} else {
			defer wg.Wait()
		}
	}
	closeLog(t, log)
	return &d.recorded
}

// randomUpdate changes some of states.
func randomUpdate(r *rand.Rand, index uint64, states map[string]string) journal.Update {
	u := journal.Update{Index: index, App: []byte(tornBytes(index, r.IntN(300)))}
	changed := map[string]string{"p": tornBytes(index, r.IntN(2000))}
	for i := range r.IntN(10) {
		changed[fmt.Sprint("state ", i)] = tornBytes(index+uint64(i), r.IntN(6000))
	}
	switch r.IntN(4) {
	case 0:
		changed["large"] = tornBytes(index, r.IntN(600_000))
	case 1:
		u.Delete = []string{"large", "state 1"}
	}
	for _, name := range u.Delete {
		delete(states, name)
	}
	maps.Copy(states, changed)
	u.States = putAll(changed)
	return u
}

// image is a disk when the power went.
type image struct {
	size    int64
	pages   map[int64][]byte // that are synced, by where they are
	pending []diskEvent      // that are not
}

// image returns the disk before the event with that number.
func (d *recorded) image(at int) *image {
	img := &image{size: int64(len(d.first)), pages: map[int64][]byte{}}
	img.apply(0, d.first)
	for _, e := range d.events[:at] {
		switch {
		case e.data != nil:
			img.size = e.size // bbolt has that synced before it writes
			img.pending = append(img.pending, e)
		case e.sync:
			img.sync()
		}
	}
	if at < len(d.events) && d.events[at].data != nil {
		img.size = d.events[at].size // it has grown already
	}
	return img
}

func (img *image) sync() {
	for _, e := range img.pending {
		img.apply(e.at, e.data)
	}
	img.pending = nil
}

func (img *image) apply(at int64, data []byte) {
	for len(data) > 0 {
		page := at / pageSize * pageSize
		if img.pages[page] == nil {
			img.pages[page] = make([]byte, pageSize)
		}
		n := copy(img.pages[page][at-page:], data)
		at, data = at+int64(n), data[n:]
	}
}

// tear stores some of what is pending, and says what was done.
func (img *image) tear(r *rand.Rand) string {
	if len(img.pending) == 0 {
		return "whole"
	}
	much := []float64{0, 0.05, 0.5, 0.95, 1}[r.IntN(5)]
	r.Shuffle(len(img.pending), func(i, j int) { img.pending[i], img.pending[j] = img.pending[j], img.pending[i] })
	if r.IntN(3) == 0 { // some writes wholly, others not at all
		img.pending = img.pending[:r.IntN(len(img.pending)+1)]
		much = 1
	}
	for _, e := range img.pending {
		for i := 0; i < len(e.data); i += sectorSize {
			if r.Float64() < much {
				img.apply(e.at+int64(i), e.data[i:min(len(e.data), i+sectorSize)])
			}
		}
	}
	return "torn"
}

func (img *image) write(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	err = f.Truncate(img.size)
	for at, page := range img.pages {
		_, failed := f.WriteAt(page[:min(pageSize, max(0, img.size-at))], at)
		err = errors.Join(err, failed)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// breakPromise makes an image without some sectors of what was written lately, synced or not.
func (d *recorded) breakPromise(at int, r *rand.Rand) *image {
	from := max(0, at-1-r.IntN(40))
	img := d.image(from)
	for _, e := range d.events[from:at] {
		if e.data == nil {
			continue
		}
		img.size = e.size
		for i := 0; i < len(e.data); i += sectorSize {
			if r.IntN(20) > 0 {
				img.apply(e.at+int64(i), e.data[i:min(len(e.data), i+sectorSize)])
			}
		}
	}
	return img
}

// errLost says that something acknowledged is not there, and that what is there is what once was.
var errLost = errors.New("lost")

// verify opens the file at path, an image at an event, and says what is wrong with it. Then it goes on with the file.
func (d *recorded) verify(t *testing.T, path string, at int, r *rand.Rand) error {
	if _, problems, err := check(path); err != nil {
		return fmt.Errorf("Check: %w: %s", err, strings.Join(problems, "; "))
	}
	log, err := boltlog.Open(path, boltlog.Options{})
	if err != nil {
		return err
	}
	got, err := tryRead(log)
	if err == nil {
		err = d.matches(got, at)
	}
	if err == nil {
		err = goOn(t, log, got, r)
	}
	closeLog(t, log)
	if err == nil {
		mustBeIntact(t, path)
	}
	return err
}

// goOn appends to a Log that has been recovered, and saves.
func goOn(t *testing.T, log *boltlog.Log, got content, r *rand.Rand) error {
	next := got.index + uint64(len(got.batches)) + 1
	if index := add(t, log, []byte(tornBatch(next))); index != next {
		return fmt.Errorf("the next batch is %d, want %d", index, next)
	}
	got.batches = append(got.batches, tornBatch(next))
	if r.IntN(4) == 0 {
		got.states["large"] = tornBytes(next, 300_000)
		got.index, got.batches, got.app, got.time = next, nil, "", 0
		save(t, log, journal.Update{Index: next, States: put("large", []byte(got.states["large"]))})
	}
	if again := read(t, log); !reflect.DeepEqual(again, got) {
		return errors.New("what was written afterwards is not what is there")
	}
	return nil
}

// matches returns an error if c is nothing that the Log has ever held; errLost if it is less than what had been
// acknowledged.
func (d *recorded) matches(c content, at int) error {
	states, ok := d.states[c.index]
	if !ok {
		return fmt.Errorf("a snapshot of index %d", c.index)
	}
	if c.index != 0 && !maps.Equal(states, c.states) {
		return fmt.Errorf("the states of index %d are %q, want %q", c.index, slices.Sorted(maps.Keys(c.states)), slices.Sorted(maps.Keys(states)))
	}
	for i, data := range c.batches {
		if index := c.index + 1 + uint64(i); data != tornBatch(index) {
			return fmt.Errorf("batch %d is not what it was", index)
		}
	}
	var last, saved uint64
	for _, e := range d.events[:at] {
		last, saved = max(last, e.batch), max(saved, e.saved)
	}
	if end := c.index + uint64(len(c.batches)); end < last || c.index < saved {
		return fmt.Errorf("%w: batch %d was acknowledged and %d saved, found %d and %d", errLost, last, saved, end, c.index)
	}
	return nil
}
