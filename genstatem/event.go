package genstatem

import (
	"strings"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// Event is what a callback is given to handle. The zero value is no event.
type Event[E any] struct {
	Type EventType
	// Content is what was sent, inserted, or set with the timeout.
	Content E
	// From is the caller who waits for a reply to an event of the type Call;
	// zero of all others.
	From statemachine.From
}

// EventType says where an event comes from. Those of timeouts also name a
// timeout that is set, updated or cancelled: a machine has at most one of each.
type EventType string

// The types but those of [Timeout].
const (
	// Call is an event whose sender waits for a reply. OTP: {call, From}.
	Call EventType = "call"
	// Cast is an event whose sender does not wait.
	Cast EventType = "cast"
	// Info is what the loop tells the process: see Machine.Message.
	Info EventType = "info"
	// Internal is for events that the machine inserts by itself.
	Internal EventType = "internal"
	// StateTimeout is cancelled by a change of state.
	StateTimeout EventType = "state_timeout"
	// EventTimeout is cancelled by any other event. OTP: timeout.
	EventTimeout EventType = "timeout"
)

// timeoutPrefix is what the other types of timeouts begin with.
const timeoutPrefix = "timeout:"

// Timeout returns the type of the timeout of that name, which runs whatever
// happens until it is cancelled. Keep it in a variable: it is a new string each
// time. OTP: {timeout, Name}.
func Timeout(name string) EventType { return EventType(timeoutPrefix + name) }

// isTimeout reports whether a timeout can be of the type.
func (t EventType) isTimeout() bool {
	return t == StateTimeout || t == EventTimeout || strings.HasPrefix(string(t), timeoutPrefix)
}

// known reports whether there is such a type.
func (t EventType) known() bool {
	switch t {
	case Call, Cast, Info, Internal:
		return true
	}
	return t.isTimeout()
}

// Infinity is the time of a timeout that is not to be: setting it is cancelling.
const Infinity time.Duration = 1<<63 - 1

// timeout is one that runs, or waits to be handled.
type timeout[E any] struct {
	typ     EventType
	content E
}
