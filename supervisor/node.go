package supervisor

import (
	"fmt"
	"iter"

	"github.com/lineshaft/lineshaft/statemachine"
)

// Node is a child of a supervisor, or the root: its spec, and its process if it
// has one. It stays the same over all restarts of the child; a child of the
// supervisor's spec even keeps it when the supervisor itself is restarted.
type Node struct {
	// Owner is whatever the loop keeps with the node; the tree does not touch it.
	Owner any

	name       statemachine.Name
	spec       Child
	parent     *Node
	prev, next *Node // siblings, in start order
	sup        *sup  // nil in a worker
	past       *past // nil as long as there is nothing to remember

	gen         uint32 // the number of the latest incarnation: 0 before the first
	state       state
	restart     Restart
	significant bool
	linked      bool // it is among its parent's children, or the root
}

// state is where a node is between two incarnations. What the supervisor knows
// and what is true differ only in dead.
type state uint8

const (
	down       state = iota // no process
	starting                // a start was asked for, and not answered; a supervisor: not all children are up
	up                      // it runs
	ending                  // its supervisor has told it to end, and waits
	dead                    // it has ended; its supervisor has not handled the exit yet
	restarting              // a retry is to come: its start failed, or there is a Backoff
)

// living reports whether there is a process.
func (s state) living() bool { return s == starting || s == up || s == ending }

// Name returns the child's name.
func (n *Node) Name() statemachine.Name { return n.name }

// Parent returns the child's supervisor, nil for the root.
func (n *Node) Parent() *Node { return n.parent }

// Supervisor returns n's spec if it is a supervisor's: what it will start with
// next, see Tree.ChangeSpec. The root's has the specs of all that its start
// starts, each the newest.
func (n *Node) Supervisor() (Supervisor, bool) {
	s, ok := n.spec.(Supervisor)
	return s, ok
}

// Worker returns n's spec if it is a worker's. For a child of a
// SimpleOneForOne supervisor it is the template with the child's own name.
func (n *Node) Worker() (Worker, bool) {
	w, ok := n.spec.(Worker)
	if s, has := n.spec.(special); has {
		w, ok = s.Worker, true
	}
	if ok {
		w.Name = n.name
	}
	return w, ok
}

// IsSupervisor reports whether n is a supervisor.
func (n *Node) IsSupervisor() bool { return n.sup != nil }

// PID returns the latest incarnation of n, whether it lives or not.
func (n *Node) PID() PID { return PID{n, n.gen} }

// Present reports whether n is in the tree: false for a child that was dropped
// or deleted, or whose supervisor does not run.
func (n *Node) Present() bool { return n.linked }

// Restarts returns how often n was started again since the tree began: how many
// of its processes came up after the first one, whatever for (its own exit, a
// sibling's, a restart of its supervisor, RestartChild). Starts that failed or
// were ignored do not count; a supervisor has come up when its children have.
func (n *Node) Restarts() int { return max(0, int(n.starts())-1) }

// Status returns what n is doing. A process whose exit its supervisor has not
// handled yet is Terminating, and so is a supervisor that is ending its children.
func (n *Node) Status() statemachine.Status {
	switch n.state {
	case starting:
		return statemachine.Starting
	case up:
		if n.sup != nil && n.sup.op == opExit {
			return statemachine.Terminating
		}
		return statemachine.Up
	case ending, dead:
		return statemachine.Terminating
	case restarting:
		return statemachine.Restarting
	}
	return statemachine.Down
}

// Awaited reports whether n is down, or restarting, and a retry that is to come
// will start it: its own, its group's (OneForAll, RestForOne), or its
// supervisor's. (Also of a child that was added to a supervisor which has ended
// since: that it will not be added again shows when the supervisor is back.)
func (n *Node) Awaited() bool {
	for ; n != nil; n = n.parent {
		switch {
		case n.state == restarting:
			return true
		case n.state != down:
			return false
		case n.linked:
			return n.inGroup()
		}
	}
	return false
}

// inGroup reports whether n will be started with a sibling that is restarting.
func (n *Node) inGroup() bool {
	if n.parent == nil || n.parent.sup.restarting == 0 {
		return false
	}
	switch n.parent.sup.spec.Strategy {
	case OneForAll:
		return true
	case RestForOne:
		for c := n.prev; c != nil; c = c.prev {
			if c.state == restarting {
				return true
			}
		}
	}
	return false
}

// Settled reports that nothing is going on, or about to, that could change
// whether n is up: no supervisor above it is doing something, or has something
// to handle, and no restart that waits is about it.
func (n *Node) Settled() bool {
	for s := n.parent; s != nil; s = s.parent {
		if s.sup.op != opIdle || s.sup.inbox.len() > 0 {
			return false
		}
	}
	return !n.Awaited()
}

// Children returns n's present children in start order: none if n is a worker,
// or does not run.
func (n *Node) Children() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		if n.sup == nil {
			return
		}
		for c := n.sup.first; c != nil; c = c.next {
			if !yield(c) {
				return
			}
		}
	}
}

// All returns n and all nodes below it in start order, each supervisor before
// its children. The tree must not change meanwhile.
func (n *Node) All() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for m := n; m != nil; m = m.following(n) {
			if !yield(m) {
				return
			}
		}
	}
}

// Absent returns the nodes at and below n that are not Present: children of specs
// whose supervisor does not run, or that were dropped or deleted. They may be back.
func (n *Node) Absent() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for todo := []*Node{n}; len(todo) > 0; {
			m := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if !m.linked && !yield(m) {
				return
			}
			if m.sup == nil {
				continue
			}
			for c := m.sup.first; c != nil; c = c.next {
				todo = append(todo, c)
			}
			for _, c := range m.sup.static {
				if !c.linked {
					todo = append(todo, c)
				}
			}
		}
	}
}

// following returns the node after n in start order, among root and what is
// below it.
func (n *Node) following(root *Node) *Node {
	if n.sup != nil && n.sup.first != nil {
		return n.sup.first
	}
	for ; n != root; n = n.parent {
		if n.next != nil {
			return n.next
		}
	}
	return nil
}

// PID is one incarnation of a node (OTP: a pid): what ended never comes back
// under the same PID. PIDs are comparable. The zero PID is no process.
type PID struct {
	Node *Node
	// Gen numbers the node's incarnations, from 1. Starts that fail use one up.
	Gen uint32
}

// Alive reports whether the incarnation runs: from the Start action until its
// end was answered, or, of a supervisor, its Exit action.
func (p PID) Alive() bool {
	return p.Node != nil && p.Node.gen == p.Gen && p.Node.state.living()
}

// String returns name#gen.
func (p PID) String() string {
	if p.Node == nil {
		return "none"
	}
	return fmt.Sprintf("%s#%d", p.Node.name, p.Gen)
}
