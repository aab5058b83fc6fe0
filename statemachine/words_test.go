package statemachine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lineshaft/lineshaft/statemachine"
)

func TestWords(t *testing.T) {
	term := errors.New("done")
	for _, test := range []struct {
		v    fmt.Stringer
		want string
	}{
		{statemachine.Unknown, "unknown"},
		{statemachine.NotApplied, "not_applied"},
		{statemachine.Applied, "applied"},
		{statemachine.Outcome(9), "unknown"},
		{statemachine.ClassNormal, "normal"},
		{statemachine.ClassShutdown, "shutdown"},
		{statemachine.ClassShutdownTerm, "shutdown_t"},
		{statemachine.ClassKilled, "killed"},
		{statemachine.ClassCrash, "crash"},
		{statemachine.Class(9), "class(9)"},
		{statemachine.Reason{}, "normal"},
		{statemachine.Shutdown, "shutdown"},
		{statemachine.Killed, "killed"},
		{statemachine.ShutdownWith(term), "shutdown_t: done"},
		{statemachine.Crash(term), "crash: done"},
		{statemachine.Down, "down"},
		{statemachine.Starting, "starting"},
		{statemachine.Up, "up"},
		{statemachine.Restarting, "restarting"},
		{statemachine.Terminating, "terminating"},
		{statemachine.Status(9), "status(9)"},
	} {
		if got := test.v.String(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestCleanClasses(t *testing.T) {
	for class, clean := range []bool{true, true, true, false, false} {
		if got := statemachine.Class(class).Clean(); got != clean {
			t.Errorf("%v: %v", statemachine.Class(class), got)
		}
	}
}

func TestOutcomeOf(t *testing.T) {
	call := &statemachine.CallError{Name: "till", Outcome: statemachine.Applied, Err: statemachine.ErrOutput}
	if got := statemachine.OutcomeOf(fmt.Errorf("over HTTP: %w", call)); got != statemachine.Applied {
		t.Error(got)
	}
	if got := statemachine.OutcomeOf(errors.New("else")); got != statemachine.Unknown {
		t.Error(got)
	}
	if got := statemachine.OutcomeOf(nil); got != statemachine.Unknown {
		t.Error(got)
	}
	if !errors.Is(call, statemachine.ErrOutput) || call.Error() != "till: output cannot be encoded (applied)" {
		t.Error(call)
	}
}

func TestErrorTextsAreBounded(t *testing.T) {
	long := strings.Repeat("é", 32<<10)
	name := statemachine.Name("x" + long) // of which a cut at an even byte halves a rune
	for _, err := range []error{
		&statemachine.CallError{Name: name, Err: statemachine.ErrNoProcess},
		&statemachine.CrashError{Name: name, In: "step", Value: "x" + long},
		&statemachine.CallError{Name: name, Err: &statemachine.CrashError{Name: name, In: "init", Value: errors.New(long)}},
	} {
		text := err.Error()
		if len(text) > 1300 || !utf8.ValidString(text) || !strings.Contains(text, "(65537 bytes)") {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	}
	name = name[:statemachine.MaxNameBytes]
	if text := (&statemachine.CallError{Name: name, Err: statemachine.ErrStopping}).Error(); !strings.Contains(text, string(name)) {
		t.Errorf("a name of %d bytes is shortened: %s", len(name), text)
	}
}

func TestCrashErrorOfAnyValue(t *testing.T) {
	crash := &statemachine.CrashError{Name: "till", In: "step", Value: 7}
	if text := crash.Error(); text != "till crashed in step: 7" {
		t.Error(text)
	}
	if text := (&statemachine.CallError{Name: "till", Outcome: statemachine.NotApplied, Err: crash}).Error(); text != "till crashed in step: 7 (not_applied)" {
		t.Error(text)
	}
	if err := (&statemachine.CrashError{Value: 7}).Unwrap(); err != nil {
		t.Error(err)
	}
	var nobody *statemachine.CallError // its Error panics
	if text := (&statemachine.CrashError{Name: "till", In: "step", Value: error(nobody)}).Error(); !strings.Contains(text, "nil") {
		t.Error(text)
	}
}

func TestInfoAsJSON(t *testing.T) {
	data, err := json.Marshal(statemachine.Info{
		Name: "root", Type: "supervisor", Status: statemachine.Up, Restart: "permanent", Strategy: "one_for_one",
		Children: []statemachine.Info{{Name: "till", Type: "worker", Status: statemachine.Restarting, Restart: "transient", Restarts: 2, Steps: 3}},
	})
	want := `{"name":"root","type":"supervisor","status":"up","restart":"permanent","strategy":"one_for_one","restarts":0,"steps":0,` +
		`"children":[{"name":"till","type":"worker","status":"restarting","restart":"transient","restarts":2,"steps":3}]}`
	if err != nil || string(data) != want {
		t.Errorf("got %s, %v\nwant %s", data, err, want)
	}
}
