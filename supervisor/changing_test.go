package supervisor_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

type (
	sup      = supervisor.Supervisor
	worker   = supervisor.Worker
	children = []supervisor.Child
)

// numbered is a machine that can be told from others.
type numbered struct {
	machine
	n int
}

func workers(names ...Name) children {
	var c children
	for _, n := range names {
		c = append(c, worker{Name: n, Machine: machine{}})
	}
	return c
}

// change asks s for a change, and returns the answer's Err.
func (h *hand) change(t testing.TB, s Name, spec sup) error {
	t.Helper()
	h.answers = nil
	h.tree.ChangeSpec(h.tree.Node(s), "token", spec)
	h.drain()
	if len(h.answers) != 1 || h.answers[0].Token != "token" {
		t.Fatalf("the answers are %v", h.answers)
	}
	return h.answers[0].Err
}

// changed is change without an error. No action comes of it.
func (h *hand) changed(t testing.TB, s Name, spec sup) {
	t.Helper()
	n := h.actions
	if err := h.change(t, s, spec); err != nil {
		t.Fatal(err)
	}
	if h.actions != n+1 {
		t.Fatalf("%q", h.log)
	}
	h.log = nil
}

// want checks what has been done since the last call.
func (h *hand) want(t testing.TB, log ...string) {
	t.Helper()
	if !slices.Equal(h.log, log) {
		t.Errorf("done: %q, want %q", h.log, log)
	}
	h.log = nil
}

// drawn writes the tree as a(b!,c): b is down.
func drawn(n *supervisor.Node) string {
	s := string(n.Name())
	if n.Status() != statemachine.Up {
		s += "!"
	}
	if n.IsSupervisor() {
		var below []string
		for c := range n.Children() {
			below = append(below, drawn(c))
		}
		s += "(" + strings.Join(below, ",") + ")"
	}
	return s
}

func (h *hand) draws(t testing.TB, want string) {
	t.Helper()
	if got := drawn(h.tree.Root()); got != want {
		t.Errorf("the tree is %s, want %s", got, want)
	}
}

// TestS61Children: the order is what OTP 25 gives after sys:change_code.
func TestS61Children(t *testing.T) {
	h := newHand(t, sup{Name: "r", Children: workers("a", "b", "c", "d")})
	before := map[Name]supervisor.PID{}
	for c := range h.tree.Root().Children() {
		before[c.Name()] = c.PID()
	}
	h.changed(t, "r", sup{Name: "r", Intensity: 5, Children: workers("n1", "c", "n2", "a")})
	h.draws(t, "r(n1!,c,n2!,a,b,d)")
	for name, pid := range before {
		if h.tree.Node(name).PID() != pid || !pid.Alive() {
			t.Errorf("%s has another process", name)
		}
	}
	h.tree.RestartChild(h.tree.Root(), nil, "n1")
	h.drain()
	h.changed(t, "r", sup{Name: "r", Intensity: 5, Children: children{
		worker{Name: "a", Machine: machine{}, Restart: supervisor.Temporary}}})
	h.draws(t, "r(a,n1,c,n2!,b,d)")
	h.exit(h.tree.Node("a"), statemachine.Killed) // OTP: the new restart type counts at once
	h.draws(t, "r(n1,c,n2!,b,d)")
	h.changed(t, "r", sup{Name: "r", Strategy: supervisor.OneForAll, Children: children{
		worker{Name: "a", Machine: machine{}, Restart: supervisor.Temporary}, worker{Name: "c", Machine: machine{}}}})
	h.draws(t, "r(a!,c,n1,n2!,b,d)")
	h.exit(h.tree.Node("c"), statemachine.Killed)
	h.want(t, "terminate d", "terminate b", "terminate n1", "start c", "start n1", "start n2", "start b", "start d")
	h.tree.Shutdown()
	h.drain()
	h.log = nil
	h.tree.Start()
	h.drain()
	h.want(t, "start r", "start a", "start c") // the children that the spec has lost are gone
	if before["a"].Node != h.tree.Node("a") {
		t.Error("a, which the spec has again, is another node")
	}
}

