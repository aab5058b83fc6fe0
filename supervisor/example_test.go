package supervisor_test

import (
	"errors"
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// A loop that carries out what a small tree wants by printing it. The database
// crashes: with RestForOne, the cache that was started after it is started
// again too.
func Example() {
	m := &statemachine.Machine[int, int, int]{
		Step:   statemachine.Pure(func(in, sum int) (int, int) { return sum + in, sum + in }),
		Input:  codec.Of[int](),
		Output: codec.Of[int](),
	}
	tree, err := supervisor.New(supervisor.Supervisor{
		Name:     "root",
		Strategy: supervisor.RestForOne,
		Children: []supervisor.Child{
			supervisor.Worker{Name: "log", Machine: m},
			supervisor.Worker{Name: "db", Machine: m},
			supervisor.Worker{Name: "cache", Machine: m, Shutdown: supervisor.BrutalKill},
		},
	})
	if err != nil {
		panic(err)
	}
	loop := func() {
		for a, ok := tree.Next(); ok; a, ok = tree.Next() {
			fmt.Println(" ", a.Kind, a.PID)
			switch a.Kind {
			case supervisor.Start:
				tree.Started(a.PID, nil)
			case supervisor.Terminate, supervisor.Kill:
				tree.Exited(a.PID, a.Reason)
			}
		}
	}

	fmt.Println("start")
	tree.Start()
	loop()

	fmt.Println("the database crashes")
	tree.Exited(tree.Node("db").PID(), statemachine.Crash(errors.New("disk full")))
	loop()

	fmt.Println("shutdown")
	tree.Shutdown()
	loop()

	// Output:
	// start
	//   start root#1
	//   start log#1
	//   start db#1
	//   start cache#1
	// the database crashes
	//   kill cache#1
	//   start db#2
	//   start cache#2
	// shutdown
	//   kill cache#2
	//   terminate db#2
	//   terminate log#1
	//   exit root#1
}

// A spec is refused with the path to the wrong child and the wrong field.
func ExampleCheck() {
	err := supervisor.Check(supervisor.Supervisor{
		Name: "root",
		Children: []supervisor.Child{
			supervisor.Supervisor{Name: "jobs", Strategy: supervisor.SimpleOneForOne},
		},
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, supervisor.ErrBadStartSpec))
	// Output:
	// spec of "root"/"jobs": Children: bad start spec: must be one Worker
	// true
}

// A pool starts empty. Requests are answered by Reply actions.
func ExampleTree_StartChild() {
	tree, err := supervisor.New(supervisor.Supervisor{
		Name:     "pool",
		Strategy: supervisor.SimpleOneForOne,
		Children: []supervisor.Child{
			supervisor.Worker{Name: "job", Machine: machine{}, Restart: supervisor.Temporary},
		},
	})
	if err != nil {
		panic(err)
	}
	tree.Start()
	for _, name := range []statemachine.Name{"job1", "job2", "job1"} {
		tree.StartChild(tree.Root(), name, supervisor.Worker{Name: name})
	}
	tree.CountChildren(tree.Root(), "count")
	for a, ok := tree.Next(); ok; a, ok = tree.Next() {
		switch a.Kind {
		case supervisor.Start:
			tree.Started(a.PID, nil)
		case supervisor.Reply:
			fmt.Println(a.Answer.Token, a.Answer.PID, a.Answer.Count.Active, a.Answer.Err)
		}
	}
	// Output:
	// job1 job1#1 0 <nil>
	// job2 job2#1 0 <nil>
	// job1 none 0 already started
	// count none 2 <nil>
}
