package genstatem_test

import (
	"context"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/genstatem"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// phase is a state of the machines that are measured.
type phase int

type (
	counted = genstatem.Machine[phase, int, int, int]
	count   = genstatem.Event[int]
	counter = genstatem.Effects[int, int]
)

// counting returns a machine whose events do next to nothing.
func counting() counted {
	return counted{
		HandleEvent: func(ev count, s phase, n int, fx *counter) (phase, int) {
			fx.Reply(ev.From, n+ev.Content)
			return s, n + ev.Content
		},
		Event: codec.Of[int](),
		Reply: codec.Of[int](),
	}
}

// plain is a plain machine that does the same.
var plain = &statemachine.Machine[plainState, int, int]{
	Step:   statemachine.Pure(func(in int, s plainState) (plainState, int) { return plainState{s.phase, s.n + in}, s.n + in }),
	Input:  codec.Of[int](),
	Output: codec.Of[int](),
}

type plainState struct {
	phase phase
	n     int
}

// steps measures inputs that are called.
func steps(b *testing.B, m statemachine.Server) {
	moment := statemachine.NewMoment(func() int64 { return 1 }, nil)
	p := m.New("counter", moment).(statemachine.Port[int, int])
	if err := p.Init(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		moment.Set(1, 1)
		moment.SetFrom(7)
		if _, crash := p.StepIn(1); crash != nil {
			b.Fatal(crash)
		}
	}
}

// An event costs no memory, nor does a timeout that is set anew.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("it empties pools at random")
	}
	for _, kind := range []genstatem.EventType{"", genstatem.StateTimeout, genstatem.EventTimeout, genstatem.Timeout("n")} {
		m := counting()
		m.HandleEvent = func(ev count, s phase, n int, fx *counter) (phase, int) {
			fx.Reply(ev.From, n)
			if kind != "" {
				fx.SetTimeout(kind, time.Second, 1000)
			}
			return 1 - s, n + 1
		}
		moment := statemachine.NewMoment(func() int64 { return 1 }, nil)
		p := genstatem.New(m).New("counter", moment).(statemachine.Port[int, int])
		if err := p.Init(); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(1000, func() {
			moment.Set(1, 1)
			moment.SetFrom(7)
			p.StepIn(1)
		}); n != 0 {
			t.Errorf("%q: %v allocations", kind, n)
		}
	}
}

func BenchmarkStep(b *testing.B) {
	b.Run("plain", func(b *testing.B) { steps(b, plain) })
	b.Run("handle_event", func(b *testing.B) { steps(b, genstatem.New(counting())) })
	b.Run("state_functions", func(b *testing.B) {
		m := counting()
		m.States = map[phase]genstatem.Callback[phase, int, int, int]{0: m.HandleEvent, 1: m.HandleEvent, 2: m.HandleEvent}
		m.HandleEvent = nil
		steps(b, genstatem.New(m))
	})
	b.Run("next_state", func(b *testing.B) {
		m := counting()
		m.HandleEvent = func(ev count, s phase, n int, fx *counter) (phase, int) {
			fx.Reply(ev.From, n)
			return 1 - s, n + 1
		}
		m.Enter = func(_, _ phase, n int, fx *counter) int { return n }
		steps(b, genstatem.New(m))
	})
	b.Run("state_timeout", func(b *testing.B) {
		m := counting()
		m.HandleEvent = func(ev count, s phase, n int, fx *counter) (phase, int) {
			fx.Reply(ev.From, n)
			fx.SetTimeout(genstatem.StateTimeout, time.Second, 1)
			return 1 - s, n + 1
		}
		steps(b, genstatem.New(m))
	})
}

// BenchmarkCall is the same event, called on a loop.
func BenchmarkCall(b *testing.B) {
	for name, m := range map[string]statemachine.Server{"plain": plain, "handle_event": genstatem.New(counting())} {
		b.Run(name, func(b *testing.B) {
			loop, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{
				Name: "root", Children: []supervisor.Child{supervisor.Worker{Name: "counter", Machine: m}},
			}})
			if err != nil {
				b.Fatal(err)
			}
			ref, err := eventloop.RefTo[int, int](loop, "counter")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ref.Call(b.Context(), 1); err != nil {
					b.Fatal(err)
				}
			}
			loop.Stop(context.Background())
		})
	}
}
