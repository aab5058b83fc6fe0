package supervisor

import "github.com/lineshaft/lineshaft/statemachine"

// newNode returns a node for a child of s with that spec, not linked.
func newNode(s *Node, spec Child) *Node {
	n := new(Node)
	n.init(s, spec)
	return n
}

// init makes n the node of a child of parent with that spec.
func (n *Node) init(parent *Node, spec Child) {
	n.name, n.parent = spec.common().name, parent
	n.respec(spec)
	if s, ok := spec.(Supervisor); ok {
		n.sup = newSup(s)
	}
}

// respec makes spec what n's supervisor knows of n.
func (n *Node) respec(spec Child) {
	c := spec.common()
	n.spec, n.restart, n.significant = spec, c.restart, c.significant
}

// start asks for a new incarnation of n.
func (t *Tree) start(n *Node) {
	n.gen++
	n.set(starting)
	var because *Node
	if n.parent != nil {
		n.parent.sup.result = waiting
		because = n.parent.sup.because
	}
	n.startedFor(because)
	if n.sup != nil {
		*n.sup = sup{spec: n.spec.(Supervisor), static: n.sup.static, because: because}
		t.begin(n, opInit)
	}
	t.emit(Action{Kind: Start, PID: n.PID(), Because: because})
}

// settle ends the start of n, and lets its supervisor know.
func (t *Tree) settle(n *Node, r result, err error) {
	if r == cameUp {
		n.set(up)
		if n.past != nil {
			n.past.lag, n.past.upAt = 0, t.nanos
		}
	} else {
		n.set(down)
		if r == failed {
			n.past.failure = ended{known: true, text: textOf(err), at: t.nanos}
		}
	}
	if n.sup != nil {
		if r != cameUp {
			t.flush(n, noStart(err))
		}
		t.finish(n)
	}
	if p := n.parent; p != nil {
		p.sup.result, p.sup.err = r, err
		t.wake(p)
	}
}

// noStart returns the reason with which a supervisor ended whose Init gave err;
// nil: it gave ignore.
func noStart(err error) statemachine.Reason {
	if err == nil {
		return statemachine.Normal
	}
	return statemachine.Crash(err)
}

// adopt makes the children of s's spec its children, all down, and begins to
// start them. S7: a SimpleOneForOne supervisor has none to begin with.
func (t *Tree) adopt(s *Node) {
	u := s.sup
	s.build()
	for i, c := range u.static {
		c.respec(u.spec.Children[i])
		if t.names[c.name] != nil {
			t.quit(s, statemachine.Crash(&SpecError{
				Path: []statemachine.Name{s.name, c.name}, Field: "Name", Err: ErrDuplicateName}))
			return
		}
		t.link(s, c)
		if c.past != nil {
			c.past.tries = 0 // as the new instance's history is empty: S18
		}
	}
	u.cursor = u.first
	t.begin(s, opStart)
	t.wake(s)
}

// build makes the nodes of the children of s's spec, once.
func (s *Node) build() {
	u := s.sup
	if u.static != nil || u.pool() {
		return
	}
	nodes := make([]Node, len(u.spec.Children))
	u.static = make([]*Node, len(nodes))
	for i := range nodes {
		nodes[i].init(s, u.spec.Children[i])
		u.static[i] = &nodes[i]
	}
}

// startChildren starts the children from the cursor on, one after the other.
// S3, S6, S12, S13
func (t *Tree) startChildren(s *Node) {
	u := s.sup
	for u.cursor != nil {
		c := u.cursor
		switch u.take() {
		case none:
			t.start(c)
			return
		case failed:
			t.startFailed(s, c)
			return
		case cameUp:
			u.cursor = c.next
		case ignored:
			u.cursor = c.next
			if c.restart == Temporary {
				t.drop(c)
			}
		}
	}
	if u.op == opStart {
		t.settle(s, cameUp, nil)
	} else {
		t.finish(s)
	}
}

// startFailed: when s starts for the first time it is a failed start of its
// own (S3), in a restart it is tried again (S19).
func (t *Tree) startFailed(s, c *Node) {
	if s.sup.op == opStart {
		t.quit(s, statemachine.ShutdownWith(&StartError{Name: c.name, Err: s.sup.err}))
		return
	}
	t.retry(s, c)
}

// retry marks c, whose start failed in a restart, as restarting and asks for
// another try, behind what is in the inbox already. S19
func (t *Tree) retry(s, c *Node) {
	if s.sup.spec.Backoff.on() {
		t.restart(s, c)
		return
	}
	c.past.due = 0 // of a Backoff that there was
	c.set(restarting)
	t.retries++
	t.emit(Action{Kind: Retry, PID: s.PID(), Child: c})
	t.finish(s)
}
