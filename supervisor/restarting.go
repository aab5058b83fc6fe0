package supervisor

import "github.com/lineshaft/lineshaft/statemachine"

// again says after which exits a child is started again: S10.
var again = [...][5]bool{
	//          normal shutdown {shutdown,_} killed crash
	Permanent: {true, true, true, true, true},
	Transient: {false, false, false, true, true},
	Temporary: {false, false, false, false, false},
}

// window adds a restart at now to the history and forgets those older than
// period, all in whole seconds: S16. Invariant: the history is in order.
func window(history []int64, now, period int64) []int64 {
	history = append(history, now)
	for history[0] < now-period {
		history = history[1:]
	}
	return history
}

// childEnded decides what follows from the exit of c's process by itself.
func (t *Tree) childEnded(s, c *Node, reason statemachine.Reason) {
	if again[c.restart][reason.Class] {
		t.restart(s, c)
		return
	}
	t.down(s, c)
	if s.sup.autoShutdown(c) {
		t.quit(s, statemachine.Shutdown)
	}
}

// autoShutdown reports whether the end of c, which is down now, ends the
// supervisor: S40, S41.
func (u *sup) autoShutdown(c *Node) bool {
	if !c.significant {
		return false
	}
	switch u.spec.AutoShutdown {
	case AnySignificant:
		return true
	case AllSignificant:
		return u.significant == 0
	}
	return false
}

// restart starts c again, with those that the strategy says; or, if that is
// once too often, ends s. S12 to S17
func (t *Tree) restart(s, c *Node) {
	u := s.sup
	intensity, period := u.spec.intensity()
	u.history = window(u.history, t.now, period)
	if len(u.history) > intensity {
		t.down(s, c)
		t.quit(s, statemachine.Shutdown)
		return
	}
	switch u.spec.Strategy {
	case OneForOne, SimpleOneForOne:
		u.cursor = c
		t.begin(s, opRestart)
		t.start(c)
		return
	case OneForAll:
		u.before = nil
	case RestForOne:
		u.before = c.prev
	}
	c.set(down)
	u.cursor = u.last
	t.begin(s, opGroupEnd)
	t.wake(s)
}

// startGroup starts the children that opGroupEnd has ended.
func (t *Tree) startGroup(s *Node) {
	u := s.sup
	u.cursor = u.first
	if u.before != nil {
		u.cursor = u.before.next
	}
	t.begin(s, opGroupStart)
	t.startChildren(s)
}

// childRestarted goes on once the answer of opRestart is there. S6, S14, S19
func (t *Tree) childRestarted(s *Node) {
	u := s.sup
	c := u.cursor
	switch u.take() {
	case failed:
		t.retry(s, c)
		return
	case ignored:
		t.down(s, c)
	}
	t.finish(s)
}
