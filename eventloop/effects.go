package eventloop

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// This file carries out what steps have asked for.
//
// What follows from the journal is not written there again: a replay sends the
// same letters, sets the same timers. Such things are called derived; they are
// those of processes whose inputs are journaled. What comes to a derived thing
// from elsewhere (the clock, a task, a process that is not journaled) is an
// entry of the journal. The derived and the other letters are two posts, so that
// the one goes the same way without the other.

// carry carries out what the last step of p has asked for. It steps nothing:
// what it sends is stepped later.
func (l *Loop) carry(p *process, derived bool) {
	if l.replays() && !derived {
		return // the journal has what came of it
	}
	effects := l.moment.Effects()
	for i := range effects {
		f := &effects[i]
		if p.sys != nil {
			l.sawEffect(p, f)
		}
		l.carryOne(p, f, derived)
	}
}

func (l *Loop) carryOne(p *process, f *statemachine.Effect, derived bool) {
	switch f.Kind {
	case statemachine.EffectContinue:
		l.goOnWith(p, f.Tag, derived)
	case statemachine.EffectSetTimer:
		l.setTimer(p, f.Tag, f.After, 0, derived)
	case statemachine.EffectSetPeriodic:
		l.setTimer(p, f.Tag, f.After, f.After, derived)
	case statemachine.EffectCancelTimer:
		l.cancelTimer(p.timers.get(f.Tag))
	case statemachine.EffectMonitor:
		l.monitor(p, f.Name, derived)
	case statemachine.EffectDemonitor:
		l.demonitor(p, f.Name)
	case statemachine.EffectLink:
		l.link(p, f.Name, derived)
	case statemachine.EffectUnlink:
		l.unlink(p, f.Name, derived)
	case statemachine.EffectTrapExits:
		p.traps = f.On
	case statemachine.EffectReply:
		l.replyTo(f, derived)
	case statemachine.EffectCast:
		l.castTo(p, f, derived)
	case statemachine.EffectCall:
		l.callTo(p, f, derived)
	case statemachine.EffectStartTask:
		l.startTask(p, f, derived)
	case statemachine.EffectCancelTask:
		l.cancelTasks(p, string(f.Name), f.Tag)
	case statemachine.EffectReport:
		tell(l, Crashed{p.name, f.Value.(*statemachine.CrashError)})
	case statemachine.EffectChild:
		l.childEffect(p, f, derived)
	}
}

// goOnWith has p continue: until it has, everything else that comes to it waits.
func (l *Loop) goOnWith(p *process, tag string, derived bool) {
	p.continues++
	l.tellAtOnce(p, statemachine.Continue{Tag: tag}, derived)
}

// continued has what waited for p to continue stepped.
func (l *Loop) continued(p *process) {
	if p.blocked && p.continues == 0 {
		p.blocked = false
		l.revive(p)
		l.settle()
	}
}

// castTo sends an input to another process, or to the same.
func (l *Loop) castTo(p *process, f *statemachine.Effect, derived bool) {
	to, x, err := l.addressee(p, f)
	if err != nil {
		l.undelivered(p, f.Name, err, derived)
		return
	}
	if l.replays() && !to.derives() {
		return
	}
	if err := l.noRoom(to, derived); err != nil {
		l.undelivered(p, f.Name, err, derived && to.derives())
		return
	}
	e := l.letter(to, kindInput, derived)
	e.x, e.letter = x, true
	l.sentBy(p, e)
	l.send(e, derived)
}

// sentBy says who is told what becomes of e.
func (l *Loop) sentBy(p *process, e *entry) {
	e.sender = p
	if !l.lasts(p) {
		e.sent = p.life.Load()
	}
}

// concernsSender reports whether the sender of e is still to be told what became of it.
func (e *entry) concernsSender() bool {
	return e.sender != nil && (e.sent == 0 || e.sent == e.sender.life.Load() && e.sender.alive)
}

// addressee returns the process that an effect sends an input to, and the
// exchange of that.
func (l *Loop) addressee(p *process, f *statemachine.Effect) (*process, any, error) {
	to := l.procs.peer(p, f.Name)
	if to == nil {
		return nil, nil, refused(f.Name, statemachine.NotApplied, statemachine.ErrNoProcess)
	}
	x, ok := to.Accept(f.Value)
	if !ok {
		in, _ := to.Describe()
		err := fmt.Errorf("%w: it takes %s, and was sent a %T", statemachine.ErrInput, in, f.Input())
		return nil, nil, refused(f.Name, statemachine.NotApplied, err)
	}
	return to, x, nil
}

