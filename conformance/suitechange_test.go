package conformance_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// upgrade is a supervision tree whose supervisors' specs change while it runs
// (supervisor_SUITE: fake_upgrade). Its workers do at once what they are told.
type upgrade struct {
	*testing.T
	tree   *supervisor.Tree
	answer *supervisor.Answer // the last one
}

// newUpgrade starts the tree of root, named so.
func newUpgrade(t *testing.T, root sup) *upgrade {
	t.Helper()
	root.Name = "root"
	tree, err := supervisor.New(root)
	if err != nil {
		t.Fatal(err)
	}
	u := &upgrade{T: t, tree: tree}
	tree.Start()
	u.drain()
	return u
}

func (u *upgrade) drain() {
	for a, ok := u.tree.Next(); ok; a, ok = u.tree.Next() {
		switch a.Kind {
		case supervisor.Start:
			u.tree.Started(a.PID, nil)
		case supervisor.Terminate, supervisor.Kill:
			u.tree.Exited(a.PID, a.Reason)
		case supervisor.Reply:
			u.answer = a.Answer
		}
	}
}

// to changes the root's spec to s.
func (u *upgrade) to(s sup) error {
	s.Name = "root"
	u.tree.ChangeSpec(u.tree.Root(), nil, s)
	u.drain()
	return u.answer.Err
}

// ok is to without an error.
func (u *upgrade) ok(s sup) {
	u.Helper()
	if err := u.to(s); err != nil {
		u.Fatal(err)
	}
}

// refused checks that s is refused because of want, and changes nothing.
func (u *upgrade) refused(s sup, want error) {
	u.Helper()
	before := string(u.tree.Save())
	if err := u.to(s); !errors.Is(err, want) {
		u.Errorf("changed: %v, want %v", err, want)
	}
	if after := string(u.tree.Save()); after != before {
		u.Errorf("it was refused, and changed %s to %s", before, after)
	}
}

// exit ends a worker, by itself.
func (u *upgrade) exit(name statemachine.Name, r statemachine.Reason) {
	u.Helper()
	u.tree.Exited(u.tree.Node(name).PID(), r)
	u.drain()
}

// has checks which children there are, in start order: a! is down.
func (u *upgrade) has(want string) {
	u.Helper()
	var got []string
	for c := range u.tree.Root().Children() {
		name := string(c.Name())
		if c.Status() != statemachine.Up {
			name += "!"
		}
		got = append(got, name)
	}
	if got := strings.Join(got, " "); got != want {
		u.Errorf("the children are %q, want %q", got, want)
	}
}

// alive checks whether the root runs.
func (u *upgrade) alive(want bool) {
	u.Helper()
	if got := u.tree.Root().PID().Alive(); got != want {
		u.Errorf("the supervisor lives: %v, want %v", got, want)
	}
}

// c returns the spec of a child.
func c(name statemachine.Name, r supervisor.Restart, significant bool) worker {
	return worker{Name: name, Machine: idle, Restart: r, Significant: significant}
}

// Flags and children change; running children keep their process, new ones are
// down, what is wrong is refused.
func codeChange(t *testing.T) {
	u := newUpgrade(t, sup{})
	u.ok(sup{Intensity: 1})
	u.refused(sup{Intensity: -2}, supervisor.ErrInvalidIntensity)
	u.refused(sup{Children: []supervisor.Child{worker{Name: "a"}}}, supervisor.ErrInvalidMachine)
	a, b := c("a", supervisor.Permanent, false), c("b", supervisor.Permanent, false)
	u.ok(sup{Children: []supervisor.Child{a, b}})
	u.has("a! b!")
	for _, name := range []statemachine.Name{"a", "b"} {
		u.tree.RestartChild(u.tree.Root(), nil, name)
	}
	u.drain()
	pid := u.tree.Node("a").PID()
	u.ok(sup{Children: []supervisor.Child{c("d", supervisor.Permanent, false), c("a", supervisor.Transient, false)}})
	u.has("d! a b")
	if u.tree.Node("a").PID() != pid || !pid.Alive() {
		t.Error("a has another process")
	}
	u.exit("a", statemachine.Normal)
	u.has("d! a! b")
	u.ok(sup{Intensity: supervisor.NoRestarts, Children: []supervisor.Child{b}})
	u.has("b d! a!")
	u.exit("b", statemachine.Normal)
	u.alive(false)
}

