package eventloop

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// Loop runs one application: it steps the machines of a tree, one input at a
// time, and carries out what their supervisors decide. [Start] makes one.
//
// The loop is a role, not a thread. A caller who finds it free and its queue
// empty takes it and steps its own input, on its own goroutine; who finds it
// taken queues the input. What is queued is stepped by whoever holds the role,
// or by the loop's goroutine.
type Loop struct {
	cfg     Config
	clock   *clock
	moment  *statemachine.Moment
	queue   queue
	procs   registry
	outside outside

	wake     chan struct{} // capacity 1: there is work for the loop's goroutine
	done     chan struct{} // closed when the application has ended and its states are saved
	err      error         // how it ended; set before done is closed
	syncing  atomic.Bool   // a batch is being committed; who holds the role sets it
	stopping atomic.Bool   // Stop was called

	role sync.Mutex // who holds it is the loop; it guards all that follows
	tree *supervisor.Tree
	disk disk

	flight []*entry // taken and not applied: being committed while syncing
	taken  []*entry // room for what is being written
	batch  []*entry // being applied
	pos    int      // the next of batch
	seed   uint64   // of the last entry that was not journaled
	at     int64    // the time of the last entry that was

	current  *entry   // the entry being stepped; nil if it is a caller's own input
	running  *process // the process being stepped or, if starting, initialised
	starting bool
	owed     []debt

	mail     // what machines have sent
	asking   // what they wait for
	clocking // the timers that have not fired
	pool     // their tasks

	windows [2]window // of idempotency keys
	bounds  bounds    // those of cfg; of a replay, those that the program had

	shape    shape
	orphans  map[statemachine.Name][]byte  // saved states of processes that the tree has not now
	changed  bool                          // a supervisor was given another spec
	static   map[statemachine.Name]bool    // workers of Config.Root; never changes
	departed []*process                    // added ones that have ended since settle
	stops    map[supervisor.PID][]*request // who waits for an end
	past     *past                         // of a replay; nil when live
	starts   bool                          // the program is being started, live
	booting  bool                          // the children that were added are not all asked for yet
	settling bool                          // settle is at work
	revived  []*process                    // up again, with inputs that waited
	waiting  []*process                    // with inputs that wait

	ending // how all this ends
}

// work is the loop: take → commit → step → reply. The caller holds the role.
// It returns when nothing is left to do, when what is left waits for a commit,
// or, with nothing taken, after some batches.
func (l *Loop) work(batches int) {
	for ; batches > 0 || len(l.flight) > 0; batches-- {
		commits := l.syncing.Load()
		if commits && !l.committed() {
			return
		}
		batch := l.flight
		l.flight = nil // whoever goes on after a Goexit has none
		l.apply(batch)
		if len(batch) > 0 {
			l.checkpoint()
		}
		if commits {
			runtime.Gosched() // those who were answered can send again, and share the next commit
		}
		if batches > 0 || commits && l.journals() {
			l.flight = l.take(batch[:0])
		}
		if len(batch)+len(l.flight) == 0 {
			l.leave()
			return
		}
	}
}

// apply steps the entries of a batch that is committed, and answers them.
func (l *Loop) apply(batch []*entry) {
	l.batch, l.pos = batch, 0
	l.applyRest()
}

func (l *Loop) applyRest() {
	for l.pos < len(l.batch) {
		e := l.batch[l.pos]
		l.batch[l.pos] = nil
		l.pos++
		journaled := e.journaled()
		l.owe(journaled)
		l.run(e)
		l.deliver(journaled)
	}
}