// TestS61Flags: all flags count from the change on.
func TestS61Flags(t *testing.T) {
	a := workers("a", "b")
	crash := func(h *hand) { h.exit(h.tree.Node("a"), statemachine.Killed) }
	t.Run("intensity", func(t *testing.T) {
		h := newHand(t, sup{Name: "r", Intensity: 5, Children: a})
		crash(h)
		crash(h)
		h.changed(t, "r", sup{Name: "r", Intensity: 2, Children: a})
		crash(h) // OTP: the two before are not forgotten
		h.draws(t, "r!()")
	})
	t.Run("period", func(t *testing.T) {
		h := newHand(t, sup{Name: "r", Children: a})
		crash(h)
		h.changed(t, "r", sup{Name: "r", Period: time.Second, Children: a})
		h.tree.SetNow(int64(3 * time.Second))
		crash(h)
		h.draws(t, "r(a,b)")
	})
	t.Run("max restarts", func(t *testing.T) {
		h := newHand(t, sup{Name: "r", Intensity: 5, Children: a})
		crash(h)
		h.changed(t, "r", sup{Name: "r", Intensity: 5, MaxRestarts: 1, Children: a})
		crash(h)
		h.draws(t, "r!()")
	})
	t.Run("backoff", func(t *testing.T) {
		h := newHand(t, sup{Name: "r", Intensity: 5, Children: a})
		h.changed(t, "r", sup{Name: "r", Intensity: 5, Backoff: supervisor.Backoff{Initial: time.Second}, Children: a})
		var delays []time.Duration
		h.tree.Exited(h.tree.Node("a").PID(), statemachine.Killed)
		var retry supervisor.Action
		for a, ok := h.tree.Next(); ok; a, ok = h.tree.Next() {
			delays, retry = append(delays, a.Delay), a
		}
		if !slices.Equal(delays, []time.Duration{time.Second}) {
			t.Fatalf("the delays are %v", delays)
		}
		h.changed(t, "r", sup{Name: "r", Intensity: 5, Children: a})
		h.draws(t, "r(a!,b)") // what waits goes on waiting
		h.tree.Retry(retry.PID, retry.Child)
		h.drain()
		h.draws(t, "r(a,b)")
		h.tree.Exited(h.tree.Node("a").PID(), statemachine.Killed)
		start, _ := h.tree.Next()
		h.tree.Started(start.PID, errors.New("not yet"))
		if a, _ := h.tree.Next(); a.Kind != supervisor.Retry || a.Delay != 0 {
			t.Errorf("%v after %v", a.Kind, a.Delay)
		}
		if due, ok := h.tree.Node("a").RetryTime(); ok {
			t.Errorf("there is no Backoff, but a time of the next try: %d", due)
		}
	})
	t.Run("init", func(t *testing.T) {
		h := newHand(t, sup{Name: "r", Children: a})
		h.changed(t, "r", sup{Name: "r", Init: func() error { return errors.New("new") }, Children: a})
		if s, _ := h.tree.Root().Supervisor(); s.Init() == nil {
			t.Error("it has no Init")
		}
	})
}

// changeable is a tree with a child of every kind.
func changeable() sup {
	return sup{Name: "r", Intensity: 7, Children: children{
		worker{Name: "a", Machine: machine{}},
		sup{Name: "x", Children: children{worker{Name: "w", Machine: machine{}}, sup{Name: "z", Children: workers("v")}}},
		sup{Name: "y", Children: workers("u")},
		sup{Name: "p", Strategy: supervisor.SimpleOneForOne, Children: workers("t")},
	}}
}

