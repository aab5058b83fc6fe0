package eventloop

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// entry is one thing for the loop to do. Whoever has taken it owns it; while
// it is on a list the queue's lock guards it.
type entry struct {
	prev, next *entry
	on         *list // nil once taken

	kind     kind
	cast     bool
	answered bool // nobody waits for an answer (any more)
	shared   bool // a caller still looks at it: not to be used again
	proc     *process
	x        any // kindInput: the exchange

	life   uint32              // kindExit, kindMessage: the life that ends, or is told; 0 for whichever
	reason statemachine.Reason // kindExit: why
	pid    supervisor.PID      // kindRetry: the supervisor
	node   *supervisor.Node    // kindRetry: its child
	due    int64               // kindRetry: the time of one with a Delay
	req    *request            // kindRequest
	dying  *dying              // kindOver

	// Of an entry that is in the journal: what it is stepped with.
	time int64 // never 0
	seed uint64

	from   statemachine.From    // kindInput: who waits for the output
	kept   atomic.Bool          // kindInput: a later step answers
	msg    statemachine.Message // kindMessage
	timer  *timer               // kindMessage: it is due
	id     uint64               // of the timer, as it was then
	work   *work                // kindMessage: its end
	asked  *asked               // kindInput: the machine's call that it is; kindMessage: the reply to it
	letter bool                 // sent by a machine, which waits for no answer here
	sender *process             // kindInput: who is told if it is not delivered; kindRequest: who is answered; kindBind: who was linked
	sent   uint32               // the sender's life, if it is that which sent; 0: its state
	counts *int                 // kindMessage, kindRequest: what counts it as long as it waits
	linked bool                 // kindBind: it is a link, or none any more
	gens   [2]uint32            // kindBind: which lives
	out    any                  // kindAnswer: the reply
	tag    string               // kindRequest: the sender's word for it; kindBind: the sender's name; kindExit, a letter: who has ended

	post *post    // kindGoOn: of which there may be more
	by   *process // who has sent it, on its way to the journal

	key string   // kindInput: of idempotency; empty: none
	sum [16]byte // of the input, if there is a key

	err  error         // the answer, valid once done has been received from
	done chan struct{} // capacity 1; nil if nobody waits
}

// journaled reports whether e is in the journal, or being committed.
func (e *entry) journaled() bool { return e.time != 0 }

type kind uint8

const (
	kindNone kind = iota // nothing to do
	kindInput
	kindExit    // a process ends, for a reason that is not a journaled input
	kindRetry   // a supervisor tries again to start a child
	kindRequest // a supervisor is asked for something
	kindOver    // a Terminate is over
	kindMessage // a process is told something
	kindGoOn    // more letters may be stepped
	kindDrop    // a letter that was taken back
	kindBind    // a process is linked with another, which is not journaled
	kindAnswer  // a caller that was kept waiting has its reply
)

// list is a doubly linked list of entries in arrival order.
type list struct {
	head, tail *entry
	n          int
}

func (l *list) pushBack(e *entry) {
	e.on, e.prev, e.next = l, l.tail, nil
	if l.tail == nil {
		l.head = e
	} else {
		l.tail.next = e
	}
	l.tail = e
	l.n++
}

func (l *list) pushFront(e *entry) {
	e.on, e.prev, e.next = l, nil, l.head
	if l.head == nil {
		l.tail = e
	} else {
		l.head.prev = e
	}
	l.head = e
	l.n++
}

func (l *list) each(f func(*entry)) {
	for e := l.head; e != nil; e = e.next {
		f(e)
	}
}

func (l *list) remove(e *entry) {
	if e.prev == nil {
		l.head = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		l.tail = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.on, e.prev, e.next = nil, nil, nil
	l.n--
}

// queue holds what has been sent and not been taken: the entries of the loop,
// and on each process those that wait for it to restart. All methods are safe
// for concurrent use.
//
// It is bounded by making callers wait: an entry beyond the bound is on the
// list too, but its caller does not go on before it is stepped, so that there
// are never more of those than there are callers.
type queue struct {
	mu     sync.Mutex
	main   list
	bound  int
	closed bool

	size atomic.Int32 // main.n, to look at without the lock
	pool sync.Pool    // of entries; not shared by loops, as a channel belongs to its synctest bubble
}

// casual reports whether e is a cast that is accepted by being queued: it need not
// be journaled, and has no key, which may turn out to be another input's.
func (e *entry) casual() bool { return e.cast && e.key == "" && !e.proc.journaled }

// push appends e. It reports whether there was room. A casual one that finds room
// is accepted by that. An error means that e was refused.
func (q *queue) push(e *entry) (room bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, statemachine.ErrStopping
	}
	room = q.main.n < q.bound && e.proc.held.n < q.bound
	e.answered = room && e.casual()
	q.main.pushBack(e)
	q.size.Store(int32(q.main.n))
	return room, nil
}

