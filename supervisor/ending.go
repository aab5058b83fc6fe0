package supervisor

import "github.com/lineshaft/lineshaft/statemachine"

// quit makes s end its children and then itself, because of reason.
func (t *Tree) quit(s *Node, reason statemachine.Reason) {
	u := s.sup
	u.reason, u.cursor, u.before = reason, u.last, nil
	t.begin(s, opExit)
	t.wake(s)
}

// endChildren ends the children from the cursor back to the one after before,
// each completely before the next, and drops the temporary ones; true once all
// have ended. S8, S12
func (t *Tree) endChildren(s *Node) bool {
	u := s.sup
	if u.pool() {
		return t.endPool(s)
	}
	for u.cursor != u.before {
		c := u.cursor
		if c.state.living() {
			t.tell(c)
			return false
		}
		u.cursor = c.prev
		c.set(down)
		if c.restart == Temporary {
			t.drop(c)
		}
	}
	return true
}

// endPool ends all children at once; true once all have ended. S9
func (t *Tree) endPool(s *Node) bool {
	u := s.sup
	for c := u.cursor; c != nil; c = c.prev {
		if c.state.living() {
			t.tell(c)
		}
	}
	u.cursor = nil
	if u.pending > 0 {
		return false
	}
	for c := u.last; c != nil; c = u.last {
		t.down(s, c)
	}
	return true
}

// tell orders c, which lives, to end: S30 to S32.
func (t *Tree) tell(c *Node) {
	grace := c.spec.common().shutdown
	c.set(ending)
	c.parent.sup.pending++
	switch {
	case c.sup == nil && grace == BrutalKill:
		t.emit(Action{Kind: Kill, PID: c.PID(), Reason: statemachine.Killed})
	case c.sup == nil:
		t.emit(Action{Kind: Terminate, PID: c.PID(), Reason: statemachine.Shutdown, Grace: grace})
	case grace == BrutalKill:
		t.kill(c)
	case c.receptive() && c.sup.inbox.len() == 0: // in the parent's turn
		t.guard(c)
		t.handle(c, message{kind: msgShutdown})
	default:
		t.guard(c)
		t.postStop(c, message{kind: msgShutdown})
	}
}

// guard asks for a timer for the grace of s, a supervisor that is told to end.
func (t *Tree) guard(s *Node) {
	if grace := s.spec.common().shutdown; grace != Infinity && grace != BrutalKill {
		t.emit(Action{Kind: Guard, PID: s.PID(), Grace: grace})
	}
}

// exit ends s, all of whose children have ended.
func (t *Tree) exit(s *Node) {
	reason := s.sup.reason
	t.bury(s, reason)
	t.gone(s, reason)
}

// bury announces the end of s, forgets its children and answers what it was
// asked.
func (t *Tree) bury(s *Node, reason statemachine.Reason) {
	u := s.sup
	t.emit(Action{Kind: Exit, PID: s.PID(), Reason: reason})
	for u.last != nil {
		t.drop(u.last)
	}
	t.flush(s, reason)
	t.idle(s)
}

// flush answers all that s, which has ended, was asked: S59.
func (t *Tree) flush(s *Node, reason statemachine.Reason) {
	u := s.sup
	err := &ExitError{Name: s.name, Reason: reason}
	if u.req != nil {
		t.reply(u.req, Answer{Err: err})
	}
	for m, ok := u.inbox.pop(); ok; m, ok = u.inbox.pop() {
		t.mail--
		if m.kind == msgRequest {
			t.reply(m.req, Answer{Err: err})
		}
	}
	u.req = nil
}

// kill ends the supervisor s and all that is below it at once, the last in
// start order first.
func (t *Tree) kill(s *Node) {
	for n := s.deepest(); n != s; {
		prev, parent := n.prev, n.parent
		if n.state.living() {
			if n.sup != nil {
				t.bury(n, statemachine.Killed)
			} else {
				t.emit(Action{Kind: Kill, PID: n.PID(), Reason: statemachine.Killed})
			}
		}
		n.set(down)
		if prev != nil {
			n = prev.deepest()
		} else {
			n = parent
		}
	}
	t.bury(s, statemachine.Killed)
	t.gone(s, statemachine.Killed)
}

// deepest returns the last descendant of n in start order that has no
// children, n itself if it has none.
func (n *Node) deepest() *Node {
	for n.sup != nil && n.sup.last != nil {
		n = n.sup.last
	}
	return n
}
