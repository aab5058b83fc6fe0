package eventloop_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

func TestCallAndCast(t *testing.T) {
	l := start(t, eventloop.Config{Root: flat(worker("a", newMachine()), worker("b", newMachine()))})
	a, b := refTo(t, l, "a"), refTo(t, l, "b")
	if got := call(t, a, input{Add: 2}).Sum; got != 2 {
		t.Errorf("Call answered a sum of %d, not 2", got)
	}
	if err := a.Cast(t.Context(), input{Add: 3}); err != nil {
		t.Error(err)
	}
	if got := call(t, a, input{Get: true}).Sum; got != 5 {
		t.Errorf("a read after the cast sees a sum of %d, not 5", got)
	}
	if got := call(t, b, input{Get: true}).Sum; got != 0 {
		t.Errorf("the other process has a sum of %d", got)
	}
}

func TestCallByBytes(t *testing.T) {
	l := start(t, eventloop.Config{Root: flat(worker("a", newMachine()))})
	if err := l.Cast(t.Context(), "a", codec.JSON, []byte(`{"add":40}`)); err != nil {
		t.Fatal(err)
	}
	out, err := l.Call(t.Context(), "a", codec.Msgpack, []byte("\x81\xa3add\x02"), codec.JSON, []byte("prefix "))
	if err != nil || !strings.HasPrefix(string(out), `prefix {"tally":{"sum":42,`) {
		t.Errorf("Call = %s, %v", out, err)
	}
}

func TestRefusedCalls(t *testing.T) {
	l := start(t, eventloop.Config{Root: flat(worker("a", newMachine()))})
	long := statemachine.Name(strings.Repeat("x", 64<<10))
	tests := []struct {
		name statemachine.Name
		body string
		want error
	}{
		{"nobody", `{}`, statemachine.ErrNoProcess},
		{"", `{}`, statemachine.ErrNoProcess},
		{"root", `{}`, statemachine.ErrNoProcess},
		{long, `{}`, statemachine.ErrNoProcess},
		{"a", ``, statemachine.ErrInput},
		{"a", `{"add":`, statemachine.ErrInput},
		{"a", `{"add":"x"}`, statemachine.ErrInput},
	}
	for _, tt := range tests {
		_, err := l.Call(t.Context(), tt.name, codec.JSON, []byte(tt.body), codec.JSON, nil)
		if !errors.Is(err, tt.want) || statemachine.OutcomeOf(err) != statemachine.NotApplied {
			t.Errorf("Call(%.20q, %q): %v, want %v, not applied", tt.name, tt.body, err, tt.want)
		}
		if len(err.Error()) > 1000 {
			t.Errorf("an error text of %d bytes", len(err.Error()))
		}
		if err := l.Cast(t.Context(), tt.name, codec.JSON, []byte(tt.body)); !errors.Is(err, tt.want) {
			t.Errorf("Cast(%.20q, %q): %v, want %v", tt.name, tt.body, err, tt.want)
		}
	}
}

func TestRefToWrongTypes(t *testing.T) {
	l := start(t, eventloop.Config{Root: flat(worker("a", newMachine()))})
	if _, err := eventloop.RefTo[int, output](l, "a"); err == nil || !strings.Contains(err.Error(), "eventloop_test.input") {
		t.Errorf("RefTo with a wrong input type: %v", err)
	}
	if _, err := eventloop.RefTo[input, output](l, "x"); !errors.Is(err, statemachine.ErrNoProcess) {
		t.Errorf("RefTo nobody: %v", err)
	}
}

// A read-only input does not wait for a step that holds the loop.
func TestReadsDoNotQueue(t *testing.T) {
	g := newGate()
	l := start(t, eventloop.Config{Root: flat(worker("slow", g.machine()), worker("a", newMachine()))})
	a := refTo(t, l, "a")
	call(t, a, input{Add: 1})
	done := make(chan struct{})
	go func() { call(t, refTo(t, l, "slow"), input{Add: 1}); close(done) }()
	<-g.entered
	if got := call(t, a, input{Get: true}).Sum; got != 1 {
		t.Errorf("read %d while the loop was busy, not 1", got)
	}
	g.open <- struct{}{}
	<-done
}

