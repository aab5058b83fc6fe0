package supervisor

import (
	"math"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

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

// restart decides to start c again, now or after a delay; or, if that is once
// too often, to end s. S15 to S17
func (t *Tree) restart(s, c *Node) {
	switch {
	case !s.sup.mayRestart(t.now):
		t.down(s, c)
		t.quit(s, statemachine.Shutdown)
	case s.sup.spec.Backoff.on():
		t.postpone(s, c)
	default:
		t.startAgain(s, c)
	}
}

// mayRestart counts a restart decision at now, in seconds, and reports whether
// it is allowed.
func (u *sup) mayRestart(now int64) bool {
	intensity, period := u.spec.intensity()
	u.history = window(u.history, now, period)
	u.restarts++
	return len(u.history) <= intensity && (u.spec.MaxRestarts == 0 || u.restarts <= u.spec.MaxRestarts)
}

// postpone has c started again after the delay of its next try.
func (t *Tree) postpone(s, c *Node) {
	b, p := &s.sup.spec.Backoff, c.remember()
	if p.lag == 0 && p.tries > 0 && p.exit.at-p.upAt >= int64(b.reset()) {
		p.tries = 0
	}
	if p.tries < math.MaxUint32 {
		p.tries++
	}
	delay := int64(b.delay(c.name, p.tries))
	t.retryAt(c, t.nanos+min(delay, math.MaxInt64-t.nanos))
	t.finish(s)
}

// retryAt marks c, which has a past, as restarting, and has it started again
// when due, or, if that is over already, as soon as a timer can.
func (t *Tree) retryAt(c *Node, due int64) {
	c.past.due = due
	c.set(restarting)
	t.emit(Action{Kind: Retry, PID: c.PID(), Child: c, Delay: time.Duration(max(1, due-t.nanos))})
}

// startAgain starts c again, with those that the strategy says. S12 to S14
func (t *Tree) startAgain(s, c *Node) {
	u := s.sup
	u.because = c
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
