package statem_test

import (
	"fmt"
	"strings"

	"github.com/lineshaft/lineshaft/conformance/statem"
)

// A lift door: while it is open, calls wait.
func Example() {
	all, err := statem.Read(strings.NewReader(`
		scenario door
		machine enter=true
		init ok a
		enter b a -> keep d+ ; state_timeout 5000 close
		on a cast open -> next b
		on b call go -> keep ; postpone
		on b state_timeout close -> next a
		on a call go -> keep ; reply gone
		start
		cast open
		call go
		advance 5000
		end`))
	if err != nil {
		panic(err)
	}
	fmt.Print(statem.Play(&all[0], false))
	// Output:
	// scenario door
	// > start
	// init a d=0
	// enter a a d=0
	// result ok
	// state a d=0
	// > cast open
	// event a cast open d=0
	// enter b a d=0
	// state b d=1
	// > call go
	// event b call:c1 go d=1
	// result c1
	// state b d=1
	// > advance 5000
	// event b state_timeout close d=1
	// enter a b d=1
	// event a call:c1 go d=1
	// reply c1 gone
	// state a d=1
	// > end
	// terminate shutdown a d=1
	// exit shutdown
	// dead
	// end
}
