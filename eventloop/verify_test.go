package eventloop_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// verify returns what Verify reports.
func verify(t *testing.T, cfg eventloop.Config, log *journal.Memory) []string {
	t.Helper()
	cfg.Log = readOnly{log.Reopen(), t}
	cfg.OnEvent = func(e eventloop.Event) { t.Errorf("told of %+v", e) }
	var lines []string
	if err := eventloop.Verify(cfg, func(err error) { lines = append(lines, err.Error()) }); err != nil {
		t.Fatal(err)
	}
	return lines
}

// save saves states, each with its bytes, and app.
func save(t *testing.T, log journal.Log, app string, states map[string]string) {
	t.Helper()
	done := make(chan error, 1)
	u := journal.Update{Index: 1, Time: 1, App: []byte(app), States: func(yield func(string, journal.Encode) bool) {
		for name, state := range states {
			if !yield(name, func(dst []byte) ([]byte, error) { return append(dst, state...), nil }) {
				return
			}
		}
	}}
	log.Save(u, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// A journal of all that there is: nothing is found, wherever the snapshot is.
func TestVerifyFindsNothing(t *testing.T) {
	for _, snapshotBytes := range []int64{1, 1 << 30} {
		synctest.Test(t, func(t *testing.T) {
			log := new(journal.Memory)
			cfg := always(log, worker("a", theDiarist), worker("b", theDiarist),
				supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne, Children: []supervisor.Child{worker("x", theDiarist)}})
			cfg.Machines = map[string]statemachine.Server{"diarist": theDiarist}
			cfg.SnapshotBytes = snapshotBytes
			s := &stage{t, start(t, cfg)}
			s.do("a", do{Word: "cast", Name: "b", Text: "hello"})
			s.do("a", do{Word: "timer", Text: "tick", After: time.Hour})
			s.do("a", do{Word: "call", Name: "b", Text: "wait", After: time.Hour})
			s.do("a", do{Word: "task", Name: "t", Text: "fine"})
			s.do("a", do{Word: "task", Name: "t", Text: "hang"})
			s.do("a", do{Word: "start", Name: "c"})
			s.do("b", do{Word: "stop"})
			synctest.Wait()
			b, err := eventloop.RefTo[do, string](s.loop, "b")
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := b.Once("key").Call(t.Context(), do{Word: "told"}); err != nil {
					t.Error(err)
				}
			}
			if _, err := s.loop.StartChildJSON(t.Context(), "pool", []byte(`{"worker":{"name":"d"}}`)); err != nil {
				t.Error(err)
			}
			if _, err := s.loop.StartChildJSON(t.Context(), "root", []byte(`{"worker":{"name":"e","machine":"diarist"}}`)); err != nil {
				t.Error(err)
			}
			s.do("d", do{Word: "told"})
			s.do("e", do{Word: "told"})
			synctest.Wait()
			wantLines(t, verify(t, cfg, log))
			s.loop.Stop(t.Context())
			wantLines(t, verify(t, cfg, log))
		})
	}
}

