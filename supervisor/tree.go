package supervisor

import (
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// Tree is a supervision tree: a state machine whose inputs are the methods
// below and whose outputs are the [Action]s that Next returns. It is not safe
// for concurrent use. Any method may be called between two calls of Next.
type Tree struct {
	root  *Node
	names map[statemachine.Name]*Node // the linked nodes
	now   int64                       // seconds
	nanos int64                       // the same time, whole

	actions queue[Action] // decided, not yet returned by Next
	ready   queue[PID]    // supervisors that can go on with what they are doing
	tickets queue[PID]    // one for each message that a supervisor may handle, in order of arrival

	busy    int // supervisors that are doing something
	mail    int // messages in all inboxes
	retries int // Retry actions, without a Delay, whose turn has not come
}

// New returns a tree of root that has not been started. Returns a *SpecError
// if a spec is wrong, as Check.
func New(root Supervisor) (*Tree, error) {
	if err := Check(root); err != nil {
		return nil, err
	}
	n := &Node{name: root.Name, spec: root, restart: root.Restart, linked: true, sup: newSup(root)}
	return &Tree{root: n, names: map[statemachine.Name]*Node{n.name: n}}, nil
}

// Root returns the root's node.
func (t *Tree) Root() *Node { return t.root }

// Node returns the node of that name, nil if it is not in the tree (see
// Node.Present).
func (t *Tree) Node(name statemachine.Name) *Node { return t.names[name] }

// SetNow tells the tree the time, in nanoseconds since any fixed moment. The
// windows of restart intensity are measured with it, in whole seconds, and how
// long a child was up; exits are remembered with it, as Unix time. Time does not
// go back: an earlier one than was set is ignored.
func (t *Tree) SetNow(nanos int64) {
	if nanos > t.nanos {
		t.nanos, t.now = nanos, nanos/int64(time.Second)
	}
}

// Start asks for the start of the root, and with it of the tree. No effect
// while the root runs.
func (t *Tree) Start() {
	if t.root.state == down {
		t.start(t.root)
	}
}

// Shutdown tells the root to end with reason shutdown, as a parent does its
// child: it ends what it is doing and what was sent to it before, then its
// children, then itself. If the root has a finite Shutdown there is a Guard.
func (t *Tree) Shutdown() {
	if t.root.state.living() {
		t.guard(t.root)
		t.postStop(t.root, message{kind: msgShutdown})
	}
}

// Stop tells the supervisor n to end with reason, as Shutdown but by someone
// who is not its parent (OTP: gen_server:stop): its parent restarts it, or not,
// as after any exit. The Exit action says when it has ended, and why: it may
// have been something else. False if n is no supervisor or does not run.
func (t *Tree) Stop(n *Node, reason statemachine.Reason) bool {
	if n.sup == nil || !n.state.living() {
		return false
	}
	t.postStop(n, message{kind: msgStop, reason: reason})
	return true
}

// Suspend makes the supervisor n handle nothing that is sent to it until
// Resume, once it has finished what it is doing. Only Shutdown, its parent's
// or the tree's, and Stop reach it, and then nothing else does any more.
func (t *Tree) Suspend(n *Node) {
	if n.sup != nil && n.state.living() && !n.sup.stopping {
		n.sup.suspended = true
	}
}

// Resume ends Suspend: what was sent meanwhile is handled, in order.
func (t *Tree) Resume(n *Node) {
	if n.sup != nil && n.sup.suspended {
		n.sup.suspended = false
		t.ticket(n)
	}
}

// Next returns the next thing to be done. False: nothing, until an answer or
// another call of a method. The actions are to be begun in this order; their
// answers may be given at once, or at any later time.
func (t *Tree) Next() (Action, bool) {
	for {
		if a, ok := t.actions.pop(); ok {
			return a, true
		}
		if p, ok := t.ready.pop(); ok {
			t.advance(p)
			continue
		}
		p, ok := t.tickets.pop()
		if !ok {
			return Action{}, false
		}
		t.receive(p)
	}
}

// Quiet reports that nothing is going on: Next would return nothing, no answer
// is awaited, no supervisor has unhandled messages, no retry is to come at once.
// A retry that waits for its Delay does not count, as it may wait for hours: a
// tree with a child that is Restarting may be quiet, and may be saved. What is
// Down in a quiet tree stays down, unless it is Awaited.
func (t *Tree) Quiet() bool {
	return t.busy == 0 && t.mail == 0 && t.retries == 0 && t.actions.len() == 0
}

func (t *Tree) emit(a Action) { t.actions.push(a) }
