package eventloop

import (
	"sync/atomic"
	"time"
)

// clock is the only place that reads the time or sets a timer. It never goes
// back: not when the machine's clock is set back, nor behind a time that the
// journal has already recorded.
type clock struct {
	start time.Time    // carries the monotonic reading
	base  int64        // Unix nanoseconds at start
	floor atomic.Int64 // the latest time told
}

func newClock() *clock {
	now := time.Now()
	return &clock{start: now, base: now.UnixNano()}
}

// now returns nanoseconds of Unix time. Any goroutine.
func (c *clock) now() int64 {
	t := c.base + int64(time.Since(c.start))
	for {
		floor := c.floor.Load()
		if t <= floor {
			return floor
		}
		if c.floor.CompareAndSwap(floor, t) {
			return t
		}
	}
}

// advance makes every later now at least t.
func (c *clock) advance(t int64) {
	if t > c.base {
		c.base = t
		c.start = time.Now()
	}
	c.floor.Store(max(c.floor.Load(), t))
}

// after calls f on a goroutine of its own once d has passed. The returned
// function cancels it, unless it is too late.
func (c *clock) after(d time.Duration, f func()) (cancel func()) {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}
