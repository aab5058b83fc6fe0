package eventloop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// The tests of this file add children to a durable application and look at
// them after a new start.

// withAdded is a program whose added children run m.
func withAdded(log journal.Log, m *machine, children ...supervisor.Child) eventloop.Config {
	c := always(log, children...)
	c.Machines = map[string]statemachine.Server{"m": m}
	return c
}

// add adds a child that must run.
func add(t *testing.T, l *eventloop.Loop, sup statemachine.Name, spec supervisor.Child) {
	t.Helper()
	if running, err := l.StartChild(t.Context(), sup, spec); err != nil || !running {
		t.Fatal(running, err)
	}
}

// A temporary child that is added while its forerunner ends begins anew, live
// and in a replay.
func TestTemporaryChildAddedAgainBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(journal.Memory)
		release := make(chan struct{})
		m := terminating(func(statemachine.Name, statemachine.Reason) { <-release })
		l := start(t, withAdded(log, m))
		w := supervisor.Worker{Name: "w", Machine: m, Restart: supervisor.Temporary}
		add(t, l, "root", w)
		call(t, refTo(t, l, "w"), input{Add: 5})
		terminated := inBackground(func() error { return l.TerminateChild(context.Background(), "root", "w") })
		added := inBackground(func() error {
			_, err := l.StartChild(context.Background(), "root", w)
			return err
		})
		close(release)
		if err := errors.Join(<-terminated, <-added); err != nil {
			t.Error(err)
		}
		if got := call(t, refTo(t, l, "w"), input{Get: true}); got.Sum != 0 {
			t.Errorf("the new child has the state of the one that was dropped: %+v", got)
		}
		wantSum(t, withAdded(log.Reopen(), m), "w", 0)
	})
}

// An input that is journaled behind the end of a temporary child is refused,
// and keeps no program from starting.
func TestInputBehindTheEndOfATemporaryChild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, m := new(journal.Memory), newMachine()
		log := &heldLog{Log: mem}
		l := start(t, withAdded(log, m))
		add(t, l, "root", supervisor.Worker{Name: "w", Machine: m, Restart: supervisor.Temporary})
		w := refTo(t, l, "w")
		crashHeld(log, w)
		called := inBackground(func() error {
			_, err := w.Call(context.Background(), input{Add: 1})
			return err
		})
		log.release()
		wantError(t, <-called, statemachine.ErrNoProcess)
		wantTree(t, start(t, withAdded(mem.Reopen(), m)), "root()")
	})
}

// A deletion is remembered when the checkpoint that carries it is refused.
func TestDeletionSurvivesARefusedCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, m := new(journal.Memory), newMachine()
		log := &heldLog{Log: mem}
		program := func(log journal.Log) eventloop.Config { return withAdded(log, m, worker("q", m)) }
		c := program(log)
		c.SnapshotBytes = 1
		l := start(t, c)
		w := worker("w", m)
		add(t, l, "root", w)
		checkpoint := func() {
			call(t, refTo(t, l, "q"), input{Add: 1})
			synctest.Wait()
		}
		call(t, refTo(t, l, "w"), input{Add: 5})
		synctest.Wait()
		checkpoint()
		log.setSaves(saveRefused)
		if err := errors.Join(l.TerminateChild(t.Context(), "root", "w"), l.DeleteChild(t.Context(), "root", "w")); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		checkpoint()
		log.setSaves(saveKept)
		if err := l.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		again := start(t, program(mem.Reopen()))
		wantTree(t, again, "root(q)")
		add(t, again, "root", w)
		if got := call(t, refTo(t, again, "w"), input{Get: true}); got.Sum != 0 {
			t.Errorf("a deleted child is back with its state: %+v", got)
		}
	})
}

// An acknowledged cast waits for the restart of its process over a kill -9:
// whether Config.Root has the process or it was added.
func TestCastThatWaitsForARestartSurvives(t *testing.T) {
	for _, name := range []statemachine.Name{"q", "w"} {
		synctest.Test(t, func(t *testing.T) {
			mem, m := new(journal.Memory), newMachine()
			log := &heldLog{Log: mem}
			program := func(log journal.Log) eventloop.Config {
				c := withAdded(log, m, worker("q", m))
				c.Root.Backoff = supervisor.Backoff{Initial: time.Minute}
				return c
			}
			l := start(t, program(log))
			add(t, l, "root", worker("w", m))
			r := refTo(t, l, name)
			crashHeld(log, r)
			sent := inBackground(func() error { return r.Cast(context.Background(), input{Add: 7}) })
			log.release()
			if err := <-sent; err != nil {
				t.Error(err)
			}
			wantSum(t, program(mem.Reopen()), name, 7)
		})
	}
}

