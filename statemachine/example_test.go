package statemachine_test

import (
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

type Add struct {
	N int `json:"n"`
}

type Total struct {
	N int `json:"n"`
}

// Counter is a whole server.
var Counter = &statemachine.Machine[int, Add, Total]{
	Step: statemachine.Pure(func(in Add, n int) (int, Total) {
		if in.N < 0 {
			panic("a counter does not count down")
		}
		return n + in.N, Total{N: n + in.N}
	}),
	Input:  codec.Of[Add](),
	Output: codec.Of[Total](),
	State:  codec.Of[int](),
}

// What a loop does with a machine: it makes a process, begins its life, and
// steps inputs. A step that crashes has changed nothing.
func Example() {
	moment := statemachine.NewMoment(func() int64 { return 0 }, nil)
	process := Counter.New("counter", moment)
	fmt.Println("init:", process.Init())
	for _, body := range []string{`{"n":2}`, `{"n":-1}`, `{"n":5}`, `{"m":5}`} {
		x, err := process.Decode(codec.JSON, []byte(body))
		if err != nil {
			fmt.Println(err)
			continue
		}
		if crash := process.Step(x); crash != nil {
			fmt.Println(crash)
			continue
		}
		out, _ := process.AppendOutput(nil, codec.JSON, x)
		fmt.Printf("%s\n", out)
	}
	// Output:
	// init: <nil>
	// {"n":2}
	// counter crashed in step: a counter does not count down
	// {"n":7}
	// codec: meaningless json: expected one of the fields n, found the unknown field "m"
}
