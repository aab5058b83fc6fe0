package httpapi

import (
	"context"
	"strings"
	"sync"
	"time"
)

// deadline is a context that ends at a time, or when it is released. It starts
// a timer only when somebody waits for its end: a call that is answered at once,
// as most are, costs none.
type deadline struct {
	at time.Time

	mu    sync.Mutex
	err   error         // nil until it has ended
	done  chan struct{} // nil until somebody waits; closed if err is set
	timer *time.Timer   // nil until somebody waits
}

func newDeadline(timeout time.Duration) *deadline {
	return &deadline{at: time.Now().Add(timeout)}
}

// Deadline returns when the context ends.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Value returns nil.
func (d *deadline) Value(any) any { return nil }

// Done returns a channel that is closed when the context ends.
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(chan struct{})
		if d.err != nil {
			close(d.done)
		} else {
			d.timer = time.AfterFunc(time.Until(d.at), func() { d.end(context.DeadlineExceeded) })
		}
	}
	return d.done
}

// Err returns nil until the context ends. It does not depend on the timer.
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil && time.Until(d.at) <= 0 {
		d.endLocked(context.DeadlineExceeded)
	}
	return d.err
}

// release ends the context, as canceled, if it has not ended before.
func (d *deadline) release() { d.end(context.Canceled) }

func (d *deadline) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.endLocked(err)
	}
}

func (d *deadline) endLocked(err error) {
	d.err = err
	if d.done != nil {
		close(d.done)
		d.timer.Stop()
	}
}

// parseTimeout returns the duration that a Request-Timeout header gives: one of
// Go's, as 250ms or 1m30s, or a number of seconds, as 2 or 1.5. False if it is
// neither, or not positive.
func parseTimeout(header []byte) (time.Duration, bool) {
	const longest = 64 // bytes; nobody means more
	if len(header) > longest {
		return 0, false
	}
	text := string(header)
	if strings.Trim(text, "0123456789.") == "" {
		text += "s"
	}
	timeout, err := time.ParseDuration(text)
	return timeout, err == nil && timeout > 0
}
