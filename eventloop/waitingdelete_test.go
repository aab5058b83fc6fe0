package eventloop_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
)

// A child whose deletion was asked for before it was there, behind what adds
// and ends it, is forgotten like any other, with its state.
func TestDeleteAskedForBeforeTheChildIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(journal.Memory)
		m := newMachine()
		release := make(chan struct{})
		slow := terminating(func(statemachine.Name, statemachine.Reason) { <-release })
		slow.State = nil
		program := func(log journal.Log) eventloop.Config {
			return withAdded(log, m, worker("z1", slow), worker("z2", slow))
		}
		l := start(t, program(log))
		ctx := context.Background()
		var waits []<-chan error
		ask := func(f func() error) {
			waits = append(waits, inBackground(f))
			synctest.Wait()
		}
		w := worker("w", m)
		ask(func() error { return l.TerminateChild(ctx, "root", "z1") })
		ask(func() error { _, err := l.StartChild(ctx, "root", w); return err })
		ask(func() error { return l.TerminateChild(ctx, "root", "z2") })
		ask(func() error { return l.TerminateChild(ctx, "root", "w") })
		ask(func() error { return l.DeleteChild(ctx, "root", "w") })
		release <- struct{}{}
		synctest.Wait()
		call(t, refTo(t, l, "w"), input{Add: 5})
		release <- struct{}{}
		for _, e := range waits {
			if err := <-e; err != nil {
				t.Error(err)
			}
		}
		wantTree(t, l, "root(z1! z2!)")
		if _, err := eventloop.RefTo[input, output](l, "w"); !errors.Is(err, statemachine.ErrNoProcess) {
			t.Errorf("RefTo a deleted worker: %v", err)
		}
		add(t, l, "root", w)
		if got := call(t, refTo(t, l, "w"), input{Get: true}); got.Sum != 0 {
			t.Errorf("the new child has the state of the one that was deleted: %+v", got)
		}
		close(release)
		wantSum(t, program(log.Reopen()), "w", 0)
	})
}
