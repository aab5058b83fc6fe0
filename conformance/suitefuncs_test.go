package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/conformance/scenario"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// suiteFuncs are the cases of supervisor_SUITE that are no scenarios.
var suiteFuncs = map[string]func(*testing.T){
	"sup_flags":                      supFlags,
	"sup_start_map_faulty_specs":     faultySpecs,
	"child_specs":                    childSpecs,
	"child_specs_map":                childSpecsMap,
	"scale_start_stop_many_children": startStopManyChildren,
	"simple_one_for_one_scale_many_temporary_children": manyTemporaryChildren,
	"simple_one_for_one_restart_ignore":                restartIgnore,

	"code_change":                   codeChange,
	"code_change_map":               codeChangeMap,
	"code_change_simple":            codeChangeSimple,
	"code_change_simple_map":        codeChangeSimpleMap,
	"significant_upgrade_never_any": significantUpgrade(supervisor.Never, supervisor.AnySignificant, false, false),
	"significant_upgrade_any_never": significantUpgrade(supervisor.AnySignificant, supervisor.Never, true, true),
	"significant_upgrade_never_all": significantUpgrade(supervisor.Never, supervisor.AllSignificant, true, false),
	"significant_upgrade_all_never": significantUpgrade(supervisor.AllSignificant, supervisor.Never, true, true),
	"significant_upgrade_any_all":   significantUpgrade(supervisor.AnySignificant, supervisor.AllSignificant, true, false),
	"significant_upgrade_all_any":   significantUpgrade(supervisor.AllSignificant, supervisor.AnySignificant, false, false),
	"significant_upgrade_child":     significantUpgradeChild,
}

type (
	sup    = supervisor.Supervisor
	worker = supervisor.Worker
)

// idle has nothing to do.
var idle = &statemachine.Machine[int, string, string]{
	Step:   statemachine.Pure(func(_ string, n int) (int, string) { return n, "" }),
	Input:  codec.Of[string](),
	Output: codec.Of[string](),
}

