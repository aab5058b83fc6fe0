package supervisor

import "github.com/lineshaft/lineshaft/statemachine"

// serve handles a request: S50 to S58. What has to wait is finished by
// childStarted or childTerminated.
func (t *Tree) serve(s *Node, r *request) {
	u := s.sup
	switch r.op {
	case reqStartChild:
		t.serveStartChild(s, r)
		return
	case reqTerminatePID:
		t.serveTerminatePID(s, r)
		return
	case reqWhichChildren:
		t.reply(r, Answer{Children: u.which()})
		return
	case reqChangeSpec:
		t.reply(r, Answer{Err: t.changeSpec(s, r.child.(Supervisor))})
		return
	case reqCountChildren:
		t.reply(r, Answer{Count: u.count()})
		return
	}
	c := t.names[r.name]
	switch {
	case u.pool() && r.op != reqGetChildSpec:
		t.reply(r, Answer{Err: ErrSimpleOneForOne})
	case c == nil || c.parent != s:
		t.reply(r, Answer{Err: ErrNotFound})
	case r.op == reqGetChildSpec:
		t.reply(r, Answer{Spec: c.childSpec()})
	case r.op == reqTerminateChild:
		t.terminateChild(s, c, r)
	case c.state == restarting:
		t.reply(r, Answer{Err: ErrRestarting})
	case c.state != down:
		t.reply(r, Answer{Err: ErrRunning})
	case r.op == reqDeleteChild:
		spec := c.childSpec()
		t.drop(c)
		t.reply(r, Answer{Spec: spec})
	default:
		u.req, u.cursor = r, c
		t.begin(s, opRestartChild)
		t.start(c)
	}
}

// serveStartChild: S50, S51, S55.
func (t *Tree) serveStartChild(s *Node, r *request) {
	spec, err := s.sup.newChild(s.name, r.child)
	if err != nil {
		t.reply(r, Answer{Err: err})
		return
	}
	if c := t.names[spec.common().name]; c != nil {
		err = ErrAlreadyStarted
		if c.state == down || c.state == restarting {
			err = ErrAlreadyPresent
		}
		t.reply(r, Answer{Err: err})
		return
	}
	c := newNode(s, spec)
	t.link(s, c)
	s.sup.req, s.sup.cursor = r, c
	t.begin(s, opStartChild)
	t.start(c)
}

// newChild returns the spec of a child that is to be added, checked: S40, S55.
func (u *sup) newChild(parent statemachine.Name, c Child) (Child, error) {
	if !u.pool() {
		return c, checkChild(c, parent, u.spec.AutoShutdown)
	}
	template := u.spec.Children[0].(Worker)
	w, ok := c.(Worker)
	if !ok || w.Restart != 0 || w.Shutdown != 0 || w.Significant {
		return nil, &SpecError{Path: []statemachine.Name{parent}, Field: "Children", Err: ErrBadStartSpec}
	}
	template.Name = w.Name
	if w.Machine != nil {
		template.Machine = w.Machine
		return special{template}, checkChild(template, parent, u.spec.AutoShutdown)
	}
	return template, checkChild(template, parent, u.spec.AutoShutdown)
}

// childStarted goes on once the answer of opStartChild or opRestartChild is
// there: S6, S51, S53.
func (t *Tree) childStarted(s *Node) {
	u := s.sup
	c, added := u.cursor, u.op == opStartChild
	a := Answer{}
	switch u.take() {
	case cameUp:
		a.PID = c.PID()
	case ignored:
		t.down(s, c)
	case failed:
		a.Err = u.err
		if added {
			t.drop(c)
		}
	}
	t.reply(u.req, a)
	t.finish(s)
}

// terminateChild ends c, whatever it is doing: S52.
func (t *Tree) terminateChild(s, c *Node, r *request) {
	s.sup.req, s.sup.cursor = r, c
	t.begin(s, opTerminateChild)
	if c.state.living() {
		t.tell(c)
		return
	}
	t.childTerminated(s)
}

// childTerminated goes on once the child of opTerminateChild has ended.
func (t *Tree) childTerminated(s *Node) {
	t.down(s, s.sup.cursor)
	t.reply(s.sup.req, Answer{})
	t.finish(s)
}

// serveTerminatePID: S56.
func (t *Tree) serveTerminatePID(s *Node, r *request) {
	c := r.pid.Node
	switch {
	case !s.sup.pool():
		t.reply(r, Answer{Err: ErrNotFound})
	case c != nil && c.parent == s && c.linked && c.upGen() == r.pid.Gen:
		t.terminateChild(s, c, r)
	case r.pid.Alive():
		t.reply(r, Answer{Err: ErrNotFound})
	default:
		t.reply(r, Answer{})
	}
}

// which: S57.
func (u *sup) which() []ChildInfo {
	var list []ChildInfo
	for c := u.last; c != nil; c = c.prev {
		info := ChildInfo{Name: c.name, Supervisor: c.sup != nil}
		switch c.state {
		case down:
			info.Status = statemachine.Down
		case restarting:
			info.Status = statemachine.Restarting
		default:
			info.Status, info.PID = statemachine.Up, c.PID()
		}
		list = append(list, info)
	}
	return list
}

// count: S58. OTP asks of a pool's children what it knows, not whether they live.
func (u *sup) count() Count {
	var n Count
	for c := u.first; c != nil; c = c.next {
		n.Specs++
		if c.state.living() || u.pool() && c.state == dead {
			n.Active++
		}
		if c.sup != nil {
			n.Supervisors++
		} else {
			n.Workers++
		}
	}
	if u.pool() {
		n.Specs = 1
	}
	return n
}

// childSpec returns n's spec, with its own name.
func (n *Node) childSpec() Child {
	if w, ok := n.Worker(); ok {
		return w
	}
	return n.spec
}
