package machinetest

import (
	"errors"

	"github.com/lineshaft/lineshaft/statemachine"
)

// probe steps a machine from any state, through a process of a machine that
// wraps it.
type probe[S, I, O any] struct {
	port   statemachine.Port[I, O]
	moment *statemachine.Moment
	from   S
	to     S
}

// processName is the name that Init and Step are told.
const processName = "machinetest"

// entry is the time and the randomness of a step.
type entry struct {
	time int64
	seed uint64
}

// result is what came of a step.
type result[S, O any] struct {
	state S
	out   O
	crash any // nil unless the step panicked: then there is no out, and state is what it was
}

func newProbe[S, I, O any](m *statemachine.Machine[S, I, O]) *probe[S, I, O] {
	p := &probe[S, I, O]{moment: statemachine.NewMoment(nil, nil)}
	wrapped := &statemachine.Machine[S, I, O]{
		Init: func(statemachine.Start[S]) (S, error) { return p.from, nil },
		Step: func(in I, s S, fx *statemachine.Effects[O]) (S, O) {
			s, out := m.Step(in, s, fx)
			p.to = s
			return s, out
		},
		Tasks: m.Tasks,
	}
	p.port = wrapped.New(processName, p.moment).(statemachine.Port[I, O])
	return p
}

func (p *probe[S, I, O]) step(in I, s S, e entry) (r result[S, O]) {
	p.from, p.to = s, s
	p.moment.Set(e.time, e.seed)
	crash := attempt(func() {
		if err := p.port.Init(); err != nil {
			panic(err) // the wrapper's Init cannot fail
		}
		if out, crash := p.port.StepIn(in); crash != nil {
			r.crash = crash.Value
		} else {
			r.out = out
		}
	})
	if crash != nil {
		r.crash = crash
	}
	r.state = p.to
	return r
}

var errGoexit = errors.New("runtime.Goexit was called")

// attempt calls f, on a goroutine that f may end, and returns what it panicked
// with; nil if it returned.
func attempt(f func()) (crash any) {
	done := make(chan struct{})
	go func() {
		finished := false
		defer func() {
			if !finished {
				if crash = recover(); crash == nil {
					crash = errGoexit
				}
			}
			close(done)
		}()
		f()
		finished = true
	}()
	<-done
	return crash
}
