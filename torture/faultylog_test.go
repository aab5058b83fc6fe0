package torture_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/lineshaft/lineshaft/journal"
)

// faultyLog is a journal.Memory that is slow, in virtual time, and whose power
// can be cut. What is handed over takes effect in order at random moments, and
// is done at random moments later.
type faultyLog struct {
	mem  *journal.Memory
	slow time.Duration // the longest pause; before each effect, and before each done
	lies bool          // what took effect last is lost with the power, also if it was done

	wake chan struct{} // capacity 1
	quit chan struct{} // closed by Close
	gone chan struct{} // closed when the goroutine has ended

	mu     sync.Mutex
	rand   *rand.Rand
	calls  []logCall       // without effect so far
	before *journal.Memory // without the last effect; if it lies
	failAt int             // the n-th effect from here fails; 0: none does
	broken error           // all that comes later fails with it
	dead   bool            // the power was cut
}

// logCall is a call of Append or of Save.
type logCall struct {
	batch    journal.Batch
	appended func(uint64, error) // nil: a Save
	update   journal.Update
	saved    func(error)
}

var errPower = fmt.Errorf("%w: power cut", journal.ErrFailed)

func newFaultyLog(mem *journal.Memory, seed uint64, slow time.Duration) *faultyLog {
	f := &faultyLog{mem: mem, slow: slow, rand: rand.New(rand.NewPCG(seed, 1)),
		wake: make(chan struct{}, 1), quit: make(chan struct{}), gone: make(chan struct{})}
	go f.run()
	return f
}

func (f *faultyLog) Recover(snapshot func(journal.Snapshot) error, batch func(uint64, journal.Batch) error) error {
	return f.mem.Recover(snapshot, batch)
}

func (f *faultyLog) Append(b journal.Batch, done func(uint64, error)) {
	f.hand(logCall{batch: b, appended: done})
}

func (f *faultyLog) Save(u journal.Update, done func(error)) { f.hand(logCall{update: u, saved: done}) }

func (f *faultyLog) hand(c logCall) {
	f.mu.Lock()
	f.calls = append(f.calls, c)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Close ends the log once nothing is left to do.
func (f *faultyLog) Close() error {
	close(f.quit)
	<-f.gone
	return f.mem.Close()
}

// failNext makes the n-th effect from now fail, and all after it.
func (f *faultyLog) failNext(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failAt = n
}

// cut cuts the power and returns what survives: all that was done, and of the
// rest some first part. Whoever waits is told that the log failed.
func (f *faultyLog) cut() *journal.Memory {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken == nil {
		for _, c := range f.calls[:f.rand.IntN(len(f.calls)+1)] {
			f.effect(c)
		}
	}
	f.dead = true
	f.broken = errPower
	if f.before != nil {
		return f.before
	}
	return f.mem.Reopen()
}

// isDead reports whether the power was cut: what a caller is told after that it
// is never told.
func (f *faultyLog) isDead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

// run carries out the calls. Dones of saves may be late.
func (f *faultyLog) run() {
	defer close(f.gone)
	var late []func()
	for {
		done, save, ok := f.next(len(late) > 0)
		switch {
		case save:
			late = append(late, done)
		case ok:
			f.pause()
			done()
		case len(late) > 0:
			late[0]()
			late = late[1:]
		default:
			select {
			case <-f.wake:
			case <-f.quit:
				return
			}
		}
	}
}

// next waits a moment, has the next call take effect, and returns its done.
// With none, or if may says so now and then, it returns false.
func (f *faultyLog) next(may bool) (done func(), save, ok bool) {
	f.mu.Lock()
	none := len(f.calls) == 0 || may && f.rand.IntN(2) == 0
	f.mu.Unlock()
	if none {
		return nil, false, false
	}
	f.pause()
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.calls[0]
	f.calls = f.calls[1:]
	index, err := f.fallible(c)
	if c.appended == nil {
		return func() { c.saved(f.orCut(err)) }, true, true
	}
	return func() {
		if err := f.orCut(err); err != nil {
			c.appended(0, err)
			return
		}
		c.appended(index, nil)
	}, false, true
}

// orCut is err, or that the power was cut meanwhile.
func (f *faultyLog) orCut(err error) error {
	if f.isDead() {
		return errPower
	}
	return err
}

// fallible carries a call out, unless the log is broken or breaks now.
func (f *faultyLog) fallible(c logCall) (uint64, error) {
	if f.broken != nil {
		return 0, f.broken
	}
	if f.failAt > 0 {
		if f.failAt--; f.failAt == 0 {
			if f.rand.IntN(2) == 0 {
				f.effect(c) // there all the same
			}
			f.broken = fmt.Errorf("%w: disk on fire", journal.ErrFailed)
			return 0, f.broken
		}
	}
	return f.effect(c)
}

// effect makes a call durable.
func (f *faultyLog) effect(c logCall) (index uint64, err error) {
	if f.lies {
		f.before = f.mem.Reopen()
	}
	done := make(chan struct{})
	if c.appended != nil {
		f.mem.Append(c.batch, func(i uint64, e error) { index, err = i, e; close(done) })
	} else {
		f.mem.Save(c.update, func(e error) { err = e; close(done) })
	}
	<-done
	if err != nil && !errors.Is(err, journal.ErrRefused) {
		panic(err) // Memory does not fail
	}
	return index, err
}

// pause waits for a random time, of the bubble's clock.
func (f *faultyLog) pause() {
	f.mu.Lock()
	d := time.Duration(f.rand.Int64N(int64(f.slow) + 1))
	f.mu.Unlock()
	if d > 0 {
		<-time.After(d)
	}
}
