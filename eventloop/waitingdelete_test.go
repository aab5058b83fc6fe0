package eventloop_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
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

// A supervisor that cannot be restarted because one of its children's names has
// been taken meanwhile has not started: there is nothing wrong with the request.
func TestRestartFindsANameTaken(t *testing.T) {
	ctx := t.Context()
	pair := supervisor.Supervisor{Name: "pair", Children: []supervisor.Child{worker("a", newMachine())}}
	l := start(t, eventloop.Config{Root: flat(pair)})
	if err := l.TerminateChild(ctx, "root", "pair"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.StartChild(ctx, "root", worker("a", newMachine())); err != nil {
		t.Fatal(err)
	}
	_, err := l.RestartChild(ctx, "root", "pair")
	wantError(t, err, statemachine.ErrNotStarted, supervisor.ErrDuplicateName)
	if errors.Is(err, statemachine.ErrInput) {
		t.Error("it says that the input was wrong: ", err)
	}
}
