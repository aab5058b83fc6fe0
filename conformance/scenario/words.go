package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// Why starts fail as planned, in the words of a trace.
var (
	ErrInitFail       = errors.New("init_fail")        // a worker's fail
	ErrInitCrash      = errors.New("init_crash")       // crash
	ErrBadReturnValue = errors.New("bad_return_value") // a worker's badret
	ErrBadReturn      = errors.New("bad_return")       // a supervisor's fail
)

// InitError returns the error of a start with that outcome.
func InitError(outcome string, sup bool) error {
	switch {
	case outcome == "fail" && sup:
		return ErrBadReturn
	case outcome == "fail":
		return ErrInitFail
	case outcome == "crash":
		return ErrInitCrash
	case outcome == "badret":
		return ErrBadReturnValue
	}
	panic("unknown outcome " + outcome)
}

// Outcome is the reverse of InitError.
func Outcome(err error) string {
	switch {
	case errors.Is(err, ErrInitCrash):
		return "crash"
	case errors.Is(err, ErrBadReturnValue):
		return "badret"
	}
	return "fail"
}

var errTerm, errCrash = errors.New("why"), errors.New("crash")

// Reason returns the exit reason for a word of call and stop.
func Reason(word string) statemachine.Reason {
	switch word {
	case "normal":
		return statemachine.Normal
	case "shutdown":
		return statemachine.Shutdown
	case "shutdown_t":
		return statemachine.ShutdownWith(errTerm)
	case "crash":
		return statemachine.Crash(errCrash)
	}
	panic("unknown reason " + word)
}

// ErrorText writes an error of the supervisor's as a trace does.
func ErrorText(err error) string {
	var start *supervisor.StartError
	var spec *supervisor.SpecError
	switch {
	case errors.As(err, &start):
		return fmt.Sprintf("failed_to_start_child %s %s", start.Name, ErrorText(start.Err))
	case errors.As(err, &spec):
		if errors.Is(err, supervisor.ErrDuplicateName) {
			return "duplicate_child_name " + string(spec.Path[len(spec.Path)-1])
		}
		return ErrorText(errors.Unwrap(spec))
	}
	for _, e := range []error{
		supervisor.ErrAlreadyStarted, supervisor.ErrAlreadyPresent, supervisor.ErrNotFound, supervisor.ErrRunning,
		supervisor.ErrRestarting, supervisor.ErrSimpleOneForOne, supervisor.ErrBadCombination, supervisor.ErrBadStartSpec,
		ErrInitFail, ErrInitCrash, ErrBadReturnValue, ErrBadReturn,
	} {
		if errors.Is(err, e) {
			return strings.ReplaceAll(e.Error(), " ", "_")
		}
	}
	return err.Error()
}

// WhichText writes the answer to which_children: a pool's in order of name.
func WhichText(children []supervisor.ChildInfo, pool bool) string {
	var words []string
	for _, c := range children {
		name := string(c.Name)
		if pool && c.Status == statemachine.Restarting {
			name = "_"
		}
		words = append(words, name+"="+c.Status.String())
	}
	if pool {
		slices.Sort(words)
	}
	return "[" + strings.Join(words, " ") + "]"
}

// CountText writes the answer to count_children.
func CountText(c supervisor.Count) string {
	return fmt.Sprintf("specs=%d active=%d supervisors=%d workers=%d", c.Specs, c.Active, c.Supervisors, c.Workers)
}
