package eventloop_test

import (
	"context"
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// A machine that divides, supervised: it crashes when told to divide by zero.
func Example() {
	type Divide struct{ By int }
	type Quotient struct{ Q int }
	divider := &statemachine.Machine[int, Divide, Quotient]{
		Init: func(statemachine.Start[int]) (int, error) { return 100, nil },
		Step: statemachine.Pure(func(in Divide, n int) (int, Quotient) {
			n /= in.By
			return n, Quotient{n}
		}),
		Input:  codec.Of[Divide](),
		Output: codec.Of[Quotient](),
	}
	loop, err := eventloop.Start(eventloop.Config{
		Root: supervisor.Supervisor{
			Name:     "root",
			Children: []supervisor.Child{supervisor.Worker{Name: "divider", Machine: divider}},
		},
		OnEvent: func(e eventloop.Event) {
			if e, ok := e.(eventloop.Started); ok {
				fmt.Println("started", e.Name)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ref, err := eventloop.RefTo[Divide, Quotient](loop, "divider")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for _, by := range []int{5, 0, 4} {
		q, err := ref.Call(ctx, Divide{by})
		fmt.Println(q, err)
	}
	fmt.Println(loop.Stop(ctx))
	// Output:
	// started root
	// started divider
	// {20} <nil>
	// started divider
	// {0} divider crashed in step: runtime error: integer divide by zero (not_applied)
	// {25} <nil>
	// <nil>
}
