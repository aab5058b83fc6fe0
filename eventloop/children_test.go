package eventloop_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// names returns the names of the tree's processes, each with the supervisor's
// children in brackets; "!" is down, "?" restarting.
func names(i statemachine.Info) string {
	s := string(i.Name)
	switch i.Status {
	case statemachine.Down:
		s += "!"
	case statemachine.Restarting:
		s += "?"
	}
	if i.Type == "worker" {
		return s
	}
	var below []string
	for _, c := range i.Children {
		below = append(below, names(c))
	}
	return s + "(" + strings.Join(below, " ") + ")"
}

func wantTree(t *testing.T, l *eventloop.Loop, want string) {
	t.Helper()
	if got := names(l.Tree()); got != want {
		t.Errorf("the tree is %s, want %s", got, want)
	}
}

func wantError(t *testing.T, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("error %v, want %v", err, w)
		}
	}
	if err != nil && statemachine.OutcomeOf(err) != statemachine.NotApplied {
		t.Errorf("error %v does not say that nothing was changed", err)
	}
}

func TestChildren(t *testing.T) {
	ctx := t.Context()
	l := start(t, eventloop.Config{Root: flat(worker("a", newMachine()))})
	if running, err := l.StartChild(ctx, "root", worker("b", newMachine())); err != nil || !running {
		t.Fatal(running, err)
	}
	b := refTo(t, l, "b")
	call(t, b, input{Add: 1})
	subtree := supervisor.Supervisor{Name: "s", Strategy: supervisor.OneForAll, Children: []supervisor.Child{worker("c", newMachine()), worker("d", newMachine())}}
	if _, err := l.StartChild(ctx, "root", subtree); err != nil {
		t.Fatal(err)
	}
	call(t, refTo(t, l, "d"), input{Add: 1})
	wantTree(t, l, "root(a b s(c d))")

	_, err := l.StartChild(ctx, "root", worker("b", newMachine()))
	wantError(t, err, statemachine.ErrConflict, supervisor.ErrAlreadyStarted)
	_, err = l.StartChild(ctx, "s", worker("a", newMachine()))
	wantError(t, err, statemachine.ErrConflict, supervisor.ErrAlreadyStarted)
	_, err = l.StartChild(ctx, "nobody", worker("e", newMachine()))
	wantError(t, err, statemachine.ErrNoProcess)
	_, err = l.StartChild(ctx, "a", worker("e", newMachine()))
	wantError(t, err, statemachine.ErrNoProcess, supervisor.ErrNotSupervisor)
	_, err = l.StartChild(ctx, "root", worker("", newMachine()))
	wantError(t, err, statemachine.ErrInput, supervisor.ErrInvalidName)
	_, err = l.StartChild(ctx, "root", nil)
	wantError(t, err, statemachine.ErrInput)
	fails := 1
	_, err = l.StartChild(ctx, "root", worker("e", failing(&fails)))
	wantError(t, err, statemachine.ErrNotStarted)

	wantError(t, l.DeleteChild(ctx, "root", "b"), statemachine.ErrConflict, supervisor.ErrRunning)
	wantError(t, l.TerminateChild(ctx, "root", "c"), statemachine.ErrNoProcess, supervisor.ErrNotFound)
	if err := l.TerminateChild(ctx, "root", "b"); err != nil {
		t.Error(err)
	}
	_, err = b.Call(ctx, input{Add: 1})
	wantError(t, err, statemachine.ErrNoProcess)
	wantTree(t, l, "root(a b! s(c d))")
	_, err = l.StartChild(ctx, "root", worker("b", newMachine()))
	wantError(t, err, statemachine.ErrConflict, supervisor.ErrAlreadyPresent)
	if running, err := l.RestartChild(ctx, "root", "b"); err != nil || !running {
		t.Error(running, err)
	}
	_, err = l.RestartChild(ctx, "root", "b")
	wantError(t, err, statemachine.ErrConflict, supervisor.ErrRunning)
	if got := call(t, b, input{Get: true}); got.Sum != 0 {
		t.Errorf("after a restart: %+v", got)
	}
	for _, name := range []statemachine.Name{"b", "s"} {
		if err := errors.Join(l.TerminateChild(ctx, "root", name), l.DeleteChild(ctx, "root", name)); err != nil {
			t.Error(err)
		}
	}
	wantTree(t, l, "root(a)")
	_, err = b.Call(ctx, input{Add: 1})
	wantError(t, err, statemachine.ErrNoProcess)
	if _, err := eventloop.RefTo[input, output](l, "d"); !errors.Is(err, statemachine.ErrNoProcess) {
		t.Errorf("RefTo a worker of a deleted subtree: %v", err)
	}
	inspectChildren(t, l, b)
}

