package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// The tests' machine is a ledger, of which there are builds.

type entry struct {
	Account string `json:"account"`
	Add     int    `json:"add"`
}

type ledger map[string]int

type build func(in entry, s ledger, fx *statemachine.Effects[int]) (ledger, int)

func first(in entry, s ledger, fx *statemachine.Effects[int]) (ledger, int) {
	if in.Add == 0 {
		panic("nothing to add")
	}
	next := ledger{in.Account: 0}
	for k, v := range s {
		next[k] = v
	}
	next[in.Account] += in.Add
	return next, next[in.Account]
}

func config(log journal.Log, step build) eventloop.Config {
	m := &statemachine.Machine[ledger, entry, int]{
		Step: statemachine.Step[ledger, entry, int](step), Input: codec.Of[entry](), Output: codec.Of[int](), State: codec.Of[ledger](),
	}
	return eventloop.Config{
		Root: supervisor.Supervisor{Name: "root", Intensity: 100, Children: []supervisor.Child{
			supervisor.Worker{Name: "a", Machine: m}, supervisor.Worker{Name: "b", Machine: m},
		}},
		Durability: eventloop.Always,
		Log:        log,
	}
}

// recorded returns a journal of these inputs, each to the process before its
// colon, and the trace of it.
func recorded(t *testing.T, o Options, inputs ...string) (*journal.Memory, []byte) {
	t.Helper()
	log := new(journal.Memory)
	l, err := eventloop.Start(config(log, first))
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range inputs {
		name, body, _ := strings.Cut(in, ":")
		_, err := l.Call(t.Context(), statemachine.Name(name), codec.JSON, []byte(body), codec.JSON, nil)
		var crash *statemachine.CrashError
		if err != nil && !errors.As(err, &crash) {
			t.Fatal(err)
		}
	}
	log = log.Reopen()
	l.Stop(context.Background())
	var b bytes.Buffer
	steps, err := Record(config(log.Reopen(), first), &b, o)
	if err != nil || steps < len(inputs)+2 {
		t.Fatalf("Record: %d steps, %v", steps, err)
	}
	return log, b.Bytes()
}