// What a caller has cast is seen by what it reads next, although the cast waits.
func TestReadsFollowCasts(t *testing.T) {
	g := newGate()
	l := start(t, eventloop.Config{Root: flat(worker("slow", g.machine()), worker("a", newMachine()))})
	go refTo(t, l, "slow").Call(context.Background(), input{})
	<-g.entered
	a := refTo(t, l, "a")
	for range 10 {
		if err := a.Cast(t.Context(), input{Add: 1}); err != nil {
			t.Fatal(err)
		}
	}
	read := make(chan int)
	go func() { read <- call(t, a, input{Get: true}).Sum }()
	g.open <- struct{}{}
	if got := <-read; got != 10 {
		t.Errorf("read %d after 10 casts", got)
	}
}

func TestDeadlineWhileQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		l := start(t, eventloop.Config{Root: flat(worker("slow", g.machine()), worker("a", newMachine()))})
		a := refTo(t, l, "a")
		go refTo(t, l, "slow").Call(context.Background(), input{})
		<-g.entered
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := a.Call(ctx, input{Add: 1})
		if !errors.Is(err, statemachine.ErrDeadline) || !errors.Is(err, context.DeadlineExceeded) ||
			statemachine.OutcomeOf(err) != statemachine.NotApplied {
			t.Errorf("a call whose deadline passed in the queue: %v", err)
		}
		if _, err := a.Call(ctx, input{Add: 1}); !errors.Is(err, statemachine.ErrDeadline) {
			t.Errorf("a call whose deadline had passed before: %v", err)
		}
		g.open <- struct{}{}
		synctest.Wait()
		if got := call(t, a, input{Get: true}).Sum; got != 0 {
			t.Errorf("inputs whose callers had gone were stepped: sum %d", got)
		}
	})
}

// A deadline that passes while the step runs: the caller learns that it cannot know.
func TestDeadlineWhileStepped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		l := start(t, eventloop.Config{Root: flat(worker("slow", g.machine()))})
		slow := refTo(t, l, "slow")
		go slow.Call(context.Background(), input{Add: 1})
		<-g.entered
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		late := make(chan error)
		go func() { _, err := slow.Call(ctx, input{Add: 1}); late <- err }()
		synctest.Wait() // it is queued
		g.open <- struct{}{}
		<-g.entered // it is being stepped
		if err := <-late; !errors.Is(err, statemachine.ErrDeadline) || statemachine.OutcomeOf(err) != statemachine.Unknown {
			t.Errorf("a call whose deadline passed while it was stepped: %v", err)
		}
		g.open <- struct{}{}
		synctest.Wait()
	})
}

func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		l := start(t, eventloop.Config{Root: flat(worker("slow", g.machine()), worker("a", newMachine())), QueueLen: 2})
		a := refTo(t, l, "a")
		go refTo(t, l, "slow").Call(context.Background(), input{})
		<-g.entered
		for range 2 {
			if err := a.Cast(t.Context(), input{Add: 1}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		errs := make(chan error, 2)
		go func() { _, err := a.Call(ctx, input{Add: 10}); errs <- err }()
		go func() { errs <- a.Cast(ctx, input{Add: 10}) }()
		for range 2 {
			if err := <-errs; !errors.Is(err, statemachine.ErrOverloaded) || statemachine.OutcomeOf(err) != statemachine.NotApplied {
				t.Errorf("full queue: %v", err)
			}
		}
		// A caller that waits for room long enough gets it.
		waited := make(chan error)
		go func() { waited <- a.Cast(t.Context(), input{Add: 100}) }()
		synctest.Wait()
		g.open <- struct{}{}
		if err := <-waited; err != nil {
			t.Error(err)
		}
		if got := call(t, a, input{Get: true}).Sum; got != 102 {
			t.Errorf("sum %d, want the accepted casts' 102", got)
		}
	})
}

