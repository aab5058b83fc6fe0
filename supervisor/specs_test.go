package supervisor_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// TestS2EverySpecIsChecked: each wrong spec, by the path, field and error that
// it is refused with.
func TestS2EverySpecIsChecked(t *testing.T) {
	type (
		W = supervisor.Worker
		S = supervisor.Supervisor
		C = []supervisor.Child
	)
	ok := W{Name: "ok", Machine: machine{}}
	for name, c := range map[string]struct {
		spec  S
		path  string
		field string
		err   error
	}{
		"no name":            {S{}, "", "Name", supervisor.ErrInvalidName},
		"no child's name":    {S{Name: "r", Children: C{ok, W{}}}, "r/", "Name", supervisor.ErrInvalidName},
		"long name":          {S{Name: Name(strings.Repeat("n", 256))}, strings.Repeat("n", 256), "Name", supervisor.ErrInvalidName},
		"not UTF-8":          {S{Name: "\xff"}, "\xff", "Name", supervisor.ErrInvalidName},
		"siblings' names":    {S{Name: "r", Children: C{ok, ok}}, "r/ok", "Name", supervisor.ErrDuplicateName},
		"cousins' names":     {S{Name: "r", Children: C{S{Name: "s", Children: C{ok}}, ok}}, "r/ok", "Name", supervisor.ErrDuplicateName},
		"root's name":        {S{Name: "r", Children: C{S{Name: "r"}}}, "r/r", "Name", supervisor.ErrDuplicateName},
		"nil child":          {S{Name: "r", Children: C{nil}}, "r/", "Children", supervisor.ErrInvalidChildType},
		"pointer":            {S{Name: "r", Children: C{&ok}}, "r/", "Children", supervisor.ErrInvalidChildType},
		"no machine":         {S{Name: "r", Children: C{W{Name: "a"}}}, "r/a", "Machine", supervisor.ErrInvalidMachine},
		"bad machine":        {S{Name: "r", Children: C{W{Name: "a", Machine: badMachine{}}}}, "r/a", "Machine", supervisor.ErrInvalidMachine},
		"restart":            {S{Name: "r", Children: C{S{Name: "s", Restart: 3}}}, "r/s", "Restart", supervisor.ErrInvalidRestart},
		"shutdown":           {S{Name: "r", Shutdown: -2}, "r", "Shutdown", supervisor.ErrInvalidShutdown},
		"strategy":           {S{Name: "r", Strategy: 4}, "r", "Strategy", supervisor.ErrInvalidStrategy},
		"intensity":          {S{Name: "r", Intensity: -2}, "r", "Intensity", supervisor.ErrInvalidIntensity},
		"negative period":    {S{Name: "r", Period: -time.Second}, "r", "Period", supervisor.ErrInvalidPeriod},
		"part of a second":   {S{Name: "r", Period: 1500 * time.Millisecond}, "r", "Period", supervisor.ErrInvalidPeriod},
		"auto shutdown":      {S{Name: "r", AutoShutdown: 3}, "r", "AutoShutdown", supervisor.ErrInvalidAutoShutdown},
		"significant root":   {S{Name: "r", Significant: true}, "r", "Significant", supervisor.ErrBadCombination},
		"significant, never": {S{Name: "r", Children: C{S{Name: "s", Significant: true, Restart: supervisor.Temporary}}}, "r/s", "Significant", supervisor.ErrBadCombination},
		"significant, permanent": {S{Name: "r", AutoShutdown: supervisor.AnySignificant, Children: C{S{Name: "s", Significant: true}}},
			"r/s", "Significant", supervisor.ErrBadCombination},
		"pool without":          {S{Name: "r", Strategy: supervisor.SimpleOneForOne}, "r", "Children", supervisor.ErrBadStartSpec},
		"pool of two":           {S{Name: "r", Strategy: supervisor.SimpleOneForOne, Children: C{ok, ok}}, "r", "Children", supervisor.ErrBadStartSpec},
		"pool of supervisors":   {S{Name: "r", Strategy: supervisor.SimpleOneForOne, Children: C{S{Name: "s"}}}, "r", "Children", supervisor.ErrBadStartSpec},
		"flags before children": {S{Name: "r", Intensity: -2, Children: C{W{}}}, "r", "Intensity", supervisor.ErrInvalidIntensity},
	} {
		t.Run(name, func(t *testing.T) {
			tree, err := supervisor.New(c.spec)
			var e *supervisor.SpecError
			if tree != nil || !errors.As(err, &e) || !errors.Is(err, c.err) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			var path []string
			for _, n := range e.Path {
				path = append(path, string(n))
			}
			if strings.Join(path, "/") != c.path || e.Field != c.field {
				t.Errorf("%v of %v, want %v of %v", e.Field, path, c.field, c.path)
			}
			if !strings.Contains(err.Error(), c.field) || len(err.Error()) > 400 {
				t.Error(err)
			}
		})
	}
}

type badMachine struct{ machine }

func (badMachine) Validate() error { return errors.New("it lacks everything") }

// TestS1Defaults: the zero values are OTP's defaults, as seen from outside.
func TestS1Defaults(t *testing.T) {
	p := newHand(t, supervisor.Supervisor{Name: "root", Children: []supervisor.Child{
		supervisor.Worker{Name: "a", Machine: machine{}},
		supervisor.Worker{Name: "b", Machine: machine{}},
	}})
	a := p.tree.Node("a")
	want := func(what string, log ...string) {
		t.Helper()
		if !slices.Equal(p.log, log) {
			t.Errorf("%s: %q, want %q", what, p.log, log)
		}
		p.log = nil
	}
	want("start", "start root", "start a", "start b")
	p.exit(a, statemachine.Normal)
	want("permanent, one_for_one", "start a")
	p.tree.SetNow(int64(5_999 * time.Millisecond))
	p.exit(a, statemachine.Normal)
	want("intensity 1, period 5 s: five seconds are within", "terminate b", "exit root")
}

// TestS1Period is the other side: the sixth second is without.
func TestS1Period(t *testing.T) {
	p := newHand(t, supervisor.Supervisor{Name: "root", Children: []supervisor.Child{
		supervisor.Worker{Name: "a", Machine: machine{}},
	}})
	a := p.tree.Node("a")
	p.exit(a, statemachine.Killed)
	p.tree.SetNow(int64(6 * time.Second))
	p.exit(a, statemachine.Killed)
	if a.Status() != statemachine.Up || a.Restarts() != 2 {
		t.Errorf("%v after %d restarts", a.Status(), a.Restarts())
	}
}