// The name of a deleted child is free, and a handle on it works again.
func inspectChildren(t *testing.T, l *eventloop.Loop, b ref) {
	ctx := t.Context()
	if _, err := l.StartChild(ctx, "root", worker("b", newMachine())); err != nil {
		t.Fatal(err)
	}
	if got := call(t, b, input{Add: 4}); got.Sum != 4 {
		t.Errorf("the new b: %+v", got)
	}
	if got, err := l.CountChildren(ctx, "root"); err != nil || got != (supervisor.Count{Specs: 2, Active: 2, Workers: 2}) {
		t.Errorf("CountChildren: %+v, %v", got, err)
	}
	if got, err := l.WhichChildren(ctx, "root"); err != nil || len(got) != 2 || got[0].Name != "b" || got[0].Status != statemachine.Up {
		t.Errorf("WhichChildren: %+v, %v", got, err)
	}
	if got, err := l.ChildSpec(ctx, "root", "b"); err != nil || got.(supervisor.Worker).Name != "b" {
		t.Errorf("ChildSpec: %+v, %v", got, err)
	}
}

// quitter is a machine that ends itself.
func quitter(r statemachine.Reason, reply bool) *machine {
	m := newMachine()
	m.Step = func(in input, s tally, fx *statemachine.Effects[output]) (tally, output) {
		s, out := step(in, s, fx)
		if in.Add == 99 {
			if reply {
				fx.Stop(r)
			} else {
				fx.StopNoReply(r)
			}
		}
		return s, out
	}
	return m
}

func TestMachineThatStops(t *testing.T) {
	errOwn := errors.New("own")
	tests := []struct {
		reason  statemachine.Reason
		restart supervisor.Restart
		tree    string
	}{
		{statemachine.Normal, supervisor.Permanent, "root(a)"},
		{statemachine.Normal, supervisor.Transient, "root(a!)"},
		{statemachine.ShutdownWith(errOwn), supervisor.Transient, "root(a!)"},
		{statemachine.Crash(errOwn), supervisor.Transient, "root(a)"},
		{statemachine.Crash(errOwn), supervisor.Temporary, "root()"},
	}
	for _, tt := range tests {
		for _, reply := range []bool{true, false} {
			told := make(chan string, 10)
			m := quitter(tt.reason, reply)
			m.Terminate = func(_ statemachine.Name, s tally, r statemachine.Reason) { told <- fmt.Sprint(r, " ", s.Sum) }
			l := start(t, eventloop.Config{Root: flat(supervisor.Worker{Name: "a", Machine: m, Restart: tt.restart})})
			out, err := refTo(t, l, "a").Call(t.Context(), input{Add: 99})
			var exit *statemachine.ExitError
			switch {
			case reply && (err != nil || out.Tally.Sum != 99):
				t.Errorf("%v: %+v, %v", tt.reason, out, err)
			case !reply && (!errors.As(err, &exit) || exit.Reason != tt.reason || statemachine.OutcomeOf(err) != statemachine.Applied):
				t.Errorf("%v without a reply: %v", tt.reason, err)
			}
			if got, want := <-told, fmt.Sprint(tt.reason, " 99"); got != want {
				t.Errorf("Terminate was told %q, want %q", got, want)
			}
			refTo(t, l, "a").Call(t.Context(), input{Add: 1}) // waits until the supervisor has decided
			wantTree(t, l, tt.tree)
		}
	}
}

