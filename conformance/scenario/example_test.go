package scenario_test

import (
	"fmt"
	"strings"

	"github.com/lineshaft/lineshaft/conformance/scenario"
)

// What is the smallest part of a scenario in which a supervisor is stopped?
func ExampleShrink() {
	all, err := scenario.Read(strings.NewReader(`
		scenario long
		sup root - intensity=3
		worker a root restart=transient
		sup s root strategy=rest_for_one
		worker b s
		worker c s
		start
		plan b fail,fail
		call b crash
		which s
		batch root call a crash ; count root
		stop s normal
		tree
		end`))
	if err != nil {
		panic(err)
	}
	s := scenario.Shrink(all[0], func(all []scenario.Scenario) []bool {
		stops := make([]bool, len(all))
		for i, s := range all {
			stops[i] = strings.Contains(s.String(), "\nstop s")
		}
		return stops
	})
	fmt.Print(s)
	// Output:
	// scenario long
	// sup root -
	// stop s normal
	// end
}
