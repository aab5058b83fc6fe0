package genstatem

import (
	"slices"

	"github.com/lineshaft/lineshaft/statemachine"
)

// turn is the handling of one input: an event from the mailbox, and all that
// comes before the next one. Turns are reused.
type turn[S comparable, D, E, R any] struct {
	m    *Machine[S, D, E, R]
	s    State[S, D, E] // as the last event left it
	own  bool           // s.more is this turn's, and may be changed
	step *statemachine.Effects[R]
	fx   Effects[E, R] // of the present event

	queue []Event[E]   // inserted and retried events, the next one last
	zero  []timeout[E] // timeouts without time, the next one first

	// rollback: the event is the input's own, so that a panic can undo all of
	// it, unless somebody was answered.
	rollback bool
	ended    bool

	from   statemachine.From // the caller of the input
	reply  R                 // what it gets as the step's output, if direct is set
	direct bool
	spoken bool // somebody was answered
}

// continueTag is the tag of the Continue that asks for what is waiting.
const continueTag = "genstatem"

// take handles the input.
func (t *turn[S, D, E, R]) take(in E) {
	switch m := t.step.Message().(type) {
	case nil:
		t.rollback = true
		if t.from != 0 {
			t.handle(Event[E]{Type: Call, Content: in, From: t.from})
		} else {
			t.handle(Event[E]{Type: Cast, Content: in})
		}
		return
	case statemachine.Timeout:
		if typ := EventType(m.Timer); typ.isTimeout() {
			if content := t.s.more.running(typ); content != nil {
				ev := Event[E]{Type: typ, Content: *content}
				t.more().remove(typ)
				t.handle(ev)
			}
			return
		}
	case statemachine.Continue:
		if m.Tag == continueTag {
			t.resume()
			return
		}
	}
	if t.m.Message != nil {
		t.rollback = true
		t.handle(Event[E]{Type: Info, Content: in})
	}
}

// resume goes on with what is waiting.
func (t *turn[S, D, E, R]) resume() {
	w := t.s.waits()
	if w == nil {
		return
	}
	t.more().waiting = nil
	t.queue = append(t.queue, w.queue...)
	t.zero = append(t.zero, w.zero...)
	t.fx.reset(0)
	t.rollback = true
	switch {
	case w.begin:
		t.fx.actions = append(t.fx.actions, w.actions...)
		t.fx.repeat = true // the state that it is in is entered
		t.transition(nil, t.s.State, t.s.Data)
	case w.resume:
		s, d := t.m.Resume(t.s.State, t.s.Data, &t.fx)
		t.transition(nil, s, d)
	}
}

// run handles all that comes before the mailbox.
func (t *turn[S, D, E, R]) run() {
	for !t.ended {
		t.rollback = false
		switch last := len(t.queue) - 1; {
		case last >= 0:
			ev := t.queue[last]
			t.queue[last] = Event[E]{}
			t.queue = t.queue[:last]
			t.handle(ev)
		case len(t.zero) > 0:
			ev := Event[E]{Type: t.zero[0].typ, Content: t.zero[0].content}
			t.zero = slices.Delete(t.zero, 0, 1)
			t.handle(ev)
		default:
			return
		}
	}
}

func (t *turn[S, D, E, R]) handle(ev Event[E]) {
	t.fx.reset(ev.From)
	handle := t.m.HandleEvent
	if handle == nil {
		handle = t.m.States[t.s.State]
	}
	s, d := handle(ev, t.s.State, t.s.Data, &t.fx)
	t.transition(&ev, s, d)
}

// transition makes the state s and the data d, which a callback has returned
// for ev, or for none.
func (t *turn[S, D, E, R]) transition(ev *Event[E], s S, d D) {
	old := t.s.State
	switch {
	case s == old && t.fx.plain() && t.s.more == nil && len(t.zero) == 0: // as mostly, and faster
		t.answerFirst()
		t.s.Data = d
		return
	case t.fx.stop:
		t.stop(0, s, d)
		return
	case s != old && !t.m.has(s):
		t.end(statemachine.Crash(ErrBadReturn), old, t.s.Data)
		return
	}
	postpone, bad := t.act(0, false)
	if bad != nil {
		t.end(statemachine.Crash(bad), s, d)
		return
	}
	if t.m.Enter != nil && (s != old || t.fx.repeat) {
		if d = t.enter(old, s, d); t.ended {
			return
		}
	}
	if postpone && ev != nil {
		m := t.more()
		m.postponed = &postponed[E]{*ev, m.postponed}
	}
	if ev != nil && !t.setsAnew(EventTimeout) {
		t.cancel(EventTimeout)
	}
	if s != old {
		if !t.setsAnew(StateTimeout) {
			t.cancel(StateTimeout)
		}
		t.retry()
	}
	t.s.State, t.s.Data = s, d
	if len(t.fx.actions) > 0 {
		t.apply()
	}
}

// retry makes the postponed events ones to be handled.
func (t *turn[S, D, E, R]) retry() {
	if t.s.more == nil || t.s.more.postponed == nil {
		return
	}
	for p := t.s.more.postponed; p != nil; p = p.older {
		t.queue = append(t.queue, p.event)
	}
	t.more().postponed = nil
}

// more returns what of the state may be changed.
func (t *turn[S, D, E, R]) more() *more[E] {
	if !t.own {
		var m more[E]
		if t.s.more != nil {
			m = *t.s.more
		}
		t.s.more, t.own = &m, true
	}
	return t.s.more
}

// leave ends the turn, and returns the state.
func (t *turn[S, D, E, R]) leave() State[S, D, E] {
	if t.own && t.s.more.empty() {
		t.s.more = nil
	}
	if t.from != 0 && !t.direct {
		t.step.NoReply() // its caller waits
	}
	return t.s
}

// enter calls Machine.Enter until it does not ask for it any more, and returns
// the data.
func (t *turn[S, D, E, R]) enter(old, s S, d D) D {
	for again := true; again; again = t.fx.repeat {
		t.fx.repeat = false
		first := len(t.fx.actions)
		d = t.m.Enter(old, s, d, &t.fx)
		if t.fx.stop {
			t.stop(first, s, d)
			break
		}
		if _, bad := t.act(first, true); bad != nil {
			t.end(statemachine.Crash(bad), s, d)
			break
		}
	}
	return d
}

// keptMax is how many events or actions there may be for their memory to be
// reused.
const keptMax = 64

// reset makes the turn ready for another input.
func (t *turn[S, D, E, R]) reset() {
	t.fx.reset(0)
	if t.ended {
		clear(t.queue)
		clear(t.zero)
		t.queue, t.zero = t.queue[:0], t.zero[:0]
	}
	if cap(t.queue) > keptMax || cap(t.zero) > keptMax {
		t.queue, t.zero = nil, nil
	}
	if cap(t.fx.actions) > keptMax {
		t.fx.actions, t.fx.replies = nil, nil
	}
	t.s = State[S, D, E]{} // nothing that it leads to is to be kept
	if t.direct {
		t.reply = *new(R)
	}
	t.own, t.rollback, t.ended, t.direct, t.spoken = false, false, false, false, false
}
