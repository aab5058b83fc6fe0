package eventloop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// readOnly is a Log that must not be written to.
type readOnly struct {
	*journal.Memory
	t *testing.T
}

func (r readOnly) Append(journal.Batch, func(uint64, error)) { r.t.Error("something was appended") }
func (r readOnly) Save(journal.Update, func(error))          { r.t.Error("something was saved") }

// replay returns what an observer is told, a line for each step, and what is left.
func replay(t *testing.T, cfg eventloop.Config, log *journal.Memory) ([]string, *eventloop.Replayed) {
	t.Helper()
	cfg.Log = readOnly{log.Reopen(), t}
	cfg.OnEvent = func(e eventloop.Event) { t.Errorf("a replay told of %+v", e) }
	var lines []string
	past, err := eventloop.Replay(cfg, func(s eventloop.Step) error {
		lines = append(lines, stepLine(t, s))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines, past
}

func stepLine(t *testing.T, s eventloop.Step) string {
	t.Helper()
	in, err := s.AppendInput(nil, codec.JSON)
	if err != nil {
		t.Error(err)
	}
	out, err := s.AppendOutput(nil, codec.JSON)
	if err != nil {
		t.Error(err)
	}
	state, err := s.AppendState(nil, codec.JSON)
	if err != nil {
		t.Error(err)
	}
	text := fmt.Sprintf("%d.%d %s", s.Batch, s.Entry, s.Process)
	if s.Init {
		text += " init"
	}
	if s.Message != nil {
		text += fmt.Sprintf(" %T", s.Message)
	}
	text = fmt.Sprintf("%s %s → %s, %s", text, in, out, state)
	for _, f := range s.Effects {
		text += fmt.Sprintf(", %v", f)
	}
	if s.Err != nil {
		text += fmt.Sprintf(", %v", s.Err)
	}
	if s.NoReply {
		text += ", no reply"
	}
	if s.Stop != nil {
		text += fmt.Sprintf(", stop %v", s.Stop.Reason)
	}
	return text
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// stateOf returns what a replay has left of a process.
func stateOf(t *testing.T, past *eventloop.Replayed, name statemachine.Name) string {
	t.Helper()
	state, err := past.AppendState([]byte("<"), name, codec.JSON)
	if err != nil {
		t.Error(err)
	}
	return strings.TrimPrefix(string(state), "<")
}

// lastCheckpoint has a checkpoint taken, by what name is given to do, and none after it.
func (s *stage) lastCheckpoint(log *heldLog, name statemachine.Name) {
	s.t.Helper()
	for range 3 {
		s.do(name, do{Word: "told", Text: "checkpoint"})
		synctest.Wait()
	}
	log.setSaves(saveLost)
}

// wantReplayed checks that a replay of what log has knows name as it is live.
func (s *stage) wantReplayed(c eventloop.Config, log *journal.Memory, name statemachine.Name) {
	s.t.Helper()
	synctest.Wait()
	want, err := s.loop.GetState(s.t.Context(), name, codec.JSON, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_, past := replay(s.t, c, log)
	if got := stateOf(s.t, past, name); got != string(want) {
		s.t.Errorf("a replay has %s; live it was %s", got, want)
	}
}

// A replay tells of every step of the journal, as it was when it was live, and
// of nothing else.
func TestReplay(t *testing.T) {
	m := newMachine()
	m.Output = codec.Convert(codec.Of[int](), func(o output) int { return o.Tally.Sum }, func(n int) (output, error) { return output{tally{Sum: n}}, nil })
	m.State = codec.Convert(codec.Of[[2]int](), func(s tally) [2]int { return [2]int{s.Sum, s.Inits} },
		func(a [2]int) (tally, error) { return tally{Sum: a[0], Inits: a[1]}, nil })
	fleeting := newMachine()
	fleeting.State = nil
	log := new(journal.Memory)
	cfg := always(log, worker("a", m), worker("b", m), worker("fleeting", fleeting))
	l := start(t, cfg)
	a, b := refTo(t, l, "a"), refTo(t, l, "b")
	call(t, a, input{Add: 1})
	call(t, a, input{Get: true}) // is not in the journal
	call(t, refTo(t, l, "fleeting"), input{Add: 100})
	call(t, b, input{Add: 2})
	if _, err := a.Call(t.Context(), input{Add: 4, Crash: "custom"}); err == nil {
		t.Fatal("no crash")
	}
	call(t, a, input{Add: 8})

	lines, past := replay(t, cfg, log)
	wantLines(t, lines,
		`1.1 a init  → , [0,1]`,
		`1.1 b init  → , [0,1]`,
		`2.1 a {"add":1,"get":false,"crash":""} → 1, [1,1]`,
		`3.1 b {"add":2,"get":false,"crash":""} → 2, [2,1]`,
		`4.1 a {"add":4,"get":false,"crash":"custom"} → , [1,1], a crashed in step: custom`,
		`4.1 a init  → , [1,2]`,
		`5.1 a {"add":8,"get":false,"crash":""} → 9, [9,2]`,
	)
	if got := slices.Collect(past.Names()); !slices.Equal(got, []statemachine.Name{"a", "b"}) {
		t.Errorf("there are states of %q", got)
	}
	if got := stateOf(t, past, "a") + stateOf(t, past, "b"); got != "[9,2][2,1]" {
		t.Errorf("left: %s", got)
	}
	for _, name := range []statemachine.Name{"nobody", "fleeting"} {
		if _, err := past.AppendState(nil, name, codec.JSON); !errors.Is(err, statemachine.ErrNoProcess) {
			t.Errorf("the state of %s: %v", name, err)
		}
	}
	if len(past.Unclaimed()) > 0 || past.Waiting() > 0 {
		t.Errorf("unclaimed: %q; %d inputs wait", past.Unclaimed(), past.Waiting())
	}

	cfg.Durability = eventloop.None // whatever it is
	if again, _ := replay(t, cfg, log); !slices.Equal(again, lines) {
		t.Errorf("again:\n%s", strings.Join(again, "\n"))
	}

	// Replayed with other code the steps are other ones.
	cfg.Root.Children[0] = worker("a", scaling())
	if lines, _ := replay(t, cfg, log); len(lines) != 7 || !strings.Contains(lines[6], `{"tally":{"sum":18,`) {
		t.Errorf("with other code:\n%s", strings.Join(lines, "\n"))
	}
}

// After an orderly end there is nothing to step; what is saved is there, also of
// those that are not in the tree any more.
func TestReplayOfWhatWasSaved(t *testing.T) {
	for _, d := range []eventloop.Durability{eventloop.AtShutdown, eventloop.Always} {
		log := new(journal.Memory)
		cfg := always(log, worker("a", newMachine()), worker("b", newMachine()))
		cfg.Durability = d
		l := start(t, cfg)
		call(t, refTo(t, l, "a"), input{Add: 7})
		if err := l.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		cfg.Root = flat(worker("a", newMachine()), worker("c", newMachine()))
		lines, past := replay(t, cfg, log)
		wantLines(t, lines)
		if got := stateOf(t, past, "a"); !strings.HasPrefix(got, `{"sum":7,`) {
			t.Errorf("%v: %s", d, got)
		}
		if got := slices.Collect(past.Names()); !slices.Equal(got, []statemachine.Name{"a"}) {
			t.Errorf("%v: there are states of %q", d, got)
		}
		if got := past.Unclaimed(); !slices.Equal(got, []statemachine.Name{"b"}) {
			t.Errorf("%v: unclaimed: %q", d, got)
		}
		if _, err := past.AppendState(nil, "c", codec.JSON); err == nil || !strings.Contains(err.Error(), "c has no state") {
			t.Errorf("%v: of one that never ran: %v", d, err)
		}
	}
}

// What machines send each other, and what the clock and tasks have told them, is
// stepped as it was; a replay sets no timer and does no work.
func TestReplayOfMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(journal.Memory)
		cfg := always(log, worker("a", theDiarist), worker("b", theDiarist))
		s := &stage{t, start(t, cfg)}
		s.do("a", do{Word: "cast", Name: "b", Text: "hello"})
		s.do("a", do{Word: "timer", Text: "tick", After: time.Second})
		time.Sleep(2 * time.Second)
		s.do("a", do{Word: "task", Name: "t", Text: "hang"})
		s.do("b", do{Word: "stop"})
		synctest.Wait()
		lines, past := replay(t, cfg, log)
		var short []string
		for _, line := range lines {
			line = strings.NewReplacer(`,"after":0`, "", `,"then":""`, "", `,"from":0`, "").Replace(line)
			short = append(short, line[:strings.Index(line, " → ")]+line[strings.LastIndex(line, "}")+1:])
		}
		wantLines(t, short,
			`1.1 a init `, `1.1 b init `,
			`2.1 a {"word":"cast","name":"b","text":"hello"}, cast b`,
			`2.1 b {"word":"told","name":"","text":"hello"}`,
			`3.1 a {"word":"timer","name":"","text":"tick","after":1000000000}, set_timer "tick"`,
			`4.1 a statemachine.Timeout {"word":"told","name":"","text":"timeout tick"}`,
			`5.1 a {"word":"task","name":"t","text":"hang"}, start_task echo "t"`,
			`6.1 b {"word":"stop","name":"","text":""}, stop shutdown`,
			`6.1 b init `,
		)
		if got := stateOf(t, past, "b"); !strings.Contains(got, `"hello"`) {
			t.Errorf("b: %s", got)
		}
		s.loop.Stop(context.Background())
	})
}

// An observer ends the replay with its error, at the last step too.
func TestReplayEndedByItsObserver(t *testing.T) {
	log := new(journal.Memory)
	cfg := always(log, worker("a", newMachine()), worker("b", newMachine())) // which start together
	a := refTo(t, start(t, cfg), "a")
	for range 3 {
		call(t, a, input{Add: 1})
	}
	write(t, log, journal.Entry{Kind: journal.KindInput, Name: []byte("a"), Data: []byte("\xc1")}) // which cannot be read
	for last := 1; last <= 5; last++ {
		n := 0
		cfg.Log = log.Reopen()
		past, err := eventloop.Replay(cfg, func(eventloop.Step) error {
			if n++; n == last {
				return errCustom
			}
			return nil
		})
		if err != errCustom || past != nil || n != last {
			t.Errorf("after %d steps: %v, %d steps", last, err, n)
		}
	}
}

// What waits for a process that is down is not stepped, and told.
func TestReplayTellsWhoWaits(t *testing.T) {
	log := new(journal.Memory)
	write(t, log, journal.Entry{Kind: journal.KindStart})
	write(t, log, inputEntry(t, "a", input{Add: 1}), inputEntry(t, "a", input{Crash: "custom"}), inputEntry(t, "a", input{Add: 2}))
	cfg := always(log, worker("a", newMachine()))
	cfg.Root.Backoff = supervisor.Backoff{Initial: time.Hour, Max: time.Hour}
	lines, past := replay(t, cfg, log)
	if len(lines) != 3 || !strings.HasPrefix(lines[2], "2.2 a ") {
		t.Errorf("the steps:\n%s", strings.Join(lines, "\n"))
	}
	if got := stateOf(t, past, "a"); !strings.HasPrefix(got, `{"sum":1,`) || past.Waiting() != 1 {
		t.Errorf("the state of a process that is down: %s; %d inputs wait", got, past.Waiting())
	}
}

// write appends a batch of these entries.
func write(t testing.TB, log journal.Log, entries ...journal.Entry) {
	t.Helper()
	var b journal.Builder
	b.Reset(1)
	for _, e := range entries {
		if err := b.Add(e.Kind, string(e.Name), e.Data); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	log.Append(b.Seal(), func(_ uint64, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func inputEntry(t testing.TB, name string, in input) journal.Entry {
	t.Helper()
	data, err := codec.Of[input]().Append(nil, codec.Msgpack, in)
	if err != nil {
		t.Fatal(err)
	}
	return journal.Entry{Kind: journal.KindInput, Name: []byte(name), Data: data}
}

func ExampleReplay() {
	log := new(journal.Memory)
	cfg := eventloop.Config{
		Root: supervisor.Supervisor{Name: "root", Children: []supervisor.Child{
			supervisor.Worker{Name: "adder", Machine: &statemachine.Machine[int, int, int]{
				Step:  statemachine.Pure(func(in, sum int) (int, int) { return sum + in, sum + in }),
				Input: codec.Of[int](), Output: codec.Of[int](), State: codec.Of[int](),
			}},
		}},
		Durability: eventloop.Always,
		Log:        log,
	}
	loop, err := eventloop.Start(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, in := range []string{"3", "4"} {
		if _, err := loop.Call(context.Background(), "adder", codec.JSON, []byte(in), codec.JSON, nil); err != nil {
			fmt.Println(err)
		}
	}
	cfg.Log = log.Reopen() // what kill -9 would have left
	past, err := eventloop.Replay(cfg, func(s eventloop.Step) error {
		if s.Init {
			fmt.Printf("batch %d: %s starts\n", s.Batch, s.Process)
			return nil
		}
		in, _ := s.AppendInput(nil, codec.JSON)
		out, _ := s.AppendOutput(nil, codec.JSON)
		fmt.Printf("batch %d: %s is told %s and answers %s\n", s.Batch, s.Process, in, out)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for name := range past.Names() {
		state, err := past.AppendState(nil, name, codec.JSON)
		fmt.Printf("%s: %s %v\n", name, state, err)
	}
	// Output:
	// batch 1: adder starts
	// batch 2: adder is told 3 and answers 3
	// batch 3: adder is told 4 and answers 7
	// adder: 7 <nil>
}
