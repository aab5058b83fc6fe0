package machinetest

import (
	"errors"
	"slices"

	"github.com/lineshaft/lineshaft/statemachine"
)

// probe steps a machine from any state, through processes of machines that
// wrap it.
type probe[S, I, O any] struct {
	port   statemachine.Port[I, O] // begins in from
	begin  statemachine.Process    // begins as the machine does, given start
	moment *statemachine.Moment
	start  statemachine.Start[S]
	in     I
	from   S
	to     S
}

// processName is the name that Init and Step are told.
const processName = "machinetest"

// entry is the time and the randomness of a step, who waits for its output, and
// the message that its input was made of, if any.
type entry struct {
	time    int64
	seed    uint64
	caller  statemachine.From
	message statemachine.Message
}

// asked is what a step asked for.
type asked struct {
	Effects []statemachine.Effect
	Stop    *statemachine.Stop
	NoReply bool
}

// none reports whether that is nothing.
func (a asked) none() bool { return len(a.Effects) == 0 && a.Stop == nil && !a.NoReply }

// result is what came of a step.
type result[S, O any] struct {
	state S
	out   O
	asked asked
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
		Message: func(statemachine.Message) I { return p.in },
		Tasks:   m.Tasks,
	}
	p.port = wrapped.New(processName, p.moment).(statemachine.Port[I, O])
	begins := &statemachine.Machine[S, I, O]{
		Init: func(start statemachine.Start[S]) (s S, err error) {
			start.Saved = p.start.Saved
			p.to, err = m.Init(start)
			return p.to, err
		},
		Tasks: m.Tasks,
	}
	p.begin = begins.New(processName, p.moment)
	return p
}

// init calls the machine's Init. Its crash is the wrapper's error.
func (p *probe[S, I, O]) init(saved *S, e entry) (r result[S, O], err error) {
	p.start.Saved, p.to = saved, *new(S)
	p.moment.Set(e.time, e.seed)
	if crash := attempt(func() { err = p.begin.Init() }); crash != nil {
		r.crash = crash
	}
	var crash *statemachine.CrashError
	if errors.As(err, &crash) && crash.In == "init" {
		r.crash, err = crash.Value, nil
	}
	r.state, r.asked = p.to, p.asked()
	return r, err
}

func (p *probe[S, I, O]) step(in I, s S, e entry) (r result[S, O]) {
	p.in, p.from, p.to = in, s, s
	crash := attempt(func() {
		if err := p.port.Init(); err != nil {
			panic(err) // the wrapper's Init cannot fail
		}
		p.moment.Set(e.time, e.seed)
		p.moment.SetFrom(e.caller)
		x := p.port.NewExchange(in)
		if e.message != nil {
			made, _, _ := p.port.FromMessage(e.message)
			x = made.(*statemachine.Exchange[I, O])
		}
		if crash := p.port.Step(x); crash != nil {
			r.crash = crash.Value
		} else {
			r.out = x.Out
		}
	})
	if crash != nil {
		r.crash = crash
	}
	r.state, r.asked = p.to, p.asked()
	return r
}

func (p *probe[S, I, O]) asked() asked {
	return asked{Effects: slices.Clone(p.moment.Effects()), Stop: p.moment.Exit(), NoReply: p.moment.NoReply()}
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
