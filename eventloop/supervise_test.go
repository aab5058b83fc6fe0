package eventloop_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

func wantEvents(t *testing.T, ev *events, want ...string) {
	t.Helper()
	if got := ev.take(); !slices.Equal(got, want) {
		t.Errorf("events\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// failing returns a machine whose Init fails as often as fails says, if that
// is not nil; it must be changed only while the loop stands still.
func failing(fails *int) *machine {
	m := newMachine()
	init := m.Init
	m.Init = func(s statemachine.Start[tally]) (tally, error) {
		if *fails > 0 {
			*fails--
			return tally{}, fmt.Errorf("%s will not start", s.Name)
		}
		return init(s)
	}
	return m
}

// terminating returns a machine whose Terminate calls f.
func terminating(f func(statemachine.Name, statemachine.Reason)) *machine {
	m := newMachine()
	m.Terminate = func(n statemachine.Name, _ tally, r statemachine.Reason) { f(n, r) }
	return m
}

func TestRestForOne(t *testing.T) {
	var ev events
	l := start(t, eventloop.Config{OnEvent: ev.add, Root: flat(
		worker("kv1", newMachine()),
		supervisor.Supervisor{Name: "pair", Strategy: supervisor.RestForOne, Children: []supervisor.Child{
			worker("kv2", newMachine()), worker("kv3", newMachine()), worker("kv4", newMachine()),
		}},
	)})
	wantEvents(t, &ev, "started root", "started kv1", "started pair", "started kv2", "started kv3", "started kv4")
	refTo(t, l, "kv3").Call(t.Context(), input{Crash: "custom"})
	wantEvents(t, &ev, "crashed kv3 in step: custom", "terminating kv3 crash", "exited kv3 crash",
		"terminating kv4 shutdown", "exited kv4 shutdown", "started kv3", "started kv4")
	for _, name := range []statemachine.Name{"kv1", "kv2", "kv3", "kv4"} {
		call(t, refTo(t, l, name), input{Add: 1})
	}
	ev.take()
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	wantEvents(t, &ev, "terminating kv4 shutdown", "exited kv4 shutdown", "terminating kv3 shutdown", "exited kv3 shutdown",
		"terminating kv2 shutdown", "exited kv2 shutdown", "exited pair shutdown",
		"terminating kv1 shutdown", "exited kv1 shutdown", "exited root shutdown")
}

func TestInitFailsAtStart(t *testing.T) {
	var ev events
	fails := 1
	_, err := eventloop.Start(eventloop.Config{OnEvent: ev.add, Root: flat(
		worker("a", newMachine()),
		supervisor.Supervisor{Name: "s", Children: []supervisor.Child{worker("b", newMachine()), worker("c", failing(&fails))}},
		worker("d", newMachine()),
	)})
	if err == nil || !strings.Contains(err.Error(), `failed to start child "s": failed to start child "c": c will not start`) {
		t.Errorf("Start: %v", err)
	}
	wantEvents(t, &ev, "started root", "started a", "started s", "started b", "start failed c: c will not start",
		"terminating b shutdown", "exited b shutdown", "exited s shutdown_t",
		"terminating a shutdown", "exited a shutdown", "exited root shutdown_t")
}

func TestInitPanicsAtStart(t *testing.T) {
	for _, how := range []any{"text", nil, errCustom} {
		m := newMachine()
		m.Init = func(statemachine.Start[tally]) (tally, error) { panic(how) }
		_, err := eventloop.Start(eventloop.Config{Root: flat(worker("a", m))})
		var crash *statemachine.CrashError
		if !errors.As(err, &crash) || crash.In != "init" || crash.Name != "a" {
			t.Errorf("Init panicked with %v: %v", how, err)
		}
	}
}

// Init fails twice in a restart: the supervisor tries again, and a call that
// came meanwhile is answered by the new life.
func TestInitFailsInRestart(t *testing.T) {
	var ev events
	fails := 0
	l := start(t, eventloop.Config{OnEvent: ev.add, Root: flat(worker("a", failing(&fails)))})
	a := refTo(t, l, "a")
	fails = 2
	a.Call(t.Context(), input{Crash: "custom"})
	if got := call(t, a, input{Add: 1}); got.Sum != 1 {
		t.Errorf("%+v", got)
	}
	wantEvents(t, &ev, "started root", "started a", "crashed a in step: custom", "terminating a crash", "exited a crash",
		"start failed a: a will not start", "start failed a: a will not start", "started a")
}

// Init fails for ever in a restart: the root gives up and the application ends.
func TestInitFailsForEver(t *testing.T) {
	fails := 0
	l := start(t, eventloop.Config{Root: supervisor.Supervisor{Name: "root", Intensity: 3,
		Children: []supervisor.Child{worker("b", newMachine()), worker("a", failing(&fails))}}})
	fails = 1 << 30
	a, b := refTo(t, l, "a"), refTo(t, l, "b")
	a.Call(t.Context(), input{Crash: "custom"})
	<-l.Done()
	if err := l.Err(); !errors.Is(err, eventloop.ErrGaveUp) || !strings.Contains(err.Error(), "a ended last, crash: a crashed in step: custom") {
		t.Errorf("Err: %v", err)
	}
	if tried := 1<<30 - fails; tried != 3 {
		t.Errorf("Init was tried %d times again, not 3", tried)
	}
	for _, r := range []ref{a, b} {
		if _, err := r.Call(t.Context(), input{Add: 1}); !errors.Is(err, statemachine.ErrStopping) ||
			statemachine.OutcomeOf(err) != statemachine.NotApplied {
			t.Errorf("Call(%s) after the end: %v", r.Name(), err)
		}
		if err := r.Cast(t.Context(), input{Add: 1}); !errors.Is(err, statemachine.ErrStopping) {
			t.Errorf("Cast(%s) after the end: %v", r.Name(), err)
		}
	}
	if err := l.Stop(t.Context()); !errors.Is(err, eventloop.ErrGaveUp) {
		t.Errorf("Stop after the end: %v", err)
	}
}

// A temporary process that crashed is no more; its siblings are.
func TestTemporary(t *testing.T) {
	l := start(t, eventloop.Config{Root: flat(
		supervisor.Worker{Name: "a", Machine: newMachine(), Restart: supervisor.Temporary}, worker("b", newMachine()))})
	a := refTo(t, l, "a")
	a.Call(t.Context(), input{Crash: "custom"})
	if _, err := a.Call(t.Context(), input{Add: 1}); !errors.Is(err, statemachine.ErrNoProcess) ||
		statemachine.OutcomeOf(err) != statemachine.NotApplied {
		t.Errorf("a call to a process that is gone: %v", err)
	}
	if _, ok := l.Process("a"); ok {
		t.Error("it is still in the tree")
	}
	call(t, refTo(t, l, "b"), input{Add: 1})
}

// One more restart than allowed within the period ends the subtree, and its
// parent starts it anew; restarts further apart than the period do not count.
func TestIntensity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ev events
		l := start(t, eventloop.Config{OnEvent: ev.add, Root: flat(supervisor.Supervisor{
			Name: "s", Intensity: 1, Period: 10 * time.Second, Children: []supervisor.Child{worker("a", newMachine())}})})
		a := refTo(t, l, "a")
		for range 3 {
			a.Call(t.Context(), input{Crash: "custom"})
			time.Sleep(11 * time.Second)
		}
		if got := ev.take(); slices.Contains(got, "exited s shutdown") {
			t.Errorf("s gave up although the crashes were far apart: %q", got)
		}
		a.Call(t.Context(), input{Crash: "custom"})
		a.Call(t.Context(), input{Crash: "custom"})
		if got := ev.take(); !slices.Contains(got, "exited s shutdown") {
			t.Errorf("s did not give up: %q", got)
		}
		call(t, a, input{Add: 1})
	})
}

