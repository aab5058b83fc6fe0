package otp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/lineshaft/lineshaft/conformance/scenario"
)

// ErrNoErlang: neither Play nor Version can do anything.
var ErrNoErlang = errors.New("no Erlang is installed: escript is not in the PATH")

// Play has oracle play scenarios on the Erlang that is installed, and returns
// their traces. Returns ErrNoErlang if there is none; other errors are those of
// a scenario that is not valid, or of which OTP makes something endless.
func Play(ctx context.Context, oracle []byte, scenarios []string) ([]string, error) {
	out, err := run(ctx, oracle, strings.Join(scenarios, ""))
	if err != nil {
		return nil, err
	}
	traces := scenario.SplitTraces(out)
	if len(traces) != len(scenarios) {
		return nil, fmt.Errorf("%d scenarios, but OTP has given %d traces", len(scenarios), len(traces))
	}
	return traces, nil
}

// Version returns the version of the Erlang that is installed, such as
// "OTP 25, stdlib 4.2". Returns ErrNoErlang if there is none.
func Version(ctx context.Context) (string, error) {
	const script = `main(_) ->
	application:load(stdlib),
	{ok, V} = application:get_key(stdlib, vsn),
	io:format("OTP ~s, stdlib ~s", [erlang:system_info(otp_release), V]).
`
	return run(ctx, []byte("#!/usr/bin/env escript\n"+script), "")
}

// run runs a script with a file that has input; its output.
func run(ctx context.Context, script []byte, input string) (string, error) {
	escript, err := exec.LookPath("escript")
	if err != nil {
		return "", ErrNoErlang
	}
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	program, file := filepath.Join(dir, "script"), filepath.Join(dir, "input")
	if err := errors.Join(os.WriteFile(program, script, 0o644), os.WriteFile(file, []byte(input), 0o644)); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, escript, program, file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		return string(out), nil
	}
	for _, trace := range scenario.SplitTraces(string(out)) {
		if strings.Contains(trace, "\nORACLE_") {
			return "", fmt.Errorf("the scenario is not valid:\n%s", trace)
		}
	}
	return "", fmt.Errorf("escript: %w\n%s", err, &stderr)
}
