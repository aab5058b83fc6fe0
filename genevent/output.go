package genevent

import (
	"errors"
	"fmt"
	"strings"
)

// Output is what a manager answers: one of Ok, Reply, Handlers and Failed.
type Output interface {
	// Err returns nil, or of Failed the error.
	Err() error
	output()
}

// Ok says that it is done.
type Ok struct{}

// Reply is what a handler has answered: see Result.
type Reply struct {
	Kind string // the handler's

	value any
}

// Handlers are a manager's handlers, the newest first.
type Handlers struct {
	Handlers []Handler `json:"handlers"`
}

// Failed says that it is not done, or that a handler has gone because of it.
type Failed struct {
	// Reason is the text of one of the errors ErrBadModule, ErrModuleNotFound,
	// ErrRefused and ErrExit.
	Reason string `json:"reason"`
	// Detail is that of the handler's error or panic, at most 1 KiB long.
	Detail string `json:"detail,omitempty"`
}

// Result returns what a handler has answered, R being that of its kind: out is the
// output of a Call or a DeleteHandler, or a Start's Old. The error is that of the
// output.
func Result[R any](out Output) (R, error) {
	if out == nil {
		return *new(R), errors.New("genevent: there is no output")
	}
	if err := out.Err(); err != nil {
		return *new(R), err
	}
	reply, ok := out.(Reply)
	if !ok {
		return *new(R), fmt.Errorf("genevent: the output %T is not of a handler", out)
	}
	r, ok := as[R](reply.value)
	if !ok {
		return r, fmt.Errorf("genevent: %s answers with a %T, not a %T", reply.Kind, reply.value, r)
	}
	return r, nil
}

// The errors of Failed.
var (
	// ErrBadModule: there is no such handler to be called, or it takes no calls.
	ErrBadModule = errors.New("bad_module")
	// ErrModuleNotFound: there is no such handler to be deleted.
	ErrModuleNotFound = errors.New("module_not_found")
	// ErrRefused: the handler's Init returned an error.
	ErrRefused = errors.New("refused")
	// ErrExit: the handler's function panicked. OTP: {'EXIT', Reason}.
	ErrExit = errors.New("exit")
)

// Err returns nil.
func (Ok) Err() error { return nil }

// Err returns nil.
func (Reply) Err() error { return nil }

// Err returns nil.
func (Handlers) Err() error { return nil }

// Err returns an error that is that of Reason, and says the Detail.
func (f Failed) Err() error {
	for _, err := range []error{ErrBadModule, ErrModuleNotFound, ErrRefused, ErrExit} {
		switch {
		case err.Error() != f.Reason:
		case f.Detail == "":
			return err
		default:
			return fmt.Errorf("%w: %s", err, f.Detail)
		}
	}
	return errors.New(f.Reason + ": " + f.Detail)
}

func (Ok) output()       {}
func (Reply) output()    {}
func (Handlers) output() {}
func (Failed) output()   {}

// detailMax is how many bytes of an error's or a panic's text are kept.
const detailMax = 1 << 10

// failed is the output for an error, of which detail says more; nil: nothing does.
func failed(err error, detail any) Failed {
	f := Failed{Reason: err.Error()}
	if detail != nil {
		f.Detail = text(detail)
	}
	return f
}

// text returns what a value is printed as, shortened.
func text(v any) string {
	s := fmt.Sprint(v)
	if len(s) > detailMax {
		s = s[:detailMax] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