// TestS61Refused: what is refused changes nothing.
func TestS61Refused(t *testing.T) {
	root := changeable()
	pool := sup{Name: "x", Strategy: supervisor.SimpleOneForOne, Children: workers("t2")}
	for name, c := range map[string]struct {
		spec  sup
		path  string
		field string
		err   error
	}{
		"another name":    {sup{Name: "q"}, "q", "Name", supervisor.ErrInvalidName},
		"no name":         {sup{}, "", "Name", supervisor.ErrInvalidName},
		"strategy":        {sup{Name: "x", Strategy: 9}, "x", "Strategy", supervisor.ErrInvalidStrategy},
		"intensity":       {sup{Name: "x", Intensity: -2}, "x", "Intensity", supervisor.ErrInvalidIntensity},
		"backoff":         {sup{Name: "x", Backoff: supervisor.Backoff{Max: 1}}, "x", "Backoff.Initial", supervisor.ErrInvalidBackoff},
		"child":           {sup{Name: "x", Children: children{worker{Name: "w"}}}, "x/w", "Machine", supervisor.ErrInvalidMachine},
		"siblings":        {sup{Name: "x", Children: workers("w", "w")}, "x/w", "Name", supervisor.ErrDuplicateName},
		"significant":     {sup{Name: "x", Children: children{worker{Name: "w", Machine: machine{}, Restart: supervisor.Transient, Significant: true}}}, "x/w", "Significant", supervisor.ErrBadCombination},
		"a cousin":        {sup{Name: "x", Children: workers("u")}, "x/u", "Name", supervisor.ErrDuplicateName},
		"an uncle":        {sup{Name: "x", Children: workers("a")}, "x/a", "Name", supervisor.ErrDuplicateName},
		"the root":        {sup{Name: "x", Children: workers("r")}, "x/r", "Name", supervisor.ErrDuplicateName},
		"a grandchild":    {sup{Name: "x", Children: workers("v")}, "x/v", "Name", supervisor.ErrDuplicateName},
		"moved down":      {sup{Name: "x", Children: children{sup{Name: "z", Children: workers("w")}}}, "x/z/w", "Name", supervisor.ErrDuplicateName},
		"a worker":        {sup{Name: "x", Children: children{sup{Name: "w"}}}, "x/w", "Children", supervisor.ErrInvalidChildType},
		"a supervisor":    {sup{Name: "x", Children: workers("z")}, "x/z", "Children", supervisor.ErrInvalidChildType},
		"below":           {sup{Name: "x", Children: children{sup{Name: "z", Children: children{sup{Name: "v"}}}}}, "x/z/v", "Children", supervisor.ErrInvalidChildType},
		"to a pool":       {pool, "x", "Strategy", supervisor.ErrInvalidStrategy},
		"from a pool":     {sup{Name: "p", Children: workers("t")}, "p", "Strategy", supervisor.ErrInvalidStrategy},
		"pool below":      {sup{Name: "r", Children: children{pool}}, "r/x", "Strategy", supervisor.ErrInvalidStrategy},
		"pool without":    {sup{Name: "p", Strategy: supervisor.SimpleOneForOne}, "p", "Children", supervisor.ErrBadStartSpec},
		"pool of two":     {sup{Name: "p", Strategy: supervisor.SimpleOneForOne, Children: workers("t", "s")}, "p", "Children", supervisor.ErrBadStartSpec},
		"no child at all": {sup{Name: "x", Children: children{nil}}, "x/", "Children", supervisor.ErrInvalidChildType},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHand(t, root)
			before, saved := h.tree.Root().Details(nil), string(h.tree.Save()())
			to := c.spec.Name
			if h.tree.Node(to) == nil {
				to = "x"
			}
			err := h.change(t, to, c.spec)
			var e *supervisor.SpecError
			if !errors.As(err, &e) || !errors.Is(err, c.err) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			var path []string
			for _, n := range e.Path {
				path = append(path, string(n))
			}
			if strings.Join(path, "/") != c.path || e.Field != c.field {
				t.Errorf("%v of %v, want %v of %v", e.Field, path, c.field, c.path)
			}
			after := h.tree.Root().Details(nil)
			if !reflect.DeepEqual(after, before) || string(h.tree.Save()()) != saved {
				t.Errorf("it changed\n%+v\nto\n%+v", before, after)
			}
			if s, _ := h.tree.Node("x").Supervisor(); len(s.Children) != 2 {
				t.Errorf("the spec has changed: %+v", s)
			}
		})
	}
}

// TestS61NoSupervisor: who is none, or does not run, is not changed.
func TestS61NoSupervisor(t *testing.T) {
	root := changeable()
	h := newHand(t, root)
	if err := h.change(t, "a", sup{Name: "a"}); !errors.Is(err, supervisor.ErrNotSupervisor) {
		t.Error(err)
	}
	h.tree.Shutdown()
	h.drain()
	h.answers = nil
	h.tree.ChangeSpec(h.tree.Root(), nil, root)
	h.drain()
	if err := h.answers[0].Err; !errors.Is(err, statemachine.ErrNoProcess) {
		t.Error(err)
	}
}

