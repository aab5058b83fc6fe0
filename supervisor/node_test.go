package supervisor_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

func smallTree(t *testing.T) *hand {
	return newHand(t, supervisor.Supervisor{Name: "root", Children: []supervisor.Child{
		supervisor.Worker{Name: "a", Machine: machine{}, Restart: supervisor.Transient},
		supervisor.Supervisor{Name: "s", Strategy: supervisor.OneForAll, Intensity: supervisor.NoRestarts, Children: []supervisor.Child{
			supervisor.Worker{Name: "b", Machine: machine{}},
			supervisor.Worker{Name: "c", Machine: machine{}, Restart: supervisor.Temporary},
		}},
	}})
}

func TestInfo(t *testing.T) {
	h := smallTree(t)
	h.exit(h.tree.Node("a"), statemachine.Normal)
	h.exit(h.tree.Node("b"), statemachine.Killed) // one restart too many for s
	h.exit(h.tree.Node("c"), statemachine.Normal)
	got := h.tree.Root().Info(func(n *supervisor.Node) int64 { return int64(len(n.Name())) })
	want := statemachine.Info{
		Name: "root", Type: "supervisor", Status: statemachine.Up, Restart: "permanent", Strategy: "one_for_one",
		Children: []statemachine.Info{
			{Name: "a", Type: "worker", Status: statemachine.Down, Restart: "transient", Steps: 1},
			{
				Name: "s", Type: "supervisor", Status: statemachine.Up, Restart: "permanent", Strategy: "one_for_all", Restarts: 1,
				Children: []statemachine.Info{
					{Name: "b", Type: "worker", Status: statemachine.Up, Restart: "permanent", Restarts: 1, Steps: 1},
				},
			},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

// TestS18NodesStay: a new instance of a supervisor has its original children,
// also those that were dropped, and the nodes are the same.
func TestS18NodesStay(t *testing.T) {
	h := smallTree(t)
	a, b, c := h.tree.Node("a"), h.tree.Node("b"), h.tree.Node("c")
	c.Owner = "mine"
	old := c.PID()
	h.exit(c, statemachine.Normal)
	if c.Present() || h.tree.Node("c") != nil || old.Alive() {
		t.Error("c is still there")
	}
	h.tree.StartChild(h.tree.Node("s"), "x", supervisor.Worker{Name: "x", Machine: machine{}})
	h.drain()
	x := h.tree.Node("x")
	h.exit(b, statemachine.Killed)
	var names []Name
	for n := range h.tree.Root().All() {
		names = append(names, n.Name())
	}
	if want := []Name{"root", "a", "s", "b", "c"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
	if h.tree.Node("b") != b || h.tree.Node("c") != c || c.Owner != "mine" || x.Present() || x.PID().Alive() {
		t.Error("other nodes")
	}
	if old.Alive() || !c.PID().Alive() || c.PID() == old || c.Restarts() != 1 || a.Restarts() != 0 {
		t.Errorf("%v after %v, %d restarts", c.PID(), old, c.Restarts())
	}
}

// TestBrokenProtocol: what a loop must not do ends the program.
func TestBrokenProtocol(t *testing.T) {
	for name, f := range map[string]func(h *hand){
		"Exited of a supervisor": func(h *hand) { h.tree.Exited(h.tree.Root().PID(), statemachine.Normal) },
		"Retry that was not asked for": func(h *hand) {
			h.tree.Retry(h.tree.Root().PID(), h.tree.Node("a"))
		},
		"Save of a tree that is not quiet": func(h *hand) {
			h.tree.Shutdown()
			h.tree.Save()()
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f(smallTree(t))
		})
	}
}
