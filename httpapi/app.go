package httpapi

import (
	"context"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// App is what is served: an *eventloop.Loop. Its methods are called by many
// goroutines at once.
//
// The memory of body, spec and dst is the connection's and is used again for
// other requests: it must not be looked at once the method has returned. (A Loop
// decodes before it queues anything, and codecs keep no reference to their
// input.) Names and ctx may be kept.
//
// Every error is, or wraps, one of package statemachine. Where it wraps several,
// as with fmt.Errorf("%w: %w", …), the first decides which problem it is, and
// the others are details.
type App interface {
	// CallOnce has the process called name step the input that body encodes in
	// format in, and appends the output, in format out, to dst. Its errors say
	// with a *statemachine.CallError whether the input was applied. One that was
	// applied under the same idempotency key before, if there is one, is not
	// applied again, but answered as it was.
	CallOnce(ctx context.Context, name statemachine.Name, key string, in codec.Format, body []byte, out codec.Format, dst []byte) ([]byte, error)
	// CastOnce is CallOnce without waiting for an output.
	CastOnce(ctx context.Context, name statemachine.Name, key string, in codec.Format, body []byte) error
	// Tree returns what can be seen of all processes.
	Tree() statemachine.Info
	// Process returns what can be seen of one; false if there is none. No
	// process has the empty name.
	Process(name statemachine.Name) (statemachine.Info, bool)
	// StartChildJSON adds a child, whose spec is JSON, to the supervisor called
	// sup, and reports whether it runs.
	StartChildJSON(ctx context.Context, sup statemachine.Name, spec []byte) (running bool, err error)
	// TerminateChild ends a child of sup, for good.
	TerminateChild(ctx context.Context, sup, child statemachine.Name) error
	// RestartChild starts a child of sup that is down, and reports whether it runs.
	RestartChild(ctx context.Context, sup, child statemachine.Name) (running bool, err error)
	// DeleteChild has sup forget a child that is down.
	DeleteChild(ctx context.Context, sup, child statemachine.Name) error
	// Done is closed when the application has ended.
	Done() <-chan struct{}
}
