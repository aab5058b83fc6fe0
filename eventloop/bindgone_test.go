package eventloop_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// What a process of no journal has asked of one that was deleted meanwhile, and of
// which a checkpoint knows nothing, keeps no program from starting.
func TestLinkBehindADeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := supervisor.Worker{Name: "w", Machine: newMachine(), Restart: supervisor.Temporary}
		v := newMachine()
		v.State = nil
		v.Step = func(_ input, s tally, fx *statemachine.Effects[output]) (tally, output) {
			fx.Link("w")
			return s, output{s}
		}
		b := newMachine()
		program := func(log journal.Log) eventloop.Config {
			c := always(log, worker("b", b), worker("v", v))
			c.Machines = map[string]statemachine.Server{"m": w.Machine}
			c.BatchMax, c.SnapshotEntries = 1, 3
			return c
		}
		kept := new(journal.Memory)
		log := &heldLog{Log: kept}
		l := start(t, program(log))
		add(t, l, "root", w)
		log.hold()
		inBackground(func() error { _, err := refTo(t, l, "b").Call(context.Background(), input{Add: 1}); return err })
		inBackground(func() error { _, err := refTo(t, l, "v").Call(context.Background(), input{}); return err })
		inBackground(func() error { return l.TerminateChild(context.Background(), "root", "w") })
		log.release()
		synctest.Wait()
		wantSum(t, program(kept.Reopen()), "b", 1)
	})
}

// Earlier versions wrote it to the journal.
func TestLinkOfADeletedProcessInTheJournal(t *testing.T) {
	for _, fact := range []string{"l\x01\x01v", "u\x01\x01v", "a\x01"} {
		log := new(journal.Memory)
		write(t, log, journal.Entry{Kind: journal.KindStart}, journal.Entry{Kind: journal.KindMessage, Name: []byte("gone"), Data: []byte(fact)})
		wantSum(t, always(log, worker("b", newMachine())), "b", 0)
	}
}
