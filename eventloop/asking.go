package eventloop

import (
	"fmt"
	"slices"

	"github.com/lineshaft/lineshaft/statemachine"
)

// asked is a call that a machine has made and not had the reply to.
type asked struct {
	id      uint64
	caller  *process
	tag     string
	callee  statemachine.Name
	derived bool // the caller's inputs are journaled
	timer   *timer
	entry   *entry // what the callee is given, unless only a snapshot knows of it
}

// callTo sends an input to another process, whose output is to come back.
func (l *Loop) callTo(p *process, f statemachine.Effect, derived bool) {
	a := &asked{id: l.id(derived), caller: p, tag: f.Tag, callee: f.Name, derived: derived}
	to, x, err := l.addressee(f)
	l.calls[a.id] = a
	if err != nil {
		l.comeBack(a, statemachine.NewReply(a.tag, a.callee, nil, err), derived)
		return
	}
	a.timer = l.addTimer(&timer{proc: p, call: a, derived: derived}, f.After)
	if l.replays() && !to.derives() {
		return
	}
	if l.full(to, derived) {
		err := refused(f.Name, statemachine.NotApplied, statemachine.ErrOverloaded)
		l.comeBack(a, statemachine.NewReply(a.tag, a.callee, nil, err), derived && to.derives())
		return
	}
	e := l.letter(to, kindInput, derived)
	e.x, e.asked, e.letter, a.entry = x, a, true, e
	l.send(e, derived)
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
	l.comeBack(a, statemachine.NewReply(a.tag, a.callee, out, err), derived)
}

// comeBack gives the caller its reply. One that does not follow from the
// journal, for a caller that does, goes through it.
func (l *Loop) comeBack(a *asked, m statemachine.Message, derived bool) {
	if a.derived && !derived {
		e := l.letter(a.caller, kindMessage, false)
		e.msg, e.asked = m, a
		l.queue.pushOwn(e, false)
		return
	}
	l.forgetCall(a)
	l.tellProcess(a.caller, m, derived)
}

// forgetCall ends the wait for a reply.
func (l *Loop) forgetCall(a *asked) {
	delete(l.calls, a.id)
	l.cancelTimer(a.timer)
	if e := a.entry; e != nil && e.kept.Load() {
		e.proc.drop(e)
	}
}

// timedOut answers a call whose time is over.
func (l *Loop) timedOut(a *asked, derived bool) {
	outcome := statemachine.Unknown
	if e := a.entry; e != nil && e.kept.Load() {
		outcome = statemachine.Applied
	}
	err := refused(a.callee, outcome, fmt.Errorf("%w: the call's time is over", statemachine.ErrDeadline))
	l.comeBack(a, statemachine.NewReply(a.tag, a.callee, nil, err), derived)
}

// monitor has p told when the process called name ends.
func (l *Loop) monitor(p *process, name statemachine.Name, derived bool) {
	to := l.procs.find(name)
	if to == nil || !to.alive {
		l.tellProcess(p, statemachine.MonitorDown{Name: name, Reason: statemachine.NoProcess}, derived)
		return
	}
	if !slices.Contains(to.watchers, p) {
		to.watchers = append(to.watchers, p)
		p.watches = append(p.watches, to)
	}
}

func (l *Loop) demonitor(p *process, name statemachine.Name) {
	if to := l.procs.find(name); to != nil {
		to.watchers = without1(to.watchers, p)
		p.watches = without1(p.watches, to)
	}
	// One that is on its way already does not come either.
	for _, post := range l.posts {
		for e := post.list.head; e != nil; e = e.next {
			if m, ok := e.msg.(statemachine.MonitorDown); ok && e.proc == p && m.Name == name {
				e.kind = kindDrop
			}
		}
	}
}

// link ties two processes.
func (l *Loop) link(p *process, name statemachine.Name, derived bool) {
	to := l.procs.find(name)
	switch {
	case to == p:
	case to == nil || !to.alive:
		l.linkBroke(p, name, statemachine.NoProcess, derived)
	case !slices.Contains(p.links, to):
		p.links, to.links = append(p.links, to), append(to.links, p)
	}
}

func unlink(p, to *process) {
	if to != nil {
		p.links, to.links = without1(p.links, to), without1(to.links, p)
	}
}

// linkBroke tells p that a process it is linked to has ended, or ends it too.
func (l *Loop) linkBroke(p *process, name statemachine.Name, r statemachine.Reason, derived bool) {
	switch {
	case p.traps:
		l.tellProcess(p, statemachine.Exit{Name: name, Reason: r}, derived)
	case r.Class != statemachine.ClassNormal && !(l.replays() && !p.derives() && !derived):
		e := l.letter(p, kindExit, derived)
		e.reason, e.life, e.letter = r, p.life.Load(), true
		l.send(e, derived)
	}
}

// without1 returns list without p.
func without1(list []*process, p *process) []*process {
	if i := slices.Index(list, p); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// parted ends what tied p, whose life has ended because of r, to others: it is
// told to those who wait, watch or are linked.
func (l *Loop) parted(p *process, r statemachine.Reason) {
	for _, e := range p.inOrder() {
		err := refused(p.name, statemachine.Applied, &statemachine.ExitError{Name: p.name, Reason: r})
		l.answer(e, err)
	}
	watchers, links := p.watchers, p.links
	p.watchers, p.links = nil, nil
	for _, w := range watchers {
		w.watches = without1(w.watches, p)
		l.tellProcess(w, statemachine.MonitorDown{Name: p.name, Reason: r}, true)
	}
	for _, to := range links {
		to.links = without1(to.links, p)
		l.linkBroke(to, p.name, r, true)
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
	if !p.derives() {
		for _, w := range l.works {
			if w.proc == p {
				l.dropWork(w)
			}
		}
	}
}

// forgetLife drops what belonged to a life of p that has ended.
func (l *Loop) forgetLife(p *process) {
	for _, to := range p.watches {
		to.watchers = without1(to.watchers, p)
	}
	for _, to := range p.links {
		to.links = without1(to.links, p)
	}
	for _, e := range p.first {
		l.queue.recycle(e)
	}
	p.callers, p.watchers, p.watches, p.links, p.first, p.traps = nil, nil, nil, nil, nil, false
	if !p.Durable() {
		l.forgetAll(p)
	}
}

// forgetAll drops what belongs to p's state, which is gone.
func (l *Loop) forgetAll(p *process) {
	for _, t := range p.timers {
		l.cancelTimer(t)
	}
	for _, a := range l.calls {
		if a.caller == p {
			l.forgetCall(a)
		}
	}
}
