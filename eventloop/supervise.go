package eventloop

import (
	"errors"
	"fmt"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// This file carries out what the supervisors decide.

// exits ends the life of p by itself: its own Terminate runs, unless it is
// killed, and then its supervisor is told.
func (l *Loop) exits(p *process, r statemachine.Reason) {
	l.lastEnd.name, l.lastEnd.reason = p.name, r
	if r.Class == statemachine.ClassKilled {
		l.kill(p)
		l.settle()
		return
	}
	if crash, ok := r.Detail.(*statemachine.CrashError); ok {
		tell(l, Crashed{p.name, crash})
	}
	w, _ := p.node.Worker()
	grace := w.Shutdown
	if grace == 0 || grace == supervisor.BrutalKill {
		grace = supervisor.DefaultShutdown
	}
	l.terminate(p, r, grace)
	l.settle()
}

// endBy ends p because of a step, and then answers e, if it is not nil.
func (l *Loop) endBy(e *entry, p *process, derived bool, r statemachine.Reason, err error) {
	l.owed = append(l.owed, debt{e, err}) // an Init may end this goroutine
	l.exitOf(p, derived, r)
	l.pay(len(l.owed) - 1)
}

// debt is an answer to be given when an end has been dealt with.
type debt struct {
	e   *entry
	err error
}

// pay gives the answers that are owed, but for the first n.
func (l *Loop) pay(n int) {
	for len(l.owed) > n {
		d := l.owed[len(l.owed)-1]
		l.owed = l.owed[:len(l.owed)-1]
		l.answer(d.e, d.err)
	}
}

// exitOf ends p because of a step: at once, or, if a replay would not meet
// this end by itself, since that step is not derived, once it is in the journal.
func (l *Loop) exitOf(p *process, derived bool, r statemachine.Reason) {
	if derived || !l.journals() {
		l.exits(p, r)
		return
	}
	p.ready = false
	p.Hide()
	exit := &entry{kind: kindExit, proc: p, life: p.life.Load(), reason: r}
	if p.crossing > 0 {
		l.cross(p, exit) // behind what it has sent
		return
	}
	l.queue.pushOwn(exit, true)
}

// settle lets the supervisors decide until nothing is left that they need not
// wait for, and steps the inputs that waited for who is up again.
func (l *Loop) settle() {
	if l.settling || l.ended != nil && !l.replays() {
		return // whoever is at it goes on; or there is no tree any more
	}
	l.settling = true
	for more := true; more; more = l.stepWaiting() {
		for a, ok := l.tree.Next(); ok; a, ok = l.tree.Next() {
			l.carryOut(a)
		}
	}
	l.settling = false
	l.forgetDropped()
	if len(l.waiting) > 0 && !l.booting && l.ended == nil {
		l.refuseWaiting()
	}
}

func (l *Loop) carryOut(a supervisor.Action) {
	switch a.Kind {
	case supervisor.Start:
		l.forgetDropped() // before their names are taken again
		if a.Because != nil {
			tell(l, Restarting{a.PID.Node.Name(), a.PID.Node.IsSupervisor(), a.Because.Name()})
		}
		l.start(a.PID)
	case supervisor.Terminate:
		if p := owner(a.PID.Node); p.dying == nil {
			l.terminate(p, a.Reason, a.Grace)
		}
	case supervisor.Kill:
		l.kill(owner(a.PID.Node))
	case supervisor.Guard:
		if a.Grace != supervisor.Infinity && !l.replays() {
			l.clock.after(a.Grace, func() { l.expire(a.PID) })
		}
	case supervisor.Retry:
		l.retry(a)
	case supervisor.Exit:
		l.supervisorExited(a.PID, a.Reason)
	case supervisor.Reply:
		l.reply(a.Answer)
	}
}

func (l *Loop) supervisorExited(pid supervisor.PID, r statemachine.Reason) {
	tell(l, Exited{Name: pid.Node.Name(), Supervisor: true, Reason: r})
	l.outside.ended(pid.Node.Name(), r)
	l.tellStopped(pid, r)
	if pid.Node.Parent() == nil {
		l.rootExited(r)
	} else if !l.ends() {
		l.forgetBelow(pid.Node.Name())
	}
}

// start begins a life of a process, or of a supervisor.
func (l *Loop) start(pid supervisor.PID) {
	n := pid.Node
	if s, ok := n.Supervisor(); ok {
		var err error
		if s.Init != nil {
			err = aside(n.Name(), "init", s.Init)
		}
		l.started(pid, err)
		return
	}
	p := l.processOf(n)
	l.starting, l.running = true, p
	if l.cfg.Durability == Always || l.replays() { // whether it starts is the same in a replay
		l.sent++
		l.moment.Set(l.at, seedOf(l.at, -int(l.sent)))
	} else {
		l.seed++
		l.moment.Set(0, l.seed)
	}
	if p.unusable != nil {
		l.initialised(p.unusable)
		return
	}
	l.initialised(p.Init())
}

// aside runs a function that is not ours on a goroutine of its own, which it may
// end, and waits for it: the error is what it returned, or its crash.
func aside(name statemachine.Name, in string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		var err error = &statemachine.CrashError{Name: name, In: in, Value: "the function called runtime.Goexit"}
		defer func() { done <- err }()
		err = statemachine.Guard(name, in, f)
	}()
	return <-done
}

