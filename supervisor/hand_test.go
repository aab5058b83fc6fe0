package supervisor_test

import (
	"fmt"
	"testing"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// hand is an event loop whose workers do at once what they are told.
type hand struct {
	tree    *supervisor.Tree
	log     []string
	quiet   bool // do not log
	actions int
	answers []*supervisor.Answer
}

// newHand starts the tree of root.
func newHand(t testing.TB, root supervisor.Supervisor) *hand {
	t.Helper()
	tree, err := supervisor.New(root)
	if err != nil {
		t.Fatal(err)
	}
	h := &hand{tree: tree}
	tree.Start()
	h.drain()
	return h
}

func (h *hand) drain() {
	for a, ok := h.tree.Next(); ok; a, ok = h.tree.Next() {
		h.actions++
		if !h.quiet && a.PID.Node != nil {
			h.log = append(h.log, fmt.Sprintf("%v %s", a.Kind, a.PID.Node.Name()))
		}
		switch a.Kind {
		case supervisor.Start:
			h.tree.Started(a.PID, nil)
		case supervisor.Terminate, supervisor.Kill:
			h.tree.Exited(a.PID, a.Reason)
		case supervisor.Retry:
			h.tree.Retry(a.PID, a.Child)
		case supervisor.Reply:
			h.answers = append(h.answers, a.Answer)
		}
	}
}

// exit lets n's process end by itself.
func (h *hand) exit(n *supervisor.Node, r statemachine.Reason) {
	h.tree.Exited(n.PID(), r)
	h.drain()
}
