package supervisor_test

import (
	"fmt"
	"testing"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// wide is a supervisor of n workers.
func wide(n int, s supervisor.Strategy) supervisor.Supervisor {
	root := supervisor.Supervisor{Name: "root", Strategy: s, Intensity: 1 << 30}
	for i := range n {
		root.Children = append(root.Children, supervisor.Worker{Name: Name(fmt.Sprintf("w%d", i)), Machine: machine{}})
	}
	return root
}

// deep is a chain of supervisors, n levels, with one worker at the end.
func deep(n int) supervisor.Supervisor {
	var c supervisor.Child = supervisor.Worker{Name: "w", Machine: machine{}}
	for i := n - 1; ; i-- {
		s := supervisor.Supervisor{Name: Name(fmt.Sprintf("s%d", i)), Intensity: supervisor.NoRestarts, Children: []supervisor.Child{c}}
		if i == 0 {
			return s
		}
		c = s
	}
}

// did checks how many actions there were since the last time.
func (h *hand) did(t *testing.T, what string, want int) {
	t.Helper()
	if h.actions != want {
		t.Errorf("%s: %d actions, want %d", what, h.actions, want)
	}
	h.actions = 0
	if !h.tree.Quiet() {
		t.Errorf("%s: not quiet", what)
	}
}

func TestWideTree(t *testing.T) {
	const n = 100_000
	h := newHand(t, wide(n, supervisor.OneForOne))
	h.quiet = true
	h.did(t, "start", n+1)
	for i := range n {
		h.exit(h.tree.Node(Name(fmt.Sprintf("w%d", i))), statemachine.Killed)
	}
	h.did(t, "a restart of each", n)
	h.tree.Suspend(h.tree.Root())
	for n := range h.tree.Root().Children() {
		h.exit(n, statemachine.Killed)
	}
	h.tree.Resume(h.tree.Root())
	h.drain()
	h.did(t, "all crash at once", n)
	if info := h.tree.Root().Info(nil); len(info.Children) != n || info.Children[7].Restarts != 2 {
		t.Errorf("%d children, %+v", len(info.Children), info.Children[7])
	}
	tree, err := supervisor.Restore(wide(n, supervisor.OneForOne), h.tree.Save()(), nil)
	if err != nil {
		t.Fatal(err)
	}
	h.tree = tree
	h.tree.Shutdown()
	h.drain()
	h.did(t, "shutdown", n+1)
}

func TestWideGroupRestart(t *testing.T) {
	const n = 100_000
	h := newHand(t, wide(n, supervisor.RestForOne))
	h.did(t, "start", n+1)
	h.exit(h.tree.Node("w1"), statemachine.Killed)
	h.did(t, "restart of all but one", n-2+n-1)
	h.tree.Expire(h.tree.Root().PID())
	h.drain()
	h.did(t, "kill", n+1)
}

func TestWidePool(t *testing.T) {
	const n = 100_000
	h := newHand(t, supervisor.Supervisor{
		Name: "pool", Strategy: supervisor.SimpleOneForOne, AutoShutdown: supervisor.AllSignificant,
		Children: []supervisor.Child{supervisor.Worker{
			Name: "template", Machine: machine{}, Restart: supervisor.Transient, Significant: true}},
	})
	h.quiet, h.actions = true, 0
	for i := range n {
		h.tree.StartChild(h.tree.Root(), i, supervisor.Worker{Name: Name(fmt.Sprintf("w%d", i))})
		h.drain()
	}
	h.did(t, "start_child", 2*n)
	for i := range n / 2 {
		h.tree.TerminatePID(h.tree.Root(), i, h.tree.Node(Name(fmt.Sprintf("w%d", i))).PID())
		h.drain()
	}
	h.did(t, "terminate_child", n)
	for i := n / 2; i < n; i++ {
		h.exit(h.tree.Node(Name(fmt.Sprintf("w%d", i))), statemachine.Normal)
	}
	h.did(t, "the last significant child", 1)
}

func TestDeepTree(t *testing.T) {
	const n = 10_000
	h := newHand(t, deep(n))
	h.quiet = true
	h.did(t, "start", n+1)

	// No restart is allowed anywhere: one crash ends all, from below.
	h.exit(h.tree.Node("w"), statemachine.Killed)
	h.did(t, "escalation", n)

	h.tree.Start()
	h.drain()
	h.did(t, "second start", n+1)
	if last := h.tree.Node("w"); last.Restarts() != 1 {
		t.Errorf("%d restarts", last.Restarts())
	}
	if _, err := supervisor.Restore(deep(n), h.tree.Save()(), nil); err != nil {
		t.Error(err)
	}
	levels := 0
	for i := []statemachine.Info{h.tree.Root().Info(nil)}; len(i) > 0; i = i[0].Children {
		levels++
	}
	if levels != n+1 {
		t.Errorf("%d levels", levels)
	}
	h.tree.Shutdown()
	h.drain()
	h.did(t, "shutdown", n+1)

	h.tree.Start()
	h.drain()
	h.tree.Expire(h.tree.Root().PID())
	h.drain()
	h.did(t, "start and kill", 2*(n+1))
}

// TestDeepFailure: the error of a failed start names every level, without
// needing a level of the stack for each.
func TestDeepFailure(t *testing.T) {
	const n = 10_000
	tree, err := supervisor.New(deep(n))
	if err != nil {
		t.Fatal(err)
	}
	tree.Start()
	var reason statemachine.Reason
	for a, ok := tree.Next(); ok; a, ok = tree.Next() {
		switch {
		case a.Kind == supervisor.Exit:
			reason = a.Reason
		case a.PID.Node.IsSupervisor():
			tree.Started(a.PID, nil)
		default:
			tree.Started(a.PID, errCrash)
		}
	}
	if got := len(reason.Detail.Error()); got < 20*n {
		t.Errorf("%d bytes", got)
	}
}

func BenchmarkStartStop(b *testing.B) {
	const n = 100_000
	root := wide(n, supervisor.OneForOne)
	b.ReportAllocs()
	for b.Loop() {
		tree, err := supervisor.New(root)
		if err != nil {
			b.Fatal(err)
		}
		h := &hand{tree: tree, quiet: true}
		h.tree.Start()
		h.drain()
		h.tree.Shutdown()
		h.drain()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/child")
}

func BenchmarkRestart(b *testing.B) {
	for _, n := range []int{1, 1_000, 100_000} {
		b.Run(fmt.Sprintf("siblings=%d", n), func(b *testing.B) {
			h := newHand(b, wide(n, supervisor.OneForOne))
			h.quiet = true
			node := h.tree.Node(Name(fmt.Sprintf("w%d", n/2)))
			now := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				now += 1e9
				h.tree.SetNow(now)
				h.exit(node, statemachine.Killed)
			}
		})
	}
}

func BenchmarkPoolChild(b *testing.B) {
	h := newHand(b, supervisor.Supervisor{
		Name: "pool", Strategy: supervisor.SimpleOneForOne,
		Children: []supervisor.Child{supervisor.Worker{Name: "t", Machine: machine{}}},
	})
	h.quiet = true
	root := h.tree.Root()
	b.ReportAllocs()
	for b.Loop() {
		h.tree.StartChild(root, nil, supervisor.Worker{Name: "c"})
		h.drain()
		h.tree.TerminatePID(root, nil, h.tree.Node("c").PID())
		h.drain()
		h.answers = h.answers[:0]
	}
}