// initialised finishes the Init of l.running.
func (l *Loop) initialised(err error) {
	p := l.running
	l.starting, l.running = false, nil
	if l.cfg.observe != nil {
		l.observedInit(p, err)
	}
	if err == nil {
		p.life.Add(1)
		p.alive, p.ready, p.reported = true, true, false
		clear(p.downs)
		p.gen.Store(p.node.PID().Gen)
		l.rewind(p)
		l.resumeWorks(p)
		l.carry(p, p.derives())
		if l.queue.waits(p) {
			l.revive(p)
		}
	}
	l.started(p.node.PID(), err)
}

// started tells the supervisor of a process how its Init went.
func (l *Loop) started(pid supervisor.PID, err error) {
	n := pid.Node
	l.tree.SetNow(l.now())
	switch {
	case err == nil:
		tell(l, Started{Name: n.Name(), Supervisor: n.IsSupervisor()})
		if n.IsSupervisor() {
			l.outside.began(pid)
		}
		l.tree.Started(pid, nil)
	case errors.Is(err, statemachine.ErrIgnore):
		tell(l, StartFailed{Name: n.Name(), Supervisor: n.IsSupervisor(), Err: err})
		l.tree.Ignored(pid)
	default:
		tell(l, StartFailed{Name: n.Name(), Supervisor: n.IsSupervisor(), Err: err})
		l.tree.Started(pid, initError{err})
	}
	if err != nil && n.Parent() == nil { // there is no tree, and so no Exit
		l.unborn = fmt.Errorf("eventloop: init of %s: %w", n.Name(), err)
		l.rootExited(statemachine.ShutdownWith(l.unborn))
	}
}

// revive has what waits for p stepped when the tree is settled.
func (l *Loop) revive(p *process) { l.revived = append(l.revived, p) }

// initError marks what an Init returned, whatever that is, so that it is told
// from what supervisors say.
type initError struct{ error }

func (e initError) Unwrap() error { return e.error }

// dying is a Terminate that runs beside the loop. In a replay nothing runs: the
// journal says when it had ended.
type dying struct {
	pid    supervisor.PID
	cancel func() // the timer of its grace
	over   bool   // it has returned, or outlived its grace
}

// terminate ends the life of p because of r: its Terminate runs, within grace.
func (l *Loop) terminate(p *process, r statemachine.Reason, grace time.Duration) {
	tell(l, Terminating{p.name, r})
	pid := p.node.PID()
	end := p.Terminator(r)
	l.end(p, l.cfg.Durability != None)
	if end == nil {
		l.gone(p, pid, r)
		return
	}
	d := &dying{pid: pid, cancel: func() {}}
	p.dying = d
	if l.replays() {
		return
	}
	if grace != supervisor.Infinity {
		d.cancel = l.clock.after(grace, func() { l.outlived(p, d) })
	}
	go func() {
		crash := &statemachine.CrashError{Name: p.name, In: "terminate", Value: "the function called runtime.Goexit"}
		defer func() { l.terminated(p, d, r, crash) }()
		crash = end()
	}()
}

