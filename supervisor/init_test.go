package supervisor_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// A supervisor with an Init of its own, and the part of a loop that runs it. What
// it refuses to start is a failed start like any other.
func ExampleSupervisor() {
	open := false
	tree, err := supervisor.New(supervisor.Supervisor{
		Name: "root",
		Children: []supervisor.Child{supervisor.Supervisor{
			Name: "shop",
			Init: func() error {
				if !open {
					return errors.New("closed")
				}
				return nil
			},
			Children: []supervisor.Child{supervisor.Worker{Name: "till", Machine: idle{}}},
		}},
	})
	if err != nil {
		panic(err)
	}
	loop := func() {
		for a, ok := tree.Next(); ok; a, ok = tree.Next() {
			switch a.Kind {
			case supervisor.Start:
				var err error
				if s, ok := a.PID.Node.Supervisor(); ok && s.Init != nil {
					err = s.Init()
				}
				fmt.Println("start", a.PID, err)
				if errors.Is(err, statemachine.ErrIgnore) {
					tree.Ignored(a.PID)
				} else {
					tree.Started(a.PID, err)
				}
			case supervisor.Exit:
				fmt.Println("exit", a.PID, a.Reason)
			}
		}
	}
	tree.Start()
	loop()
	open = true
	tree.Start()
	loop()
	// Output:
	// start root#1 <nil>
	// start shop#1 closed
	// exit root#1 shutdown_t: failed to start child "shop": closed
	// start root#2 <nil>
	// start shop#2 <nil>
	// start till#1 <nil>
}

// TestSupervisorInit: the start of a supervisor that fails, or is ignored, in a
// restart, under each strategy: a before it, b after it, w below it.
func TestSupervisorInit(t *testing.T) {
	for _, c := range []struct {
		strategy supervisor.Strategy
		crash    statemachine.Name // who crashes
		outcome  string            // of the start of s that follows
		want     string
	}{
		{supervisor.OneForOne, "s", "ignore", "start s#2 because of s ignore\n"},
		{supervisor.OneForOne, "s", "fail",
			"start s#2 because of s fail\nretry s\nstart s#3 because of s \nstart w#2 because of s \n"},
		{supervisor.OneForAll, "a", "ignore",
			"terminate b\nterminate w\nexit s shutdown\nstart a#2 because of a \nstart s#2 because of a ignore\nstart b#2 because of a \n"},
		{supervisor.OneForAll, "a", "fail",
			"terminate b\nterminate w\nexit s shutdown\nstart a#2 because of a \nstart s#2 because of a fail\nretry s\n" +
				"terminate a\nstart a#3 because of s \nstart s#3 because of s \nstart w#2 because of s \nstart b#2 because of s \n"},
		{supervisor.RestForOne, "a", "fail",
			"terminate b\nterminate w\nexit s shutdown\nstart a#2 because of a \nstart s#2 because of a fail\nretry s\n" +
				"start s#3 because of s \nstart w#2 because of s \nstart b#2 because of s \n"},
	} {
		s := started(t, supervisor.Supervisor{Name: "root", Strategy: c.strategy, Intensity: 5, Children: []supervisor.Child{
			supervisor.Worker{Name: "a", Machine: idle{}},
			supervisor.Supervisor{Name: "s", Children: []supervisor.Child{supervisor.Worker{Name: "w", Machine: idle{}}}},
			supervisor.Worker{Name: "b", Machine: idle{}}}})
		s.outcome["s"] = c.outcome
		if n := s.tree.Node(c.crash); n.IsSupervisor() {
			s.tree.Expire(n.PID())
			for a, ok := s.tree.Next(); ok; a, ok = s.tree.Next() {
				if a.Kind != supervisor.Kill && a.Kind != supervisor.Exit {
					s.act(a)
				}
			}
		} else {
			s.tree.Exited(n.PID(), statemachine.Killed)
		}
		s.work()
		if got := s.out.String(); got != c.want {
			t.Errorf("%v, %s crashes, s %s:\n%swant\n%s", c.strategy, c.crash, c.outcome, got, c.want)
		}
		if !s.tree.Quiet() {
			t.Error("not quiet")
		}
	}
}
