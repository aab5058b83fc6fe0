package supervisor_test

import (
	"slices"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// below returns a tree of three levels: r(s(x(names),k)).
func below(intensity int, x supervisor.Strategy, names ...Name) sup {
	return sup{Name: "r", Intensity: 9, Children: children{sup{Name: "s", Intensity: intensity, Restart: supervisor.Transient, Children: children{
		sup{Name: "x", Strategy: x, Intensity: 9, Children: workers(names...)}, worker{Name: "k", Machine: machine{}}}}}}
}

// nested returns the spec of a child that is a supervisor.
func nested(s sup, i int) sup { return s.Children[i].(sup) }

// TestS61Below: a supervisor below the changed one goes on as it was, and
// starts with what is new.
func TestS61Below(t *testing.T) {
	h := newHand(t, below(5, supervisor.OneForOne, "a", "b"))
	a := h.tree.Node("a")
	h.changed(t, "r", below(5, supervisor.OneForAll, "c", "a"))
	h.draws(t, "r(s(x(a,b),k))")
	h.exit(a, statemachine.Killed)
	h.want(t, "start a")
	h.tree.Expire(h.tree.Node("x").PID())
	h.drain()
	h.want(t, "kill b", "kill a", "exit x", "start x", "start c", "start a")
	h.draws(t, "r(s(x(c,a),k))")
	if h.tree.Node("a") != a {
		t.Error("a is another node")
	}
	h.exit(a, statemachine.Killed)
	h.want(t, "terminate c", "start c", "start a")
}

// TestS61Above: what was changed is what a supervisor starts with, also when
// one above it is started again; what its own supervisor says of it stays.
func TestS61Above(t *testing.T) {
	h := newHand(t, below(5, supervisor.OneForOne, "a", "b"))
	change := nested(nested(below(0, supervisor.OneForAll, "c", "a"), 0), 0)
	change.Restart, change.Shutdown = supervisor.Temporary, time.Minute
	h.changed(t, "x", change)
	h.draws(t, "r(s(x(c!,a,b),k))")
	x := h.tree.Node("x")
	if i := x.Details(nil); i.Restart != "permanent" || i.Shutdown != "infinity" || i.Strategy != "one_for_all" {
		t.Errorf("%+v", i)
	}
	for _, name := range []Name{"x", "s"} {
		h.tree.Expire(h.tree.Node(name).PID())
		h.drain()
		h.draws(t, "r(s(x(c,a),k))")
	}
	root, _ := h.tree.Root().Supervisor()
	if got := nested(nested(root, 0), 0); len(got.Children) != 2 || got.Strategy != supervisor.OneForAll || got.Restart != supervisor.Permanent {
		t.Errorf("the root's spec has %+v", got)
	}
	if s := nested(root, 0); s.Restart != supervisor.Transient || len(s.Children) != 2 {
		t.Errorf("the root's spec has %+v", s)
	}
	// The last word is that of the last change.
	h.changed(t, "r", below(5, supervisor.OneForOne, "a"))
	h.tree.Expire(h.tree.Node("s").PID())
	h.drain()
	h.draws(t, "r(s(x(a),k))")
}

// TestS61LosesASupervisor: one that the spec does not name any more can still
// be changed, and is gone when its supervisor starts again.
func TestS61LosesASupervisor(t *testing.T) {
	h := newHand(t, below(5, supervisor.OneForOne, "a"))
	h.changed(t, "s", sup{Name: "s", Children: workers("k")})
	h.draws(t, "r(s(k,x(a)))")
	h.changed(t, "x", sup{Name: "x", Children: workers("a", "b")})
	h.tree.Expire(h.tree.Node("x").PID())
	h.drain()
	h.draws(t, "r(s(k,x(a,b)))")
	h.tree.Expire(h.tree.Node("s").PID())
	h.drain()
	h.draws(t, "r(s(k))")
}

// TestS61SaveAndRestore: the root's spec is what a changed tree is restored
// with; it asks for the specs of the children that it does not name.
func TestS61SaveAndRestore(t *testing.T) {
	h := newHand(t, below(5, supervisor.OneForOne, "a", "b"))
	h.changed(t, "x", nested(nested(below(5, supervisor.OneForAll, "c", "b"), 0), 0))
	h.changed(t, "s", nested(below(5, supervisor.OneForOne, "b", "e", "c"), 0))
	h.draws(t, "r(s(x(c!,b,a),k))")
	h.tree.StartChild(h.tree.Node("x"), nil, workers("e")[0])
	h.drain()
	root, _ := h.tree.Root().Supervisor()
	data := h.tree.Save()()
	var asked []Name
	tree, err := supervisor.Restore(root, data, func(_, child Name) (supervisor.Child, error) {
		asked = append(asked, child)
		return workers(child)[0], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if again := tree.Save()(); string(again) != string(data) {
		t.Errorf("saved %s\nrestored %s", data, again)
	}
	if !slices.Equal(asked, []Name{"a", "e"}) {
		t.Errorf("it asked for %q", asked)
	}
	h.tree = tree
	h.draws(t, "r(s(x(c!,b,a,e),k))")
	h.tree.Expire(tree.Node("x").PID())
	h.drain()
	h.draws(t, "r(s(x(b,e,c),k))")
}

// TestS61OfAChild: what a supervisor says of a child that is a supervisor counts
// once that supervisor goes by it; what such a child is changed to says nothing of it.
func TestS61OfAChild(t *testing.T) {
	with := func(shutdown time.Duration) sup {
		r := below(5, supervisor.OneForOne, "a")
		s := nested(r, 0)
		x := nested(s, 0)
		x.Shutdown = shutdown
		s.Children = children{x}
		r.Children = children{s}
		return r
	}
	h := newHand(t, with(time.Minute))
	x := h.tree.Node("x")
	want := func(when, shutdown string) {
		t.Helper()
		if got := x.Details(nil).Shutdown; got != shutdown {
			t.Errorf("%s: %s, want %s", when, got, shutdown)
		}
	}
	given := with(time.Hour)
	h.changed(t, "r", given)
	want("s goes by what it started with", "1m0s")
	h.changed(t, "x", sup{Name: "x", Restart: 17, Shutdown: -17, Children: workers("a", "b")})
	want("x was changed", "1m0s")
	if n := len(nested(nested(given, 0), 0).Children); n != 1 {
		t.Errorf("what ChangeSpec was given has %d children", n)
	}
	h.tree.Expire(h.tree.Node("s").PID())
	h.drain()
	want("s has started again", "1h0m0s")
	h.draws(t, "r(s(x(a,b)))")
}

// TestS61Down: what does not run may become anything.
func TestS61Down(t *testing.T) {
	h := newHand(t, below(5, supervisor.OneForOne, "a"))
	h.tree.Stop(h.tree.Node("s"), statemachine.Normal)
	h.drain()
	h.draws(t, "r(s!())")
	spec := nested(below(5, supervisor.SimpleOneForOne, "a"), 0)
	spec.Children[1] = sup{Name: "k", Children: workers("l")}
	h.changed(t, "r", sup{Name: "r", Children: children{spec}})
	h.tree.RestartChild(h.tree.Root(), nil, "s")
	h.drain()
	h.draws(t, "r(s(x(),k(l)))")
}
