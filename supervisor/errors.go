package supervisor

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lineshaft/lineshaft/statemachine"
)

// Errors of a spec (OTP: supervisor_data and start_spec errors). They come
// wrapped in a *SpecError, from Check, New and StartChild.
var (
	ErrInvalidName         = errors.New("invalid name")
	ErrDuplicateName       = errors.New("duplicate child name")
	ErrInvalidChildType    = errors.New("invalid child type")
	ErrInvalidMachine      = errors.New("invalid machine")
	ErrInvalidRestart      = errors.New("invalid restart type")
	ErrInvalidShutdown     = errors.New("invalid shutdown")
	ErrInvalidStrategy     = errors.New("invalid strategy")
	ErrInvalidIntensity    = errors.New("invalid intensity")
	ErrInvalidPeriod       = errors.New("invalid period")
	ErrInvalidAutoShutdown = errors.New("invalid auto_shutdown")
	ErrInvalidBackoff      = errors.New("invalid backoff")
	ErrInvalidMaxRestarts  = errors.New("invalid max_restarts")
	// ErrBadCombination: Significant in a Permanent child, or under Never.
	ErrBadCombination = errors.New("bad combination")
	// ErrBadStartSpec: a SimpleOneForOne supervisor without exactly one template.
	ErrBadStartSpec = errors.New("bad start spec")
)

// Errors of requests, with OTP's names.
var (
	// ErrAlreadyStarted: a child of that name runs.
	ErrAlreadyStarted = errors.New("already started")
	// ErrAlreadyPresent: a child of that name is down or restarting.
	ErrAlreadyPresent = errors.New("already present")
	// ErrNotFound: the supervisor has no such child.
	ErrNotFound = errors.New("not found")
	// ErrRunning: the child runs.
	ErrRunning = errors.New("running")
	// ErrRestarting: the child is about to be started again.
	ErrRestarting = errors.New("restarting")
	// ErrSimpleOneForOne: not possible with a SimpleOneForOne supervisor.
	ErrSimpleOneForOne = errors.New("simple one for one")
	// ErrNotSupervisor: the process is a worker.
	ErrNotSupervisor = errors.New("not a supervisor")
)

// SpecError says which field of whose spec is wrong.
type SpecError struct {
	// Path leads from the checked spec to the wrong one, both included: the
	// last one's Name may be what is wrong.
	Path []statemachine.Name
	// Field is the name of the wrong field.
	Field string
	// Err is one of the spec errors above, or wraps one.
	Err error
}

// Error names path, field and cause.
func (e *SpecError) Error() string {
	var b strings.Builder
	for i, n := range e.Path {
		if i > 0 {
			b.WriteByte('/')
		}
		fmt.Fprintf(&b, "%q", brief(n))
	}
	return fmt.Sprintf("spec of %s: %s: %v", &b, e.Field, e.Err)
}

// brief keeps overlong names out of error texts.
func brief(n statemachine.Name) statemachine.Name {
	if len(n) > statemachine.MaxNameBytes {
		return n[:32] + "…"
	}
	return n
}

// Unwrap returns the cause.
func (e *SpecError) Unwrap() error { return e.Err }

// StartError is why a supervisor did not start, or a child (OTP:
// {failed_to_start_child, Name, Err}).
type StartError struct {
	Name statemachine.Name // the child
	Err  error             // what its start gave; a *StartError if the child is a supervisor
}

// Error names every supervisor on the way down to the cause.
func (e *StartError) Error() string {
	var b strings.Builder
	for {
		fmt.Fprintf(&b, "failed to start child %q: ", e.Name)
		next, ok := e.Err.(*StartError)
		if !ok {
			fmt.Fprint(&b, e.Err)
			return b.String()
		}
		e = next
	}
}

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

// ExitError is the error of a request, or a start, whose supervisor ended
// before it was done (OTP: the caller exits with the supervisor's reason).
type ExitError struct {
	Name   statemachine.Name // the supervisor
	Reason statemachine.Reason
}

// Error names the supervisor and the reason.
func (e *ExitError) Error() string { return fmt.Sprintf("supervisor %q ended: %v", e.Name, e.Reason) }

// Unwrap returns the reason's detail.
func (e *ExitError) Unwrap() error { return e.Reason.Detail }
