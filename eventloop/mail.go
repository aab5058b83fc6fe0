package eventloop

import (
	"github.com/lineshaft/lineshaft/statemachine"
)

// mail is what machines have sent.
type mail struct {
	posts    [2]post // the derived post is the second
	crossing post    // what is to go through the journal
	owes     owes    // of the entry that is being applied
	letters  spares[entry]
	ids      [2]uint64
	sent     uint64
	farewell int // how often letters may be gone on with once Stop was called
}

// post is what was sent by steps and has not been stepped, in order.
type post struct {
	list  list
	left  int  // how many may be stepped before anything else
	asked bool // an entry that allows more is in the queue
}

// letters is how many letters are stepped for each entry, before the next one.
// Processes that send without end so share the loop with those who call.
const letters = 64

// post returns the derived post or the other.
func (l *Loop) post(derived bool) *post {
	if derived {
		return &l.posts[1]
	}
	return &l.posts[0]
}

// letter returns a new entry that nobody waits for.
func (l *Loop) letter(p *process, k kind, derived bool) *entry {
	e := l.letters.get()
	e.kind, e.proc, e.answered = k, p, true
	if derived && (p == nil || p.derives()) {
		l.sent++
		e.time, e.seed = max(l.at, 1), (uint64(l.at)^l.sent<<32)*0xbf58476d1ce4e5b9|1
	}
	return e
}

// spares are values that nobody uses, for who holds the role: like a sync.Pool,
// and cheaper. The zero spares are none.
type spares[T any] []*T

// sparesMax is how many are kept.
const sparesMax = 1 << 10

// get returns one as it was put, or a new one.
func (s *spares[T]) get() *T {
	n := len(*s) - 1
	if n < 0 {
		return new(T)
	}
	v := (*s)[n]
	*s = (*s)[:n]
	return v
}

func (s *spares[T]) put(v *T) {
	if len(*s) < sparesMax {
		*s = append(*s, v)
	}
}

// reuse takes back e, an entry that nobody waits for or uses any more.
func (l *Loop) reuse(e *entry) {
	*e = entry{done: e.done}
	l.letters.put(e)
}

// send posts a letter; one that crosses to a process whose inputs are journaled
// goes through the journal.
func (l *Loop) send(e *entry, derived bool) {
	switch {
	case derived && e.journaled():
		l.post(true).list.pushBack(e)
	case !derived && (e.proc == nil && l.journals() || e.proc != nil && e.proc.derives()):
		if e.kind == kindInput && e.asked == nil {
			e.cast, e.letter, e.answered = true, false, false // until it is committed
			e.proc.unread.Add(1)
		}
		l.cross(e.sender, e)
	default:
		l.post(false).list.pushBack(e)
	}
}

// cross sends e, of a process that is not journaled, through the journal, behind
// what that has sent before. Of such there are few in the queue at a time, so
// that those who call do not wait for all that machines send.
func (l *Loop) cross(by *process, e *entry) {
	if by != nil && !by.derives() {
		e.by = by
		by.crossing++
	}
	if l.crossing.list.n == 0 && l.queue.size.Load() < letters {
		l.queue.pushOwn(e, false)
		return
	}
	l.crossing.list.pushBack(e)
	l.askForMore(&l.crossing)
}

// crossMore has more go through the journal.
func (l *Loop) crossMore() {
	c := &l.crossing
	for n := 0; n < letters && c.list.n > 0; n++ {
		e := c.list.head
		c.list.remove(e)
		l.queue.pushOwn(e, false)
	}
	l.askForMore(c)
}

// askForMore queues an entry that goes on with p, behind what callers have sent.
func (l *Loop) askForMore(p *post) {
	if p.list.n > 0 && !p.asked && !l.replays() && l.mayGoOn() {
		p.asked = true
		e := l.letters.get()
		e.kind, e.post = kindGoOn, p
		l.queue.pushOwn(e, false)
	}
}

// noRoom returns why a machine can send to nothing now.
func (l *Loop) noRoom(to *process, derived bool) error {
	switch {
	case l.full(to, derived):
		return refused(to.name, statemachine.NotApplied, statemachine.ErrOverloaded)
	case to.derives() && !derived && !l.lastWords():
		return refused(to.name, statemachine.NotApplied, statemachine.ErrStopping)
	}
	return nil
}

// full reports whether there is no room for what is sent to p: where it would
// be sent to, or with those that wait for p.
func (l *Loop) full(p *process, derived bool) bool {
	switch {
	case derived && p.derives():
		return l.post(true).list.n >= l.bounds.Queue || len(p.committed) >= l.bounds.Queue
	case p.derives():
		return l.crossing.list.n >= l.queue.bound || l.queue.full(p)
	}
	return l.post(false).list.n >= l.queue.bound || p.held.n >= l.queue.bound
}

