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

// wantUnknown is what callers are told whose input the journal may have.
func wantUnknown(t *testing.T, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("error %v, want %v", err, w)
		}
	}
	if err == nil || statemachine.OutcomeOf(err) != statemachine.Unknown {
		t.Errorf("error %v, want an unknown outcome", err)
	}
}

// The application ends once, with the failed commit: what a Terminate that
// returns later makes of the tree is nothing to it.
func TestCommitFailsWhileATerminateRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &heldLog{Log: new(journal.Memory)}
		release := make(chan struct{})
		p := terminating(func(statemachine.Name, statemachine.Reason) { <-release })
		c := always(log, worker("p", p), worker("q", newMachine()))
		c.Root.Intensity = supervisor.NoRestarts
		l := start(t, c)
		refTo(t, l, "p").Call(t.Context(), input{Crash: "custom"})
		log.fail()
		_, err := refTo(t, l, "q").Call(t.Context(), input{Add: 1})
		wantUnknown(t, err, statemachine.ErrJournal, errDisk)
		<-l.Done()
		close(release)
		synctest.Wait()
		if !errors.Is(l.Err(), errDisk) || errors.Is(l.Err(), eventloop.ErrGaveUp) {
			t.Errorf("Err: %v", l.Err())
		}
	})
}

// Nothing is restarted, and nothing stepped, once a commit has failed.
func TestNoRestartAfterACommitFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &heldLog{Log: new(journal.Memory)}
		v := newMachine()
		v.State = nil
		c := always(log, worker("q", newMachine()), worker("v", v))
		c.Root.Backoff = supervisor.Backoff{Initial: time.Second}
		var ev events
		c.OnEvent = ev.add
		l := start(t, c)
		q, r := refTo(t, l, "q"), refTo(t, l, "v")
		r.Call(t.Context(), input{Crash: "custom"})
		synctest.Wait()
		log.fail()
		_, err := q.Call(t.Context(), input{Add: 1})
		wantUnknown(t, err, statemachine.ErrJournal)
		<-l.Done()
		ev.take()
		time.Sleep(5 * time.Second)
		wantEvents(t, &ev)
		_, err = r.Call(t.Context(), input{Add: 1})
		wantError(t, err, statemachine.ErrStopping)
	})
}

// Where the last save is refused, the next start goes by the journal: who has
// an input in there is not told that it was not applied.
func TestOutcomeIsUnknownWhenTheLastSaveIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(journal.Memory)
		log := &heldLog{Log: mem, saves: saveRefused}
		program := func(log journal.Log) eventloop.Config {
			c := always(log, worker("p", newMachine()))
			c.Root.Backoff = supervisor.Backoff{Initial: time.Second}
			return c
		}
		l := start(t, program(log))
		p := refTo(t, l, "p")
		crashHeld(log, p)
		called := inBackground(func() error {
			_, err := p.Call(context.Background(), input{Add: 7})
			return err
		})
		log.release()
		synctest.Wait()
		l.Stop(t.Context())
		wantUnknown(t, <-called, statemachine.ErrStopping)
		wantSum(t, program(mem.Reopen()), "p", 7)
	})
}