// full reports whether there is no room for another input that waits for p.
func (q *queue) full(p *process) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return p.held.n >= q.bound
}

// pushOwn appends an entry of the loop's own, which finds room always.
func (q *queue) pushOwn(e *entry, front bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if front {
		q.main.pushFront(e)
	} else {
		q.main.pushBack(e)
	}
	q.size.Store(int32(q.main.n))
}

// pushAll appends es, of the loop's own, which is empty then.
func (q *queue) pushAll(es *list) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for e := es.head; e != nil; e = es.head {
		es.remove(e)
		q.main.pushBack(e)
	}
	q.size.Store(int32(q.main.n))
}

// pushRequest appends a request to a supervisor, which finds room always.
func (q *queue) pushRequest(e *entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return statemachine.ErrStopping
	}
	q.main.pushBack(e)
	q.size.Store(int32(q.main.n))
	return nil
}

// take appends the first entries, at most max, to dst: they are the caller's now.
func (q *queue) take(dst []*entry, max int) []*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	for e := q.main.head; e != nil && len(dst) < max; e = q.main.head {
		q.main.remove(e)
		dst = append(dst, e)
	}
	q.size.Store(int32(q.main.n))
	return dst
}

// putBack returns taken entries to the front of the queue.
func (q *queue) putBack(es []*entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range slices.Backward(es) {
		q.main.pushFront(e)
	}
	q.size.Store(int32(q.main.n))
}

// withdraw removes e because its caller has gone. False: it was taken before, or
// waits on for a process that is suspended, if there was room for it.
func (q *queue) withdraw(e *entry, room bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.on == nil || room && e.proc != nil && e.proc.stays && e.on == &e.proc.held {
		return false
	}
	e.on.remove(e)
	q.size.Store(int32(q.main.n))
	return true
}

// hold gives a taken entry back, to wait for its process.
func (q *queue) hold(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e.proc.held.pushBack(e)
}

// stay says whether what waits for p does so even when its callers have gone.
func (q *queue) stay(p *process, on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p.stays = on
}

// waits reports whether any input waits for p. For who holds the role.
func (q *queue) waits(p *process) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return p.held.n > 0 || len(p.committed) > 0
}

// unhold takes the entry that has waited longest for p, nil if none does.
func (q *queue) unhold(p *process) *entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := p.held.head
	if e != nil {
		p.held.remove(e)
	}
	return e
}

// eachHeld goes through the entries that wait for p and are not journaled.
func (q *queue) eachHeld(p *process, f func(*entry)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p.held.each(f)
}

// unholdContinue takes the first Continue that waits for p, nil if none does.
func (q *queue) unholdContinue(p *process) *entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	for e := p.held.head; e != nil; e = e.next {
		if isContinue(e) {
			p.held.remove(e)
			return e
		}
	}
	return nil
}

// requeue moves all that wait for p to the front of the queue, in their order.
func (q *queue) requeue(p *process) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for e := p.held.tail; e != nil; e = p.held.tail {
		p.held.remove(e)
		q.main.pushFront(e)
	}
	q.size.Store(int32(q.main.n))
}

// close refuses all that comes later, except the loop's own entries.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// answer tells the caller of e, if one waits; the end of a cast that was
// accepted before frees it for another input. It is the last use of e.
func (q *queue) answer(e *entry, err error) {
	switch {
	case e == nil:
	case !e.answered:
		e.answered, e.shared = true, true
		e.err = err
		if e.done != nil {
			e.done <- struct{}{}
		}
	case e.cast:
		e.proc.Free(e.x)
		if !e.shared {
			q.recycle(e)
		}
	}
}

// fresh returns an entry for a caller, with a done.
func (q *queue) fresh() *entry {
	if e, ok := q.pool.Get().(*entry); ok {
		return e
	}
	return &entry{done: make(chan struct{}, 1)}
}

// recycle puts e, which nobody uses any more, back; unless no caller could wait
// for it, as it comes from a journal or a snapshot.
func (q *queue) recycle(e *entry) {
	if e.done == nil {
		return
	}
	*e = entry{done: e.done}
	q.pool.Put(e)
}
