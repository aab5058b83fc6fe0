package httpapi

import (
	"context"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// App is what is served: an *eventloop.Loop. Its methods are called by many
// goroutines at once.
//
// The memory of body and dst is the connection's and is used again for other
// requests: it must not be looked at once Call or Cast has returned. (A Loop
// decodes body before it queues anything, and codecs keep no reference to it.)
// The name and ctx may be kept.
type App interface {
	// Call has the process called name step the input that body encodes in
	// format in, and appends the output, in format out, to dst. Its errors say
	// with a *statemachine.CallError whether the input was applied.
	Call(ctx context.Context, name statemachine.Name, in codec.Format, body []byte, out codec.Format, dst []byte) ([]byte, error)
	// Cast is Call without waiting for an output.
	Cast(ctx context.Context, name statemachine.Name, in codec.Format, body []byte) error
	// Tree returns what can be seen of all processes.
	Tree() statemachine.Info
	// Process returns what can be seen of one; false if there is none. No
	// process has the empty name.
	Process(name statemachine.Name) (statemachine.Info, bool)
	// Done is closed when the application has ended.
	Done() <-chan struct{}
}
