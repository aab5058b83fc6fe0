package journaltest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
)

// testSaveDropsBatches checkpoints at every place in turn: few stay, many stay, all stay, none stays.
func testSaveDropsBatches(t *testing.T, open func() journal.Log) {
	log := open()
	want := content{states: map[string]string{}}
	add := func(n int) {
		for range n {
			b := batch(t, int64(want.last()), strings.Repeat("input", 100))
			mustAppend(t, log, want.last()+1, b)
			want.batches = append(want.batches, string(b.Bytes()))
		}
	}
	for i, step := range []struct{ add, drop int }{{9, 1}, {0, 0}, {30, 30}, {0, 8}, {5, 4}, {0, 1}, {0, 0}, {100, 99}} {
		add(step.add)
		want.index += uint64(step.drop)
		want.time = int64(i + 1)
		want.app = fmt.Sprint("app ", i)
		want.states["p"] = fmt.Sprint("state ", i)
		want.batches = want.batches[step.drop:]
		mustSave(t, log, journal.Update{
			Index: want.index, Time: want.time, App: []byte(want.app),
			States: put(map[string]string{"p": want.states["p"]}),
		})
		mustHold(t, log, want)
		mustClose(t, log)
		log = open()
		mustHold(t, log, want)
		add(1)
	}
	mustClose(t, log)
}

// testSaveInOrder hands over appends and saves without waiting: each save sees the appends before it, and no other.
func testSaveInOrder(t *testing.T, open func() journal.Log) {
	log := open()
	var appends, saves []string // written on the Log's goroutine, read after Close
	add := func() {
		log.Append(batch(t, 0, "x"), func(index uint64, err error) {
			appends = append(appends, fmt.Sprint(index, " ", err))
		})
	}
	save := func(index uint64) {
		log.Save(journal.Update{Index: index}, func(err error) {
			saves = append(saves, fmt.Sprint(index, " refused: ", errors.Is(err, journal.ErrRefused)))
		})
	}
	add()
	add()
	save(2)
	save(3) // 3 is not appended yet
	add()
	save(3)
	save(2) // it is past
	add()
	mustClose(t, log)
	if got, want := strings.Join(appends, ", "), "1 <nil>, 2 <nil>, 3 <nil>, 4 <nil>"; got != want {
		t.Errorf("appends: %s; want %s", got, want)
	}
	want := "2 refused: false, 3 refused: true, 3 refused: false, 2 refused: true"
	if got := strings.Join(saves, ", "); got != want {
		t.Errorf("saves: %s; want %s", got, want)
	}
}

// testSaveStates changes states without an index: batches and snapshot stay.
func testSaveStates(t *testing.T, open func() journal.Log) {
	log := open()
	b := batch(t, 1, "x")
	want := content{batches: []string{string(b.Bytes())}}
	mustAppend(t, log, 1, b)
	for _, step := range []struct {
		put    map[string]string
		delete []string
		want   map[string]string
	}{
		{map[string]string{"a": "1", "b": "2", "c": "3"}, nil, map[string]string{"a": "1", "b": "2", "c": "3"}},
		{map[string]string{"b": "two"}, nil, map[string]string{"a": "1", "b": "two", "c": "3"}},
		{nil, []string{"a", "unknown", "", "a"}, map[string]string{"b": "two", "c": "3"}},
		{map[string]string{"c": "three", "d": ""}, []string{"c", "b"}, map[string]string{"c": "three", "d": ""}},
		{nil, nil, map[string]string{"c": "three", "d": ""}},
	} {
		mustSave(t, log, journal.Update{States: put(step.put), Delete: step.delete})
		want.states = step.want
		mustHold(t, log, want)
		mustClose(t, log)
		log = open()
		mustHold(t, log, want)
	}
	mustSave(t, log, journal.Update{}) // changes nothing
	mustHold(t, log, want)

	twice := func(yield func(string, journal.Encode) bool) {
		for _, state := range []string{"first", "second"} {
			if !yield("e", func(dst []byte) ([]byte, error) { return append(dst, state...), nil }) {
				return
			}
		}
	}
	mustSave(t, log, journal.Update{States: twice})
	want.states["e"] = "second"
	mustHold(t, log, want)
	mustClose(t, log)
}

func testSaveOddStates(t *testing.T, open func() journal.Log) {
	log := open()
	want := content{states: map[string]string{
		"\x00": "", "\xff\xfe": "\x00", " ": "blank", strings.Repeat("n", journal.MaxNameBytes): "long name",
		"large": strings.Repeat("large", 1<<20),
	}}
	for i := range 1000 {
		want.states[fmt.Sprint("many/", i)] = strings.Repeat("s", i)
	}
	mustSave(t, log, journal.Update{States: put(want.states)})
	mustHold(t, log, want)
	mustClose(t, log)
	log = open()
	mustHold(t, log, want)
	mustClose(t, log)
}

func testSaveRefused(t *testing.T, open func() journal.Log) {
	log := open()
	for i := range uint64(3) {
		mustAppend(t, log, i+1, batch(t, 1, "x"))
	}
	mustSave(t, log, journal.Update{Index: 2, Time: 2, States: put(map[string]string{"p": "kept"})})
	before := read(t, log)
	changed := map[string]string{"p": "changed", "q": "new"}
	for name, u := range map[string]journal.Update{
		"past index":         {Index: 1},
		"future index":       {Index: 4},
		"time without index": {Time: 1},
		"app without index":  {App: []byte("x")},
		"no name":            {States: put(map[string]string{"": "x"})},
		"long name":          {States: put(map[string]string{strings.Repeat("n", journal.MaxNameBytes+1): "x"})},
	} {
		if u.States == nil {
			u.States = put(changed)
		}
		u.Delete = []string{"p"}
		if err := save(log, u); !errors.Is(err, journal.ErrRefused) {
			t.Errorf("%s: %v; want ErrRefused", name, err)
		}
		mustHold(t, log, before)
	}
	mustAppend(t, log, 4, batch(t, 1, "x")) // it goes on
	mustClose(t, log)
}

// testSaveEncoderFails lets the second of two states fail: the first is not saved either.
func testSaveEncoderFails(t *testing.T, open func() journal.Log) {
	log := open()
	mustAppend(t, log, 1, batch(t, 1, "x"))
	before := read(t, log)
	mine := errors.New("mine")
	err := save(log, journal.Update{Index: 1, States: func(yield func(string, journal.Encode) bool) {
		_ = yield("a", func(dst []byte) ([]byte, error) { return append(dst, "x"...), nil }) &&
			yield("b", func([]byte) ([]byte, error) { return nil, mine })
	}})
	if !errors.Is(err, journal.ErrRefused) || !errors.Is(err, mine) {
		t.Errorf("Save: %v; want ErrRefused and the encoder's", err)
	}
	mustHold(t, log, before)
	mustSave(t, log, journal.Update{Index: 1})
	mustClose(t, log)
}
