package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// ErrSavedState: what Save returned is damaged, or not of a tree with this spec.
var ErrSavedState = errors.New("the saved state does not fit the spec")

// savedTree is a quiet tree without its specs.
type savedTree struct {
	Now   int64       `json:"now"`             // seconds
	Nanos int64       `json:"nanos,omitempty"` // beyond Now
	Nodes []savedNode `json:"nodes"`
}

// savedNode is one node: of each supervisor first the children that are there,
// in start order, then those of its spec that are not.
type savedNode struct {
	Parent int               `json:"parent"` // index in Nodes, of the root -1
	Index  int               `json:"index"`  // in the spec's Children; -1: added by StartChild
	Name   statemachine.Name `json:"name"`
	Gone   bool              `json:"gone,omitempty"` // not Present
	Up     bool              `json:"up,omitempty"`   // or else down, or restarting: Past.RetryAt
	Gen    uint32            `json:"gen,omitempty"`
	UpGen  uint32            `json:"up_gen,omitempty"`
	Starts uint32            `json:"starts,omitempty"`

	Suspended bool    `json:"suspended,omitempty"`
	History   []int64 `json:"history,omitempty"`
	Total     int     `json:"total,omitempty"` // restart decisions

	Past *savedPast `json:"past,omitempty"`
}

// Save returns the state of the tree: which children there are and which of
// them are down or wait for the delay of a Backoff, restart histories and
// counts, the last exits and failures, PIDs. It has no specs, and nothing of
// Node.Owner. The tree must be Quiet. It takes note of all that is to be saved,
// and returns a function that encodes it, on any goroutine at any later time.
func (t *Tree) Save() (encode func() []byte) {
	if !t.Quiet() {
		panic("supervisor: Save of a tree that is not quiet")
	}
	out := savedTree{Now: t.now, Nanos: t.nanos - t.now*int64(time.Second)}
	type place struct {
		n             *Node
		parent, index int
	}
	for todo := []place{{t.root, -1, 0}}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		at := len(out.Nodes)
		out.Nodes = append(out.Nodes, p.n.saved(p.parent, p.index))
		if p.n.sup == nil {
			continue
		}
		u := p.n.sup
		index := make(map[*Node]int, len(u.static))
		for i := len(u.static) - 1; i >= 0; i-- {
			c := u.static[i]
			index[c] = i
			if !c.linked {
				todo = append(todo, place{c, at, i})
			}
		}
		for c := u.last; c != nil; c = c.prev {
			i, ok := index[c]
			if !ok {
				i = -1
			}
			todo = append(todo, place{c, at, i})
		}
	}
	return func() []byte {
		data, err := json.Marshal(out)
		if err != nil {
			panic(err) // it has nothing that JSON has not
		}
		return data
	}
}

func (n *Node) saved(parent, index int) savedNode {
	s := savedNode{
		Parent: parent, Index: index, Name: n.name, Gone: !n.linked, Up: n.state == up,
		Gen: n.gen, UpGen: n.upGen(), Starts: n.starts(), Past: n.savedPast(),
	}
	if n.sup != nil && s.Up {
		s.Suspended, s.History, s.Total = n.sup.suspended, slices.Clone(n.sup.history), n.sup.restarts
	}
	return s
}

// Restore returns the tree of root in the state that Save returned. Nodes that
// are up are up without a Start action: the loop makes their processes; see
// Node.All. Those that waited for the delay of a Backoff wait for what was left
// of it: Next returns a new Retry action for each.
// After a ChangeSpec root is what Root().Supervisor() was when the tree was
// saved; a supervisor that had not been started since its spec changed goes by
// the new one from now on. The spec of a child that was added with StartChild,
// or that the spec of its supervisor does not name any more, comes from added:
// what its Node's Supervisor or Worker was. (Of a child of a SimpleOneForOne
// supervisor, Name and Machine are enough; if added is nil it gets the
// template's.) Returns a *SpecError as New,
// what added returned, or ErrSavedState.
func Restore(root Supervisor, data []byte, added func(parent, child statemachine.Name) (Child, error)) (*Tree, error) {
	t, err := New(root)
	if err != nil {
		return nil, err
	}
	var in savedTree
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSavedState, err)
	}
	if len(in.Nodes) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrSavedState)
	}
	t.now, t.nanos = in.Now, in.Now*int64(time.Second)+in.Nanos
	nodes := make([]*Node, len(in.Nodes))
	for i, s := range in.Nodes {
		if nodes[i], err = t.restoreNode(nodes[:i], s, added); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// restoreNode finds or makes the node that s describes; nodes are those before it.
func (t *Tree) restoreNode(nodes []*Node, s savedNode, added addedFunc) (*Node, error) {
	misfit := fmt.Errorf("%w: child %q", ErrSavedState, brief(s.Name))
	n := t.root
	if len(nodes) > 0 {
		if s.Parent < 0 || s.Parent >= len(nodes) || nodes[s.Parent].sup == nil {
			return nil, misfit
		}
		var err error
		if n, err = nodes[s.Parent].restoreChild(s, added); err != nil {
			return nil, err
		}
		if n == nil || n.linked || !s.Gone && (n.parent.state != up || t.names[n.name] != nil) {
			return nil, misfit
		}
		if !s.Gone {
			t.link(n.parent, n)
		}
	}
	if n.name != s.Name || s.Up && s.Gone || s.UpGen > s.Gen || s.Starts > s.Gen {
		return nil, misfit
	}
	n.gen = s.Gen
	if !t.restorePast(n, s) {
		return nil, misfit
	}
	if s.Up {
		n.set(up)
		if n.sup != nil {
			n.sup.suspended, n.sup.history, n.sup.restarts = s.Suspended, s.History, s.Total
		}
	}
	return n, nil
}

// restoreChild returns the child of p that s describes, nil if there can be none.
func (p *Node) restoreChild(s savedNode, added addedFunc) (*Node, error) {
	p.build()
	switch {
	case s.Index >= len(p.sup.static) || s.Index < 0 && s.Gone:
		return nil, nil
	case s.Index >= 0:
		return p.sup.static[s.Index], nil
	}
	c := Child(Worker{Name: s.Name})
	if added != nil {
		var err error
		if c, err = added(p.name, s.Name); err != nil {
			return nil, fmt.Errorf("the spec of child %q, added to %q: %w", s.Name, p.name, err)
		}
	}
	if !p.sup.pool() {
		// Also a significant one whose supervisor has become one of Never since.
		if err := checkChild(c, p.name, AnySignificant); err != nil {
			return nil, err
		}
		return newNode(p, c), nil
	}
	c, err := p.sup.newChild(p.name, c)
	if err != nil {
		return nil, err
	}
	return newNode(p, c), nil
}

// addedFunc returns the spec of a child that was added with StartChild.
type addedFunc = func(parent, child statemachine.Name) (Child, error)
