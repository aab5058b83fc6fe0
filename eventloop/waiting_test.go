package eventloop_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// A caller who steps inputs for others goes after some of them, though more
// come all the time.
func TestCallerIsNotKeptByOthersInputs(t *testing.T) {
	const endless = 100 * eventloop.DefaultBatchMax
	var a ref
	var steps atomic.Int64
	m := newMachine()
	m.Step = func(in input, s tally, fx *statemachine.Effects[output]) (tally, output) {
		if steps.Add(1) < endless { // somebody else casts during each step
			cast := make(chan struct{})
			go func() {
				defer close(cast)
				a.Cast(context.Background(), input{Add: 1})
			}()
			<-cast
		}
		return step(in, s, fx)
	}
	l := start(t, eventloop.Config{Root: flat(worker("a", m))})
	a = refTo(t, l, "a")
	call(t, a, input{Add: 1})
	if n := steps.Load(); n >= endless {
		t.Errorf("a call of one step was answered after %d", n)
	}
}

// A call to a process that is down is refused at once, whatever another subtree
// is waiting for.
func TestDownProcessRefusesWhileAnotherTerminates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		m := terminating(func(statemachine.Name, statemachine.Reason) { <-release })
		slow := supervisor.Supervisor{Name: "slow", Children: []supervisor.Child{
			supervisor.Worker{Name: "s", Machine: m, Shutdown: supervisor.Infinity}}}
		l := start(t, eventloop.Config{Root: flat(slow, worker("d", newMachine()))})
		if err := l.TerminateChild(t.Context(), "root", "d"); err != nil {
			t.Fatal(err)
		}
		terminated := inBackground(func() error { return l.TerminateChild(context.Background(), "slow", "s") })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begin := time.Now()
		_, err := refTo(t, l, "d").Call(ctx, input{Add: 1})
		wantError(t, err, statemachine.ErrNoProcess)
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("the call was refused after %v", waited)
		}
		close(release)
		if err := <-terminated; err != nil {
			t.Error(err)
		}
	})
}

// An answer that comes when its caller has gone is nobody's: the race detector
// looks at this one.
func TestRequestWhoseCallerHasGone(t *testing.T) {
	l := start(t, eventloop.Config{Root: flat(worker("a", newMachine()))})
	var others sync.WaitGroup
	for i := range 1000 {
		ctx, cancel := context.WithCancel(t.Context())
		others.Go(func() {
			for range i % 300 {
				runtime.Gosched()
			}
			cancel()
		})
		for range 3 {
			others.Go(func() { l.CountChildren(context.Background(), "root") })
		}
		children, err := l.WhichChildren(ctx, "root")
		if (err == nil) != (len(children) == 1) {
			t.Errorf("%d children and %v", len(children), err)
		}
	}
	others.Wait()
}