func TestStopProcessAndKill(t *testing.T) {
	ctx := t.Context()
	var ev events
	l := start(t, eventloop.Config{OnEvent: ev.add, Root: flat(worker("a", newMachine()),
		supervisor.Supervisor{Name: "s", Restart: supervisor.Transient, Children: []supervisor.Child{worker("b", newMachine())}})})
	ev.take()
	if err := l.StopProcess(ctx, "a", statemachine.Normal); err != nil {
		t.Error(err)
	}
	wantEvents(t, &ev, "terminating a normal", "exited a normal", "started a")
	if err := l.Kill(ctx, "a"); err != nil {
		t.Error(err)
	}
	wantEvents(t, &ev, "exited a killed", "started a")
	if err := l.StopProcess(ctx, "s", statemachine.Shutdown); err != nil {
		t.Error(err)
	}
	wantEvents(t, &ev, "terminating b shutdown", "exited b shutdown", "exited s shutdown")
	wantTree(t, l, "root(a s!())")
	wantError(t, l.StopProcess(ctx, "s", statemachine.Normal), statemachine.ErrNoProcess)
	wantError(t, l.StopProcess(ctx, "nobody", statemachine.Normal), statemachine.ErrNoProcess)
}

// Children of a SimpleOneForOne supervisor, thousands of them.
func TestPool(t *testing.T) {
	ctx := t.Context()
	l := start(t, eventloop.Config{Root: flat(supervisor.Supervisor{
		Name: "pool", Strategy: supervisor.SimpleOneForOne,
		Children: []supervisor.Child{supervisor.Worker{Name: "template", Machine: newMachine(), Restart: supervisor.Transient}},
	})})
	const n = 3000
	for i := range n {
		if _, err := l.StartChild(ctx, "pool", supervisor.Worker{Name: statemachine.Name(fmt.Sprint("w", i))}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		call(t, refTo(t, l, statemachine.Name(fmt.Sprint("w", i))), input{Add: i + 1})
	}
	w7 := refTo(t, l, "w7")
	w7.Call(ctx, input{Crash: "custom"})
	if got := call(t, w7, input{Add: 1}); got.Sum != 1 {
		t.Errorf("after a crash: %+v", got)
	}
	if err := errors.Join(l.TerminateChild(ctx, "pool", "w8"), l.TerminateChild(ctx, "pool", "w8")); err != nil {
		t.Error(err)
	}
	if c, err := l.CountChildren(ctx, "pool"); err != nil || c.Active != n-1 {
		t.Errorf("%+v, %v", c, err)
	}
	wantError(t, l.DeleteChild(ctx, "pool", "w7"), statemachine.ErrConflict, supervisor.ErrSimpleOneForOne)
}

// What was added, and deleted, is so after the program has ended or was killed.
func TestShapeSurvives(t *testing.T) {
	ctx := t.Context()
	for _, durability := range []eventloop.Durability{eventloop.AtShutdown, eventloop.Always} {
		m := newMachine()
		cfg := eventloop.Config{Durability: durability, Machines: map[string]statemachine.Server{"tally": m}, Root: flat(
			worker("a", m), worker("old", m),
			supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne, Children: []supervisor.Child{worker("template", m)}})}
		log := new(journal.Memory)
		cfg.Log = log
		l := start(t, cfg)
		for sup, spec := range map[statemachine.Name]string{
			"root": `{"supervisor":{"name":"s","strategy":"one_for_all","intensity":0,"children":[{"worker":{"name":"b","machine":"tally"}}]}}`,
			"pool": `{"worker":{"name":"p1"}}`,
		} {
			if running, err := l.StartChildJSON(ctx, sup, []byte(spec)); err != nil || !running {
				t.Fatal(running, err)
			}
		}
		if _, err := l.StartChild(ctx, "s", supervisor.Worker{Name: "c", Machine: m, Shutdown: supervisor.BrutalKill, Restart: supervisor.Transient}); err != nil {
			t.Fatal(err)
		}
		_, err := l.StartChild(ctx, "root", worker("x", newMachine()))
		wantError(t, err, statemachine.ErrInput) // its machine has no name
		for _, name := range []statemachine.Name{"a", "b", "c", "p1", "old"} {
			call(t, refTo(t, l, name), input{Add: 5})
		}
		if err := errors.Join(l.TerminateChild(ctx, "root", "old"), l.DeleteChild(ctx, "root", "old")); err != nil {
			t.Error(err)
		}
		const want = "root(a pool(p1) s(b c))"
		wantTree(t, l, want)
		kill := durability == eventloop.Always
		for range 3 {
			if kill {
				log = log.Reopen()
				l.Stop(ctx)
			} else {
				if err := l.Stop(ctx); err != nil {
					t.Error(err)
				}
				log = log.Reopen()
			}
			cfg.Log = log
			l = start(t, cfg)
			wantTree(t, l, want)
			for _, name := range []statemachine.Name{"a", "b", "p1"} {
				if got := call(t, refTo(t, l, name), input{Get: true}); got.Sum != 5 {
					t.Errorf("%v: %s: %+v", durability, name, got)
				}
			}
			kill = !kill && durability == eventloop.Always
		}
		// A deleted child's state is gone: the name begins anew.
		if _, err := l.StartChild(ctx, "root", worker("old", m)); err != nil {
			t.Fatal(err)
		}
		if got := call(t, refTo(t, l, "old"), input{Get: true}); got.Sum != 0 {
			t.Errorf("%v: a new child has the deleted one's state: %+v", durability, got)
		}
	}
}

