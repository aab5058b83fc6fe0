package conformance_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// upgrade is a program whose root supervisor's spec changes while it runs
// (supervisor_SUITE: fake_upgrade).
type upgrade struct {
	*testing.T
	loop *eventloop.Loop
}

// newUpgrade starts the tree of root, named so.
func newUpgrade(t *testing.T, root sup) *upgrade {
	t.Helper()
	root.Name = "root"
	l, err := eventloop.Start(eventloop.Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Stop(context.Background()) }) // it may have ended
	return &upgrade{t, l}
}

// to changes the root's spec to s.
func (u *upgrade) to(s sup) error {
	s.Name = "root"
	return u.loop.ChangeSupervisor(u.Context(), "root", s)
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
	before := u.loop.Tree()
	if err := u.to(s); !errors.Is(err, want) {
		u.Errorf("changed: %v, want %v", err, want)
	}
	if after := u.loop.Tree(); !reflect.DeepEqual(after, before) {
		u.Errorf("it was refused, and changed %+v to %+v", before, after)
	}
}

// start starts a child that is down; in a pool, a new one.
func (u *upgrade) start(names ...statemachine.Name) {
	u.Helper()
	for _, name := range names {
		running, err := u.loop.RestartChild(u.Context(), "root", name)
		if errors.Is(err, supervisor.ErrSimpleOneForOne) {
			running, err = u.loop.StartChild(u.Context(), "root", worker{Name: name})
		}
		if err != nil || !running {
			u.Fatal(name, running, err)
		}
	}
}

// exit ends a worker, by itself.
func (u *upgrade) exit(name statemachine.Name, r statemachine.Reason) {
	u.Helper()
	if err := u.loop.StopProcess(u.Context(), name, r); err != nil {
		u.Fatal(name, err)
	}
}

// spec checks the spec of a child.
func (u *upgrade) spec(want worker) {
	u.Helper()
	if got, err := u.loop.ChildSpec(u.Context(), "root", want.Name); err != nil || got != supervisor.Child(want) {
		u.Errorf("the spec is %+v, %v, want %+v", got, err, want)
	}
}

// has checks which children there are, in start order: a! is down.
func (u *upgrade) has(want string) {
	u.Helper()
	children, err := u.loop.WhichChildren(u.Context(), "root")
	if err != nil {
		u.Fatal(err)
	}
	var names []string
	for _, c := range slices.Backward(children) {
		name := string(c.Name)
		if c.Status != statemachine.Up {
			name += "!"
		}
		names = append(names, name)
	}
	if got := strings.Join(names, " "); got != want {
		u.Errorf("the children are %q, want %q", got, want)
	}
}

// alive checks whether the root runs, once it has handled what came before.
func (u *upgrade) alive(want bool) {
	u.Helper()
	if !want {
		<-u.loop.Done()
	} else if _, err := u.loop.CountChildren(u.Context(), "root"); err != nil {
		u.Error(err)
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
	u.start("a", "b")
	u.ok(sup{Children: []supervisor.Child{c("d", supervisor.Permanent, false), c("a", supervisor.Transient, false)}})
	u.has("d! a b")
	for _, c := range u.loop.Tree().Children {
		if c.Restarts != 0 {
			t.Errorf("%s has another process", c.Name)
		}
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
	u.spec(want)
	u.exit("b", statemachine.Killed)
	u.has("b") // a, which is temporary now, was ended with it
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
	u.start("a", "b")
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
	u.start("a")
	want := worker{Name: "a", Machine: idle, Restart: supervisor.Temporary, Significant: true, Shutdown: supervisor.BrutalKill}
	template := want
	template.Name = "t"
	u.ok(pool(template))
	u.spec(want)
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