// run starts a tree that ends with the test.
func run(t *testing.T, root sup) *eventloop.Loop {
	t.Helper()
	l, err := eventloop.Start(eventloop.Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

// startRefused checks that a tree is not started because of want.
func startRefused(t *testing.T, root sup, want error) {
	t.Helper()
	began := false
	root.Name = "root"
	_, err := eventloop.Start(eventloop.Config{Root: root, OnEvent: func(eventloop.Event) { began = true }})
	if spec := new(supervisor.SpecError); !errors.As(err, &spec) || !errors.Is(err, want) {
		t.Errorf("Start: %v, want %v", err, want)
	}
	if began {
		t.Errorf("%v: something was started", want)
	}
}

// Wrong flags are refused.
func supFlags(t *testing.T) {
	startRefused(t, sup{Strategy: 17}, supervisor.ErrInvalidStrategy)
	startRefused(t, sup{Intensity: -2}, supervisor.ErrInvalidIntensity)
	startRefused(t, sup{Period: -time.Second}, supervisor.ErrInvalidPeriod)
	startRefused(t, sup{Period: time.Millisecond}, supervisor.ErrInvalidPeriod)
	startRefused(t, sup{AutoShutdown: 17}, supervisor.ErrInvalidAutoShutdown)
}

// wrongSpecs are the specs of children that no supervisor takes.
var wrongSpecs = []struct {
	spec supervisor.Child
	err  error
}{
	{worker{Machine: idle}, supervisor.ErrInvalidName},
	{worker{Name: "c"}, supervisor.ErrInvalidMachine},
	{worker{Name: "c", Machine: &statemachine.Machine[int, int, int]{}}, supervisor.ErrInvalidMachine},
	{worker{Name: "c", Machine: idle, Restart: 17}, supervisor.ErrInvalidRestart},
	{worker{Name: "c", Machine: idle, Shutdown: -2}, supervisor.ErrInvalidShutdown},
	{worker{Name: "c", Machine: idle, Restart: supervisor.Temporary, Significant: true}, supervisor.ErrBadCombination},
	{worker{Name: "c", Machine: idle, Significant: true}, supervisor.ErrBadCombination},
	{sup{Name: "c", Restart: 17}, supervisor.ErrInvalidRestart},
	{sup{Name: "c", Strategy: 17}, supervisor.ErrInvalidStrategy},
	{sup{Name: "c", Children: []supervisor.Child{worker{Name: "c", Machine: idle}}}, supervisor.ErrDuplicateName},
	{nil, supervisor.ErrInvalidChildType},
}

// Wrong specs of children are refused at the start.
func faultySpecs(t *testing.T) {
	ok := worker{Name: "ok", Machine: idle}
	for _, w := range wrongSpecs {
		startRefused(t, sup{Children: []supervisor.Child{ok, w.spec}}, w.err)
	}
	startRefused(t, sup{Children: []supervisor.Child{ok, ok}}, supervisor.ErrDuplicateName)
	startRefused(t, sup{Strategy: supervisor.SimpleOneForOne}, supervisor.ErrBadStartSpec)
}

// Wrong specs are refused by StartChild.
func childSpecs(t *testing.T) {
	l := run(t, sup{Name: "root"})
	for _, w := range wrongSpecs {
		if running, err := l.StartChild(t.Context(), "root", w.spec); running || !errors.Is(err, w.err) {
			t.Errorf("StartChild(%+v): %v, %v, want %v", w.spec, running, err, w.err)
		}
	}
	if children, err := l.WhichChildren(t.Context(), "root"); err != nil || len(children) != 0 {
		t.Errorf("WhichChildren: %v, %v", children, err)
	}
}

// ChildSpec returns what was given.
func childSpecsMap(t *testing.T) {
	a := worker{Name: "a", Machine: idle}
	b := worker{Name: "b", Machine: idle, Restart: supervisor.Temporary, Shutdown: supervisor.BrutalKill}
	l := run(t, sup{Name: "root", Children: []supervisor.Child{a}})
	if running, err := l.StartChild(t.Context(), "root", b); !running || err != nil {
		t.Fatal(running, err)
	}
	for _, want := range []worker{a, b} {
		if got, err := l.ChildSpec(t.Context(), "root", want.Name); err != nil || got != supervisor.Child(want) {
			t.Errorf("ChildSpec(%s): %+v, %v, want %+v", want.Name, got, err, want)
		}
	}
	if _, err := l.ChildSpec(t.Context(), "root", "nobody"); !errors.Is(err, supervisor.ErrNotFound) {
		t.Errorf("ChildSpec(nobody): %v", err)
	}
}

// many is how many children a supervisor must have room for. That the work
// grows no faster than they do is tested in package supervisor.
const many = 2000

func name(i int) statemachine.Name { return statemachine.Name(fmt.Sprint("c", i)) }

func startStopManyChildren(t *testing.T) {
	l := run(t, sup{Name: "root"})
	ctx := t.Context()
	for i := range many {
		if _, err := l.StartChild(ctx, "root", worker{Name: name(i), Machine: idle}); err != nil {
			t.Fatal(err)
		}
	}
	count, err := l.CountChildren(ctx, "root")
	if want := (supervisor.Count{Specs: many, Active: many, Workers: many}); err != nil || count != want {
		t.Errorf("CountChildren: %+v, %v", count, err)
	}
	for i := range many {
		if err := errors.Join(l.TerminateChild(ctx, "root", name(i)), l.DeleteChild(ctx, "root", name(i))); err != nil {
			t.Fatal(err)
		}
	}
	if count, err := l.CountChildren(ctx, "root"); err != nil || count != (supervisor.Count{}) {
		t.Errorf("CountChildren of none: %+v, %v", count, err)
	}
}

func manyTemporaryChildren(t *testing.T) {
	l := run(t, sup{Name: "root", Strategy: supervisor.SimpleOneForOne, Intensity: supervisor.NoRestarts,
		Children: []supervisor.Child{worker{Name: "t", Machine: idle, Restart: supervisor.Temporary}}})
	ctx := t.Context()
	for i := range many {
		if _, err := l.StartChild(ctx, "root", worker{Name: name(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range many / 2 {
		if err := l.Kill(ctx, name(i)); err != nil {
			t.Fatal(err)
		}
	}
	count, err := l.CountChildren(ctx, "root")
	if want := (supervisor.Count{Specs: 1, Active: many / 2, Workers: many / 2}); err != nil || count != want {
		t.Errorf("CountChildren: %+v, %v", count, err)
	}
}

// A pool forgets a child whose restart gives ignore. OTP 25 keeps it, and
// crashes later: this is what newer versions do.
func restartIgnore(t *testing.T) {
	all, err := scenario.Read(strings.NewReader(`
		scenario simple_one_for_one_restart_ignore
		sup root - strategy=simple_one_for_one
		worker t root
		start
		start_child root d
		plan d ignore
		call d crash
		which root
		end`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `scenario simple_one_for_one_restart_ignore
> start
init root
result ok
alive root
> start_child root d
init d
result ok
alive d root
> plan d ignore
> call d crash
terminate d crash
init d ignore
result exit crash
alive root
> which root
result []
alive root
> end
exit root shutdown
root_exit shutdown
alive
end
`
	if got := play(t, all[0]); got != want {
		t.Error(scenario.Diff(want, got))
	}
}
