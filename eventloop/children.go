package eventloop

import (
	"context"
	"errors"
	"fmt"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// The methods of this file are OTP's API of a supervisor. Each waits until the
// supervisor called sup has handled the request, after what it got before, or
// until ctx ends. Any goroutine may call them, except from inside a machine or
// OnEvent. Their errors are *statemachine.CallError:
//
//   - statemachine.ErrNoProcess: no supervisor of that name runs, or it has no
//     such child (then supervisor.ErrNotFound too);
//   - statemachine.ErrConflict, with the reason under OTP's name, such as
//     supervisor.ErrRunning;
//   - statemachine.ErrInput, with the *supervisor.SpecError of a wrong spec;
//   - statemachine.ErrNotStarted, with what the child's Init returned;
//   - ErrStopping, ErrDeadline and ErrJournal, as for a call.
//
// With durability the shape of the tree survives the program: children that
// were added are started again, in the order in which they were added, after
// those of Config.Root, and those that were deleted are not. As in OTP a
// supervisor that is restarted by its own supervisor forgets what was added.

// StartChild adds a child after all others of sup, and starts it (OTP:
// start_child). It reports whether the child runs: false if its Init gave
// ErrIgnore. To a SimpleOneForOne supervisor c is a Worker with only a Name.
// With durability the child's machine, or those of its subtree, must be in
// Config.Machines, so that the next start of the program finds them, and a
// subtree has at most 170 levels of supervisors.
func (l *Loop) StartChild(ctx context.Context, sup statemachine.Name, c supervisor.Child) (running bool, err error) {
	r := &request{op: opStart, sup: sup, spec: c}
	if c == nil {
		return false, r.failed(supervisor.ErrInvalidChildType)
	}
	if w, ok := c.(supervisor.Worker); ok {
		r.child = w.Name
	} else if s, ok := c.(supervisor.Supervisor); ok {
		r.child = s.Name
	}
	if err := l.request(ctx, r); err != nil {
		return false, err
	}
	return r.answer.PID.Node != nil, nil
}

// StartChildJSON is StartChild with a spec in JSON; see Config.Machines.
func (l *Loop) StartChildJSON(ctx context.Context, sup statemachine.Name, spec []byte) (running bool, err error) {
	c, err := l.cfg.decodeSpec(spec)
	if err != nil {
		return false, (&request{sup: sup}).failed(err)
	}
	return l.StartChild(ctx, sup, c)
}

// TerminateChild ends a child and leaves it down; a temporary one, or one of a
// SimpleOneForOne supervisor, is forgotten (OTP: terminate_child). A child that
// is about to be restarted is not.
func (l *Loop) TerminateChild(ctx context.Context, sup, child statemachine.Name) error {
	return l.request(ctx, &request{op: opTerminate, sup: sup, child: child})
}

// RestartChild starts a child that is down (OTP: restart_child), and reports
// whether it runs, as StartChild.
func (l *Loop) RestartChild(ctx context.Context, sup, child statemachine.Name) (running bool, err error) {
	r := &request{op: opRestart, sup: sup, child: child}
	if err := l.request(ctx, r); err != nil {
		return false, err // the loop may be writing to r
	}
	return r.answer.PID.Node != nil, nil
}

// DeleteChild forgets a child that is down, with all that is below it and what
// was saved for it (OTP: delete_child).
func (l *Loop) DeleteChild(ctx context.Context, sup, child statemachine.Name) error {
	return l.request(ctx, &request{op: opDelete, sup: sup, child: child})
}

// WhichChildren returns the children, the last in start order first (OTP:
// which_children). Their PIDs are not set.
func (l *Loop) WhichChildren(ctx context.Context, sup statemachine.Name) ([]supervisor.ChildInfo, error) {
	r := &request{op: opWhich, sup: sup}
	if err := l.request(ctx, r); err != nil {
		return nil, err
	}
	return r.answer.Children, nil
}

// CountChildren counts them (OTP: count_children).
func (l *Loop) CountChildren(ctx context.Context, sup statemachine.Name) (supervisor.Count, error) {
	r := &request{op: opCount, sup: sup}
	if err := l.request(ctx, r); err != nil {
		return supervisor.Count{}, err
	}
	return r.answer.Count, nil
}

// ChildSpec returns a child's spec (OTP: get_childspec).
func (l *Loop) ChildSpec(ctx context.Context, sup, child statemachine.Name) (supervisor.Child, error) {
	r := &request{op: opSpec, sup: sup, child: child}
	if err := l.request(ctx, r); err != nil {
		return nil, err
	}
	return r.answer.Spec, nil
}

// ChangeSupervisor gives the running supervisor sup another spec (OTP:
// code_change of a supervisor, by sys:change_code): see supervisor.Tree's
// ChangeSpec for what becomes of its children. The spec's Name must be sup. With
// durability machines must be in Config.Machines, as for StartChild; the change
// lasts until the program ends, and the next one starts with its own
// Config.Root; until then the journal is not truncated. A process whose machine
// was replaced is given what the old one had saved, which the new one's State
// codec must be able to read.
func (l *Loop) ChangeSupervisor(ctx context.Context, sup statemachine.Name, spec supervisor.Supervisor) error {
	return l.request(ctx, &request{op: opChange, sup: sup, spec: spec})
}

// StopProcess makes a worker or a supervisor end because of reason, as if by
// itself (OTP: gen_server:stop), and returns when it has: its supervisor then
// does what the restart type says. If it ended because of something else the
// error wraps a *statemachine.ExitError.
func (l *Loop) StopProcess(ctx context.Context, name statemachine.Name, reason statemachine.Reason) error {
	return l.request(ctx, &request{op: opStop, sup: name, reason: reason})
}

// Kill ends a worker at once, without its Terminate, or in the middle of it (OTP:
// exit(Pid, kill)).
func (l *Loop) Kill(ctx context.Context, name statemachine.Name) error {
	return l.request(ctx, &request{op: opStop, sup: name, reason: statemachine.Killed})
}

// request sends r to its supervisor and waits for the answer.
func (l *Loop) request(ctx context.Context, r *request) error {
	if err := l.prepare(r); err != nil {
		return r.failed(err)
	}
	e := &entry{kind: kindRequest, req: r, done: make(chan struct{}, 1)}
	r.entry = e
	if err := l.queue.pushRequest(e); err != nil {
		return r.failed(err)
	}
	l.kick()
	var otherwise error
	select {
	case <-e.done:
		return r.result()
	case <-ctx.Done():
		if l.queue.withdraw(e, false) {
			return late(ctx, r.about(), statemachine.NotApplied)
		}
		otherwise = late(ctx, r.about(), statemachine.Unknown)
	case <-l.done:
		otherwise = refused(r.about(), statemachine.Unknown, statemachine.ErrStopping)
	}
	select {
	case <-e.done: // both at once
		return r.result()
	default:
		return otherwise
	}
}

// prepare encodes the spec of a request, where that will be kept.
func (l *Loop) prepare(r *request) error {
	if l.cfg.Durability == None || r.spec == nil {
		return nil
	}
	if err := supervisor.CheckChild(r.spec); err != nil {
		return err
	}
	return l.cfg.encodeSpec(r)
}

// failedOrNil is failed, or nil.
func (r *request) failedOrNil(err error) error {
	if err == nil {
		return nil
	}
	return r.failed(err)
}

// result is what the caller of an answered request is told.
func (r *request) result() error {
	if r.entry.err != nil {
		return r.failed(r.entry.err)
	}
	return nil
}

// failed makes the caller's error of what the supervisor said.
func (r *request) failed(err error) error {
	var spec *supervisor.SpecError
	var exit *statemachine.ExitError
	var init initError
	switch {
	case errors.As(err, &init):
		err = fmt.Errorf("%w: %w", statemachine.ErrNotStarted, err)
	case errors.Is(err, statemachine.ErrNotChanged), errors.Is(err, statemachine.ErrConflict): // of a worker
	case errors.Is(err, statemachine.ErrJournal):
		return refused(r.about(), statemachine.Unknown, err)
	case errors.Is(err, statemachine.ErrStopping), errors.Is(err, statemachine.ErrInput), errors.Is(err, statemachine.ErrNoProcess):
	case errors.As(err, &exit): // of opStop
		return refused(r.sup, statemachine.Applied, err)
	case r.op != opRestart && errors.As(err, &spec), errors.Is(err, supervisor.ErrInvalidChildType):
		err = fmt.Errorf("%w: %w", statemachine.ErrInput, err)
	case errors.Is(err, supervisor.ErrNotFound), errors.Is(err, supervisor.ErrNotSupervisor):
		err = fmt.Errorf("%w: %w", statemachine.ErrNoProcess, err)
	case r.conflicts(err):
		err = fmt.Errorf("%w: %w", statemachine.ErrConflict, err)
	default:
		err = fmt.Errorf("%w: %w", statemachine.ErrNotStarted, err)
	}
	return refused(r.about(), statemachine.NotApplied, err)
}

// about is the process that r is about.
func (r *request) about() statemachine.Name {
	if r.child != "" {
		return r.child
	}
	return r.sup
}

func (r *request) conflicts(err error) bool {
	var ended *supervisor.ExitError
	for _, c := range []error{supervisor.ErrAlreadyStarted, supervisor.ErrAlreadyPresent, supervisor.ErrRunning,
		supervisor.ErrRestarting, supervisor.ErrSimpleOneForOne} {
		if errors.Is(err, c) {
			return true
		}
	}
	return errors.As(err, &ended)
}
