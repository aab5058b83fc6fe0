package event_test

import (
	"fmt"
	"strings"

	"github.com/lineshaft/lineshaft/conformance/event"
)

// A handler that crashes goes, and its client is told; the other one goes on.
func Example() {
	all, err := event.Read(strings.NewReader(`
		scenario crash
		on event h1 x -> crash
		on event h2 x -> ok d+
		start
		add h2 a
		add_sup p1 h1 a
		notify x
		end`))
	if err != nil {
		panic(err)
	}
	fmt.Print(event.Play(all[0]))
	// Output:
	// scenario crash
	// > start
	// result ok
	// handlers -
	// > add h2 a
	// init h2 a
	// result ok
	// handlers h2=0
	// > add_sup p1 h1 a
	// init h1 a
	// result ok
	// handlers h1=0 h2=0
	// > notify x
	// event h1 x d=0
	// terminate h1 error EXIT boom d=0
	// told p1 h1 EXIT boom
	// event h2 x d=0
	// handlers h2=1
	// > end
	// terminate h2 stop d=1
	// exit shutdown
	// dead
	// end
}
