package eventloop

import (
	"fmt"
	"maps"
	"slices"

	"github.com/lineshaft/lineshaft/statemachine"
)

// asking is what machines wait for.
type asking struct {
	calls    map[uint64]*asked
	requests []*entry // which supervisors have not answered
}

// asked is a call that a machine has made and not had the reply to.
type asked struct {
	id      uint64
	caller  *process
	tag     string
	callee  statemachine.Name
	derived bool // the caller's inputs are journaled
	timer   *timer
	entry   *entry // what the callee is given, unless that is not known here
}

// callTo sends an input to another process, whose output is to come back.
func (l *Loop) callTo(p *process, f *statemachine.Effect, derived bool) {
	a := &asked{id: l.id(derived), caller: p, tag: f.Tag, callee: f.Name, derived: derived}
	l.addCall(a)
	to, x, err := l.addressee(p, f)
	if err != nil {
		l.comeBack(a, nil, err, derived)
		return
	}
	a.timer = l.addTimer(&timer{proc: p, call: a, derived: derived}, f.After)
	if l.replays() && !to.derives() {
		return
	}
	if err := l.noRoom(to, derived); err != nil {
		l.comeBack(a, nil, err, derived && to.derives())
		return
	}
	e := l.letter(to, kindInput, derived)
	e.x, e.asked, e.letter, a.entry = x, a, true, e
	e.sender = p
	l.send(e, derived)
}

func (l *Loop) addCall(a *asked) {
	l.calls[a.id] = a
	p := a.caller
	if p.calls == nil {
		p.calls = map[uint64]*asked{}
	}
	p.calls[a.id] = a
	p.owed++
}

// replied has the answer to a machine's call, which e was.
func (l *Loop) replied(e *entry, err error, derived bool) {
	a := e.asked
	if l.calls[a.id] != a {
		return // it has waited no longer
	}
	var out any
	if err == nil {
		out = e.proc.Output(e.x)
	}
	l.comeBack(a, out, err, derived)
}

// comeBack gives the caller its reply. One that does not follow from the
// journal, for a caller that does, goes through it.
func (l *Loop) comeBack(a *asked, out any, err error, derived bool) {
	m := statemachine.NewReply(a.tag, a.callee, out, err)
	if a.derived && !derived {
		e := l.letter(a.caller, kindMessage, false)
		e.msg, e.asked = m, a
		var by *process
		if a.entry != nil {
			by = a.entry.proc
		}
		l.cross(by, e)
		return
	}
	l.forgetCall(a)
	l.tellAtOnce(a.caller, m, derived)
}

// forgetCall ends the wait for a reply.
func (l *Loop) forgetCall(a *asked) {
	delete(l.calls, a.id)
	delete(a.caller.calls, a.id)
	a.caller.owed--
	l.cancelTimer(a.timer)
	if e := a.entry; e != nil && e.kept.Load() {
		e.proc.drop(e)
	}
}

// timedOut answers a call whose time is over.
func (l *Loop) timedOut(a *asked, derived bool) {
	outcome := statemachine.Unknown
	if e := a.entry; e != nil && e.kept.Load() && (e.journaled() || !a.derived) { // what a replay knows too
		outcome = statemachine.Applied
	}
	l.comeBack(a, nil, refused(a.callee, outcome, fmt.Errorf("%w: the call's time is over", statemachine.ErrDeadline)), derived)
}

// parted ends what tied p, whose life has ended because of r, to others: it is
// told to those who wait, watch or are linked.
func (l *Loop) parted(p *process, r statemachine.Reason) {
	for _, e := range p.inOrder() {
		l.answer(e, refused(p.name, statemachine.Applied, &statemachine.ExitError{Name: p.name, Reason: r}))
	}
	watchers, links := p.watchers, p.links
	p.watchers, p.links = nil, nil
	for _, w := range watchers {
		w.watches = without1(w.watches, p)
		l.tellProcess(w, statemachine.MonitorDown{Name: p.name, Reason: r}, true)
	}
	for _, to := range links {
		to.linked = without1(to.linked, p)
		l.linkBroke(to, p.name, r, true, false)
	}
	p.gen.Store(0)
	l.outside.ended(p.name, r)
	l.forgetLife(p)
}

// cutOff ends what tied p to others when the program ends, or has ended.
func (l *Loop) cutOff(p *process) {
	for _, e := range p.inOrder() {
		err := refused(p.name, statemachine.Applied, &statemachine.ExitError{Name: p.name, Reason: statemachine.Killed})
		if e.asked != nil {
			l.replied(e, err, true)
		} else if e.key != "" {
			l.endKey(e, err)
		}
	}
	l.forgetLife(p)
}

// forgetLife drops what belonged to a life of p that has ended. What is on its
// way to that life comes to no other: see stands.
func (l *Loop) forgetLife(p *process) {
	for _, to := range p.watches {
		to.watchers = without1(to.watchers, p)
	}
	for _, w := range p.watchers {
		w.watches = without1(w.watches, p)
	}
	for _, to := range p.links {
		to.linked = without1(to.linked, p)
	}
	for _, to := range p.linked {
		to.links = without1(to.links, p)
	}
	p.callers, p.watchers, p.watches, p.links, p.linked, p.traps, p.continues = nil, nil, nil, nil, nil, false, 0
	if !l.lasts(p) {
		l.forgetState(p)
	}
}

// lasts reports whether what belongs to the state of p outlives its life, as
// the state does.
func (l *Loop) lasts(p *process) bool { return p.Durable() && l.cfg.Durability != None }

// forgetState drops what belongs to a state of p that is gone.
func (l *Loop) forgetState(p *process) {
	for _, t := range p.timers.all() {
		l.cancelTimer(t)
	}
	for _, a := range p.calls {
		l.forgetCall(a)
	}
	for _, w := range p.works {
		l.dropWork(w)
	}
}

// inheritState gives p what belongs to the state of old, which p has now.
func (l *Loop) inheritState(p, old *process) {
	if !l.lasts(old) || !l.lasts(p) {
		l.forgetState(old)
		return
	}
	p.timers, old.timers = old.timers, named{}
	for _, t := range p.timers.all() {
		t.proc = p
	}
	p.calls, old.calls = old.calls, nil
	for _, a := range p.calls {
		a.caller = p
		p.owed++
		if a.timer != nil {
			a.timer.proc = p
		}
	}
	p.works, old.works = old.works, nil
	for _, w := range p.works {
		w.proc = p
	}
}

// orphanedCalls answers the calls of which nothing is left but that they were
// made: to processes that are not journaled, by a program that has ended.
func (l *Loop) orphanedCalls() {
	for _, id := range slices.Sorted(maps.Keys(l.calls)) {
		if a := l.calls[id]; a.entry == nil {
			err := &statemachine.ExitError{Name: a.callee, Reason: statemachine.Killed}
			l.comeBack(a, nil, refused(a.callee, statemachine.Unknown, err), true)
		}
	}
}

// orphanedRequests answers those that a program has not lived to see answered.
func (l *Loop) orphanedRequests() {
	for _, e := range slices.Clone(l.requests) {
		l.answer(e, statemachine.ErrStopping)
	}
}

// owedMax is how many answers a process may have to come that it did not wait
// for: one that asks without end ends.
const owedMax = 1 << 16

var errOwed = fmt.Errorf("%w: it has asked for more than %d things, and goes on", statemachine.ErrOverloaded, owedMax)
