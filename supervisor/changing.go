package supervisor

import (
	"fmt"
	"iter"
	"slices"

	"github.com/lineshaft/lineshaft/statemachine"
)

// A changed spec is in three places. Invariants, of a supervisor n:
//   - n.spec has n's newest spec, of which only Restart, Shutdown and Significant
//     are what its supervisor knows now: all else is used when n starts next.
//   - n.sup.spec is what the present incarnation goes by.
//   - n.sup.static has the nodes of n.spec's Children, in order, or is nil. What
//     their supervisor's spec says of them they get when it starts.

// changeSpec handles ChangeSpec: S61. OTP: code_change and update_childspec in
// supervisor.erl.
func (t *Tree) changeSpec(s *Node, spec Supervisor) error {
	spec.asChild(s.spec)
	if err := t.checkChange(s, spec); err != nil {
		return err
	}
	renew(s, spec)
	s.publish()
	s.sup.spec = spec
	if s.sup.pool() {
		s.changeTemplate()
	} else {
		t.changeChildren(s)
	}
	s.sup.significant = 0
	for c := range s.Children() {
		if c.significant && c.state != down {
			s.sup.significant++
		}
	}
	return nil
}

// asChild gives s what old, the spec of the same supervisor, says of it as a
// child.
func (s *Supervisor) asChild(old Child) {
	o := old.(Supervisor)
	s.Restart, s.Shutdown, s.Significant = o.Restart, o.Shutdown, o.Significant
}

// checkChange reports why spec cannot become s's: it is wrong in itself, or
// does not fit what is in the tree.
func (t *Tree) checkChange(s *Node, spec Supervisor) error {
	top := &place{spec: spec}
	if spec.Name != s.name {
		return &SpecError{Path: top.path(), Field: "Name",
			Err: fmt.Errorf("%w: not that of the supervisor, %q", ErrInvalidName, s.name)}
	}
	if err := check(top); err != nil {
		return err
	}
	mine := map[statemachine.Name]*place{}
	for p := range top.all("") {
		name := nameOf(p.spec)
		mine[name] = p
		if n := t.names[name]; n != nil && !p.template() {
			if field, err := n.misfit(p); err != nil {
				return &SpecError{Path: p.path(), Field: field, Err: err}
			}
		}
	}
	for p := range (&place{spec: t.root.spec}).all(s.name) {
		if q := mine[nameOf(p.spec)]; q != nil && nameOf(p.spec) != s.name {
			return &SpecError{Path: q.path(), Field: "Name", Err: fmt.Errorf("%w: another supervisor's spec has it", ErrDuplicateName)}
		}
	}
	return nil
}

// all returns p and what is below it, each supervisor before its children, but
// nothing below the supervisor named without.
func (p *place) all(without statemachine.Name) iter.Seq[*place] {
	return func(yield func(*place) bool) {
		for todo := []*place{p}; len(todo) > 0; {
			p := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if !yield(p) {
				return
			}
			if s, ok := p.spec.(Supervisor); ok && s.Name != without {
				for i := len(s.Children) - 1; i >= 0; i-- {
					todo = append(todo, &place{s.Children[i], p})
				}
			}
		}
	}
}

// template reports whether p is that of a SimpleOneForOne supervisor.
func (p *place) template() bool {
	return p.above != nil && p.above.spec.(Supervisor).Strategy == SimpleOneForOne
}

// misfit reports what of p's spec cannot be said of n, which is in the tree and
// has its name.
func (n *Node) misfit(p *place) (field string, err error) {
	s, isSup := p.spec.(Supervisor)
	switch {
	case p.above != nil && (n.parent == nil || n.parent.name != nameOf(p.above.spec)):
		return "Name", fmt.Errorf("%w: another supervisor's child has it", ErrDuplicateName)
	case isSup != n.IsSupervisor():
		return "Children", fmt.Errorf("%w: a worker cannot become a supervisor, nor a supervisor a worker", ErrInvalidChildType)
	case isSup && (s.Strategy == SimpleOneForOne) != n.sup.pool():
		return "Strategy", fmt.Errorf("%w: %v cannot become %v", ErrInvalidStrategy, n.sup.spec.Strategy, s.Strategy)
	}
	return "", nil
}

// renew makes spec the newest spec of s, and what it says of the supervisors
// below s theirs. Children keep their nodes.
func renew(s *Node, spec Supervisor) {
	type change struct {
		n    *Node
		spec Supervisor
	}
	for todo := []change{{s, spec}}; len(todo) > 0; {
		n, spec := todo[len(todo)-1].n, todo[len(todo)-1].spec
		todo = todo[:len(todo)-1]
		spec.asChild(n.spec)
		n.spec = spec
		u := n.sup
		if u.static == nil {
			continue // none yet: build goes by the newest spec; or a pool
		}
		if spec.Strategy == SimpleOneForOne {
			u.static = nil
			continue
		}
		old := n.known()
		u.static = make([]*Node, len(spec.Children))
		for i, c := range spec.Children {
			m := old[nameOf(c)]
			below, isSup := c.(Supervisor)
			switch {
			case m == nil || isSup != m.IsSupervisor():
				m = newNode(n, c)
			case isSup:
				todo = append(todo, change{m, below})
			}
			u.static[i] = m
		}
	}
}

// known returns the nodes of s's children by name: those that are there, and
// those of its spec that are not.
func (s *Node) known() map[statemachine.Name]*Node {
	nodes := make(map[statemachine.Name]*Node, len(s.sup.static))
	for _, c := range s.sup.static {
		nodes[c.name] = c
	}
	for c := range s.Children() {
		nodes[c.name] = c
	}
	return nodes
}

// publish puts s's newest spec into those of the supervisors above it, so that
// the root's says all.
func (s *Node) publish() {
	for n := s; n.parent != nil; n = n.parent {
		p := n.parent
		i := slices.Index(p.sup.static, n)
		if i < 0 {
			return // it was added by StartChild, or its supervisor's spec has lost it
		}
		spec, above := n.spec.(Supervisor), p.spec.(Supervisor)
		spec.asChild(above.Children[i])
		above.Children = slices.Clone(above.Children)
		above.Children[i] = spec
		p.spec = above
	}
}

// changeTemplate gives the children of the SimpleOneForOne supervisor s its new
// template. A Machine of their own they keep, as in OTP their extra arguments.
func (s *Node) changeTemplate() {
	template := s.sup.spec.Children[0].(Worker)
	shared := Child(template)
	for c := range s.Children() {
		spec := shared
		if own, ok := c.spec.(special); ok {
			w := template
			w.Name, w.Machine = c.name, own.Machine
			spec = special{w}
		}
		c.respec(spec)
	}
}

// changeChildren gives the children of s their new specs, adds those that are
// new, down, and puts them into the order of the spec; those that it has lost
// follow, in the order in which they were.
func (t *Tree) changeChildren(s *Node) {
	u := s.sup
	before := slices.Collect(s.Children())
	for _, c := range before {
		c.linked = false
	}
	u.first, u.last = nil, nil
	for i, c := range u.static {
		c.respec(u.spec.Children[i])
		t.link(s, c)
	}
	for _, c := range before {
		if !c.linked {
			t.link(s, c)
		}
	}
}
