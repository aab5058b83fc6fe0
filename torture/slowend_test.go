package torture_test

import (
	"context"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// slowEnd is a machine that takes a second to terminate under the name slow.
func slowEnd(slow statemachine.Name) *machine {
	m := newMachine(nil)
	m.Terminate = func(n statemachine.Name, _ account, _ statemachine.Reason) {
		if n == slow {
			<-time.After(time.Second)
		}
	}
	return m
}

// A slow end that restarts a sibling, which had been stopped meanwhile, restarts
// it in a replay too: what that was sent is not lost.
func TestSlowEndRestartsStopped(t *testing.T) {
	m := slowEnd("d")
	w := worker("w", m)
	w.Restart = supervisor.Transient
	root := flat(worker("d", m), w)
	root.Strategy = supervisor.RestForOne
	play(t, m, root, func(s *scene) {
		stopped := begin(func() error { return s.loop.StopProcess(context.Background(), "d", statemachine.Shutdown) })
		if err := s.loop.StopProcess(context.Background(), "w", statemachine.Shutdown); err != nil {
			t.Fatal(err)
		}
		if err := stopped(); err != nil {
			t.Fatal(err)
		}
		if err := s.call("w", input{Seq: 1})(); err != nil {
			t.Fatal(err) // the end of d has restarted it
		}
		s.want("w", "[1]")
	})
}

// A child whose termination succeeded is forgotten, also if the application is
// stopped while it ends.
func TestStopWhileChildEnds(t *testing.T) {
	m := slowEnd("q")
	play(t, m, flat(supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne, Children: []supervisor.Child{worker("template", m)}}),
		func(s *scene) {
			if _, err := s.loop.StartChild(context.Background(), "pool", supervisor.Worker{Name: "q"}); err != nil {
				t.Fatal(err)
			}
			gone := begin(func() error { return s.loop.TerminateChild(context.Background(), "pool", "q") })
			if err := s.loop.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			if err := gone(); err == nil {
				s.want("q", "none")
			}
		})
}

// What waits for a process to be up again is stepped in the order in which it came.
func TestWaitingInOrder(t *testing.T) {
	m := slowEnd("a")
	play(t, m, flat(worker("a", m)), func(s *scene) {
		s.call("a", input{Seq: 1, Do: doCrash})
		var calls []func() error
		for seq := int64(2); seq < 6; seq++ {
			calls = append(calls, s.call("a", input{Seq: seq}))
		}
		for _, c := range calls {
			if err := c(); err != nil {
				t.Error(err)
			}
		}
		s.want("a", "[2 3 4 5]")
	})
}