// What waited for an added child is stepped when the program starts, and may
// end its supervisor before the other children are there.
func TestAddedChildEndsItsSupervisorAtAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, m := new(journal.Memory), quitter(statemachine.Normal, true)
		log := &heldLog{Log: mem}
		program := func(log journal.Log) eventloop.Config {
			return withAdded(log, m, supervisor.Supervisor{Name: "s", AutoShutdown: supervisor.AnySignificant,
				Backoff: supervisor.Backoff{Initial: time.Minute}})
		}
		l := start(t, program(log))
		for _, name := range []statemachine.Name{"c1", "c2"} {
			add(t, l, "s", supervisor.Worker{Name: name, Machine: m, Restart: supervisor.Transient, Significant: true})
		}
		r := refTo(t, l, "c1")
		crashHeld(log, r)
		sent := inBackground(func() error { return r.Cast(context.Background(), input{Add: 99}) })
		log.release()
		if err := <-sent; err != nil {
			t.Error(err)
		}
		var ev events
		c := program(mem.Reopen())
		c.OnEvent = ev.add
		start(t, c)
		if got := ev.take(); !slices.Contains(got, "exited c1 normal") || !slices.Contains(got, "exited s shutdown") {
			t.Errorf("the cast that waited did not end c1, and s: %q", got)
		}
	})
}

// A spec that is refused leaves nothing in the journal: not for a replay, and
// not for a program to fail at.
func TestRefusedSpecIsNotJournaled(t *testing.T) {
	log, m := new(journal.Memory), newMachine()
	program := func(log journal.Log) eventloop.Config {
		return withAdded(log, m, supervisor.Supervisor{Name: "s", Intensity: 3})
	}
	l := start(t, program(log))
	for _, spec := range []supervisor.Child{
		supervisor.Worker{Name: "w", Machine: m, Restart: 9},
		supervisor.Worker{Name: "\xff", Machine: m},
		supervisor.Supervisor{Name: "negative", Intensity: -5},
	} {
		_, err := l.StartChild(t.Context(), "s", spec)
		wantError(t, err, statemachine.ErrInput)
	}
	wantTree(t, l, "root(s())")
	wantTree(t, start(t, program(log.Reopen())), "root(s())")
}

// The template of a pool, and a supervisor without children, need no state:
// what was saved by an orderly end can be started from.
func TestStartWithATemplateAndAnEmptySupervisor(t *testing.T) {
	log, m := new(journal.Memory), newMachine()
	program := func(log journal.Log) eventloop.Config {
		return withAdded(log, m,
			supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne, Children: []supervisor.Child{worker("t", m)}},
			supervisor.Supervisor{Name: "empty"})
	}
	l := start(t, program(log))
	add(t, l, "pool", supervisor.Worker{Name: "w1"})
	call(t, refTo(t, l, "w1"), input{Add: 3})
	if err := l.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := start(t, program(log.Reopen()))
	wantTree(t, again, "root(pool(w1) empty())")
	if got := call(t, refTo(t, again, "w1"), input{Get: true}); got.Sum != 3 {
		t.Errorf("after the new start: %+v", got)
	}
}

// A Ref goes by name: it reaches the child that has the name now, whatever
// machine of its types that one runs.
func TestRefReachesTheNewChildOfItsName(t *testing.T) {
	sub := supervisor.Supervisor{Name: "sub", Intensity: supervisor.NoRestarts}
	l := start(t, eventloop.Config{Root: flat(sub)})
	add(t, l, "sub", worker("w", newMachine()))
	r := refTo(t, l, "w")
	r.Call(t.Context(), input{Crash: "custom"}) // sub restarts, and forgets it
	wantTree(t, l, "root(sub())")
	add(t, l, "sub", worker("w", newMachine()))
	if got := call(t, r, input{Add: 1}); got.Sum != 1 {
		t.Errorf("by the old Ref: %+v", got)
	}
}

// A child whose Init fails is not there, however often it is tried.
func TestChildThatNeverStartedIsNotThere(t *testing.T) {
	l := start(t, eventloop.Config{Root: flat()})
	for i := range 100 {
		name, fails := statemachine.Name(fmt.Sprint("w", i)), 1
		_, err := l.StartChild(t.Context(), "root", worker(name, failing(&fails)))
		wantError(t, err, statemachine.ErrNotStarted)
		if _, err := eventloop.RefTo[input, output](l, name); !errors.Is(err, statemachine.ErrNoProcess) {
			t.Errorf("RefTo %s: %v", name, err)
		}
	}
	wantTree(t, l, "root()")
}

