package eventloop_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// An exit signal for a process that was deleted does not reach another of its
// name that was started at once, even if all of this is in one batch.
func TestExitSignalOfOneThatWasDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		log := &heldLog{Log: new(journal.Memory)}
		m := newMachine()
		cfg := always(log, worker("other", m))
		cfg.Machines = map[string]statemachine.Server{"tally": m}
		l := start(t, cfg)
		startX := func() error {
			_, err := l.StartChild(ctx, "root", supervisor.Worker{Name: "x", Machine: m, Restart: supervisor.Temporary})
			return err
		}
		if err := startX(); err != nil {
			t.Fatal(err)
		}
		first := attach(t, l, "x")
		log.hold()
		other := inBackground(func() error {
			_, err := refTo(t, l, "other").Call(ctx, input{Add: 1})
			return err
		})
		terminated := inBackground(func() error { return l.TerminateChild(ctx, "root", "x") }) // it is temporary: forgotten
		started := inBackground(startX)
		first.life.Exit("outside", statemachine.Crash(errors.New("boom")))
		log.release()
		if err := errors.Join(<-other, <-terminated, <-started); err != nil {
			t.Fatal(err)
		}
		first.want(t, "shutdown")
		if _, err := refTo(t, l, "x").Call(ctx, input{Add: 1}); err != nil {
			t.Errorf("the second was told to end: %v", err)
		}
		attach(t, l, "x").want(t)
	})
}
