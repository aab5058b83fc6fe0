package eventloop

import (
	"context"
	"fmt"

	"github.com/lineshaft/lineshaft/statemachine"
)

// The methods and functions of this file and of state.go, code.go and observe.go
// are OTP's module sys, for workers, and Suspend and Resume for supervisors too.
// Each waits until the loop has come to the request, behind what was sent before,
// or until ctx ends. That a process is suspended, or waits for something, holds
// none of them up. Any goroutine may call them, except from inside a machine or
// OnEvent. Their errors are *statemachine.CallError:
//
//   - statemachine.ErrNoProcess: no worker of that name has a life now; one that
//     is about to be restarted has none;
//   - statemachine.ErrConflict, with the reason in words: it is not suspended, its
//     machine has no State codec, or the like;
//   - statemachine.ErrInput: a state that is none of the machine's, a machine that
//     cannot be;
//   - statemachine.ErrNotChanged, with what the function or Migrate returned or
//     panicked with;
//   - ErrStopping, ErrDeadline and ErrJournal, as for a call.
//
// With durability Always, Suspend, Resume, ReplaceState and ChangeCode are in the
// journal, and a replay does them again. What a process was suspended or watched
// for ends with its life.

// sys is what is unusual about a life of a process.
type sys struct {
	suspended bool
	stats     *statistics
	log       *eventLog
	traces    []trace
}

// Suspend has no callback of a worker run until Resume, or the end of its life
// (OTP: sys:suspend): inputs and messages wait, as many as Config.QueueLen and, where
// they are journaled, twice that and a batch, those of callers whose context has
// ended too: their outcome is unknown. What ends it
// (its supervisor, StopProcess, Kill, an exit of who it is linked to) ends it all
// the same, and its Terminate runs; what waited is stepped by its next life, if
// there is one.
//
// A supervisor handles nothing that is sent to it until Resume; its children go on.
//
// Suspended again it stays so: one Resume is enough.
func (l *Loop) Suspend(ctx context.Context, name statemachine.Name) error {
	return l.request(ctx, &request{op: opSuspend, sup: name})
}

// Resume ends Suspend (OTP: sys:resume): all that waited is handled, in the order
// in which it was sent. It does nothing to what is not suspended.
func (l *Loop) Resume(ctx context.Context, name statemachine.Name) error {
	return l.request(ctx, &request{op: opResume, sup: name})
}

// GetStatus returns whether a worker is suspended, what it runs, and how it is
// watched (OTP: sys:get_status).
func (l *Loop) GetStatus(ctx context.Context, name statemachine.Name) (statemachine.SysStatus, error) {
	s := statemachine.SysStatus{Name: name}
	err := l.look(ctx, name, func(p *process) {
		s.Suspended, s.Version = p.suspended(), p.Version()
		s.Machine, _ = l.cfg.machineKey(p.machine)
		if p.sys == nil {
			return
		}
		if p.sys.stats != nil {
			now := p.sys.stats.at(p, l.clock.now())
			s.Statistics = &now
		}
		if p.sys.log != nil {
			s.Log = p.sys.log.max
		}
	})
	if err != nil {
		return statemachine.SysStatus{}, err // the loop may be writing to s
	}
	return s, nil
}

// look has f look at a living worker, with the role held. If there is an error f
// may still run, so that what it writes must not be looked at.
func (l *Loop) look(ctx context.Context, name statemachine.Name, f func(*process)) error {
	return l.request(ctx, &request{op: opLook, sup: name, look: f})
}

// managed returns the worker called name, which lives.
func (l *Loop) managed(name statemachine.Name) (*process, error) {
	p := l.procs.find(name)
	switch {
	case p == nil && l.tree.Node(name) != nil:
		return nil, fmt.Errorf("%w: it is a supervisor", statemachine.ErrNoProcess)
	case p == nil || !p.alive:
		return nil, statemachine.ErrNoProcess
	}
	return p, nil
}

// manage carries out a request that concerns a worker.
func (l *Loop) manage(r *request) error {
	p, err := l.managed(r.sup)
	switch {
	case err != nil:
		return err
	case r.op == opReplaceState:
		return r.to.apply(p)
	case r.op == opChangeCode:
		return l.changeCode(p, r)
	}
	r.look(p)
	return nil
}

// suspended reports whether no callback of p may run.
func (p *process) suspended() bool { return p.sys != nil && p.sys.suspended }

// suspendProcess suspends or resumes a worker.
func (l *Loop) suspendProcess(r *request) error {
	p, err := l.managed(r.sup)
	if err != nil || p.suspended() == (r.op == opSuspend) {
		return err
	}
	if p.sys == nil {
		p.sys = new(sys)
	}
	p.sys.suspended = r.op == opSuspend
	l.queue.stay(p, p.sys.suspended)
	p.tidy()
	if !p.suspended() {
		l.revive(p)
	}
	return nil
}

// unwatch ends what is unusual about p with its life.
func (l *Loop) unwatch(p *process) {
	if p.sys != nil {
		p.sys = nil
		l.queue.stay(p, false)
	}
}

// tidy has readers see the states of p, or not, as p.sys has it, and drops that if
// there is nothing unusual.
func (p *process) tidy() {
	s := p.sys
	if s != nil && !s.suspended && s.stats == nil && s.log == nil && len(s.traces) == 0 {
		s, p.sys = nil, nil
	}
	private := s != nil && (s.suspended || s.log != nil || len(s.traces) > 0)
	p.Private(private)
	if !private && p.ready && p.continues == 0 {
		p.Show()
	}
}