// Each thing that cannot be read is told, and where, and the rest is read too.
func TestVerifyFinds(t *testing.T) {
	log := new(journal.Memory)
	write(t, log, journal.Entry{Kind: journal.KindStart})
	type object map[string]any
	key, err := json.Marshal(object{"tree": object{"?": 1}, "kept": object{
		"keys":    []any{object{"proc": "a", "key": []byte("k"), "sum": make([]byte, 16), "out": []byte{0xc1}}},
		"letters": []any{object{"kind": 1, "to": "a", "data": []byte{0xc1}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	save(t, log, string(key), map[string]string{"a": "\xc1", "b": "\xd6V\x00\x00\x00\x03\x80", "nobody": "\xc1"})
	entry := func(k journal.Kind, name, data string) journal.Entry {
		return journal.Entry{Kind: k, Name: []byte(name), Data: []byte(data)}
	}
	write(t, log, inputEntry(t, "a", input{Add: 1}), entry(journal.KindInput, "a", "\xc1"), entry(journal.KindInput, "x", "\x80"),
		entry(journal.KindInput, "fleeting", "\x80"), entry(journal.KindExit, "fleeting", ""), entry(journal.KindExit, "x", ""))
	write(t, log, entry(journal.KindSent, "a", "?"), entry(journal.KindSent, "a", "c\xc1"), entry(journal.KindMessage, "a", "z"),
		entry(journal.KindMessage, "a", ""), entry(journal.KindMessage, "a", "r\x01\xc1"), entry(journal.KindMessage, "a", "w"),
		entry(journal.KindMessage, "a", "o\x01"), entry(journal.KindMessage, "a", "m\x00\xc1"))
	write(t, log, entry(journal.KindChild, "root", "{"),
		entry(journal.KindChild, "root", `{"op":0,"child":"x","spec":{"worker":{"name":"x","machine":"none"}}}`),
		entry(journal.KindChild, "root", `{"op":0,"child":"x","spec":{"worker":{"name":"x","machine":"tally"}}}`),
		entry(journal.KindInput, "x", "\xc1"), inputEntry(t, "x", input{Add: 1}))
	fleeting := newMachine()
	fleeting.State = nil
	cfg := always(log, worker("a", newMachine()), worker("b", newMachine()), worker("c", newMachine()), worker("fleeting", fleeting))
	cfg.Machines = map[string]statemachine.Server{"tally": newMachine()}
	want := []string{
		"the saved state of a: ",
		"the saved state of b: the saved state is of another version: 3, newer than the machine's 0",
		"the saved supervision tree: ",
		"what machines have asked for: a letter to a: ",
		`what a has answered under the idempotency key "k": `,
		"batch 2 of the journal, entry 2: the input of a: ",
		"batch 2 of the journal, entry 4: fleeting is no durable process of the tree",
		"batch 3 of the journal, entry 1: a: an input was sent in an unknown way",
		"batch 3 of the journal, entry 2: the input of a: ",
		"batch 3 of the journal, entry 3: a: a message of the unknown kind 'z'",
		"batch 3 of the journal, entry 4: a: a message without data",
		"batch 3 of the journal, entry 5: a: a message cannot be decoded: ",
		"batch 3 of the journal, entry 6: a: a message without a number",
		"batch 3 of the journal, entry 8: a: a message cannot be decoded: ",
		"batch 4 of the journal, entry 1: a request to root: ",
		"batch 4 of the journal, entry 2: a request to root: input refused: ",
		"batch 4 of the journal, entry 4: the input of x: ",
	}
	got := verify(t, cfg, log)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], "eventloop: "+want[i]) {
			t.Fatalf("line %d of\n%s\nwant\n%s", i, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// What an older version has saved is read through Migrate.
func TestVerifyMigrates(t *testing.T) {
	log := new(journal.Memory)
	write(t, log, journal.Entry{Kind: journal.KindStart})
	save(t, log, "", map[string]string{"a": "\x05"})
	m := newMachine()
	m.Version = 1
	wantLines(t, verify(t, always(log, worker("a", m)), log),
		"eventloop: the saved state of a: the saved state is of another version: 0, and the machine, at 1, has no Migrate")
	m = newMachine()
	m.Version = 1
	m.Migrate = func(from int, s statemachine.Saved) (tally, error) {
		n, err := statemachine.Decode(s, codec.Of[int]())
		return tally{Sum: n}, err
	}
	wantLines(t, verify(t, always(log, worker("a", m)), log))
}

// What another machine has taken over is read by that one.
func TestVerifyOfChangedCode(t *testing.T) {
	log := new(journal.Memory)
	next := newMachine()
	next.Version = 1
	next.Migrate = func(int, statemachine.Saved) (tally, error) { return tally{Sum: 100}, nil }
	cfg := always(log, worker("a", newMachine()))
	cfg.Machines = map[string]statemachine.Server{"tally": newMachine(), "next": next}
	l := start(t, cfg)
	call(t, refTo(t, l, "a"), input{Add: 1})
	if err := errors.Join(l.Suspend(t.Context(), "a"), l.ChangeCodeKey(t.Context(), "a", "next"), l.Resume(t.Context(), "a")); err != nil {
		t.Fatal(err)
	}
	call(t, refTo(t, l, "a"), input{Add: 1})
	wantLines(t, verify(t, cfg, log))
	if err := l.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantLines(t, verify(t, cfg, log))
}

func TestVerifyErrors(t *testing.T) {
	log := new(journal.Memory)
	if err := eventloop.Verify(eventloop.Config{Root: flat()}, nil); err == nil || !strings.Contains(err.Error(), "needs a Log") {
		t.Errorf("without a Log: %v", err)
	}
	if err := eventloop.Verify(always(log, worker("", nil)), nil); err == nil {
		t.Error("a wrong tree is no error")
	}
	log.Close()
	if err := eventloop.Verify(always(log), nil); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("a closed Log: %v", err)
	}
	log = new(journal.Memory)
	write(t, log, inputEntry(t, "a", input{}))
	m := newMachine()
	m.Input = codec.Convert(codec.Of[input](), func(in input) input { return in }, func(in input) (input, error) { runtime.Goexit(); return in, nil })
	if err := eventloop.Verify(always(log, worker("a", m)), nil); err == nil || !strings.Contains(err.Error(), "Goexit") {
		t.Errorf("a codec that ends its goroutine: %v", err)
	}
}

func ExampleVerify() {
	counter := &statemachine.Machine[int, int, int]{
		Step:  statemachine.Pure(func(in, sum int) (int, int) { return sum + in, sum + in }),
		Input: codec.Of[int](), Output: codec.Of[int](), State: codec.Of[int](),
	}
	log := new(journal.Memory)
	var b journal.Builder
	b.Reset(1)
	for _, data := range []string{"\x07", "seven"} { // msgpack, and something else
		if err := b.Add(journal.KindInput, "counter", []byte(data)); err != nil {
			fmt.Println(err)
		}
	}
	done := make(chan error)
	log.Append(b.Seal(), func(_ uint64, err error) { done <- err })
	if err := <-done; err != nil {
		fmt.Println(err)
	}
	err := eventloop.Verify(eventloop.Config{
		Root: supervisor.Supervisor{Name: "root", Children: []supervisor.Child{supervisor.Worker{Name: "counter", Machine: counter}}},
		Log:  log,
	}, func(err error) { fmt.Println(err) })
	fmt.Println(err)
	// Output:
	// eventloop: batch 1 of the journal, entry 2: the input of counter: codec: malformed msgpack (byte 1): expected the end of the input
	// <nil>
}
