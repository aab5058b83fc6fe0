package genstatem

import (
	"fmt"
	"sync"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// Callback handles an event in the state s, with the data d, and returns the
// next state and the new data. Returning s is OTP's keep_state, returning
// another its next_state; all else is asked of fx. It is pure, as a plain
// machine's Step: it does not change d or what that leads to.
type Callback[S comparable, D, E, R any] func(ev Event[E], s S, d D, fx *Effects[E, R]) (S, D)

// Machine is what a state machine is made of (OTP: a gen_statem's callback
// module): states S, data D, contents of events E, replies R.
//
// Either States or HandleEvent is required, and so are Event and Reply.
type Machine[S comparable, D, E, R any] struct {
	// Init returns the state and data to begin with. What it asks of fx is done,
	// and the state entered, before the first event is handled; Postpone has no
	// effect. An error, or a panic, is a failed start; statemachine.ErrIgnore
	// that there is to be no process. It is not called for a process that goes
	// on with what was saved: see Resume. Nil: the zero values.
	Init func(fx *Effects[E, R]) (S, D, error)

	// States has a callback for each state. OTP: callback mode state_functions.
	States map[S]Callback[S, D, E, R]
	// HandleEvent is the callback of all states. OTP: handle_event_function.
	HandleEvent Callback[S, D, E, R]

	// Enter is called when the state s has been entered from old: after every
	// change of state, for the first state (then old is s), and where Repeat
	// asks for it, before any event is handled. It can change the data only.
	// Nil: nothing is called. OTP: callback mode state_enter.
	Enter func(old, s S, d D, fx *Effects[E, R]) D

	// Resume is called when a process goes on with a state that was saved, after
	// a crash or in a new run of the program, before any event is handled. Then
	// s, d, all postponed events and all timeouts are what they were; callers
	// have gone. To return another state is a change of state like any other.
	// Nil: it just goes on.
	Resume func(s S, d D, fx *Effects[E, R]) (S, D)

	// Message makes the content of an Info event of what the loop tells the
	// process: the answers to what it asks of its Fx. It is pure. Nil: there are
	// no such events.
	Message func(statemachine.Message) E

	// Terminate is a plain machine's: it is told why the machine ends, and its
	// last state and data. After a panic, those from before the event. It may
	// do I/O. Nil: nothing to do.
	Terminate func(name statemachine.Name, s S, d D, r statemachine.Reason)

	// Tasks are the works that the machine may start.
	Tasks []statemachine.AnyTask

	Event codec.Codec[E]
	Reply codec.Codec[R]

	// State and Data encode the states that are saved, with Event. Both nil: this
	// process's state is never saved nor journaled, and every start is Init's.
	State codec.Codec[S]
	Data  codec.Codec[D]

	// Version and Migrate are those of saved states: see
	// [statemachine.Machine]. StateCodec makes the codec of an older version.
	Version int
	Migrate func(from int, saved statemachine.Saved) (State[S, D, E], error)

	_ struct{}
}

// New returns the machine that m describes. Its inputs are the contents of
// events, its outputs replies: to send an input by a call is an event of the type
// Call, by a cast one of the type Cast.
//
// It panics if m lacks what is required, has both States and HandleEvent, or
// one of State and Data.
func New[S comparable, D, E, R any](m Machine[S, D, E, R]) *statemachine.Machine[State[S, D, E], E, R] {
	m.check()
	e := &engine[S, D, E, R]{m: m}
	plain := &statemachine.Machine[State[S, D, E], E, R]{
		Init:    e.init,
		Step:    e.step,
		Message: e.message,
		Tasks:   m.Tasks,
		Input:   m.Event,
		Output:  m.Reply,
		Version: m.Version,
		Migrate: m.Migrate,
	}
	if m.State != nil {
		plain.State = StateCodec(m.State, m.Data, m.Event)
	}
	if m.Terminate != nil {
		plain.Terminate = func(name statemachine.Name, s State[S, D, E], r statemachine.Reason) {
			m.Terminate(name, s.State, s.Data, r)
		}
	}
	return plain
}

func (m *Machine[S, D, E, R]) check() {
	wrong := ""
	switch {
	case (m.States == nil) == (m.HandleEvent == nil):
		wrong = "needs either States or HandleEvent"
	case m.Event == nil || m.Reply == nil:
		wrong = "needs the codecs Event and Reply"
	case (m.State == nil) != (m.Data == nil):
		wrong = "needs both of the codecs State and Data, or neither"
	}
	for s, callback := range m.States {
		if callback == nil {
			wrong = fmt.Sprintf("has nil for the state %v", s)
		}
	}
	if wrong != "" {
		panic(fmt.Sprintf("genstatem: %T %s", *m, wrong))
	}
}

// has reports whether there is a callback for the state.
func (m *Machine[S, D, E, R]) has(s S) bool { return m.HandleEvent != nil || m.States[s] != nil }

// engine runs a Machine as a plain one.
type engine[S comparable, D, E, R any] struct {
	m     Machine[S, D, E, R]
	turns sync.Pool // of *turn[S, D, E, R]
}

func (e *engine[S, D, E, R]) init(start statemachine.Start[State[S, D, E]]) (s State[S, D, E], err error) {
	if start.Saved == nil {
		s, err = e.begin(start.Fx)
	} else {
		s, err = e.goOn(*start.Saved)
	}
	if err != nil {
		return State[S, D, E]{}, err
	}
	if s.waits() != nil {
		start.Fx.Continue(continueTag)
	}
	return s, nil
}

// goOn returns the state in which a process begins that was saved.
func (e *engine[S, D, E, R]) goOn(s State[S, D, E]) (State[S, D, E], error) {
	w := s.waits()
	switch {
	case !e.m.has(s.State):
		return s, fmt.Errorf("the saved state is %v: %w", s.State, ErrBadReturn)
	case e.m.Resume == nil || w != nil && w.begin:
		return s, nil
	}
	var m more[E]
	if s.more != nil {
		m = *s.more
	}
	resume := waiting[E]{resume: true}
	if w != nil {
		resume.queue, resume.zero = w.queue, w.zero
	}
	m.waiting, s.more = &resume, &m
	return s, nil
}

// begin returns what Init makes.
func (e *engine[S, D, E, R]) begin(plain *statemachine.Fx) (s State[S, D, E], err error) {
	fx := Effects[E, R]{Fx: plain}
	if e.m.Init != nil {
		if s.State, s.Data, err = e.m.Init(&fx); err != nil {
			return s, err
		}
	}
	switch {
	case fx.stop:
		panic("Init called Stop: it can return an error")
	case !e.m.has(s.State):
		return s, fmt.Errorf("the state that Init returned is %v: %w", s.State, ErrBadReturn)
	case e.m.Enter != nil || len(fx.actions) > 0:
		s.more = &more[E]{waiting: &waiting[E]{begin: true, actions: lastingActions(fx.actions)}}
	}
	return s, nil
}

// message makes an input of m: see turn.take.
func (e *engine[S, D, E, R]) message(m statemachine.Message) (content E) {
	switch m := m.(type) {
	case statemachine.Timeout:
		if EventType(m.Timer).isTimeout() {
			return content
		}
	case statemachine.Continue:
		if m.Tag == continueTag {
			return content
		}
	}
	if e.m.Message != nil {
		content = e.m.Message(m)
	}
	return content
}

func (e *engine[S, D, E, R]) step(in E, s State[S, D, E], fx *statemachine.Effects[R]) (next State[S, D, E], out R) {
	t, _ := e.turns.Get().(*turn[S, D, E, R])
	if t == nil {
		t = &turn[S, D, E, R]{m: &e.m}
	}
	t.s, t.step, t.fx.Fx, t.from = s, fx, &fx.Fx, fx.From()
	finished := false
	defer func() {
		if !finished {
			if v := recover(); v != nil { // nil: runtime.Goexit, which nothing holds up
				t.crashed(v)
				next = t.leave()
			}
		}
	}()
	t.take(in)
	t.run()
	finished = true
	if t.direct {
		out = t.reply
	}
	next = t.leave()
	t.reset()
	e.turns.Put(t)
	return next, out
}