// undelivered tells p that what it cast did not get to its process. If there is
// no room for that either, one message stands for all.
func (l *Loop) undelivered(p *process, to statemachine.Name, err error, derived bool) {
	counts := &p.refused[0]
	if derived {
		counts = &p.refused[1]
	}
	if *counts == 0 || !l.full(p, derived) {
		l.tellCounted(p, statemachine.Undelivered{To: to, Err: err}, derived, counts)
	}
}

// tellProcess sends p a message.
func (l *Loop) tellProcess(p *process, m statemachine.Message, derived bool) {
	l.tellCounted(p, m, derived, nil)
}

// tellAtOnce sends p a message that it did not have to wait for.
func (l *Loop) tellAtOnce(p *process, m statemachine.Message, derived bool) {
	l.tellCounted(p, m, derived, &p.owed)
}

// tellCounted sends p a message that is counted until it is stepped.
func (l *Loop) tellCounted(p *process, m statemachine.Message, derived bool, counts *int) {
	if p.gone.Load() || l.replays() && !p.derives() {
		return
	}
	e := l.letter(p, kindMessage, derived)
	e.msg = m
	if ofLife(m) || !l.lasts(p) {
		e.life = p.life.Load()
	}
	if counts != nil {
		e.counts = counts
		*counts++
	}
	e.tellsDown(true)
	l.send(e, derived)
}

// ofLife reports whether m concerns one life of a process, and not its state.
func ofLife(m statemachine.Message) bool {
	switch m.(type) {
	case statemachine.Continue, statemachine.MonitorDown, statemachine.Exit:
		return true
	}
	return false
}

// derives reports whether what p asks for follows from the journal.
func (p *process) derives() bool { return p.journaled }

// childEffect asks a supervisor for a change of its children.
func (l *Loop) childEffect(p *process, f *statemachine.Effect, derived bool) {
	c, _ := f.Value.(supervisor.ChildEffect)
	op, known := opsOfEffects[c.Op]
	r := &request{op: op, sup: f.Name, child: c.Child, spec: c.Spec}
	e := l.letter(nil, kindRequest, derived)
	e.req, e.tag, e.letter, r.entry = r, f.Tag, true, e
	l.sentBy(p, e)
	e.counts = &p.owed
	p.owed++
	err := supervisor.ErrInvalidChildType
	if known && (c.Spec != nil || op != opStart) {
		err = l.prepare(r)
	}
	if err != nil {
		l.answer(e, err)
		return
	}
	l.send(e, derived)
}

var opsOfEffects = map[supervisor.ChildOp]op{
	supervisor.OpStart: opStart, supervisor.OpTerminate: opTerminate, supervisor.OpRestart: opRestart, supervisor.OpDelete: opDelete,
}

// keep has the caller of e wait for a reply that a later step gives.
func (p *process) keep(e *entry) {
	if p.callers == nil {
		p.callers = map[statemachine.From]*entry{}
	}
	p.callers[e.from] = e
	e.kept.Store(true)
}

// drop has it wait no longer.
func (p *process) drop(e *entry) {
	e.kept.Store(false)
	delete(p.callers, e.from)
}

// inOrder returns the callers that wait, the first one first.
func (p *process) inOrder() []*entry {
	if len(p.callers) == 0 {
		return nil
	}
	return slices.SortedFunc(maps.Values(p.callers), func(a, b *entry) int { return cmp.Compare(a.from, b.from) })
}

// replyTo answers a caller of f.Name that was kept waiting.
func (l *Loop) replyTo(f *statemachine.Effect, derived bool) {
	p := l.procs.here(f.Name)
	if p == nil {
		return
	}
	e := p.callers[f.From]
	switch {
	case e == nil:
	case e.key != "" && p.derives() && !derived: // what is remembered under the key follows from the journal
		l.cross(nil, &entry{kind: kindAnswer, proc: p, from: f.From, out: f.Value})
	default:
		l.replyWith(e, f.Value, derived && p.derives()) // of others' callers a replay knows nothing
	}
}

// replyWith answers e, a caller that was kept waiting.
func (l *Loop) replyWith(e *entry, out any, derived bool) {
	p := e.proc
	var err error
	if !p.SetOutput(e.x, out) {
		_, is := p.Describe()
		err = refused(p.name, statemachine.Applied, fmt.Errorf("%w: it answers %s, and the reply was a %T", statemachine.ErrOutput, is, out))
	}
	if e.asked == nil {
		p.drop(e)
		l.answer(e, err)
		return
	}
	l.replied(e, err, derived)
}