// deliver steps some of the letters; derived ones only after an entry of the
// journal, so that a replay does it at the same places.
func (l *Loop) deliver(derived bool) {
	l.owes = owesNone
	l.posts[0].left = letters
	if derived {
		l.posts[1].left = letters
	}
	l.deliverRest()
}

// owes is what deliver is still to be called with.
type owes uint8

const (
	owesNone owes = iota
	owesOther
	owesDerived
)

// owe notes that deliver will be called, also if a machine ends the goroutine
// before that.
func (l *Loop) owe(derived bool) {
	l.owes = owesOther
	if derived {
		l.owes = owesDerived
	}
}

// deliverOwed is deliver, or the rest of it, on another goroutine.
func (l *Loop) deliverOwed() {
	if l.owes == owesNone {
		l.deliverRest()
		return
	}
	l.deliver(l.owes == owesDerived)
}

// deliverOther steps some of the letters that were sent beside an entry.
func (l *Loop) deliverOther() {
	if p := &l.posts[0]; p.list.n > 0 && !p.asked {
		l.deliver(false)
	}
}

func (l *Loop) deliverRest() {
	for _, i := range [...]int{1, 0} { // the derived ones send to the others, which send no derived ones
		p := &l.posts[i]
		for p.left > 0 && p.list.n > 0 && !l.leaving && l.ended == nil {
			p.left--
			e := p.list.head
			p.list.remove(e)
			l.run(e)
		}
		p.left = 0
		l.askForMore(p)
	}
}

// farewell is how often machines may keep the queue from being empty once Stop
// was called: those that send without end would do so for ever.
const farewell = 1 << 10

func (l *Loop) mayGoOn() bool { return !l.leaving && l.ended == nil && l.lastWords() }

// lastWords reports whether something may be queued because of machines yet.
func (l *Loop) lastWords() bool {
	if l.stopping.Load() {
		l.farewell--
	}
	return l.farewell > 0
}

// step steps what e says, an input or a message, by its process, which can.
func (l *Loop) step(e *entry) {
	p := e.proc
	if e.key != "" && e.journaled() == p.derives() {
		if l.repeated(e) {
			return
		}
		l.beginKey(e)
		if e.cast && !e.answered {
			l.queue.answer(e, nil) // its key is its own: it is accepted
		}
	}
	if e.journaled() {
		l.moment.Set(e.time, e.seed)
	} else {
		l.seed++
		l.moment.Set(0, l.seed)
	}
	l.current, l.running = e, p
	e.sender = nil // it is delivered
	if isContinue(e) {
		p.continues--
	}
	if p.continues > 0 {
		l.moment.Hide()
	}
	if e.kind == kindMessage {
		e.tellsDown(false)
		x, ok, crash := p.FromMessage(e.msg)
		if crash != nil {
			l.stepped(crash)
			return
		}
		if !ok {
			l.current, l.running = nil, nil
			l.answer(e, nil)
			l.continued(p)
			return
		}
		e.x = x
	} else if !e.cast && (!e.letter || e.asked != nil) {
		e.from = statemachine.From(l.id(e.journaled()))
		l.moment.SetFrom(e.from)
	}
	if p.sys != nil {
		l.sawInput(p, e)
	}
	l.stepped(p.Step(e.x))
}

// id returns a new number: of those that a replay gives again, or of others.
func (l *Loop) id(derived bool) uint64 {
	if derived {
		l.ids[1]++
		return l.ids[1]<<1 | 1
	}
	l.ids[0]++
	return l.ids[0] << 1
}

// isDerived reports whether id has given the number for a replay to give again.
func isDerived(id uint64) bool { return id&1 != 0 }

// answer tells whoever waits for e what became of it. It is the last use of e.
func (l *Loop) answer(e *entry, err error) {
	if e != nil && e.key != "" {
		l.endKey(e, err)
	}
	switch {
	case e == nil:
	case e.asked != nil && e.kind == kindInput:
		l.replied(e, err, e.journaled())
	case e.kind == kindRequest && e.sender != nil:
		r := e.req
		l.requests = without1(l.requests, e)
		e.uncount()
		if !e.concernsSender() {
			return
		}
		l.tellAtOnce(e.sender, statemachine.ChildReply{Tag: e.tag, Sup: r.sup, Child: r.child, Err: r.failedOrNil(err)}, e.journaled())
	case err != nil && e.kind == kindInput && e.sender != nil:
		if e.concernsSender() {
			l.undelivered(e.sender, e.proc.name, err, e.journaled())
		}
		e.sender = nil
		l.answer(e, err)
	case e.letter || e.kind == kindMessage:
		e.uncount()
		if e.x != nil {
			e.proc.Reuse(e.x)
		}
		l.reuse(e)
	default:
		l.queue.answer(e, err)
	}
}
