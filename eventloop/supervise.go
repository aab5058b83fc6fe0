package eventloop

import (
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// This file carries out what the supervisors decide.

// fail ends the life of p because a function of it crashed: its own Terminate
// runs, then its supervisor is told.
func (l *Loop) fail(p *process, crash *statemachine.CrashError) {
	l.tell(Crashed{p.name, crash})
	w, _ := p.node.Worker()
	grace := w.Shutdown
	if grace == 0 || grace == supervisor.BrutalKill {
		grace = supervisor.DefaultShutdown
	}
	l.terminate(p, statemachine.Crash(crash), grace)
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
	if len(l.waiting) > 0 && l.tree.Quiet() {
		l.refuseWaiting()
	}
}

func (l *Loop) carryOut(a supervisor.Action) {
	switch a.Kind {
	case supervisor.Start:
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
		l.tell(Exited{Name: a.PID.Node.Name(), Supervisor: true, Reason: a.Reason})
		if a.PID.Node.Parent() == nil {
			l.rootExited(a.Reason)
		}
	}
}

// start begins a life of a process, or of a supervisor.
func (l *Loop) start(pid supervisor.PID) {
	n := pid.Node
	if n.IsSupervisor() {
		l.tell(Started{Name: n.Name(), Supervisor: true})
		l.tree.Started(pid, nil)
		return
	}
	p := l.procs.find(n.Name())
	p.node, n.Owner = n, p
	l.starting, l.running = true, p
	l.started(p.Init())
}

// started finishes the Init of l.running.
func (l *Loop) started(err error) {
	p := l.running
	l.starting, l.running = false, nil
	if err != nil {
		l.tell(StartFailed{p.name, err})
	} else {
		p.life.Add(1)
		p.alive, p.ready, p.reported = true, true, false
		if l.queue.waits(p) {
			l.revived = append(l.revived, p)
		}
		l.tell(Started{Name: p.name})
	}
	l.tree.Started(p.node.PID(), err)
}

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

// retry has a failed start tried again, behind all that is queued, so that an
// endless restart holds nobody up.
func (l *Loop) retry(a supervisor.Action) {
	if l.replays {
		l.tree.Retry(a.PID, a.Child)
		return
	}
	l.queue.pushOwn(&entry{kind: kindRetry, pid: a.PID, node: a.Child}, false)
}

// tell reports an event, unless it is a repetition.
func (l *Loop) tell(e Event) {
	if !l.replays {
		l.cfg.OnEvent(e)
	}
}
