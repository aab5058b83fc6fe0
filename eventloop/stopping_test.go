package eventloop_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// wantKept checks that a cast which was acknowledged is in the state that a new
// start finds, and that the caller of another knows that it may be.
func wantKept(t *testing.T, cast error, got tally, add int) {
	t.Helper()
	if cast == nil && got.Sum != add {
		t.Errorf("an acknowledged cast is lost: %+v", got)
	}
	if cast != nil && got.Sum == add && statemachine.OutcomeOf(cast) == statemachine.NotApplied {
		t.Errorf("a cast was applied, and its caller told %v", cast)
	}
}

// A cast whose commit is under way when Stop is cut short is not acknowledged,
// unless it is kept.
func TestStopCutShortWhileCommitting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		l := start(t, always(log, worker("q", newMachine())))
		q := refTo(t, l, "q")
		log.hold()
		sent := inBackground(func() error { return q.Cast(context.Background(), input{Add: 7}) })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		time.AfterFunc(time.Second, log.release)
		if err := l.Stop(ctx); err != nil {
			t.Error(err)
		}
		again := start(t, always(mem.Reopen(), worker("q", newMachine())))
		wantKept(t, <-sent, call(t, refTo(t, again, "q"), input{Get: true}), 7)
	})
}

// The same where the root gives up meanwhile.
func TestGivingUpWhileCommitting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		program := func(log journal.Log) eventloop.Config {
			c := always(log, worker("p", newMachine()), worker("q", newMachine()))
			c.Root.Intensity = supervisor.NoRestarts
			return c
		}
		l := start(t, program(log))
		p, q := refTo(t, l, "p"), refTo(t, l, "q")
		crashHeld(log, p)
		sent := inBackground(func() error { return q.Cast(context.Background(), input{Add: 7}) })
		log.release()
		<-l.Done()
		if !errors.Is(l.Err(), eventloop.ErrGaveUp) {
			t.Errorf("Err: %v", l.Err())
		}
		again := start(t, program(mem.Reopen()))
		wantKept(t, <-sent, call(t, refTo(t, again, "q"), input{Get: true}), 7)
	})
}

// An acknowledged cast waits for the restart of its process over an orderly end.
func TestStopKeepsCastsThatWaitForARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		program := func(log journal.Log) eventloop.Config {
			c := always(log, worker("p", newMachine()))
			c.Root.Backoff = supervisor.Backoff{Initial: time.Second}
			return c
		}
		l := start(t, program(log))
		p := refTo(t, l, "p")
		crashHeld(log, p)
		sent := inBackground(func() error { return p.Cast(context.Background(), input{Add: 7}) })
		log.release()
		if err := errors.Join(<-sent, l.Stop(t.Context())); err != nil {
			t.Error(err)
		}
		wantSum(t, program(mem.Reopen()), "p", 7)
	})
}

// Stop ends however many batches are queued before it.
func TestStopBehindManyBatches(t *testing.T) {
	const casts = 3000
	g := newGate()
	m := newMachine()
	m.State, m.ReadOnly = nil, nil
	steps := 0
	m.Step = func(in input, s tally, fx *statemachine.Effects[output]) (tally, output) {
		if steps++; steps == 1 {
			g.entered <- struct{}{}
			<-g.open
		}
		return step(in, s, fx)
	}
	l := start(t, eventloop.Config{Root: flat(worker("a", m)), BatchMax: 1, QueueLen: 1 << 20})
	a := refTo(t, l, "a")
	go a.Call(context.Background(), input{Add: 1})
	<-g.entered
	for range casts {
		if err := a.Cast(t.Context(), input{Add: 1}); err != nil {
			t.Fatal(err)
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- l.Stop(context.Background()) }()
	more := 0
	for ; !errors.Is(a.Cast(t.Context(), input{Add: 1}), statemachine.ErrStopping); more++ {
		runtime.Gosched()
	}
	close(g.open)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if want := 1 + casts + more; steps != want {
		t.Errorf("%d inputs were stepped, want %d", steps, want)
	}
}

// The same while a commit is under way.
func TestStopBehindManyBatchesWhileCommitting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &heldLog{Log: new(journal.Memory)}
		v := newMachine()
		v.State, v.ReadOnly = nil, nil
		c := always(log, worker("q", newMachine()), worker("v", v))
		c.BatchMax = 1
		l := start(t, c)
		q, r := refTo(t, l, "q"), refTo(t, l, "v")
		log.hold()
		called := inBackground(func() error {
			_, err := q.Call(context.Background(), input{Add: 1})
			return err
		})
		for range 1500 {
			if err := r.Cast(t.Context(), input{Add: 1}); err != nil {
				t.Fatal(err)
			}
		}
		stopped := inBackground(func() error { return l.Stop(context.Background()) })
		log.release()
		if err := errors.Join(<-called, <-stopped); err != nil {
			t.Error(err)
		}
	})
}