// run does one entry.
func (l *Loop) run(e *entry) {
	p := e.proc
	if e.journaled() {
		l.at = max(l.at, e.time)
	}
	switch e.kind {
	case kindInput, kindMessage:
		switch {
		case e.kind == kindMessage && !l.stands(e):
			l.answer(e, nil)
		case !p.takes(e):
			l.wait(e)
		case !l.concerns(e):
			l.answer(e, nil)
		default:
			l.step(e)
		}
	case kindExit:
		if p.alive && (e.journaled() && !e.letter || e.life == 0 || p.life.Load() == e.life) {
			l.exits(p, e.reason)
		}
		l.answer(e, nil)
	case kindRequest:
		l.ask(e)
	case kindRetry:
		l.tree.SetNow(l.now())
		l.tree.Retry(e.pid, e.node)
		l.settle()
	case kindOver:
		if p.dying == e.dying {
			p.dying = nil
			l.gone(p, e.dying.pid, e.reason)
			l.settle()
		}
	case kindGoOn:
		e.post.asked = false
		if e.post == &l.crossing {
			l.crossMore()
		}
		if !l.replays() { // whose entries are not the loop's
			l.reuse(e)
		}
	case kindBind:
		l.bound(e)
	case kindAnswer:
		if waits := p.callers[e.from]; waits != nil {
			l.replyWith(waits, e.out, true)
		}
	}
}

// stands reports whether a message is still to be told: its life may have ended,
// or what it is the end of may have been cancelled meanwhile.
func (l *Loop) stands(e *entry) bool {
	switch p := e.proc; {
	case p.gone.Load() || e.life != 0 && (e.life != p.life.Load() || !p.alive):
		return false
	case e.timer != nil:
		return l.runs(e.timer, e.id)
	case e.asked != nil:
		return l.calls[e.asked.id] == e.asked
	case e.work != nil:
		return l.works[e.work.id] == e.work
	}
	return true
}

// concerns ends what e, a message that stands, is the end of, and reports
// whether there is anything to be told.
func (l *Loop) concerns(e *entry) bool {
	switch {
	case e.kind == kindInput:
	case e.timer != nil:
		return l.rang(e)
	case e.asked != nil:
		l.forgetCall(e.asked)
		e.asked = nil
	case e.work != nil:
		l.dropWork(e.work)
		e.work = nil
	}
	return true
}

// now is the time that supervisors go by: where inputs are journaled that of
// the last one that was applied, so that a replay decides as we do.
func (l *Loop) now() int64 {
	if l.cfg.Durability == Always || l.replays() {
		return l.at
	}
	return l.clock.now()
}

// stepped finishes the step of l.running on behalf of l.current: it counts,
// lets the supervisor deal with the end of the process, if the step was that,
// and answers. It returns the answer.
func (l *Loop) stepped(crash *statemachine.CrashError) (err error) {
	e, p := l.current, l.running
	derived := e != nil && e.journaled() // e may have been answered when p ends
	l.current, l.running = nil, nil
	if l.cfg.observe != nil {
		l.observed(e, p, crash)
	}
	if e != nil && e.cast {
		p.unread.Add(-1)
	}
	if crash != nil {
		err = refused(p.name, statemachine.NotApplied, crash)
		l.endBy(e, p, derived, statemachine.Crash(crash), err)
		return err
	}
	p.steps++
	x := l.moment.Exit()
	noReply := l.carryFor(e, p)
	if p.sys != nil {
		l.sawStep(p, e, noReply || x != nil && x.NoReply)
	}
	if x == nil && p.owed > owedMax {
		x = &statemachine.Stop{Reason: statemachine.Crash(errOwed)}
	}
	if x == nil {
		if !noReply {
			l.answer(e, nil)
		}
		l.continued(p)
		return nil
	}
	if noReply {
		l.endBy(nil, p, derived, x.Reason, nil)
		return nil
	}
	if x.NoReply {
		err = refused(p.name, statemachine.Applied, &statemachine.ExitError{Name: p.name, Reason: x.Reason})
	}
	l.endBy(e, p, derived, x.Reason, err)
	return err
}

// carryFor carries out what the step of e has asked for, and reports whether e
// waits for a reply yet, or has it already.
func (l *Loop) carryFor(e *entry, p *process) (noReply bool) {
	if e == nil || e.from == 0 {
		if len(l.moment.Effects()) > 0 {
			l.carry(p, e != nil && e.journaled())
		}
		return false
	}
	noReply = l.moment.NoReply()
	if len(l.moment.Effects()) == 0 {
		if noReply {
			p.keep(e)
		}
		return noReply
	}
	from := e.from
	p.keep(e) // a reply may be among the effects
	l.carry(p, e.journaled())
	if p.callers[from] != e {
		return true
	}
	if !noReply {
		p.drop(e)
	}
	return noReply
}
