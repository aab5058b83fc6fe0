package conformance_test

import (
	"fmt"
	"strings"

	"github.com/lineshaft/lineshaft/conformance"
	"github.com/lineshaft/lineshaft/conformance/scenario"
)

// Nothing in this scenario goes on in the background, so that there is nothing
// to wait for.
func Example() {
	all, err := scenario.Read(strings.NewReader(`
		scenario rollback
		sup root -
		worker a root
		worker b root
		plan b fail
		start
		start
		end`))
	if err != nil {
		panic(err)
	}
	fmt.Print(conformance.Play(&all[0], func() {}))
	// Output:
	// scenario rollback
	// > plan b fail
	// > start
	// init root
	// init a
	// init b fail
	// terminate a shutdown
	// exit root shutdown_t
	// result error failed_to_start_child b init_fail
	// alive
	// > start
	// init root
	// init a
	// init b
	// result ok
	// alive a b root
	// > end
	// terminate b shutdown
	// terminate a shutdown
	// exit root shutdown
	// root_exit shutdown
	// alive
	// end
}
