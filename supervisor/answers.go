package supervisor

import "github.com/lineshaft/lineshaft/statemachine"

// The methods of this file are how the loop says what became of actions, and
// what happened by itself. One that is about a PID that ended is ignored.

// Started answers a Start: the worker's Init, or the supervisor's, returned
// err. With nil a supervisor goes on to start its children. After an error, as
// after Ignored, there is no Exit action, not for the root either: nothing of the
// supervisor has run.
func (t *Tree) Started(p PID, err error) {
	n := p.Node
	if !t.startAwaited(p) {
		return
	}
	switch {
	case err != nil:
		t.settle(n, failed, err)
	case n.sup != nil:
		t.adopt(n)
	default:
		t.settle(n, cameUp, nil)
	}
}

// Ignored answers a Start: Init returned ignore. The start counts as a success,
// without a process.
func (t *Tree) Ignored(p PID) {
	if t.startAwaited(p) {
		t.settle(p.Node, ignored, nil)
	}
}

// startAwaited reports whether p's Start has not been answered.
func (t *Tree) startAwaited(p PID) bool {
	n := p.Node
	return n.gen == p.Gen && n.state == starting && (n.sup == nil || n.sup.op == opInit)
}

// Exited says that the worker p has ended: as Terminate or Kill asked, or by
// itself; then its own Terminate has run already.
func (t *Tree) Exited(p PID, reason statemachine.Reason) {
	n := p.Node
	if n.sup != nil {
		panic("supervisor: Exited of a supervisor, " + p.String())
	}
	if n.gen == p.Gen && (n.state == up || n.state == ending) {
		t.gone(n, reason)
	}
}

// Expire kills the supervisor p and all that is below it, at once: Kill for
// every worker and Exit for every supervisor, reverse to start order. It is
// what follows a Guard; but any supervisor may be killed (OTP: exit(Pid, kill)).
func (t *Tree) Expire(p PID) {
	if p.Node.sup != nil && p.Alive() {
		t.kill(p.Node)
	}
}

// Retry says that the turn of a Retry action with this PID and Child has come,
// or that its Delay is over. One with a Delay is ignored if child is not
// restarting, or since another PID: it was terminated, or has been started
// otherwise. Call SetNow before, as with Exited: a failure is remembered, and
// the next delay begins, at the time that was set.
func (t *Tree) Retry(p PID, child *Node) {
	if p.Node == child {
		if child.state == restarting { // so its supervisor lives; handle looks at the Gen
			t.post(child.parent, message{kind: msgRetry, pid: p})
		}
		return
	}
	if t.retries == 0 {
		panic("supervisor: Retry of " + p.String() + " without a Retry action")
	}
	t.retries--
	if p.Alive() {
		t.post(p.Node, message{kind: msgRetry, pid: PID{Node: child}})
	}
}

// gone takes note that n's process has ended.
func (t *Tree) gone(n *Node, reason statemachine.Reason) {
	p := n.parent
	switch {
	case n.state == starting:
		err := reason.Detail
		if err == nil {
			err = &ExitError{Name: n.name, Reason: reason}
		}
		t.settle(n, failed, err)
	case p == nil:
		t.ended(n, reason)
		n.set(down)
	case n.state == ending:
		t.ended(n, reason)
		n.set(down)
		if p.sup.pending--; p.sup.pending == 0 {
			t.wake(p)
		}
	default:
		t.ended(n, reason)
		n.set(dead)
		t.post(p, message{kind: msgExit, pid: n.PID(), reason: reason})
	}
}
