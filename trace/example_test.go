package trace_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
	"github.com/lineshaft/lineshaft/trace"
)

// A cellar counts bottles. Its next build gives one away with every case.
func Example() {
	build := func(log journal.Log, gift int) eventloop.Config {
		cellar := &statemachine.Machine[int, int, int]{
			Step: statemachine.Pure(func(sold, left int) (int, int) {
				if sold >= 12 {
					sold += gift
				}
				return left - sold, left - sold
			}),
			Init: func(s statemachine.Start[int]) (int, error) {
				if s.Saved != nil {
					return *s.Saved, nil
				}
				return 100, nil
			},
			Input: codec.Of[int](), Output: codec.Of[int](), State: codec.Of[int](),
		}
		return eventloop.Config{
			Root:       supervisor.Supervisor{Name: "root", Children: []supervisor.Child{supervisor.Worker{Name: "cellar", Machine: cellar}}},
			Durability: eventloop.Always,
			Log:        log,
		}
	}
	log := new(journal.Memory)
	loop, err := eventloop.Start(build(log, 0))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, sold := range []string{"2", "12", "3"} {
		if _, err := loop.Call(context.Background(), "cellar", codec.JSON, []byte(sold), codec.JSON, nil); err != nil {
			fmt.Println(err)
		}
	}
	log = log.Reopen() // what kill -9 would have left

	var file bytes.Buffer
	steps, err := trace.Record(build(log, 0), &file, trace.Options{})
	fmt.Println(steps, "steps", err)
	report, err := trace.Compare(build(log, 1), &file)
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(report.String()) {
		before, _, _ := strings.Cut(line, " (2") // the time
		fmt.Println(strings.TrimSpace(before))
	}
	// Output:
	// 4 steps <nil>
	// the outputs differ first at batch 3, entry 1
	// recorded  86
	// now       85
	// the states differ first at batch 3, entry 1
	// recorded  (all of it): 98 → 86
	// now       (all of it): 98 → 85
}