// Mid-run snapshots keep the shape too.
func TestShapeInSnapshot(t *testing.T) {
	ctx := t.Context()
	m := newMachine()
	log := new(journal.Memory)
	cfg := always(log, worker("a", m), supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne, Children: []supervisor.Child{worker("template", m)}})
	cfg.Machines, cfg.SnapshotBytes = map[string]statemachine.Server{"tally": m}, 1
	l := start(t, cfg)
	for _, name := range []statemachine.Name{"p1", "p2"} {
		if _, err := l.StartChild(ctx, "pool", supervisor.Worker{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		call(t, refTo(t, l, "p1"), input{Add: 1})
		call(t, refTo(t, l, "p2"), input{Add: 2})
	}
	l.TerminateChild(ctx, "pool", "p2")
	call(t, refTo(t, l, "p1"), input{Add: 1})
	cfg.Log = log.Reopen()
	again := start(t, cfg)
	wantTree(t, again, "root(a pool(p1))")
	if got := call(t, refTo(t, again, "p1"), input{Get: true}); got.Sum != 21 {
		t.Errorf("%+v", got)
	}
}

func TestSpecsInJSON(t *testing.T) {
	m := newMachine()
	l := start(t, eventloop.Config{Root: flat(), Machines: map[string]statemachine.Server{"tally": m}})
	for spec, want := range map[string]string{
		``:                                      "end of the input",
		`{}`:                                    "either",
		`{"worker":{},"supervisor":{}}`:         "either",
		`{"worker":{"name":"x"}}`:               "machine",
		`{"worker":{"name":"x","machine":"y"}}`: `no machine "y"`,
		`{"worker":{"name":"x","machine":"tally","restart":"often"}}`:      `"often"`,
		`{"worker":{"name":"x","machine":"tally","shutdown":"later"}}`:     "later",
		`{"worker":{"name":"x","machine":"tally","colour":"red"}}`:         "colour",
		`{"worker":{"name":"x","machine":"tally"}}}`:                       "end of the input",
		"{\"worker\":{\"name\":\"\xff\",\"machine\":\"tally\"}}":           "UTF-8",
		`{"worker":{"name":"x","machine":"tally"}} {}`:                     "end of the input",
		`{"supervisor":{"name":"x","strategy":"all_for_one"}}`:             "all_for_one",
		`{"supervisor":{"name":"x","children":[{"worker":{"name":"y"}}]}}`: "y",
		`{"supervisor":{"name":"x","period":"1ms"}}`:                       "period",
		`{"worker":{"name":"x","machine":"tally","significant":true}}`:     "bad combination",
		`{"supervisor":{"name":"root","children":[]}}`:                     "already",
	} {
		if _, err := l.StartChildJSON(t.Context(), "root", []byte(spec)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to name %s", spec, err, want)
		}
	}
}

// A restart that waits: the process is restarting meanwhile, and a call waits with it.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := flat(worker("a", newMachine()), worker("b", newMachine()))
		root.Backoff = supervisor.Backoff{Initial: time.Second, Max: 4 * time.Second}
		l := start(t, eventloop.Config{Root: root})
		a := refTo(t, l, "a")
		begin := time.Now()
		for i, want := range []time.Duration{1, 3, 7, 11} {
			a.Call(t.Context(), input{Crash: "custom"})
			wantTree(t, l, "root(a? b)")
			call(t, refTo(t, l, "b"), input{Add: 1})
			call(t, a, input{Add: 1})
			if got := time.Since(begin); got != want*time.Second {
				t.Errorf("restart %d came after %v, want %v", i+1, got, want*time.Second)
			}
		}
		a.Call(t.Context(), input{Crash: "custom"})
		if err := l.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Every call gets exactly one answer while children come, crash and go.
func TestCallsWhileChildrenChange(t *testing.T) {
	ctx := t.Context()
	m := newMachine()
	l := start(t, eventloop.Config{QueueLen: 32, Root: supervisor.Supervisor{Name: "root", Intensity: 1 << 20, Children: []supervisor.Child{
		supervisor.Supervisor{Name: "s", Strategy: supervisor.RestForOne, Intensity: 1 << 20},
	}}})
	stop := make(chan struct{})
	var changes sync.WaitGroup
	changes.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := statemachine.Name(fmt.Sprint("w", i%5))
			l.StartChild(ctx, "s", worker(name, m))
			l.TerminateChild(ctx, "s", statemachine.Name(fmt.Sprint("w", (i+2)%5)))
			l.DeleteChild(ctx, "s", statemachine.Name(fmt.Sprint("w", (i+2)%5)))
			l.Kill(ctx, name)
		}
	})
	var callers sync.WaitGroup
	for g := range 64 {
		callers.Go(func() {
			for i := range 100 {
				in := []string{`{"add":1}`, `{"crash":"custom"}`, `{"get":true}`, `{"get":true,"crash":"nil"}`}[(g+i)%4]
				name := statemachine.Name(fmt.Sprint("w", i%5))
				_, err := l.Call(ctx, name, codec.JSON, []byte(in), codec.JSON, nil)
				var crash *statemachine.CrashError
				if err != nil && !errors.As(err, &crash) && !errors.Is(err, statemachine.ErrNoProcess) {
					t.Errorf("%s %s: %v", name, in, err)
				}
			}
		})
	}
	callers.Wait()
	close(stop)
	changes.Wait()
}

