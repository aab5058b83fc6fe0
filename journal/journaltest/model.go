package journaltest

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/lineshaft/lineshaft/journal"
)

// testModel does at random what a program does, and compares what the Log holds with a content that is a slice and a map.
func testModel(t *testing.T, storage Storage) {
	rapid.Check(t, func(rt *rapid.T) {
		open := storage(t)
		m := model{log: open(), open: open, want: content{states: map[string]string{}}}
		defer func() { mustClose(rt, m.log) }()
		rt.Repeat(map[string]func(*rapid.T){
			"append":     m.append,
			"states":     m.states,
			"checkpoint": m.checkpoint,
			"reopen":     m.reopen,
			"":           func(rt *rapid.T) { mustHold(rt, m.log, m.want) },
		})
	})
}

type model struct {
	log  journal.Log
	open func() journal.Log
	want content
}

var (
	anyName = rapid.OneOf(rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.StringN(1, 20, journal.MaxNameBytes))
	anyData = rapid.SliceOfN(rapid.Byte(), 0, 3000)
	anyKind = rapid.SampledFrom([]journal.Kind{journal.KindStart, journal.KindInput, journal.KindExit})
)

// append hands over a few batches at once.
func (m *model) append(rt *rapid.T) {
	const most = 8
	n := rapid.IntRange(1, most).Draw(rt, "batches")
	results := make(chan string, most)
	for i := range n {
		var b journal.Builder
		b.Reset(rapid.Int64().Draw(rt, "time"))
		for range rapid.IntRange(0, 3).Draw(rt, "entries") {
			if err := b.Add(anyKind.Draw(rt, "kind"), anyName.Draw(rt, "name"), anyData.Draw(rt, "data")); err != nil {
				rt.Fatalf("Add: %v", err)
			}
		}
		m.want.batches = append(m.want.batches, string(b.Seal().Bytes()))
		want := m.want.last()
		m.log.Append(b.Seal(), func(index uint64, err error) {
			if index != want || err != nil {
				results <- fmt.Sprintf("batch %d of %d: index %d, error %v; want index %d", i, n, index, err, want)
				return
			}
			results <- ""
		})
	}
	for range n {
		if r := <-results; r != "" {
			rt.Fatalf("%s", r)
		}
	}
}

// change draws what becomes of the states, and makes it in next.
func change(rt *rapid.T, next map[string]string) journal.Update {
	deleted := rapid.SliceOfN(anyName, 0, 3).Draw(rt, "delete")
	states := map[string]string{}
	for range rapid.IntRange(0, 5).Draw(rt, "states") {
		states[anyName.Draw(rt, "name")] = string(anyData.Draw(rt, "state"))
	}
	for _, name := range deleted {
		delete(next, name)
	}
	maps.Copy(next, states)
	return journal.Update{States: put(states), Delete: deleted}
}

func (m *model) states(rt *rapid.T) {
	mustSave(rt, m.log, change(rt, m.want.states))
}

// checkpoint saves at an index that may be out of bounds.
func (m *model) checkpoint(rt *rapid.T) {
	next := maps.Clone(m.want.states)
	u := change(rt, next)
	first, last := m.want.index, m.want.last()
	u.Index = rapid.Uint64Range(max(first, 2)-1, last+1).Draw(rt, "index")
	u.Time = rapid.Int64().Draw(rt, "time")
	u.App = anyData.Draw(rt, "app")
	err := save(m.log, u)
	if u.Index < first || u.Index > last {
		if !errors.Is(err, journal.ErrRefused) {
			rt.Fatalf("Save of index %d: %v; want ErrRefused, it is not of %d to %d", u.Index, err, first, last)
		}
		return
	}
	if err != nil {
		rt.Fatalf("Save: %v", err)
	}
	m.want = content{u.Index, u.Time, string(u.App), next, m.want.batches[u.Index-first:]}
}

func (m *model) reopen(rt *rapid.T) {
	mustClose(rt, m.log)
	m.log = m.open()
}
