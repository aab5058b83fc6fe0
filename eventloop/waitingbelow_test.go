package eventloop_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// An acknowledged cast to a child of a supervisor that waits for the delay of its
// restart survives a checkpoint and a kill -9.
func TestCastThatWaitsForASupervisorSurvivesACheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, m := new(journal.Memory), newMachine()
		log := &heldLog{Log: mem}
		program := func(log journal.Log) eventloop.Config {
			sub := supervisor.Supervisor{Name: "sub", Intensity: supervisor.NoRestarts,
				Children: []supervisor.Child{worker("c", m), worker("d", m)}}
			c := always(log, worker("q", m), sub)
			c.Root.Backoff = supervisor.Backoff{Initial: time.Minute}
			c.SnapshotBytes = 1
			return c
		}
		l := start(t, program(log))
		c, d, q := refTo(t, l, "c"), refTo(t, l, "d"), refTo(t, l, "q")
		crashHeld(log, c)
		sent := inBackground(func() error { return d.Cast(context.Background(), input{Add: 7}) })
		log.release()
		if err := <-sent; err != nil {
			t.Error(err)
		}
		for range 3 {
			call(t, q, input{Add: 1})
			synctest.Wait() // for the checkpoint
		}
		wantSum(t, program(mem.Reopen()), "d", 7)
		time.Sleep(2 * time.Minute)
		if got := call(t, d, input{Get: true}); got.Sum != 7 {
			t.Errorf("live: %+v", got)
		}
	})
}

// A child of Config.Root that is there again at a start, since it is temporary, keeps
// what it has under way, though another was added under its name before.
func TestTimerOfAChildWhoseNameAnAdditionHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(journal.Memory)
		program := func() *stage {
			c := eventloop.Config{Durability: eventloop.Always, Log: log, SnapshotBytes: 1,
				Machines: map[string]statemachine.Server{"diarist": theDiarist, "volatile": theVolatile}}
			c.Root = flat(worker("q", theDiarist), supervisor.Worker{Name: "t", Machine: theDiarist, Restart: supervisor.Temporary})
			return &stage{t, start(t, c)}
		}
		s := program()
		s.do("t", do{Word: "stop"}) // for good
		add(t, s.loop, "root", worker("t", theVolatile))
		log = log.Reopen()
		s = program()
		s.do("t", do{Word: "timer", Text: "x", After: time.Minute})
		for range 3 {
			s.do("q", do{Word: "told"})
			synctest.Wait() // for the checkpoint
		}
		log = log.Reopen()
		again := program()
		time.Sleep(2 * time.Minute)
		s.told("t", "timeout x")
		again.told("t", "timeout x")
	})
}

// A subtree that is added under the name of one of Config.Root, which was deleted
// after a child of it had been, and deleted in turn, keeps no program from starting.
func TestSubtreeDeletedUnderTheNameOfADeletedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, m := new(journal.Memory), newMachine()
		ctx := t.Context()
		program := func() *eventloop.Loop {
			c := withAdded(log, m, worker("q", m),
				supervisor.Supervisor{Name: "s", Children: []supervisor.Child{worker("d", m), worker("e", m)}})
			c.SnapshotBytes = 1
			return start(t, c)
		}
		forget := func(l *eventloop.Loop, sup, child statemachine.Name) {
			t.Helper()
			if err := errors.Join(l.TerminateChild(ctx, sup, child), l.DeleteChild(ctx, sup, child)); err != nil {
				t.Error(err)
			}
		}
		forget(program(), "s", "d")
		log = log.Reopen()
		l := program()
		forget(l, "root", "s")
		sub := supervisor.Supervisor{Name: "s", Children: []supervisor.Child{worker("d", m)}}
		add(t, l, "root", sub)
		for _, want := range []string{"root(q s(d))", "root(q)"} {
			wantTree(t, l, want)
			for range 3 {
				call(t, refTo(t, l, "q"), input{Add: 1})
				synctest.Wait() // for the checkpoint
			}
			mine := log
			log = log.Reopen()
			wantTree(t, program(), want)
			log = mine
			if want != "root(q)" {
				forget(l, "root", "s")
			}
		}
	})
}
