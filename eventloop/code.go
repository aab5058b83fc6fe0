package eventloop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// ChangeCode has another machine, a new version of its own say, take over a
// worker that is suspended (OTP: sys:change_code). It keeps its state: as it is,
// if that is of the same type and Version; otherwise as the new machine's State
// codec reads what the old one's has written, through its Migrate if the Version
// differs. It keeps everything else too: what waits for it, its timers, links,
// callers and handles (Ref). Works that it has started are finished by their old
// functions; where inputs are journaled, the new machine's tasks of those names are
// what writes and reads their results, and if it has none the process is told an
// error. Init and Terminate do not run. If the state cannot be taken over the old
// machine stays.
//
// The inputs and outputs of both must be of the same Go types, and both have State
// codecs, or neither: that they do not is an ErrConflict, as is a process that is
// not suspended.
//
// The worker runs the new machine from now on, in its next lives too, until its
// spec is changed or its child deleted. With durability m must be in
// Config.Machines, and the next starts of the program go on with it, as long as it
// is there; after that, or with durability None, they begin with the spec's.
func (l *Loop) ChangeCode(ctx context.Context, name statemachine.Name, m statemachine.Server) error {
	r := &request{op: opChangeCode, sup: name, spec: supervisor.Worker{Name: name, Machine: m}}
	err := errors.New("the machine is nil")
	if m != nil {
		err = m.Validate()
	}
	if err != nil {
		return r.failed(fmt.Errorf("%w: %w", statemachine.ErrInput, err))
	}
	return l.request(ctx, r)
}

// ChangeCodeKey is ChangeCode to the machine that Config.Machines has under key.
func (l *Loop) ChangeCodeKey(ctx context.Context, name statemachine.Name, key string) error {
	m, ok := l.cfg.Machines[key]
	if !ok {
		err := fmt.Errorf("%w: there is no machine %.40q, but %q", statemachine.ErrInput, key, slices.Sorted(maps.Keys(l.cfg.Machines)))
		return refused(name, statemachine.NotApplied, err)
	}
	return l.ChangeCode(ctx, name, m)
}

// changeCode has p run the machine that r names.
func (l *Loop) changeCode(p *process, r *request) error {
	m := r.spec.(supervisor.Worker).Machine
	next := m.New(p.name, l.moment)
	switch {
	case !p.suspended():
		return fmt.Errorf("%w: the process is not suspended", statemachine.ErrConflict)
	case next.Durable() != p.Durable():
		return fmt.Errorf("%w: one of the machines has a State codec and the other has none", statemachine.ErrConflict)
	}
	old := p.Process
	err := aside(p.name, "change_code", func() error { return next.TakeOver(old) })
	switch {
	case errors.Is(err, statemachine.ErrConflict):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", statemachine.ErrNotChanged, err)
	}
	p.runs(m, next)
	old.End()
	if key, ok := l.cfg.machineKey(m); ok {
		l.shape.changed[p.name] = key
	}
	return nil
}

// rerun has processes that are not started yet run what they were changed to
// before, if that is still there.
func (l *Loop) rerun() {
	for name, key := range l.shape.changed {
		p, m := l.procs.find(name), l.cfg.Machines[key]
		if p == nil || m == nil {
			delete(l.shape.changed, name)
			continue
		}
		p.runs(m, m.New(name, l.moment))
		p.journaled = l.cfg.Durability == Always && p.Durable()
	}
}

// alone reports whether e, in the journal, must be the only one of its batch:
// what is written before it has been stepped then, and what is written after it is
// by the code and of the state that it has made. An exit signal is for one life:
// whether that has ended is known once everything before has been stepped.
func (e *entry) alone() bool {
	return e.kind == kindRequest && (e.req.op == opReplaceState || e.req.op == opChangeCode || e.req.op == opExit)
}
