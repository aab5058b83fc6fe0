package backplane_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/backplane"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// slowLog is a Log whose commits wait for let, if there is one.
type slowLog struct {
	journal.Log
	let atomic.Pointer[chan struct{}]
}

func (s *slowLog) Append(b journal.Batch, done func(uint64, error)) {
	let := s.let.Swap(nil)
	s.Log.Append(b, func(index uint64, err error) {
		if let != nil {
			<-*let
		}
		done(index, err)
	})
}

// An exit signal for a process that was deleted does not reach another of its
// name that was started at once, even if the loop takes all of this together.
func TestExitOfOneThatWasDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &slowLog{Log: new(journal.Memory)}
		machine := moody()
		a := start(t, eventloop.Config{Durability: eventloop.Always, Log: log, Machines: map[string]statemachine.Server{"moody": machine}}, "other")
		x := supervisor.Worker{Name: "x", Machine: machine, Restart: supervisor.Temporary}
		ctx := context.Background()
		startX := func() {
			if _, err := a.StartChild(ctx, "root", x); err != nil {
				t.Error(err)
			}
		}
		startX()
		d := backplane.New("d")
		link(t, d.Line(), backplane.Process(a.Loop, "x"), backplane.Peer)
		synctest.Wait()
		a.happened()

		let := make(chan struct{})
		log.let.Store(&let)
		for _, do := range []func(){
			func() { a.tell("other", "told") },
			func() { a.TerminateChild(ctx, "root", "x") }, // which forgets one that is temporary
			startX,
			func() { d.Disconnect(fault) },
		} {
			go do()
			synctest.Wait()
		}
		if got := a.happened(); got != "" {
			t.Fatalf("before all is there: %q", got)
		}
		close(let)
		synctest.Wait()
		if got, want := a.happened(), "exit x shutdown, start x"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