// Whatever an Init returns, the child did not start: it is not taken for what a
// supervisor says.
func TestInitErrorsOfAddedChildren(t *testing.T) {
	l := start(t, eventloop.Config{Root: flat()})
	for _, why := range []error{supervisor.ErrRunning, statemachine.ErrNoProcess, statemachine.ErrInput, &statemachine.ExitError{}} {
		m := newMachine()
		m.Init = func(statemachine.Start[tally]) (tally, error) { return tally{}, why }
		_, err := l.StartChild(t.Context(), "root", worker("a", m))
		wantError(t, err, statemachine.ErrNotStarted, why)
		if errors.Is(err, statemachine.ErrConflict) {
			t.Errorf("Init returned %v, taken for a conflict: %v", why, err)
		}
	}
	wantTree(t, l, "root()")
}

// New code takes over: a changed machine runs from the next start on, with the
// state of the old one; new children are down, and old ones go on. A replay
// does the same.
func TestChangeSupervisor(t *testing.T) {
	ctx := t.Context()
	doubled := newMachine()
	doubled.Step = func(in input, s tally, fx *statemachine.Effects[output]) (tally, output) {
		in.Add *= 2
		return step(in, s, fx)
	}
	m, log := newMachine(), new(journal.Memory)
	cfg := always(log, worker("a", m), worker("b", m))
	cfg.SnapshotBytes = 1
	cfg.Machines = map[string]statemachine.Server{"old": m, "new": doubled}
	l := start(t, cfg)
	a := refTo(t, l, "a")
	call(t, a, input{Add: 5})
	changed := flat(worker("a", doubled), worker("c", m))
	if err := l.ChangeSupervisor(ctx, "root", changed); err != nil {
		t.Fatal(err)
	}
	wantTree(t, l, "root(a c! b)")
	if got := call(t, a, input{Add: 1}); got.Sum != 6 {
		t.Errorf("before the restart: %+v", got)
	}
	a.Call(ctx, input{Crash: "custom"})
	if got := call(t, a, input{Add: 1}); got.Sum != 8 {
		t.Errorf("after the restart: %+v", got)
	}
	if _, err := l.RestartChild(ctx, "root", "c"); err != nil {
		t.Error(err)
	}
	call(t, refTo(t, l, "c"), input{Add: 1})
	wantTree(t, l, "root(a c b)")
	_, err := l.StartChild(ctx, "root", worker("a", m))
	wantError(t, err, statemachine.ErrConflict)
	cfg.Log = log.Reopen()
	again := start(t, cfg)
	wantTree(t, again, "root(a b)")
	if got := call(t, refTo(t, again, "a"), input{Get: true}); got.Sum != 8 {
		t.Errorf("after kill -9: %+v", got)
	}
}