// While a Terminate takes its time only its own subtree waits: a call to the
// process waits for its restart, others go on.
func TestSlowTerminate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := terminating(func(statemachine.Name, statemachine.Reason) { time.Sleep(3 * time.Second) })
		l := start(t, eventloop.Config{Root: flat(
			supervisor.Supervisor{Name: "s", Strategy: supervisor.OneForAll, Children: []supervisor.Child{
				worker("a", m), worker("b", newMachine())}},
			worker("c", newMachine()))})
		a, b, c := refTo(t, l, "a"), refTo(t, l, "b"), refTo(t, l, "c")
		begin := time.Now()
		if _, err := b.Call(t.Context(), input{Crash: "custom"}); !errors.Is(err, errCustom) || time.Since(begin) != 0 {
			t.Errorf("the caller of the crash was told %v after %v", err, time.Since(begin))
		}
		call(t, c, input{Add: 1})
		if time.Since(begin) != 0 {
			t.Errorf("another subtree answered after %v", time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Call(ctx, input{Add: 1}); !errors.Is(err, statemachine.ErrDeadline) || statemachine.OutcomeOf(err) != statemachine.NotApplied {
			t.Errorf("a call whose deadline passed in the restart: %v", err)
		}
		if got := call(t, b, input{Add: 5}); got.Sum != 5 || time.Since(begin) != 3*time.Second {
			t.Errorf("the call that waited for the restart: %+v after %v", got, time.Since(begin))
		}
		if got := call(t, a, input{Get: true}); got.Sum != 0 {
			t.Errorf("the input that was not applied was: %+v", got)
		}
	})
}

// The inputs that wait for one process are bounded, and do not keep others out.
func TestOverloadOfRestarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := terminating(func(statemachine.Name, statemachine.Reason) { time.Sleep(3 * time.Second) })
		l := start(t, eventloop.Config{Root: flat(worker("a", m), worker("c", newMachine())), QueueLen: 4})
		a, c := refTo(t, l, "a"), refTo(t, l, "c")
		a.Call(t.Context(), input{Crash: "custom"})
		for range 4 {
			if err := a.Cast(t.Context(), input{Add: 1}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.Cast(ctx, input{Add: 10}); !errors.Is(err, statemachine.ErrOverloaded) {
			t.Errorf("a fifth cast: %v", err)
		}
		call(t, c, input{Add: 1})
		if got := call(t, a, input{Get: true}); got.Sum != 4 {
			t.Errorf("after the restart: %+v, want the four accepted casts", got)
		}
	})
}

func TestTerminateThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ev events
		never := make(chan struct{})
		hangs := terminating(func(n statemachine.Name, _ statemachine.Reason) { <-never })
		l := start(t, eventloop.Config{OnEvent: ev.add, Root: flat(
			worker("a", newMachine()),
			supervisor.Worker{Name: "b", Machine: hangs, Shutdown: 2 * time.Second},
			supervisor.Worker{Name: "c", Machine: hangs})})
		ev.take()
		begin := time.Now()
		err := l.Stop(t.Context())
		var late *eventloop.LateError
		if !errors.As(err, &late) || !slices.Equal(late.Names, []statemachine.Name{"c", "b"}) {
			t.Errorf("Stop: %v", err)
		}
		if got := time.Since(begin); got != 7*time.Second {
			t.Errorf("it took %v, not the graces' 7s", got)
		}
		wantEvents(t, &ev, "terminating c shutdown", "exited c killed", "terminating b shutdown", "exited b killed",
			"terminating a shutdown", "exited a shutdown", "exited root shutdown")
		close(never)
	})
}

func TestTerminateThatPanics(t *testing.T) {
	var ev events
	panics := terminating(func(n statemachine.Name, r statemachine.Reason) { panic("no") })
	l := start(t, eventloop.Config{OnEvent: ev.add, Root: flat(worker("a", newMachine()), worker("b", panics))})
	ev.take()
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	wantEvents(t, &ev, "terminating b shutdown", "crashed b in terminate: no", "exited b crash",
		"terminating a shutdown", "exited a shutdown", "exited root shutdown")
}

// Terminate is told why, and has ended before the next child is told.
func TestTerminateOrder(t *testing.T) {
	var told []string
	m := terminating(func(n statemachine.Name, r statemachine.Reason) {
		told = append(told, fmt.Sprintf("%s %v", n, r.Class))
	})
	l := start(t, eventloop.Config{Root: flat(worker("a", m), worker("b", m),
		supervisor.Worker{Name: "c", Machine: m, Shutdown: supervisor.BrutalKill},
		supervisor.Worker{Name: "d", Machine: m, Shutdown: supervisor.Infinity})})
	refTo(t, l, "a").Call(t.Context(), input{Crash: "custom"})
	call(t, refTo(t, l, "a"), input{Add: 1})
	l.Stop(t.Context())
	if want := []string{"a crash", "d shutdown", "b shutdown", "a shutdown"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestStopTwice(t *testing.T) {
	l := start(t, eventloop.Config{Root: flat(worker("a", newMachine()))})
	a := refTo(t, l, "a")
	errs := make(chan error)
	for range 4 {
		go func() { errs <- l.Stop(context.Background()) }()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := a.Call(t.Context(), input{Get: true}); !errors.Is(err, statemachine.ErrStopping) {
		t.Errorf("a read after Stop: %v", err)
	}
}

// Stop steps what was queued before it, and ends at its context's end at the latest.
func TestStopWithDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		g := newGate()
		l := start(t, eventloop.Config{Root: flat(worker("slow", g.machine()), worker("a", newMachine()),
			supervisor.Worker{Name: "b", Machine: terminating(func(statemachine.Name, statemachine.Reason) { <-never }), Shutdown: supervisor.Infinity})})
		a := refTo(t, l, "a")
		go refTo(t, l, "slow").Call(context.Background(), input{})
		<-g.entered
		queued := make(chan error, 1)
		go func() { _, err := a.Call(context.Background(), input{Add: 1}); queued <- err }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		stopped := make(chan error, 1)
		go func() { stopped <- l.Stop(ctx) }()
		for !errors.Is(a.Cast(ctx, input{}), statemachine.ErrStopping) {
			runtime.Gosched()
		}
		g.open <- struct{}{}
		if err := <-queued; err != nil {
			t.Errorf("what was queued before Stop: %v", err)
		}
		var late *eventloop.LateError
		if err := <-stopped; !errors.As(err, &late) || !slices.Equal(late.Names, []statemachine.Name{"b"}) {
			t.Errorf("Stop: %v", err)
		}
		close(never)
	})
}

// Who listens learns of every step of a restart, and whose end made it so.
func TestHooks(t *testing.T) {
	ev := events{restarts: true}
	l := start(t, eventloop.Config{OnEvent: ev.add, Root: supervisor.Supervisor{Name: "root", Strategy: supervisor.OneForAll,
		Children: []supervisor.Child{worker("a", newMachine()), worker("b", newMachine())}}})
	ev.take()
	refTo(t, l, "b").Call(t.Context(), input{Crash: "custom"})
	wantEvents(t, &ev, "crashed b in step: custom", "terminating b crash", "exited b crash",
		"terminating a shutdown", "exited a shutdown",
		"restarting a because of b", "started a", "restarting b because of b", "started b")
}
