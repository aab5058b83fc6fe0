package eventloop

import (
	"context"
	"slices"

	"github.com/lineshaft/lineshaft/statemachine"
)

// This file is who may step: see Loop.

// enter takes the role, as soon as who has it gives it back.
func (l *Loop) enter() { l.role.Lock() }

// tryEnter takes the role if it is free or will be in a moment: to wait for a
// short step costs less than to be woken after it. Not past a queue.
func (l *Loop) tryEnter() bool {
	for range spins {
		if l.queue.size.Load() > 0 {
			return false
		}
		if l.role.TryLock() {
			return true
		}
	}
	return false
}

// spins is how often tryEnter tries: for about as long as it takes to park a
// goroutine and wake it.
const spins = 100

// enterFor takes the role for one input of p, if p can be stepped this moment
// without passing by another input, and runs code.
func (l *Loop) enterFor(p *process, code *statemachine.Process) bool {
	if p.journaled || l.stopping.Load() || !l.tryEnter() {
		return false
	}
	if l.queue.size.Load() > 0 || len(l.flight) > 0 || !p.open() || p.sys != nil || p.code.Load() != code {
		l.exit()
		return false
	}
	l.seed++
	l.moment.Set(0, l.seed)
	l.moment.SetFrom(statemachine.From(l.id(false)))
	l.running = p
	return true
}

// leaveAfter finishes the step that enterFor allowed.
func (l *Loop) leaveAfter(crash *statemachine.CrashError) error {
	err := l.stepped(crash)
	l.exit()
	return err
}

// keepsWaiting reports whether the step that enterFor allowed gave no reply, or
// one that is not its output.
func (l *Loop) keepsWaiting(crash *statemachine.CrashError) bool {
	if crash != nil {
		return false
	}
	return l.moment.NoReply() || slices.ContainsFunc(l.moment.Effects(), func(f statemachine.Effect) bool {
		return f.Kind == statemachine.EffectReply && f.From == statemachine.From(l.ids[0]<<1)
	})
}

// leaveWaiting is leaveAfter for a step that gave no reply: it waits for that.
func (l *Loop) leaveWaiting(ctx context.Context, p *process, x any) error {
	e := l.queue.fresh()
	e.kind, e.proc, e.x, e.from = kindInput, p, x, statemachine.From(l.ids[0]<<1)
	l.current = e
	l.leaveAfter(nil)
	return l.await(ctx, e, true)
}

// exit gives the role back: after some of the work that came meanwhile, and
// leaving the rest to the loop's goroutine.
func (l *Loop) exit() {
	l.deliverOther()
	if l.queue.size.Load() > 0 && !l.syncing.Load() {
		l.work(1)
		l.deliverOther()
	}
	more := l.mayLeave() || l.overdue
	l.role.Unlock()
	if (more || l.queue.size.Load() > 0) && !l.syncing.Load() {
		l.nudge()
	}
}

// kick has what was just queued looked at: by this goroutine if the role is
// free, else by whoever holds it, before or right after giving it back.
func (l *Loop) kick() {
	if !l.syncing.Load() && l.role.TryLock() {
		l.exit()
	}
}

// nudge wakes the loop's goroutine.
func (l *Loop) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// goroutine works when there is work and no caller to do it.
func (l *Loop) goroutine() {
	defer func() {
		select {
		case <-l.done:
		default:
			go l.goroutine() // a machine has called runtime.Goexit
		}
	}()
	for {
		select {
		case <-l.done:
			return
		case <-l.wake:
			l.enter()
			l.ring()
			l.work(1 << 10)
			l.exit()
		}
	}
}

// goexit goes on for a goroutine that a machine is ending while it holds the
// role, by runtime.Goexit: the step, or Init, counts as crashed.
func (l *Loop) goexit(crash *statemachine.CrashError) {
	if l.replays() {
		if l.running == nil {
			return // it was resumed, and recover says so
		}
		if !*l.past.ended { // else this is the end of who followed, and the first may be looking
			*l.past.ended = true
		}
	}
	go func() {
		if l.starting {
			l.initialised(crash)
		} else {
			l.stepped(crash)
		}
		l.settling = false
		l.settle()
		l.pay(0)
		if l.booting {
			l.startAdded()
		}
		l.deliverOwed()
		if l.starts {
			l.begun()
		}
		if l.replays() {
			l.replayRest()
			return
		}
		l.applyRest()
		l.work(1)
		l.exit()
	}()
}