func TestCrashes(t *testing.T) {
	for _, how := range []string{"custom", "nil", "runtime"} {
		for _, readOnly := range []bool{false, true} {
			var ev events
			l := start(t, eventloop.Config{Root: flat(worker("a", newMachine())), OnEvent: ev.add})
			a := refTo(t, l, "a")
			call(t, a, input{Add: 1})
			_, err := a.Call(t.Context(), input{Crash: how, Get: readOnly})
			var crash *statemachine.CrashError
			if !errors.As(err, &crash) || crash.Name != "a" || len(crash.Stack) == 0 || statemachine.OutcomeOf(err) != statemachine.NotApplied {
				t.Fatalf("%s: %v", how, err)
			}
			switch v := crash.Value.(type) {
			case *runtime.PanicNilError:
				if how != "nil" {
					t.Errorf("%s: panicked with nil", how)
				}
			case runtime.Error:
				if how != "runtime" {
					t.Errorf("%s: %v", how, v)
				}
			default:
				if !errors.Is(err, errCustom) {
					t.Errorf("%s: %v", how, v)
				}
			}
			if got := call(t, a, input{Get: true}); got.Sum != 0 || got.Inits != 1 {
				t.Errorf("%s: after the restart the state is %+v, want a new one", how, got)
			}
			if got := ev.take(); len(got) != 6 || !strings.HasPrefix(got[2], "crashed a in") || got[3] != "terminating a crash" ||
				got[4] != "exited a crash" || got[5] != "started a" {
				t.Errorf("%s: events %q", how, got)
			}
			if i, _ := l.Process("a"); i.Restarts != 1 || i.Status != statemachine.Up {
				t.Errorf("%s: %+v", how, i)
			}
		}
	}
}

// A machine that ends the goroutine which steps it harms only its caller.
func TestGoexit(t *testing.T) {
	var ev events
	l := start(t, eventloop.Config{Root: flat(worker("a", newMachine())), OnEvent: ev.add})
	a := refTo(t, l, "a")
	returned := make(chan bool, 1)
	go func() {
		defer func() { returned <- false }()
		a.Call(context.Background(), input{Crash: "goexit"})
		returned <- true
	}()
	if <-returned {
		t.Error("Call returned although its goroutine was ended")
	}
	if got := call(t, a, input{Add: 1}); got.Sum != 1 {
		t.Errorf("after it: %+v", got)
	}
	if !slices.Contains(ev.take(), "crashed a in step: the function called runtime.Goexit") {
		t.Error("no crash was reported")
	}
}

// The same on the loop's goroutine, in the middle of a batch.
func TestGoexitInBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		l := start(t, eventloop.Config{Root: flat(worker("slow", g.machine()), worker("a", newMachine()))})
		a := refTo(t, l, "a")
		go refTo(t, l, "slow").Call(context.Background(), input{})
		<-g.entered
		a.Cast(t.Context(), input{Add: 1})
		errs := make(chan error, 1)
		go func() { _, err := a.Call(context.Background(), input{Crash: "goexit"}); errs <- err }()
		synctest.Wait()
		a.Cast(t.Context(), input{Add: 10})
		g.open <- struct{}{}
		var crash *statemachine.CrashError
		if err := <-errs; !errors.As(err, &crash) {
			t.Errorf("the caller was told %v", err)
		}
		if got := call(t, a, input{Get: true}); got.Sum != 10 {
			t.Errorf("after it: %+v", got)
		}
	})
}

// Many callers, processes and crashes at once: each call gets one answer, and
// no acknowledged input is lost within a life.
func TestManyCallers(t *testing.T) {
	const callers, calls = 64, 200
	steady := newMachine()
	l := start(t, eventloop.Config{
		QueueLen: 16, BatchMax: 4,
		Root: supervisor.Supervisor{Name: "root", Intensity: 1 << 20, Children: []supervisor.Child{
			worker("steady", steady), worker("shaky", newMachine()),
		}},
	})
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			good, bad := refTo(t, l, "steady"), refTo(t, l, "shaky")
			for n := range calls {
				switch n % 4 {
				case 0:
					call(t, good, input{Add: 1})
				case 1:
					if err := good.Cast(context.Background(), input{Add: 1}); err != nil {
						t.Error(err)
					}
				case 2:
					call(t, good, input{Get: true})
				case 3:
					if _, err := bad.Call(context.Background(), input{Crash: "custom", Get: i%2 == 0}); !errors.Is(err, errCustom) {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if got := call(t, refTo(t, l, "steady"), input{Get: true}); got.Sum != callers*calls/2 || got.Inits != 1 {
		t.Errorf("%+v, want a sum of %d", got, callers*calls/2)
	}
}
