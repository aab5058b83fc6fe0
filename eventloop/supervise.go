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
	l.lastEnd = fmt.Sprintf("%s ended last, %v", p.name, r)
	if r.Class == statemachine.ClassKilled {
		l.kill(p)
		l.settle()
		return
	}
	if crash, ok := r.Detail.(*statemachine.CrashError); ok {
		l.tell(Crashed{p.name, crash})
	}
	w, _ := p.node.Worker()
	grace := w.Shutdown
	if grace == 0 || grace == supervisor.BrutalKill {
		grace = supervisor.DefaultShutdown
	}
	l.terminate(p, r, grace)
	l.settle()
}

// settle lets the supervisors decide until nothing is left that they need not
// wait for, and steps the inputs that waited for who is up again.
func (l *Loop) settle() {
	if l.settling {
		return // whoever is at it goes on
	}
	l.settling = true
	for more := true; more; more = l.stepWaiting() {
		for a, ok := l.tree.Next(); ok; a, ok = l.tree.Next() {
			l.carryOut(a)
		}
	}
	l.settling = false
	l.forgetDropped()
	if len(l.waiting) > 0 && l.tree.Quiet() {
		l.refuseWaiting()
	}
}

func (l *Loop) carryOut(a supervisor.Action) {
	switch a.Kind {
	case supervisor.Start:
		if a.Because != nil {
			l.tell(Restarting{a.PID.Node.Name(), a.PID.Node.IsSupervisor(), a.Because.Name()})
		}
		l.start(a.PID)
	case supervisor.Terminate:
		if p := owner(a.PID.Node); p.dying == nil {
			l.terminate(p, a.Reason, a.Grace)
		}
	case supervisor.Kill:
		l.kill(owner(a.PID.Node))
	case supervisor.Guard:
		if a.Grace != supervisor.Infinity && !l.replays {
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
	l.tell(Exited{Name: pid.Node.Name(), Supervisor: true, Reason: r})
	l.tellStopped(pid, r)
	if pid.Node.Parent() == nil {
		l.rootExited(r)
	} else if !l.leaving {
		l.shape.forgetBelow(pid.Node.Name())
	}
}

// start begins a life of a process, or of a supervisor.
func (l *Loop) start(pid supervisor.PID) {
	n := pid.Node
	if s, ok := n.Supervisor(); ok {
		var err error
		if s.Init != nil {
			err = statemachine.Guard(n.Name(), "init", s.Init)
		}
		l.started(pid, err)
		return
	}
	p := l.processOf(n)
	l.starting, l.running = true, p
	if p.unusable != nil {
		l.initialised(p.unusable)
		return
	}
	l.initialised(p.Init())
}

// initialised finishes the Init of l.running.
func (l *Loop) initialised(err error) {
	p := l.running
	l.starting, l.running = false, nil
	if err == nil {
		p.life.Add(1)
		p.alive, p.ready, p.reported = true, true, false
		if l.queue.waits(p) {
			l.revived = append(l.revived, p)
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
		l.tell(Started{Name: n.Name(), Supervisor: n.IsSupervisor()})
		l.tree.Started(pid, nil)
	case errors.Is(err, statemachine.ErrIgnore):
		l.tell(StartFailed{Name: n.Name(), Supervisor: n.IsSupervisor(), Err: err})
		l.tree.Ignored(pid)
	default:
		l.tell(StartFailed{Name: n.Name(), Supervisor: n.IsSupervisor(), Err: err})
		l.tree.Started(pid, initError{err})
	}
	if err != nil && n.Parent() == nil { // there is no tree, and so no Exit
		l.unborn = fmt.Errorf("eventloop: init of %s: %w", n.Name(), err)
		l.rootExited(statemachine.ShutdownWith(l.unborn))
	}
}

// initError marks what an Init returned, whatever that is, so that it is told
// from what supervisors say.
type initError struct{ error }

func (e initError) Unwrap() error { return e.error }

// dying is a Terminate that runs beside the loop.
type dying struct {
	pid    supervisor.PID
	cancel func() // the timer of its grace
}

// terminate ends the life of p because of r: its Terminate runs, within grace.
func (l *Loop) terminate(p *process, r statemachine.Reason, grace time.Duration) {
	l.tell(Terminating{p.name, r})
	pid := p.node.PID()
	end := p.Terminator(r)
	l.end(p, l.cfg.Durability != None)
	if end == nil || l.replays {
		l.gone(p, pid, r)
		return
	}
	d := &dying{pid: pid, cancel: func() {}}
	p.dying = d
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
	p.End()
}

// terminated is called beside the loop when a Terminate has returned.
func (l *Loop) terminated(p *process, d *dying, r statemachine.Reason, crash *statemachine.CrashError) {
	l.enter()
	defer l.exit()
	if p.dying != d {
		return // it outlived its grace
	}
	d.cancel()
	p.dying = nil
	if crash != nil {
		l.tell(Crashed{p.name, crash})
		r = statemachine.Crash(crash)
	}
	l.gone(p, d.pid, r)
	l.settle()
}

// outlived is called beside the loop when the grace of a Terminate has passed.
func (l *Loop) outlived(p *process, d *dying) {
	l.enter()
	defer l.exit()
	if p.dying != d {
		return // it made it
	}
	l.abandonEnd(p)
	l.gone(p, d.pid, statemachine.Killed)
	l.settle()
}

// abandonEnd gives up waiting for the Terminate of p.
func (l *Loop) abandonEnd(p *process) {
	if p.dying == nil {
		return
	}
	p.dying.cancel()
	p.dying = nil
	if l.leaving {
		l.late = append(l.late, p.name)
	}
}

// gone tells the supervisor of p that it has ended.
func (l *Loop) gone(p *process, pid supervisor.PID, r statemachine.Reason) {
	l.tell(Exited{Name: p.name, Reason: r})
	l.tree.SetNow(l.now())
	l.tree.Exited(pid, r)
	l.tellStopped(pid, r)
	if p.dynamic {
		l.departed = append(l.departed, p)
	}
}

// kill ends the life of p without Terminate.
func (l *Loop) kill(p *process) {
	pid := p.node.PID()
	l.abandonEnd(p)
	l.end(p, l.cfg.Durability == Always)
	l.gone(p, pid, statemachine.Killed)
}

// expire is called beside the loop when the grace of a supervisor has passed.
func (l *Loop) expire(pid supervisor.PID) {
	l.enter()
	defer l.exit()
	l.tree.SetNow(l.now())
	l.tree.Expire(pid)
	l.settle()
}

// retry has a failed start tried again: behind all that is queued, so that an
// endless restart holds nobody up, or after a delay.
func (l *Loop) retry(a supervisor.Action) {
	e := &entry{kind: kindRetry, pid: a.PID, node: a.Child, delayed: a.Delay > 0}
	switch {
	case e.delayed && l.replays:
		l.delayed[a.Child.Name()] = e // the journal says when
	case l.replays:
		l.tree.Retry(a.PID, a.Child)
	case e.delayed:
		l.clock.after(a.Delay, func() {
			l.queue.pushOwn(e, false)
			l.kick()
		})
	default:
		l.queue.pushOwn(e, false)
	}
}

// tell reports an event, unless it is a repetition.
func (l *Loop) tell(e Event) {
	if !l.replays {
		l.cfg.OnEvent(e)
	}
}
