package eventloop_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// The tests' machine adds numbers, and does on demand what machines should not.

type tally struct {
	Sum   int   `json:"sum"`
	Inits int   `json:"inits"`
	Time  int64 `json:"time"` // of the last Add
	Rand  int64 `json:"rand"` // at the last Add
}

type input struct {
	Add   int    `json:"add"`
	Get   bool   `json:"get"`   // read-only
	Crash string `json:"crash"` // how
}

type output struct {
	Tally tally `json:"tally"`
}

type ref = eventloop.Ref[input, output]

type machine = statemachine.Machine[tally, input, output]

var errCustom = errors.New("custom")

func step(in input, s tally, fx *statemachine.Effects[output]) (tally, output) {
	switch in.Crash {
	case "":
	case "custom":
		panic(errCustom)
	case "nil":
		panic(nil)
	case "runtime":
		_ = []int{}[len(in.Crash)]
	case "goexit":
		runtime.Goexit()
	}
	if in.Add != 0 {
		s.Sum += in.Add
		s.Time = fx.Now().UnixNano()
		s.Rand = int64(fx.Rand() >> 12) // JSON numbers of any reader hold it
	}
	return s, output{s}
}

// newMachine returns the durable tally. Its Init shows whether it was run.
func newMachine() *machine {
	return &machine{
		Init: func(s statemachine.Start[tally]) (tally, error) {
			if s.Saved == nil {
				return tally{Inits: 1}, nil
			}
			t := *s.Saved
			t.Inits++
			return t, nil
		},
		Step:     step,
		ReadOnly: func(in input) bool { return in.Get },
		Input:    codec.Of[input](),
		Output:   codec.Of[output](),
		State:    codec.Of[tally](),
	}
}

func worker(name statemachine.Name, m statemachine.Server) supervisor.Worker {
	return supervisor.Worker{Name: name, Machine: m}
}

// flat is a one_for_one root that allows many restarts.
func flat(children ...supervisor.Child) supervisor.Supervisor {
	return supervisor.Supervisor{Name: "root", Intensity: 1000, Children: children}
}

// start starts cfg and ends it with the test.
func start(t testing.TB, cfg eventloop.Config) *eventloop.Loop {
	t.Helper()
	l, err := eventloop.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Stop(context.Background()) })
	return l
}

func refTo(t testing.TB, l *eventloop.Loop, name statemachine.Name) ref {
	t.Helper()
	r, err := eventloop.RefTo[input, output](l, name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func call(t testing.TB, r ref, in input) tally {
	t.Helper()
	out, err := r.Call(context.Background(), in)
	if err != nil {
		t.Fatalf("%s: Call(%+v): %v", r.Name(), in, err)
	}
	return out.Tally
}

// events collects what OnEvent is told, in words.
type events struct {
	mu       sync.Mutex
	all      []string
	restarts bool // with Restarting, which says little where the order is looked at
}

func (e *events) add(ev eventloop.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var s string
	switch ev := ev.(type) {
	case eventloop.Restarting:
		if !e.restarts {
			return
		}
		s = fmt.Sprintf("restarting %s because of %s", ev.Name, ev.Because)
	case eventloop.Started:
		s = fmt.Sprintf("started %s", ev.Name)
	case eventloop.StartFailed:
		s = fmt.Sprintf("start failed %s: %v", ev.Name, ev.Err)
	case eventloop.Crashed:
		s = fmt.Sprintf("crashed %s in %s: %v", ev.Name, ev.Crash.In, ev.Crash.Value)
	case eventloop.Terminating:
		s = fmt.Sprintf("terminating %s %v", ev.Name, ev.Reason.Class)
	case eventloop.Exited:
		s = fmt.Sprintf("exited %s %v", ev.Name, ev.Reason.Class)
	case eventloop.Unclaimed:
		s = fmt.Sprintf("unclaimed %s", ev.Name)
	case eventloop.SaveFailed:
		s = fmt.Sprintf("save failed: %v", ev.Err)
	}
	e.all = append(e.all, s)
}

// take returns what has been collected since the last take.
func (e *events) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = nil
	return all
}

// gate is a machine whose steps wait until the test lets them.
type gate struct {
	entered chan struct{} // receives for every step that has begun
	open    chan struct{} // a step goes on for every receive
}

func newGate() *gate { return &gate{make(chan struct{}, 100), make(chan struct{})} }

func (g *gate) machine() *machine {
	m := newMachine()
	m.Step = func(in input, s tally, fx *statemachine.Effects[output]) (tally, output) {
		g.entered <- struct{}{}
		<-g.open
		return step(in, s, fx)
	}
	m.State = nil
	return m
}