// TestS61Names: a name is refused that nobody has yet, but another spec does.
func TestS61Names(t *testing.T) {
	h := newHand(t, sup{Name: "r", Children: children{
		sup{Name: "x"}, sup{Name: "y", Restart: supervisor.Transient, Children: workers("u")},
		sup{Name: "p", Strategy: supervisor.SimpleOneForOne, Children: workers("t")}}})
	h.tree.Stop(h.tree.Node("y"), statemachine.Normal)
	h.drain()
	h.draws(t, "r(x(),y!(),p())")
	for _, name := range []Name{"u", "t"} {
		if err := h.change(t, "x", sup{Name: "x", Children: workers(name)}); !errors.Is(err, supervisor.ErrDuplicateName) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.draws(t, "r(x(),y!(),p())")
}

// TestS61Worker: the new machine is that of the next start, the new shutdown is
// that of the next end.
func TestS61Worker(t *testing.T) {
	spec := func(n int, grace time.Duration) sup {
		return sup{Name: "r", Children: children{worker{Name: "a", Machine: numbered{n: n}, Shutdown: grace}}}
	}
	h := newHand(t, spec(1, time.Second))
	h.changed(t, "r", spec(2, 9*time.Second))
	if w, _ := h.tree.Node("a").Worker(); w.Machine != statemachine.Server(numbered{n: 2}) {
		t.Errorf("it will start %v", w.Machine)
	}
	h.tree.TerminateChild(h.tree.Root(), nil, "a")
	if a, _ := h.tree.Next(); a.Kind != supervisor.Terminate || a.Grace != 9*time.Second {
		t.Errorf("%v within %v", a.Kind, a.Grace)
	}
}

// TestS61Inbox: it is handled in its turn.
func TestS61Inbox(t *testing.T) {
	h := newHand(t, sup{Name: "r", Children: workers("a")})
	r := h.tree.Root()
	h.tree.Suspend(r)
	h.tree.CountChildren(r, 1)
	h.tree.ChangeSpec(r, 2, sup{Name: "r", Children: workers("b", "c")})
	h.tree.CountChildren(r, 3)
	h.drain()
	if len(h.answers) != 0 {
		t.Fatal("it was suspended")
	}
	h.tree.Resume(r)
	h.drain()
	if len(h.answers) != 3 || h.answers[0].Count.Specs != 1 || h.answers[1].Token != 2 || h.answers[2].Count.Specs != 3 {
		t.Errorf("%+v", h.answers)
	}
	h.answers = nil
	h.tree.Suspend(r)
	h.tree.ChangeSpec(r, 4, sup{Name: "r"})
	h.tree.Shutdown()
	h.drain()
	if e := new(supervisor.ExitError); len(h.answers) != 1 || !errors.As(h.answers[0].Err, &e) {
		t.Errorf("%+v", h.answers)
	}
}

// TestS61Pool: the template is replaced for all children, whatever its name.
func TestS61Pool(t *testing.T) {
	pool := func(n int, r supervisor.Restart) sup {
		return sup{Name: "r", Strategy: supervisor.SimpleOneForOne, Intensity: 9,
			Children: children{worker{Name: Name(fmt.Sprint("t", n)), Machine: numbered{n: n}, Restart: r}}}
	}
	h := newHand(t, pool(1, supervisor.Permanent))
	root := h.tree.Root()
	for name, m := range map[Name]statemachine.Server{"a": nil, "b": numbered{n: 7}} {
		h.tree.StartChild(root, nil, worker{Name: name, Machine: m})
	}
	h.drain()
	h.changed(t, "r", pool(2, supervisor.Transient))
	for name, n := range map[Name]int{"a": 2, "b": 7} {
		w, ok := h.tree.Node(name).Worker()
		if !ok || w.Name != name || w.Machine != statemachine.Server(numbered{n: n}) || w.Restart != supervisor.Transient {
			t.Errorf("%s will start %+v", name, w)
		}
	}
	h.exit(h.tree.Node("a"), statemachine.Killed)
	h.want(t, "start a")
	h.exit(h.tree.Node("a"), statemachine.Normal)
	h.draws(t, "r(b)")
	h.tree.StartChild(root, nil, worker{Name: "c"})
	h.drain()
	if w, _ := h.tree.Node("c").Worker(); w.Machine != statemachine.Server(numbered{n: 2}) {
		t.Errorf("a new child starts %+v", w)
	}
	// A template's name is nobody's.
	other := newHand(t, sup{Name: "r", Children: children{sup{Name: "p", Strategy: supervisor.SimpleOneForOne, Children: workers("t")}}})
	other.tree.StartChild(other.tree.Root(), nil, workers("d")[0])
	other.drain()
	other.changed(t, "p", sup{Name: "p", Strategy: supervisor.SimpleOneForOne, Children: workers("d")})
	// OTP, from temporary to another type: the first restart ends the supervisor.
	h.changed(t, "r", pool(3, supervisor.Temporary))
	h.changed(t, "r", pool(4, supervisor.Permanent))
	h.log = nil
	h.exit(h.tree.Node("b"), statemachine.Normal)
	h.want(t, "start b")
}

// TestS61Significant: AutoShutdown and Significant as they are when a child ends.
func TestS61Significant(t *testing.T) {
	spec := func(auto supervisor.AutoShutdown, significant ...Name) sup {
		s := sup{Name: "r", AutoShutdown: auto}
		for _, n := range []Name{"a", "b"} {
			s.Children = append(s.Children, worker{Name: n, Machine: machine{}, Restart: supervisor.Transient,
				Significant: slices.Contains(significant, n)})
		}
		return s
	}
	const never, anyOf, allOf = supervisor.Never, supervisor.AnySignificant, supervisor.AllSignificant
	for _, c := range []struct {
		from, to sup
		want     string // after the end of a
		then     string // after that of b
	}{
		{spec(never), spec(anyOf, "a"), "r!()", "r!()"},
		{spec(anyOf, "a"), spec(never), "r(a!,b)", "r(a!,b!)"},
		{spec(never), spec(allOf, "a", "b"), "r(a!,b)", "r!()"},
		{spec(allOf, "a", "b"), spec(never), "r(a!,b)", "r(a!,b!)"},
		{spec(anyOf, "a", "b"), spec(allOf, "a", "b"), "r(a!,b)", "r!()"},
		{spec(allOf, "a", "b"), spec(anyOf, "a", "b"), "r!()", "r!()"},
		{spec(allOf, "a"), spec(allOf, "b"), "r(a!,b)", "r!()"},
		{spec(allOf, "a", "b"), spec(allOf, "a"), "r!()", "r!()"},
		{spec(anyOf, "b"), spec(anyOf, "a"), "r!()", "r!()"},
		{spec(anyOf, "a", "b"), sup{Name: "r"}, "r(a!,b)", "r(a!,b!)"}, // OTP: it keeps them, though they are significant
	} {
		h := newHand(t, c.from)
		h.changed(t, "r", c.to)
		for _, s := range []struct{ end, want string }{{"a", c.want}, {"b", c.then}} {
			if n := h.tree.Node(Name(s.end)); n != nil {
				h.exit(n, statemachine.Normal)
			}
			h.draws(t, s.want)
		}
	}
}

// TestS61SignificantDown: a significant child that is down is not waited for.
func TestS61SignificantDown(t *testing.T) {
	spec := sup{Name: "r", AutoShutdown: supervisor.AllSignificant}
	for _, n := range []Name{"a", "b"} {
		spec.Children = append(spec.Children, worker{Name: n, Machine: machine{}, Restart: supervisor.Transient, Significant: true})
	}
	h := newHand(t, spec)
	h.exit(h.tree.Node("a"), statemachine.Normal)
	h.changed(t, "r", spec)
	h.exit(h.tree.Node("b"), statemachine.Normal)
	h.draws(t, "r!()")
}

// TestS61SignificantUnderNever: a child that the spec has lost stays
// significant, also when it is restored.
func TestS61SignificantUnderNever(t *testing.T) {
	a := worker{Name: "a", Machine: machine{}, Restart: supervisor.Transient, Significant: true}
	h := newHand(t, sup{Name: "r", AutoShutdown: supervisor.AnySignificant, Children: children{a}})
	h.changed(t, "r", sup{Name: "r"})
	root, _ := h.tree.Root().Supervisor()
	tree, err := supervisor.Restore(root, h.tree.Save()(), func(_, _ Name) (supervisor.Child, error) { return a, nil })
	if err != nil {
		t.Fatal(err)
	}
	h.tree = tree
	h.draws(t, "r(a)")
}
