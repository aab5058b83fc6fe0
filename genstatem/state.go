package genstatem

import (
	"reflect"
	"slices"
)

// State is all that a state machine is between two events of its mailbox: a
// pure value, to be saved, looked at and replaced.
//
// To replace State or Data from outside is no change of state: nothing is
// entered, cancelled or retried. The times of timeouts are the loop's and not in
// it: one that only the new value has never comes. OTP: sys:replace_state/2.
type State[S comparable, D, E any] struct {
	State S
	Data  D

	more *more[E] // nil: there is nothing more, as mostly; a State should be small
}

// more is what else belongs to a State. It is never changed once the turn that
// has made it is over.
type more[E any] struct {
	postponed *postponed[E]
	// The timeouts that run, with what they will carry.
	stateTimeout, eventTimeout slot[E]
	timeouts                   []timeout[E] // of Timeout; replaced, not changed
	waiting                    *waiting[E]
}

// postponed is a list of events that is never changed, the newest first.
type postponed[E any] struct {
	event Event[E]
	older *postponed[E]
}

// slot is a timeout that may run.
type slot[E any] struct {
	runs    bool
	content E
}

// waiting is what comes before the mailbox and was not handled yet: what Init
// has asked for, or what a crash has left. Never changed.
type waiting[E any] struct {
	// begin: the first state is to be entered, after the actions of Init.
	begin   bool
	actions []action[E]
	// resume: Machine.Resume is to be called.
	resume bool
	queue  []Event[E]   // inserted or retried events, the next one last
	zero   []timeout[E] // timeouts without time, the next one first
}

// waits returns what is waiting, nil if nothing is.
func (s *State[S, D, E]) waits() *waiting[E] {
	if s.more == nil {
		return nil
	}
	return s.more.waiting
}

// running returns where the content of a timeout that runs is, nil if it does
// not. It is not to be changed.
func (m *more[E]) running(t EventType) *E {
	switch {
	case m == nil:
	case t == StateTimeout:
		return m.stateTimeout.get()
	case t == EventTimeout:
		return m.eventTimeout.get()
	default:
		if i := slices.IndexFunc(m.timeouts, func(o timeout[E]) bool { return o.typ == t }); i >= 0 {
			return &m.timeouts[i].content
		}
	}
	return nil
}

func (s *slot[E]) get() *E {
	if s.runs {
		return &s.content
	}
	return nil
}

// put makes content that of the timeout t, which runs from now on.
func (m *more[E]) put(t EventType, content E) {
	switch t {
	case StateTimeout:
		m.stateTimeout = slot[E]{true, content}
	case EventTimeout:
		m.eventTimeout = slot[E]{true, content}
	default:
		m.timeouts = append(m.others(t), timeout[E]{t, content})
	}
}

// remove makes the timeout t one that does not run.
func (m *more[E]) remove(t EventType) {
	switch t {
	case StateTimeout:
		m.stateTimeout = slot[E]{}
	case EventTimeout:
		m.eventTimeout = slot[E]{}
	default:
		if m.timeouts = m.others(t); len(m.timeouts) == 0 {
			m.timeouts = nil
		}
	}
}

// others returns a new slice of the timeouts but t, with room for one.
func (m *more[E]) others(t EventType) []timeout[E] {
	others := make([]timeout[E], 0, len(m.timeouts)+1)
	for _, o := range m.timeouts {
		if o.typ != t {
			others = append(others, o)
		}
	}
	return others
}

// empty reports whether it says nothing.
func (m *more[E]) empty() bool {
	return m.postponed == nil && !m.stateTimeout.runs && !m.eventTimeout.runs && m.timeouts == nil && m.waiting == nil
}

// same reports whether two contents are known to be equal.
func same[E any](a, b *E) (same bool) {
	x := any(*a)
	if t := reflect.TypeOf(x); t == nil || !t.Comparable() {
		return false
	}
	defer func() { recover() }() // an interface in it may hold what cannot be compared
	return x == any(*b)
}
