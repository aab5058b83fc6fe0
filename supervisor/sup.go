package supervisor

import "github.com/lineshaft/lineshaft/statemachine"

// sup is what a node has besides if it is a supervisor. All of it but
// static belongs to the present incarnation.
type sup struct {
	spec   Supervisor
	static []*Node // the nodes of its children by the newest spec; nil before the first start, and in a pool

	first, last *Node // children, in start order
	significant int   // how many of them are significant and not down

	restarting int // how many of them are restarting

	history   []int64 // when there were restarts, in seconds, as far as they count
	restarts  int     // restart decisions, all of this incarnation
	because   *Node   // the child that children are being started again for; opStart: that s was
	inbox     queue[message]
	tickets   int  // in Tree.tickets, for messages of the inbox
	suspended bool // Tree.Suspend
	stopping  bool // an order to end has arrived

	op op
	// cursor is the child that op is about now; opStart and the like go on to
	// next, opExit and the like to prev.
	cursor *Node
	// before is the child at which opGroupEnd and opExit stop: it and those
	// before it are not ended. Nil: all are.
	before  *Node
	pending int // children that have been told to end and have not

	result result // of the start that was asked for last
	err    error  // why, if it failed

	reason statemachine.Reason // of opExit
	req    *request            // of the ops of requests
}

// op is what a supervisor is doing. It does one thing at a time, and most of
// them have to wait.
type op uint8

const (
	opIdle           op = iota
	opInit              // wait for the answer to its own Start
	opStart             // start all children, for the first time
	opRestart           // start one child again
	opGroupEnd          // end the children after before, to
	opGroupStart        // start them again
	opExit              // end all children, then itself
	opStartChild        // a request's
	opRestartChild      // a request's
	opTerminateChild    // a request's
)

// result is what is known of a start that a supervisor has asked for.
type result uint8

const (
	none    result = iota // none asked for
	waiting               // no answer yet
	cameUp
	ignored
	failed
)

func newSup(spec Supervisor) *sup { return &sup{spec: spec} }

func (u *sup) pool() bool { return u.spec.Strategy == SimpleOneForOne }

// take returns the result of the start that was asked for, once.
func (u *sup) take() result {
	r := u.result
	if r == waiting {
		panic("supervisor: " + string(u.spec.Name) + " was woken before its child's start was answered")
	}
	u.result = none
	return r
}

// begin makes s do o next.
func (t *Tree) begin(s *Node, o op) {
	if s.sup.op == opIdle {
		t.busy++
	}
	s.sup.op = o
}

// finish makes s idle: it can handle its next message.
func (t *Tree) finish(s *Node) {
	t.idle(s)
	t.ticket(s)
}

func (t *Tree) idle(s *Node) {
	if s.sup.op != opIdle {
		t.busy--
	}
	u := s.sup
	u.op, u.cursor, u.before, u.because, u.req, u.err, u.result = opIdle, nil, nil, nil, nil, nil, none
}

// wake lets s go on with what it is doing.
func (t *Tree) wake(s *Node) { t.ready.push(s.PID()) }

// advance lets the supervisor p go on: it has just begun something, or what it
// waited for is there.
func (t *Tree) advance(p PID) {
	s := p.Node
	if !p.Alive() {
		return
	}
	switch s.sup.op {
	case opStart, opGroupStart:
		t.startChildren(s)
	case opRestart:
		t.childRestarted(s)
	case opGroupEnd:
		if t.endChildren(s) {
			t.startGroup(s)
		}
	case opExit:
		if t.endChildren(s) {
			t.exit(s)
		}
	case opStartChild, opRestartChild:
		t.childStarted(s)
	case opTerminateChild:
		t.childTerminated(s)
	}
}

// set changes n's state, and what its parent counts.
func (n *Node) set(st state) {
	if n.state == starting && st != up {
		p := n.remember()
		p.missed++
		p.lag++
	}
	if n.significant && n.parent != nil {
		if n.state == down && st != down {
			n.parent.sup.significant++
		} else if n.state != down && st == down {
			n.parent.sup.significant--
		}
	}
	if n.state == restarting && st != restarting {
		n.parent.sup.restarting--
	} else if n.state != restarting && st == restarting {
		n.parent.sup.restarting++
	}
	n.state = st
}

// link adds c after s's other children.
func (t *Tree) link(s, c *Node) {
	u := s.sup
	c.prev, c.next, c.linked = u.last, nil, true
	if u.last == nil {
		u.first = c
	} else {
		u.last.next = c
	}
	u.last = c
	t.names[c.name] = c
}

// drop forgets c, which is down.
func (t *Tree) drop(c *Node) {
	u := c.parent.sup
	if c.prev == nil {
		u.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		u.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.prev, c.next, c.linked = nil, nil, false
	delete(t.names, c.name)
}

// down records that c has ended for good: S11. Invariant: a node that is not
// linked is down.
func (t *Tree) down(s, c *Node) {
	c.set(down)
	if c.restart == Temporary || s.sup.pool() {
		t.drop(c)
	}
}
