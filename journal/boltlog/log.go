package boltlog

import (
	"sync"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// Log is a journal.Log in one file: see there for what its methods promise. It is made by Open and runs one goroutine
// while it has work.
type Log struct {
	path string
	db   *bolt.DB

	mu      sync.Mutex
	queue   []call
	running chan struct{} // closed when the goroutine that runs now ends; nil if there is none
	closed  bool

	release  sync.Once
	closeErr error

	// These belong to the goroutine that runs; its successor finds them through mu.
	last     uint64 // index of the last durable batch
	snapshot uint64 // index of the durable snapshot. Invariant: snapshot <= last
	failed   error  // what ended it; every later call gets it
}

var _ journal.Log = (*Log)(nil)

// call is a call of Append or of Save; the other's fields are zero.
type call struct {
	batch    journal.Batch
	appended func(uint64, error)
	update   journal.Update
	saved    func(error)
	closed   bool // the Log was closed before the call
}

func (c call) fail(err error) {
	if c.appended != nil {
		c.appended(0, err)
	} else {
		c.saved(err)
	}
}

// Append implements journal.Log.
func (l *Log) Append(b journal.Batch, done func(index uint64, err error)) {
	if b.Bytes() == nil {
		panic("boltlog: Append of the zero Batch")
	}
	l.hand(call{batch: b, appended: done})
}

// Save implements journal.Log.
func (l *Log) Save(u journal.Update, done func(error)) {
	l.hand(call{update: u, saved: done})
}

// hand queues a call, and starts the goroutine that carries it out if none runs.
func (l *Log) hand(c call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.closed = l.closed
	l.queue = append(l.queue, c)
	if l.running == nil {
		l.running = make(chan struct{})
		go l.run(l.running)
	}
}

// run carries out calls until none is left. While it waits for the disk the next ones gather in the queue.
func (l *Log) run(ended chan struct{}) {
	defer close(ended)
	var calls []call
	for {
		l.mu.Lock()
		clear(calls) // what they refer to is free to go
		calls, l.queue = l.queue, calls[:0]
		if len(calls) == 0 {
			l.running = nil
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		l.carryOut(calls)
	}
}

// carryOut carries out calls in order, successive ones of Append together.
func (l *Log) carryOut(calls []call) {
	for len(calls) > 0 {
		n := 1
		switch c := calls[0]; {
		case c.closed:
			c.fail(journal.ErrClosed)
		case l.failed != nil:
			c.fail(l.failed)
		case c.saved != nil:
			c.saved(l.save(c.update))
		default:
			n = groupLen(calls)
			l.appendGroup(calls[:n])
		}
		calls = calls[n:]
	}
}

// Close implements journal.Log.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	running := l.running
	l.mu.Unlock()
	if running != nil {
		<-running
	}
	l.release.Do(func() { l.closeErr = l.db.Close() })
	return l.closeErr
}