func compare(t *testing.T, log *journal.Memory, trace []byte, step build) *Report {
	t.Helper()
	r, err := Compare(config(log.Reopen(), step), bytes.NewReader(trace))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var someInputs = []string{
	`a:{"account":"x","add":1}`,
	`b:{"account":"y","add":2}`,
	`a:{"account":"x","add":0}`, // crashes
	`a:{"account":"x","add":3}`,
	`a:{"account":"z","add":4}`,
}

func TestTheSameBuild(t *testing.T) {
	log, trace := recorded(t, Options{}, someInputs...)
	if r := compare(t, log, trace, first); r.Differs() || r.String() != "" || r.Steps != 8 {
		t.Errorf("%d steps; %s", r.Steps, r)
	}
	const want = `{"lineshaft_trace":1}
{"batch":1,"entry":1,"process":"a","input":"init","result":["started"],"state":{"whole":null}}
{"batch":1,"entry":1,"process":"b","input":"init","result":["started"],"state":{"whole":null}}
{"batch":2,"entry":1,"process":"a","input":"{\"account\":\"x\",\"add\":1}","result":["1"],"state":{"changes":["(all of it): null → {\"x\":1}"]}}
{"batch":3,"entry":1,"process":"b","input":"{\"account\":\"y\",\"add\":2}","result":["2"],"state":{"changes":["(all of it): null → {\"y\":2}"]}}
{"batch":4,"entry":1,"process":"a","input":"{\"account\":\"x\",\"add\":0}","result":["crash: nothing to add"],"state":{}}
{"batch":4,"entry":1,"process":"a","input":"init","result":["started"],"state":{}}
{"batch":5,"entry":1,"process":"a","input":"{\"account\":\"x\",\"add\":3}","result":["4"],"state":{"changes":["/x: 1 → 4"]}}
{"batch":6,"entry":1,"process":"a","input":"{\"account\":\"z\",\"add\":4}","result":["4"],"state":{"changes":["/z: new: 4"]}}
{"process":"a","state":{},"end":true}
{"process":"b","state":{},"end":true}
{"process":"","end":true}
`
	if got := times.ReplaceAllString(string(trace), ""); got != want {
		t.Errorf("the trace is\n%s", got)
	}
}

func TestOutputsDiffer(t *testing.T) {
	log, trace := recorded(t, Options{}, someInputs...)
	r := compare(t, log, trace, func(in entry, s ledger, fx *statemachine.Effects[int]) (ledger, int) {
		s, n := first(in, s, fx)
		if in.Add == 3 {
			n = 5
		}
		return s, n
	})
	wantReport(t, r, `the outputs differ first at batch 5, entry 1 (TIME): a ← {"account":"x","add":3}
  recorded  4
  now       5
`)
	// The first is told.
	r = compare(t, log, trace, func(in entry, s ledger, fx *statemachine.Effects[int]) (ledger, int) {
		s, n := first(in, s, fx)
		return s, -n
	})
	wantReport(t, r, `the outputs differ first at batch 2, entry 1 (TIME): a ← {"account":"x","add":1}
  recorded  1
  now       -1
`)
	// What a step asks for is of its output; a crash stands in for one.
	r = compare(t, log, trace, func(in entry, s ledger, fx *statemachine.Effects[int]) (ledger, int) {
		if in.Add == 2 {
			fx.SetTimer("t", 5)
		}
		return first(in, s, fx)
	})
	wantReport(t, r, `the outputs differ first at batch 3, entry 1 (TIME): b ← {"account":"y","add":2}
  recorded  nothing else
  now       set_timer "t" 5ns
`)
	r = compare(t, log, trace, func(in entry, s ledger, fx *statemachine.Effects[int]) (ledger, int) {
		if in.Add == 0 {
			return s, 0
		}
		return first(in, s, fx)
	})
	wantReport(t, r, `the steps differ first at batch 4, entry 1 (TIME): a ← init
  recorded  a ← init
  now       no such step
the outputs differ first at batch 4, entry 1 (TIME): a ← {"account":"x","add":0}
  recorded  crash: nothing to add
  now       0
`)
	// Once both an output and a state differ there is no more to tell.
	r = compare(t, log, trace, func(in entry, s ledger, fx *statemachine.Effects[int]) (ledger, int) {
		if in.Add == 1 {
			panic("unlucky")
		}
		return first(in, s, fx)
	})
	wantReport(t, r, `the outputs differ first at batch 2, entry 1 (TIME): a ← {"account":"x","add":1}
  recorded  1
  now       crash: unlucky
the states differ first at batch 2, entry 1 (TIME): a ← {"account":"x","add":1}
  recorded  (all of it): null → {"x":1}
  now       no change
`)
}

func TestStatesDiffer(t *testing.T) {
	log, trace := recorded(t, Options{}, someInputs...)
	r := compare(t, log, trace, func(in entry, s ledger, fx *statemachine.Effects[int]) (ledger, int) {
		s, n := first(in, s, fx)
		if in.Add == 3 {
			s["tax"] = 1
		}
		return s, n
	})
	wantReport(t, r, `the states differ first at batch 5, entry 1 (TIME): a ← {"account":"x","add":3}
  recorded  nothing else
  now       /tax: new: 1
`)
	// Both at one step.
	r = compare(t, log, trace, func(in entry, s ledger, fx *statemachine.Effects[int]) (ledger, int) {
		if in.Add == 3 {
			in.Add = 30
		}
		return first(in, s, fx)
	})
	wantReport(t, r, `the outputs differ first at batch 5, entry 1 (TIME): a ← {"account":"x","add":3}
  recorded  4
  now       31
the states differ first at batch 5, entry 1 (TIME): a ← {"account":"x","add":3}
  recorded  /x: 1 → 4
  now       /x: 1 → 31
`)
}

// What a process had from the start, by a Migrate say, is compared as a whole.
func TestFirstStatesDiffer(t *testing.T) {
	log, trace := recorded(t, Options{}, someInputs...)
	cfg := config(log.Reopen(), first)
	m := cfg.Root.Children[0].(supervisor.Worker).Machine.(*statemachine.Machine[ledger, entry, int])
	m.Init = func(s statemachine.Start[ledger]) (ledger, error) {
		if s.Saved != nil {
			return *s.Saved, nil
		}
		return ledger{"opening": 7}, nil
	}
	r, err := Compare(cfg, bytes.NewReader(trace))
	if err != nil {
		t.Fatal(err)
	}
	wantReport(t, r, `the states differ first at batch 1, entry 1 (TIME): a ← init
  now       (all of it): null → {"opening":7}
`)
}

// A large state is not looked at after every step, unless that is asked for, and
// at the end always.
func TestLargeStates(t *testing.T) {
	var inputs []string
	for i := range 300 {
		inputs = append(inputs, fmt.Sprintf(`a:{"account":"account number %d","add":1}`, i))
	}
	other := func(add int) build {
		return func(in entry, s ledger, fx *statemachine.Effects[int]) (ledger, int) {
			s, n := first(in, s, fx)
			if in.Account == fmt.Sprintf("account number %d", add) {
				s["tax"] = 1
			}
			return s, n
		}
	}
	log, trace := recorded(t, Options{}, inputs...)
	if looks := strings.Count(string(trace), `"state":`); looks > 200 {
		t.Errorf("a large state was looked at %d times", looks)
	}
	if r := compare(t, log, trace, first); r.Differs() || r.Steps != 302 {
		t.Errorf("%d steps; %s", r.Steps, r)
	}
	if r := compare(t, log, trace, other(250)); r.State == nil || r.State.Batch < 252 || r.State.Batch-uint64(r.State.Steps)+1 > 252 || r.State.Steps < 2 ||
		!strings.Contains(r.String(), fmt.Sprintf("or up to %d steps of a before that", r.State.Steps-1)) {
		t.Errorf("%+v", r.State)
	}
	if r := compare(t, log, trace, other(299)); r.State == nil || r.State.Batch != 0 && r.State.Batch != 301 {
		t.Errorf("at the end: %+v", r.State)
	}
	log, trace = recorded(t, Options{Exact: true}, inputs...)
	if r := compare(t, log, trace, other(250)); r.State == nil || r.State.Batch != 252 || r.State.Steps > 1 {
		t.Errorf("exact: %+v", r.State)
	}
}

// A step, or a state at the end, that there is in one build only.
func TestOneHasNoProcess(t *testing.T) {
	log, trace := recorded(t, Options{})
	for i, want := range []string{"recorded  a ← init\n  now       b ← init", "recorded  b ← init\n  now       no such step"} {
		cfg := config(log.Reopen(), first)
		cfg.Root.Children = slices.Delete(cfg.Root.Children, i, i+1)
		r, err := Compare(cfg, bytes.NewReader(trace))
		if err != nil || r.Step == nil || r.Step.Batch != 1 || !strings.Contains(r.String(), want) {
			t.Errorf("%s, %v; want %s", r, err, want)
		}
	}
	var end []string // of a trace without steps
	for line := range strings.Lines(string(trace)) {
		if !strings.Contains(line, `"batch"`) {
			end = append(end, line)
		}
	}
	r, err := Compare(config(new(journal.Memory), first), strings.NewReader(strings.Join(end, "")))
	if err != nil {
		t.Fatal(err)
	}
	wantReport(t, r, `the states differ first at the end of the journal: a
  recorded  a state
  now       none
`)
	r, err = Compare(config(log, first), strings.NewReader(`{"lineshaft_trace":1} {"end":true}`))
	if err != nil {
		t.Fatal(err)
	}
	wantReport(t, r, `the steps differ first at batch 1, entry 1 (TIME): a ← init
  recorded  no such step
  now       a ← init
`)
}

func TestNoTrace(t *testing.T) {
	log, trace := recorded(t, Options{}, someInputs...)
	half := trace[:len(trace)/2]
	for name, text := range map[string]string{
		"empty": "", "of another program": "{}\n", "binary": "\x00\x01", "of another version": `{"lineshaft_trace":2}`,
		"cut short": string(half), "cut at a line": string(half[:bytes.LastIndexByte(half, '\n')+1]), "without its end": string(trace[:len(trace)-len("{\"process\":\"\",\"end\":true}\n")]),
		"without a state":          strings.Replace(string(trace), `"state":{},"end"`, `"end"`, 1),
		"a line of something else": `{"lineshaft_trace":1}` + "\n[]\n",
	} {
		if r, err := Compare(config(log.Reopen(), first), strings.NewReader(text)); !errors.Is(err, ErrFormat) || r != nil {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	if _, err := Compare(config(log.Reopen(), first), io.MultiReader(bytes.NewReader(half), failing{})); !errors.Is(err, errDisk) {
		t.Errorf("a reader that fails: %v", err)
	}
	if _, err := Record(config(log.Reopen(), first), failing{}, Options{}); !errors.Is(err, errDisk) {
		t.Errorf("a writer that fails: %v", err)
	}
	log.Close()
	if _, err := Record(config(log, first), new(bytes.Buffer), Options{}); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("a Log that fails: %v", err)
	}
	if _, err := Compare(config(log, first), bytes.NewReader(trace)); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("a Log that fails: %v", err)
	}
}

var errDisk = errors.New("the disk failed")

type failing struct{}

func (failing) Read([]byte) (int, error)  { return 0, errDisk }
func (failing) Write([]byte) (int, error) { return 0, errDisk }
