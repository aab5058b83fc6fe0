package eventloop_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// callAside calls on a goroutine of its own, which the machine may end, and
// returns when that is over.
func callAside(r ref, in input) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		r.Call(context.Background(), in)
	}()
	<-over
}

// An Init that ends its goroutine has failed, wherever the restart is carried
// out: after the crash or, where there is a Terminate, after that.
func TestGoexitInInit(t *testing.T) {
	for _, m := range []*machine{newMachine(), terminating(func(statemachine.Name, statemachine.Reason) {})} {
		inits := 0
		m.Init = func(statemachine.Start[tally]) (tally, error) {
			if inits++; inits == 2 {
				runtime.Goexit()
			}
			return tally{Inits: inits}, nil
		}
		l := start(t, eventloop.Config{Root: flat(worker("a", m))})
		a := refTo(t, l, "a")
		callAside(a, input{Crash: "custom"})
		if got := call(t, a, input{Add: 1}); got.Inits != 3 || got.Sum != 1 {
			t.Errorf("after it: %+v, want the third Init's state", got)
		}
	}
}

// So has the Init of a supervisor.
func TestGoexitInInitOfASupervisor(t *testing.T) {
	var inits atomic.Int32
	sub := supervisor.Supervisor{Name: "sub", Intensity: supervisor.NoRestarts,
		Init: func() error {
			if inits.Add(1) == 2 {
				runtime.Goexit()
			}
			return nil
		},
		Children: []supervisor.Child{worker("a", newMachine())}}
	l := start(t, eventloop.Config{Root: flat(sub)})
	a := refTo(t, l, "a")
	callAside(a, input{Crash: "custom"})
	if got := call(t, a, input{Add: 1}); got.Sum != 1 || inits.Load() != 3 {
		t.Errorf("after it: %+v and %d Inits, want three", got, inits.Load())
	}
}

// A step that ended its goroutine does so again in a replay: Start returns, on
// the goroutine that called it.
func TestGoexitInReplay(t *testing.T) {
	log := new(journal.Memory)
	l := start(t, always(log, worker("a", newMachine())))
	a := refTo(t, l, "a")
	call(t, a, input{Add: 1})
	callAside(a, input{Crash: "goexit"})
	want := call(t, a, input{Add: 1})
	want.Inits++ // of the new start
	if got := call(t, refTo(t, start(t, always(log.Reopen(), worker("a", newMachine()))), "a"), input{Get: true}); got != want {
		t.Errorf("after kill -9: %+v, want %+v", got, want)
	}
}

// Each input of the batches around a Goexit is stepped once.
func TestGoexitAmongBatches(t *testing.T) {
	const casts, ends = 40, 10
	g := newGate()
	m := newMachine()
	m.ReadOnly = nil
	var stepped [casts]atomic.Int32
	m.Step = func(in input, s tally, fx *statemachine.Effects[output]) (tally, output) {
		switch {
		case in.Get:
			g.entered <- struct{}{}
			<-g.open
		case in.Add > 0:
			stepped[in.Add-1].Add(1)
		}
		return step(in, s, fx)
	}
	l := start(t, eventloop.Config{Root: flat(worker("a", m)), BatchMax: 4})
	a := refTo(t, l, "a")
	go a.Call(context.Background(), input{Get: true})
	<-g.entered // what comes now is queued
	for i := range casts {
		in := input{Add: i + 1}
		if i == ends {
			in.Crash = "goexit"
		}
		if err := a.Cast(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	close(g.open)
	call(t, a, input{}) // comes behind them
	for i := range stepped {
		if n := stepped[i].Load(); n != 1 {
			t.Errorf("input %d was stepped %d times", i, n)
		}
	}
}

// What waited for a process is stepped by who follows a goroutine that was ended, which may be ended in turn.
func TestGoexitTwiceInReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, m := new(journal.Memory), newMachine()
		l := start(t, always(log, worker("a", m)))
		a := refTo(t, l, "a")
		if err := l.Suspend(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		for _, in := range []input{{Crash: "goexit"}, {Crash: "goexit"}, {Crash: "goexit"}, {Add: 1}} {
			go a.Call(t.Context(), in)
			synctest.Wait()
		}
		if err := l.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for range 20 { // the race detector looks
			wantSum(t, always(log.Reopen(), worker("a", m)), "a", 1)
		}
	})
}