// The same, of every field that a spec in OTP's second notation has.
func codeChangeMap(t *testing.T) {
	u := newUpgrade(t, sup{Children: []supervisor.Child{c("a", supervisor.Permanent, false), c("b", supervisor.Permanent, false)}})
	want := worker{Name: "a", Machine: idle, Restart: supervisor.Temporary, Shutdown: supervisor.BrutalKill, Significant: true}
	u.refused(sup{Children: []supervisor.Child{want}}, supervisor.ErrBadCombination)
	u.refused(sup{Strategy: 17}, supervisor.ErrInvalidStrategy)
	u.refused(sup{AutoShutdown: 17}, supervisor.ErrInvalidAutoShutdown)
	u.refused(sup{Children: []supervisor.Child{c("a", 17, false)}}, supervisor.ErrInvalidRestart)
	u.refused(sup{Children: []supervisor.Child{c("a", 0, false), c("a", 0, false)}}, supervisor.ErrDuplicateName)
	u.ok(sup{Strategy: supervisor.OneForAll, AutoShutdown: supervisor.AllSignificant, Children: []supervisor.Child{want}})
	u.tree.GetChildSpec(u.tree.Root(), nil, "a")
	u.drain()
	if u.answer.Spec != supervisor.Child(want) {
		t.Errorf("the spec is %+v, want %+v", u.answer.Spec, want)
	}
	pid := u.tree.Node("a").PID()
	u.exit("b", statemachine.Killed)
	u.has("b") // a, which is temporary now, was ended with it
	if pid.Alive() {
		t.Error("one for all: a was not ended")
	}
}

// The template of a SimpleOneForOne supervisor changes; there must be one.
func codeChangeSimple(t *testing.T) {
	pool := func(templates ...supervisor.Child) sup {
		return sup{Strategy: supervisor.SimpleOneForOne, Children: templates}
	}
	u := newUpgrade(t, pool(c("t", supervisor.Permanent, false)))
	u.refused(pool(), supervisor.ErrBadStartSpec)
	u.refused(pool(c("t", 0, false), c("u", 0, false)), supervisor.ErrBadStartSpec)
	u.refused(sup{Children: []supervisor.Child{c("t", 0, false)}}, supervisor.ErrInvalidStrategy)
	for _, name := range []statemachine.Name{"a", "b"} {
		u.tree.StartChild(u.tree.Root(), nil, worker{Name: name})
	}
	u.drain()
	u.ok(pool(c("u", supervisor.Transient, false)))
	u.has("a b")
	u.exit("a", statemachine.Normal)
	u.exit("b", statemachine.Killed)
	u.has("b")
}

// The same, of what a spec in OTP's second notation has.
func codeChangeSimpleMap(t *testing.T) {
	pool := func(template worker) sup {
		return sup{Strategy: supervisor.SimpleOneForOne, AutoShutdown: supervisor.AllSignificant, Children: []supervisor.Child{template}}
	}
	u := newUpgrade(t, pool(c("t", supervisor.Temporary, false)))
	u.refused(pool(c("t", supervisor.Permanent, true)), supervisor.ErrBadCombination)
	u.tree.StartChild(u.tree.Root(), nil, worker{Name: "a"})
	u.drain()
	u.ok(pool(worker{Name: "t", Machine: idle, Restart: supervisor.Temporary, Significant: true, Shutdown: supervisor.BrutalKill}))
	u.tree.GetChildSpec(u.tree.Root(), nil, "a")
	u.drain()
	if w, _ := u.answer.Spec.(worker); !w.Significant || w.Shutdown != supervisor.BrutalKill || w.Name != "a" {
		t.Errorf("the spec is %+v", u.answer.Spec)
	}
	u.exit("a", statemachine.Normal)
	u.alive(false)
}

// significantUpgrade returns the case that AutoShutdown changes: after it one
// child ends, which leaves the supervisor alive or not, and then the other.
func significantUpgrade(from, to supervisor.AutoShutdown, afterOne, afterBoth bool) func(*testing.T) {
	return func(t *testing.T) {
		spec := func(auto supervisor.AutoShutdown) sup {
			significant := auto != supervisor.Never
			return sup{AutoShutdown: auto, Children: []supervisor.Child{
				c("a", supervisor.Transient, significant), c("b", supervisor.Temporary, significant)}}
		}
		u := newUpgrade(t, spec(from))
		u.ok(spec(to))
		u.exit("a", statemachine.Normal)
		u.alive(afterOne)
		if afterOne {
			u.exit("b", statemachine.Normal)
		}
		u.alive(afterBoth)
	}
}

// A child becomes significant, and ceases to be.
func significantUpgradeChild(t *testing.T) {
	spec := func(a, b bool) sup {
		return sup{AutoShutdown: supervisor.AnySignificant, Children: []supervisor.Child{
			c("a", supervisor.Transient, a), c("b", supervisor.Transient, b)}}
	}
	u := newUpgrade(t, spec(true, false))
	u.ok(spec(false, true))
	u.exit("a", statemachine.Normal)
	u.alive(true)
	u.exit("b", statemachine.Normal)
	u.alive(false)
}