// Stop ends although one of the last inputs ends the goroutine that steps it.
func TestStopBehindAGoexit(t *testing.T) {
	for place := range 6 {
		synctest.Test(t, func(t *testing.T) {
			log := &heldLog{Log: new(journal.Memory)}
			v := newMachine()
			v.State, v.ReadOnly = nil, nil
			c := always(log, worker("q", newMachine()), worker("v", v))
			c.BatchMax = 1
			l := start(t, c)
			q, r := refTo(t, l, "q"), refTo(t, l, "v")
			log.hold()
			called := inBackground(func() error {
				_, err := q.Call(context.Background(), input{Add: 1})
				return err
			})
			for i := range 5 { // none of them ends it if place is 5
				in := input{Add: 1}
				if i == place {
					in = input{Crash: "goexit"}
				}
				if err := r.Cast(t.Context(), in); err != nil {
					t.Fatal(err)
				}
			}
			stopped := inBackground(func() error { return l.Stop(context.Background()) })
			log.release()
			if err := errors.Join(<-called, <-stopped); err != nil {
				t.Errorf("with the Goexit at %d: %v", place, err)
			}
		})
	}
}

// What is sent while the processes terminate is refused, to those that have not
// yet as well.
func TestNothingIsSteppedWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := terminating(func(statemachine.Name, statemachine.Reason) { <-release })
		l := start(t, eventloop.Config{Root: flat(worker("a", newMachine()), worker("b", b))})
		a := refTo(t, l, "a")
		stopped := inBackground(func() error { return l.Stop(context.Background()) })
		_, err := a.Call(t.Context(), input{Add: 1})
		wantError(t, err, statemachine.ErrStopping)
		close(release)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// Who stops the root is told that it has stopped, not that it is stopping.
func TestStopProcessOfTheRoot(t *testing.T) {
	for range 1000 {
		l := start(t, eventloop.Config{Root: flat(worker("a", newMachine()))})
		if err := l.StopProcess(t.Context(), "root", statemachine.Shutdown); err != nil {
			t.Fatal(err)
		}
		<-l.Done()
	}
}

// Kill ends what is terminating, and does not wait for it (OTP: exit(Pid, kill)).
func TestKillWhileTerminating(t *testing.T) {
	for _, d := range []eventloop.Durability{eventloop.None, eventloop.Always} {
		synctest.Test(t, func(t *testing.T) {
			log := new(journal.Memory)
			never := make(chan struct{})
			defer close(never)
			m := terminating(func(n statemachine.Name, r statemachine.Reason) {
				if r.Class == statemachine.ClassShutdown {
					<-never
				}
			})
			program := func(log journal.Log) eventloop.Config {
				c := always(log, supervisor.Worker{Name: "a", Machine: m, Shutdown: supervisor.Infinity}, worker("b", newMachine()))
				if c.Durability = d; d == eventloop.None {
					c.Log = nil
				}
				return c
			}
			l := start(t, program(log))
			call(t, refTo(t, l, "a"), input{Add: 1})
			began := time.Now()
			terminated := inBackground(func() error { return l.TerminateChild(context.Background(), "root", "a") })
			synctest.Wait()
			stopped := inBackground(func() error {
				return l.StopProcess(context.Background(), "a", statemachine.Normal)
			})
			synctest.Wait()
			if err := l.Kill(t.Context(), "a"); err != nil {
				t.Error(err)
			}
			if err := <-terminated; err != nil {
				t.Error(err)
			}
			var exit *statemachine.ExitError
			if err := <-stopped; !errors.As(err, &exit) || exit.Reason.Class != statemachine.ClassKilled {
				t.Errorf("StopProcess of what terminates already: %v", err)
			}
			if time.Since(began) != 0 {
				t.Error("it was waited for")
			}
			wantTree(t, l, "root(a! b)")
			if running, err := l.RestartChild(t.Context(), "root", "a"); err != nil || !running {
				t.Error(running, err)
			}
			if d == eventloop.None {
				return
			}
			got := call(t, refTo(t, l, "a"), input{Get: true})
			again := start(t, program(log.Reopen()))
			if after := call(t, refTo(t, again, "a"), input{Get: true}); after.Sum != got.Sum {
				t.Errorf("%+v before, %+v after a new start", got, after)
			}
			l.Kill(context.Background(), "a")
			again.Kill(context.Background(), "a")
		})
	}
}
