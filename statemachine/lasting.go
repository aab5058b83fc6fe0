package statemachine

import (
	"errors"
	"fmt"
)

// sentinels are the errors that are still themselves in a message. Their
// places are in journals: new ones go to the end, none is taken out.
var sentinels = [...]error{
	ErrNoProcess, ErrOverloaded, ErrStopping, ErrInput, ErrConflict, ErrNotStarted, ErrIgnore, ErrDeadline, ErrJournal,
	ErrOutput, ErrVersion, ErrKeyReused,
}

// remembered is what is left of an error: its text, and which sentinels it is,
// a bit for each.
type remembered struct {
	text string
	is   uint64
}

func (e *remembered) Error() string { return e.text }

// Is reports whether target is one of the sentinels that the error was.
func (e *remembered) Is(target error) bool {
	for i, s := range sentinels {
		if s == target {
			return e.is>>i&1 != 0
		}
	}
	return false
}

// nestedMax is how many errors one within another are told apart.
const nestedMax = 4

// lasting returns what of err a message keeps: see Message. It is the same for
// what it has returned.
func lasting(err error) error { return lastingTo(nestedMax, err) }

func lastingTo(depth int, err error) error {
	switch err := err.(type) {
	case nil, *remembered:
		return err
	case *CallError:
		if err != nil && depth > 0 {
			return &CallError{Name: err.Name, Outcome: err.Outcome, Err: lastingTo(depth-1, err.Err)}
		}
	case *ExitError:
		if err != nil && depth > 0 {
			return &ExitError{Name: err.Name, Reason: Reason{Class: err.Reason.Class, Detail: lastingTo(depth-1, err.Reason.Detail)}}
		}
	case *CrashError:
		if err != nil {
			return &CrashError{Name: err.Name, In: err.In, Value: rememberedValue(err.Value)}
		}
	}
	for _, s := range sentinels {
		if err == s {
			return err
		}
	}
	return remember(err)
}

func remember(err error) *remembered {
	kept := &remembered{text: shorten(fmt.Sprint(err), valueMax)}
	if isMore(err) {
		guard("", "error", nil, func() { kept.is = sentinelBits(err) }) // the error may be a user's, and so may its Is
	}
	return kept
}

// isMore reports whether err may be another than itself.
func isMore(err error) bool {
	switch err.(type) {
	case interface{ Is(error) bool }, interface{ Unwrap() error }, interface{ Unwrap() []error }:
		return true
	}
	return false
}

// sentinelBits returns which sentinels err is.
func sentinelBits(err error) (is uint64) {
	for i, s := range sentinels {
		if errors.Is(err, s) {
			is |= 1 << i
		}
	}
	return is
}

// panicText is what is left of what a function panicked with.
type panicText string

func rememberedValue(v any) panicText {
	if text, ok := v.(panicText); ok {
		return text
	}
	return panicText(shorten(fmt.Sprint(v), valueMax))
}
