package machinetest_test

import (
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/statemachine/machinetest"
)

// A machine that counts words, and forgets to copy its map.
func Example() {
	words := &statemachine.Machine[map[string]int, string, int]{
		Init: func(statemachine.Start[map[string]int]) (map[string]int, error) { return map[string]int{}, nil },
		Step: statemachine.Pure(func(word string, counts map[string]int) (map[string]int, int) {
			counts[word]++
			return counts, counts[word]
		}),
		Input:  codec.Of[string](),
		Output: codec.Of[int](),
	}
	problems, err := machinetest.Problems(machinetest.Config{Seed: 1}, words, []string{"shaft"})
	fmt.Println(problems[0], err)
	// Output:
	// pure: sequence 1, step 1, input "shaft": the state that Init returned has changed
	// 	want map[]
	// 	got  map["shaft":1] <nil>
}
