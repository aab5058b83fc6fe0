package supervisor

import "github.com/lineshaft/lineshaft/statemachine"

// message is what a supervisor finds in its inbox.
type message struct {
	kind   msgKind
	pid    PID                 // msgExit; msgRetry: of a child; Gen is 0 if there was no Delay
	reason statemachine.Reason // msgExit, msgStop
	req    *request            // msgRequest
}

type msgKind uint8

const (
	msgExit     msgKind = iota // a child's process has ended
	msgRetry                   // try again to start a child
	msgRequest                 // the API's
	msgShutdown                // the parent's order to end
	msgStop                    // anyone's order to end
)

// post puts m into s's inbox. The tickets, one a message, keep the order of
// arrival among all supervisors.
func (t *Tree) post(s *Node, m message) {
	s.sup.inbox.push(m)
	t.mail++
	t.ticket(s)
}

// postStop posts an order to end. A suspended supervisor obeys it before all
// else: what it had not handled yet is lost with it.
func (t *Tree) postStop(s *Node, m message) {
	u := s.sup
	u.stopping = true
	if u.suspended {
		u.suspended = false
		u.inbox.pushFront(m)
		t.mail++
		t.ticket(s)
		return
	}
	t.post(s, m)
}

// receptive reports whether s can handle a message now: it does one thing at a
// time.
func (s *Node) receptive() bool {
	return s.sup.op == opIdle && !s.sup.suspended && s.state.living()
}

// ticket gives s a ticket for every message that has none, if it can use them.
func (t *Tree) ticket(s *Node) {
	u := s.sup
	if !s.receptive() {
		return
	}
	for ; u.tickets < u.inbox.len(); u.tickets++ {
		t.tickets.push(s.PID())
	}
}

// receive uses a ticket of p: it handles its oldest message. If p is busy the
// ticket is lost; finish makes up for it.
func (t *Tree) receive(p PID) {
	s := p.Node
	if s.gen != p.Gen || !s.state.living() {
		return
	}
	s.sup.tickets--
	if !s.receptive() {
		return
	}
	if m, ok := s.sup.inbox.pop(); ok {
		t.mail--
		t.handle(s, m)
	}
}

// handle begins what m asks of s, which is idle. S22: the exit of a process
// that s has ended or replaced since means nothing any more, and neither does,
// S20, a retry of a child that is not restarting. A retry that was delayed was
// counted when it was decided.
func (t *Tree) handle(s *Node, m message) {
	c := m.pid.Node
	switch m.kind {
	case msgExit:
		if c.state == dead && c.gen == m.pid.Gen {
			t.childEnded(s, c, m.reason)
		}
	case msgRetry:
		switch {
		case c.state != restarting:
		case m.pid.Gen == 0:
			t.restart(s, c)
		case m.pid.Gen == c.gen:
			t.startAgain(s, c)
		}
	case msgRequest:
		t.serve(s, m.req)
	case msgShutdown:
		t.quit(s, statemachine.Shutdown)
	case msgStop:
		t.quit(s, m.reason)
	}
}