// end takes the state from p, keeping it for the next life if keep says so.
func (l *Loop) end(p *process, keep bool) {
	if keep && p.Durable() && p.alive {
		p.Keep()
		l.saveOne(p)
	}
	p.alive, p.ready = false, false
	l.unwatch(p)
	p.End()
}

// terminated is called beside the loop when a Terminate has returned.
func (l *Loop) terminated(p *process, d *dying, r statemachine.Reason, crash *statemachine.CrashError) {
	l.enter()
	if !d.over && p.dying == d {
		d.cancel()
		if crash != nil {
			tell(l, Crashed{p.name, crash})
			r = statemachine.Crash(crash)
		}
		l.over(p, d, r)
	}
	l.exit() // not deferred: an Init that ends this goroutine takes the role along
}

// outlived is called beside the loop when the grace of a Terminate has passed.
func (l *Loop) outlived(p *process, d *dying) {
	l.enter()
	if !d.over && p.dying == d {
		if l.leaving {
			l.late = append(l.late, p.name)
		}
		l.over(p, d, statemachine.Killed)
	}
	l.exit()
}

// over ends the life of p, whose Terminate is over: where inputs are journaled
// once that is in the journal, so that a replay has the same inputs before it.
func (l *Loop) over(p *process, d *dying, r statemachine.Reason) {
	d.over = true
	e := &entry{kind: kindOver, proc: p, dying: d, reason: r}
	if l.journals() {
		l.queue.pushOwn(e, false)
		return
	}
	l.run(e)
	l.deliver(false) // those who are told of the end do not wait for another entry
}

// abandonEnd gives up waiting for the Terminate of p, which is killed.
func (l *Loop) abandonEnd(p *process) {
	if p.dying == nil {
		return
	}
	p.dying.cancel()
	if l.leaving && !p.dying.over {
		l.late = append(l.late, p.name)
	}
	p.dying = nil
}

// gone tells the supervisor of p that it has ended.
func (l *Loop) gone(p *process, pid supervisor.PID, r statemachine.Reason) {
	tell(l, Exited{Name: p.name, Reason: r})
	l.parted(p, r)
	l.endWorks(p)
	if l.shape.added[p.name] != nil && !l.ends() {
		l.departed = append(l.departed, p)
	}
	l.tree.SetNow(l.now())
	l.tree.Exited(pid, r)
	l.tellStopped(pid, r)
}

// kill ends the life of p without Terminate.
func (l *Loop) kill(p *process) {
	pid := p.node.PID()
	l.abandonEnd(p)
	l.end(p, l.cfg.Durability == Always)
	if l.cfg.Durability != Always {
		l.forgetState(p)
	}
	l.gone(p, pid, statemachine.Killed)
}

// expire is called beside the loop when the grace of a supervisor has passed.
func (l *Loop) expire(pid supervisor.PID) {
	l.queue.pushOwn(&entry{kind: kindRequest, req: &request{op: opExpire, sup: pid.Node.Name(), gen: pid.Gen}}, false)
	l.kick()
}

// retry has a failed start tried again: behind all that is queued, so that an
// endless restart holds nobody up, or after a delay.
func (l *Loop) retry(a supervisor.Action) {
	e := &entry{kind: kindRetry, pid: a.PID, node: a.Child}
	if a.Delay > 0 {
		e.due, _ = a.Child.RetryTime()
	}
	switch {
	case l.replays(): // the journal says when
		l.past.retries = append(l.past.retries, e)
	case a.Delay > 0:
		l.clock.after(a.Delay, func() {
			l.queue.pushOwn(e, false)
			l.kick()
		})
	default:
		l.queue.pushOwn(e, false)
	}
}

// tell reports an event, unless it is a repetition. It costs nothing if nobody
// listens.
func tell[E Event](l *Loop, e E) {
	if l.cfg.OnEvent != nil && !l.replays() {
		l.cfg.OnEvent(e)
	}
}