// A worker that has not been started in this life of its supervisor cannot be
// stopped.
func TestKillOfAWorkerThatIsNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		starts := 0
		m := newMachine()
		m.Init = func(statemachine.Start[tally]) (tally, error) {
			if starts++; starts > 1 {
				return tally{}, errors.New("no")
			}
			return tally{}, nil
		}
		sub := supervisor.Supervisor{Name: "sub", Intensity: supervisor.NoRestarts,
			Children: []supervisor.Child{worker("c1", m), worker("c2", newMachine())}}
		c := eventloop.Config{Root: flat(sub)}
		c.Root.Backoff = supervisor.Backoff{Initial: time.Minute}
		l := start(t, c)
		refTo(t, l, "c1").Call(t.Context(), input{Crash: "custom"})
		time.Sleep(90 * time.Second) // one restart of sub has failed, at c1
		for _, name := range []statemachine.Name{"c1", "c2"} {
			wantError(t, l.Kill(t.Context(), name), statemachine.ErrNoProcess)
		}
	})
}

// A child that was deleted from a subtree which had been added is not there
// after a new start, unless it was added again, or the subtree was.
func TestDeletedFromAnAddedSubtree(t *testing.T) {
	for _, crash := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			log, m := new(journal.Memory), newMachine()
			ctx := t.Context()
			sub := supervisor.Supervisor{Name: "s", Intensity: 100, Children: []supervisor.Child{
				worker("a", m), worker("b", m),
				supervisor.Supervisor{Name: "below", Children: []supervisor.Child{worker("c", m), worker("d", m)}},
			}}
			forget := func(l *eventloop.Loop, sup, child statemachine.Name) {
				t.Helper()
				if err := errors.Join(l.TerminateChild(ctx, sup, child), l.DeleteChild(ctx, sup, child)); err != nil {
					t.Error(err)
				}
			}
			var l *eventloop.Loop
			anew := func() {
				t.Helper()
				if l != nil && !crash {
					if err := l.Stop(ctx); err != nil {
						t.Error(err)
					}
				}
				if l != nil {
					log = log.Reopen()
				}
				c := withAdded(log, m, worker("q", m))
				c.SnapshotBytes = 1 // in the middle of the run, too
				l = start(t, c)
			}
			anew()
			add(t, l, "root", sub)
			call(t, refTo(t, l, "a"), input{Add: 5})
			forget(l, "s", "a")
			forget(l, "below", "c")
			call(t, refTo(t, l, "q"), input{Add: 1})
			synctest.Wait()
			wantTree(t, l, "root(q s(b below(d)))")
			anew()
			wantTree(t, l, "root(q s(b below(d)))")
			call(t, refTo(t, l, "q"), input{Add: 1})
			synctest.Wait()
			add(t, l, "s", supervisor.Worker{Name: "a", Machine: m, Restart: supervisor.Transient})
			if got := call(t, refTo(t, l, "a"), input{Add: 1}); got.Sum != 1 {
				t.Errorf("a deleted child is back with its state: %+v", got)
			}
			anew()
			wantTree(t, l, "root(q s(b below(d) a))")
			if got, err := l.ChildSpec(ctx, "s", "a"); err != nil || got.(supervisor.Worker).Restart != supervisor.Transient {
				t.Errorf("the spec of the child that was added again: %+v, %v", got, err)
			}
			wantTree(t, l, "root(q s(b below(d) a))")
			forget(l, "root", "s")
			anew()
			wantTree(t, l, "root(q)")
			add(t, l, "root", sub)
			wantTree(t, l, "root(q s(a b below(c d)))")
			call(t, refTo(t, l, "q"), input{Add: 1})
			synctest.Wait()
			anew()
			wantTree(t, l, "root(q s(a b below(c d)))")
		})
	}
}

