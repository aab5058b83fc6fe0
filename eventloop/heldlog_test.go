package eventloop_test

import (
	"context"
	"fmt"
	"sync"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/journal"
)

// heldLog is a Log whose commits the test holds up, and whose saves it refuses
// or loses, to look at what may happen meanwhile.
type heldLog struct {
	journal.Log

	mu    sync.Mutex
	held  chan struct{} // commits are told when it is closed; nil: at once
	fails bool          // every batch and every save fails
	saves saving
}

// saving is what becomes of a save.
type saving int

const (
	saveKept    saving = iota
	saveRefused        // ErrRefused
	saveLost           // it is told to be there, and a kill -9 comes before it is
)

// hold holds up the answers to what is appended from now on, until release.
func (h *heldLog) hold() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = make(chan struct{})
}

func (h *heldLog) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.held)
	h.held = nil
}

func (h *heldLog) setSaves(s saving) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.saves = s
}

// fail fails whatever comes from now on.
func (h *heldLog) fail() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fails = true
}

func (h *heldLog) Append(b journal.Batch, done func(uint64, error)) {
	h.mu.Lock()
	held, fails := h.held, h.fails
	h.mu.Unlock()
	if fails {
		go done(0, fmt.Errorf("%w: %w", journal.ErrFailed, errDisk))
		return
	}
	h.Log.Append(b, func(index uint64, err error) {
		if held != nil {
			<-held
		}
		done(index, err)
	})
}

func (h *heldLog) Save(u journal.Update, done func(error)) {
	h.mu.Lock()
	saves, fails := h.saves, h.fails
	h.mu.Unlock()
	switch {
	case fails:
		go done(fmt.Errorf("%w: %w", journal.ErrFailed, errDisk))
	case saves == saveRefused:
		go done(fmt.Errorf("%w: a state", journal.ErrRefused))
	case saves == saveLost:
		go done(nil)
	default:
		h.Log.Save(u, done)
	}
}

// inBackground runs f until it is done or waits for something, and returns
// where its error will be. In a synctest bubble.
func inBackground(f func() error) <-chan error {
	errs := make(chan error, 1)
	go func() { errs <- f() }()
	synctest.Wait()
	return errs
}

// crashHeld crashes the process of r, in a batch that gathers as long as the
// commit of the one before it is held up.
func crashHeld(h *heldLog, r ref) {
	h.hold()
	for _, in := range []input{{}, {Crash: "custom"}} {
		inBackground(func() error {
			_, err := r.Call(context.Background(), in)
			return err
		})
		synctest.Wait()
	}
}
