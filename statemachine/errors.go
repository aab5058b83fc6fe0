package statemachine

import (
	"errors"
	"fmt"
	"strings"
)

// Outcome says what became of the input of a call or cast that returned an
// error: every such error has one.
type Outcome uint8

const (
	// Unknown: the input may or may not have been applied, or be applied later.
	Unknown Outcome = iota
	// NotApplied: the input has changed nothing and never will.
	NotApplied
	// Applied: the state has changed; only the answer is missing.
	Applied
)

// String returns "unknown", "not_applied" or "applied".
func (o Outcome) String() string {
	switch o {
	case NotApplied:
		return "not_applied"
	case Applied:
		return "applied"
	}
	return "unknown"
}

// Errors of a call or cast that was refused before it began; nothing was applied.
var (
	// ErrNoProcess: no process of that name runs (OTP: noproc).
	ErrNoProcess = errors.New("no such process")
	// ErrOverloaded: the queue stayed full until the caller's context ended.
	ErrOverloaded = errors.New("overloaded: the queue is full")
	// ErrStopping: the application is ending, or has ended.
	ErrStopping = errors.New("the application is stopping")
	// ErrKeyReused: the idempotency key was used for another input.
	ErrKeyReused = errors.New("the idempotency key was used for another input")
	// ErrInput: the machine's decoder refused the bytes of the input; the
	// *codec.Error that it wraps says where and why.
	ErrInput = errors.New("input refused")
)

// Errors of requests to a supervisor, and of sys; what is wrapped beside them says more.
// Nothing was changed.
var (
	// ErrConflict: what the process, or the supervisor's children, are now does not
	// allow it.
	ErrConflict = errors.New("conflict")
	// ErrNotStarted: the child did not start.
	ErrNotStarted = errors.New("the child did not start")
)

// ErrNotChanged: what was to change a process failed: the function that was to
// replace its state, or the new version of its machine. The process is as it was.
var ErrNotChanged = errors.New("the process was not changed")

// ErrIgnore, returned by an Init, says that there is to be no process, and that
// this is as it should be: the start counts as a success (OTP: ignore).
var ErrIgnore = errors.New("ignore")

// ErrDeadline is in every error of a call whose context ended first, beside
// the context's own error.
var ErrDeadline = errors.New("the caller's context ended")

// ErrJournal: the journal failed, and with it the application. What was being
// made durable may be there after the next start, or not.
var ErrJournal = errors.New("the journal failed")

// ErrOutput: the input was applied, but its output could not be encoded.
var ErrOutput = errors.New("output cannot be encoded")

// CallError is the error of a call or cast: what became of the input of which
// process, and why. Err is one of this package's sentinels, or wraps one, or
// is a *CrashError.
type CallError struct {
	Name    Name
	Outcome Outcome
	Err     error
}

// Error names the process, the cause and the outcome.
func (e *CallError) Error() string {
	if crash, ok := e.Err.(*CrashError); ok && crash.Name == e.Name {
		return fmt.Sprintf("%v (%s)", crash, e.Outcome) // it names the process itself
	}
	return fmt.Sprintf("%s: %v (%s)", short(e.Name), e.Err, e.Outcome)
}

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// OutcomeOf returns the outcome that err, an error of a call or cast, states:
// Unknown if it states none.
func OutcomeOf(err error) Outcome {
	var ce *CallError
	if errors.As(err, &ce) {
		return ce.Outcome
	}
	return Unknown
}

// CrashError is the panic of a machine's function, caught. The state is what
// it was before the function ran.
type CrashError struct {
	Name  Name   // the process; of a task's function or codec: the task
	In    string // "init", "step", "terminate", "read_only", "message", "migrate", "task", "encode" or "decode"; of a device: "manage" or "watch"
	Value any    // what was panicked with
	Stack []byte // the goroutine's stack at the panic
}

// valueMax is how many bytes of a panic's value an error text shows.
const valueMax = 1 << 10

// Error names the process and the panic's value, which it shortens, not the stack.
func (e *CrashError) Error() string {
	return fmt.Sprintf("%s crashed in %s: %s", short(e.Name), e.In, shorten(fmt.Sprint(e.Value), valueMax))
}

// Unwrap returns the value where it is an error.
func (e *CrashError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// short keeps names that strangers send out of error texts and logs.
func short(n Name) string {
	if len(n) <= MaxNameBytes {
		return string(n)
	}
	return shorten(string(n), 32)
}

// shorten returns s if it has at most max bytes; else how many there are, after
// those of the first max that are UTF-8.
func shorten(s string, max int) string {
	if len(s) <= max {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(s[:max], ""), len(s))
}

// ExitError is the error of a call whose input made the process end without a
// reply (OTP: the caller exits with the process's reason). The input was applied.
type ExitError struct {
	Name   Name
	Reason Reason
}

// Error names the process and the reason.
func (e *ExitError) Error() string { return fmt.Sprintf("%s ended: %v", short(e.Name), e.Reason) }

// Unwrap returns the reason's detail.
func (e *ExitError) Unwrap() error { return e.Reason.Detail }