// A subtree that the next start of the program could not read is not added.
func TestAddedSubtreeTooDeep(t *testing.T) {
	m := newMachine()
	log := new(journal.Memory)
	program := func(log journal.Log) eventloop.Config { return withAdded(log, m) }
	l := start(t, program(log))
	var below supervisor.Child = worker("bottom", m)
	for i := range 5000 {
		if i == 170 {
			add(t, l, "root", below)
			if err := errors.Join(l.TerminateChild(t.Context(), "root", "s169"), l.DeleteChild(t.Context(), "root", "s169")); err != nil {
				t.Fatal(err)
			}
		}
		below = supervisor.Supervisor{Name: statemachine.Name(fmt.Sprint("s", i)), Children: []supervisor.Child{below}}
		if i == 170 || i == 4999 {
			_, err := l.StartChild(t.Context(), "root", below)
			wantError(t, err, statemachine.ErrInput)
		}
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	wantTree(t, start(t, program(log.Reopen())), "root()")
}

// A subtree that is down is deleted after the name of a child of its spec was
// taken: who has the name lives on, and keeps its state.
func TestDeleteASubtreeWhoseNameWasTaken(t *testing.T) {
	ctx := t.Context()
	log, m := new(journal.Memory), newMachine()
	program := func(log journal.Log) eventloop.Config {
		return withAdded(log, m, supervisor.Supervisor{Name: "s", Children: []supervisor.Child{worker("w", m)}})
	}
	l := start(t, program(log))
	if err := l.TerminateChild(ctx, "root", "s"); err != nil {
		t.Fatal(err)
	}
	add(t, l, "root", worker("w", m))
	call(t, refTo(t, l, "w"), input{Add: 5})
	if err := l.DeleteChild(ctx, "root", "s"); err != nil {
		t.Fatal(err)
	}
	wantTree(t, l, "root(w)")
	w, err := eventloop.RefTo[input, output](l, "w")
	if err != nil {
		t.Fatal(err)
	}
	if got := call(t, w, input{Add: 1}); got.Sum != 6 {
		t.Errorf("%+v", got)
	}
	w.Call(ctx, input{Crash: "custom"})
	if got := call(t, w, input{Add: 1}); got.Sum != 7 {
		t.Errorf("after a crash: %+v", got)
	}
	if err := l.Stop(ctx); err != nil {
		t.Error(err)
	}
	again := start(t, program(log.Reopen()))
	wantTree(t, again, "root(w)")
	if got := call(t, refTo(t, again, "w"), input{Get: true}); got.Sum != 7 {
		t.Errorf("after a new start: %+v", got)
	}
}

// Children of the same name that were deleted from two subtrees, one after the
// other, are in neither after a new start.
func TestDeletedFromTwoSupervisors(t *testing.T) {
	ctx := t.Context()
	log, m := new(journal.Memory), newMachine()
	program := func(log journal.Log) eventloop.Config { return withAdded(log, m, worker("w", m)) }
	forget := func(l *eventloop.Loop, sup, child statemachine.Name) {
		t.Helper()
		if err := errors.Join(l.TerminateChild(ctx, sup, child), l.DeleteChild(ctx, sup, child)); err != nil {
			t.Error(err)
		}
	}
	l := start(t, program(log))
	forget(l, "root", "w")
	for _, name := range []statemachine.Name{"s1", "s2"} {
		add(t, l, "root", supervisor.Supervisor{Name: name, Children: []supervisor.Child{worker("w", m)}})
		forget(l, name, "w")
	}
	wantTree(t, l, "root(s1() s2())")
	if err := l.Stop(ctx); err != nil {
		t.Error(err)
	}
	log = log.Reopen()
	l = start(t, program(log))
	wantTree(t, l, "root(s1() s2())")
	// A restart of what has lost it to the new start does not bring it back, either.
	if err := l.StopProcess(ctx, "s2", statemachine.Crash(errCustom)); err != nil {
		t.Error(err)
	}
	wantTree(t, l, "root(s1() s2())")
	wantTree(t, start(t, program(log.Reopen())), "root(s1() s2())")
}

// A child that was added under the name of one that was down finds it taken when
// the program starts anew: that is told, and it can be deleted.
func TestAddedFindsItsNameTaken(t *testing.T) {
	ctx := t.Context()
	log, m := new(journal.Memory), newMachine()
	var ev events
	program := func(log journal.Log) eventloop.Config {
		c := withAdded(log, m, supervisor.Supervisor{Name: "s", Children: []supervisor.Child{worker("w", m)}})
		c.OnEvent = ev.add
		return c
	}
	l := start(t, program(log))
	if err := l.TerminateChild(ctx, "root", "s"); err != nil {
		t.Fatal(err)
	}
	add(t, l, "root", worker("w", m))
	for range 2 {
		ev.take()
		log = log.Reopen()
		l = start(t, program(log))
		if told, want := ev.take(), "start failed w: "+supervisor.ErrDuplicateName.Error(); !slices.Contains(told, want) {
			t.Errorf("told %q; want %q", told, want)
		}
		wantTree(t, l, "root(s(w))")
	}
	if err := l.DeleteChild(ctx, "root", "w"); err != nil {
		t.Error(err)
	}
	wantTree(t, l, "root(s(w))")
	call(t, refTo(t, l, "w"), input{Add: 1})
	ev.take()
	wantTree(t, start(t, program(log.Reopen())), "root(s(w))")
	for _, told := range ev.take() {
		if strings.HasPrefix(told, "start failed") {
			t.Error("after it was deleted:", told)
		}
	}
}
