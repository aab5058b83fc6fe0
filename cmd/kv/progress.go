package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/lineshaft/lineshaft/journal"
)

// progress draws how far something is, on one line of a terminal. On anything
// else it draws nothing.
type progress struct {
	to    io.Writer // nil: nothing is drawn
	what  string
	next  time.Time // not drawn again before
	drawn bool
}

// How a progress is drawn.
const (
	progressWait  = 100 * time.Millisecond
	progressWidth = 30 // columns of the bar
	eraseLine     = "\r\x1b[K"
)

func newProgress(to io.Writer, what string) *progress {
	p := &progress{what: what, next: time.Now().Add(progressWait)} // what is quick needs none
	if f, ok := to.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.to = to
		}
	}
	return p
}

// tell draws how many bytes are done of a total, or of one that is not known: 0.
func (p *progress) tell(done, total int64) {
	if p.to == nil || time.Now().Before(p.next) {
		return
	}
	p.next = time.Now().Add(progressWait)
	p.drawn = true
	if total <= 0 {
		fmt.Fprintf(p.to, "%s%s %.1f MiB", eraseLine, p.what, mebibytes(done))
		return
	}
	full := int(progressWidth * min(done, total) / total)
	fmt.Fprintf(p.to, "%s%s [%s%s] %3d%% of %.1f MiB", eraseLine, p.what,
		strings.Repeat("#", full), strings.Repeat(".", progressWidth-full), 100*min(done, total)/total, mebibytes(total))
}

// clear takes the line away, for another to be printed.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.to, eraseLine)
		p.drawn = false
	}
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// watched is a Log that tells how much of it was read, and can be interrupted.
type watched struct {
	journal.Log
	ctx   context.Context
	bar   *progress
	total int64 // bytes of states and batches; 0 if it is not known
}

// watch measures the Log if there is a terminal to draw on.
func watch(ctx context.Context, log journal.Log, bar *progress) (*watched, error) {
	w := &watched{Log: log, ctx: ctx, bar: bar}
	if bar.to == nil {
		return w, nil
	}
	err := log.Recover(func(s journal.Snapshot) error {
		for _, state := range s.States {
			w.total += int64(len(state))
		}
		return ctx.Err()
	}, func(_ uint64, b journal.Batch) error {
		w.total += int64(len(b.Bytes()))
		return ctx.Err()
	})
	return w, err
}

// Recover is the Log's.
func (w *watched) Recover(snapshot func(journal.Snapshot) error, batch func(uint64, journal.Batch) error) error {
	var done int64
	read := func(n int) {
		done += int64(n)
		w.bar.tell(done, w.total)
	}
	return w.Log.Recover(func(s journal.Snapshot) error {
		states := s.States
		s.States = func(yield func(string, []byte) bool) {
			for name, state := range states {
				read(len(state))
				if !yield(name, state) {
					return
				}
			}
		}
		if err := w.ctx.Err(); err != nil {
			return err
		}
		return snapshot(s)
	}, func(index uint64, b journal.Batch) error {
		read(len(b.Bytes()))
		if err := w.ctx.Err(); err != nil {
			return err
		}
		return batch(index, b)
	})
}
