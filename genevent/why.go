package genevent

import "github.com/lineshaft/lineshaft/statemachine"

// Why is why a handler goes.
type Why struct {
	Cause Cause `json:"cause"`
	// Args is what a delete or a swap says.
	Args string `json:"args,omitempty"`
	// Reason is, of ClientExited, the reason of the client's end, and of Crashed
	// the text of what a function has panicked with, or an Init has returned.
	Reason string `json:"reason,omitempty"`
}

// Cause is what a handler goes for.
type Cause string

const (
	Deleted      Cause = "delete_handler" // a DeleteHandler
	Swapped      Cause = "swap_handler"   // a SwapHandler, or its own Fx.Swap
	Removed      Cause = "remove_handler" // its own Fx.Remove
	Crashed      Cause = "error"          // a panic; of one that was to take another's place, that its Init failed
	Stopped      Cause = "stop"           // the manager ends
	ClientExited Cause = "client_exit"    // the process that supervises it has ended
)

// Exit says that a handler has gone. OTP: {gen_event_EXIT, Handler, Reason}, and
// the report of a handler that crashed. It is plain data, so that it can be a
// field of an input of whoever is to know.
type Exit struct {
	Handler Handler `json:"handler"`
	// Client is the process that supervised it, "" if none did.
	Client statemachine.Name `json:"client,omitempty"`
	Why    Why               `json:"why"`
	// New is the handler that takes its place, if one does, and NewClient is
	// that one's Client.
	New       *Handler          `json:"new,omitempty"`
	NewClient statemachine.Name `json:"new_client,omitempty"`
	// Crash is, of Crashed, the panic with its stack, or the error of an Init. It is
	// not encoded.
	Crash *statemachine.CrashError `json:"-"`
}
