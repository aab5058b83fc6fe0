package eventloop

import (
	"context"
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// Call sends the input that body encodes in format f to the process called
// name, and appends its output, in format out, to dst.
//
// It waits until the input was stepped or ctx ends. Every error is a
// *statemachine.CallError, which says whether the input was applied:
//
//   - not applied: ErrNoProcess; ErrInput, with the *codec.Error of the input;
//     ErrOverloaded, when there was no room in the queue until ctx ended;
//     ErrDeadline, when ctx ended while the input waited; ErrStopping; and a
//     *CrashError, when the input crashed the process;
//   - unknown: ErrDeadline, when ctx ended while the input was being journaled
//     or stepped; ErrJournal;
//   - applied: ErrOutput; an *ExitError, when the process ended without a reply;
//     and ErrDeadline, when ctx ended while the machine kept the caller waiting
//     (Effects.NoReply).
//
// Any goroutine may call it, except from inside a machine or OnEvent.
func (l *Loop) Call(ctx context.Context, name statemachine.Name, f codec.Format, body []byte, out codec.Format, dst []byte) ([]byte, error) {
	return l.CallOnce(ctx, name, "", f, body, out, dst)
}

// Cast sends the input that body encodes to the process called name and does
// not wait for it to be stepped. Nil means that it will be: with durability
// Always, that it is on disk too. (A process that ends before drops what is
// queued for it, as in OTP.) Errors are those of Call. Any goroutine may call
// it, except from inside a machine or OnEvent.
func (l *Loop) Cast(ctx context.Context, name statemachine.Name, f codec.Format, body []byte) error {
	return l.CastOnce(ctx, name, "", f, body)
}

func (l *Loop) decode(name statemachine.Name, f codec.Format, body []byte) (*process, any, error) {
	p := l.procs.find(name)
	if p == nil {
		return nil, nil, refused(name, statemachine.NotApplied, statemachine.ErrNoProcess)
	}
	x, err := p.front().Decode(f, body)
	if err != nil {
		return nil, nil, refused(name, statemachine.NotApplied, fmt.Errorf("%w: %w", statemachine.ErrInput, err))
	}
	return p, x, nil
}

// exchange has the input of x stepped, on this goroutine where that can be.
func (l *Loop) exchange(ctx context.Context, p *process, x any) error {
	if err := ctx.Err(); err != nil {
		return late(ctx, p.name, statemachine.NotApplied)
	}
	if p.unread.Load() == 0 {
		life := p.life.Load()
		if ok, crash := p.front().Read(x); crash != nil {
			return l.readCrashed(ctx, p, life, crash)
		} else if ok {
			p.reads.Add(1)
			return nil
		}
	}
	if l.enterFor(p, p.code.Load()) {
		crash := p.Step(x)
		if l.keepsWaiting(crash) {
			return l.leaveWaiting(ctx, p, x)
		}
		return l.leaveAfter(crash)
	}
	return l.submit(ctx, p, x, false)
}

// castExchange is exchange without an answer.
func (l *Loop) castExchange(ctx context.Context, p *process, x any) error {
	if err := ctx.Err(); err != nil {
		return late(ctx, p.name, statemachine.NotApplied)
	}
	if l.enterFor(p, p.code.Load()) {
		l.moment.SetFrom(0)
		crash := p.Step(x)
		l.leaveAfter(crash)
		p.front().Free(x)
		return nil
	}
	return l.submit(ctx, p, x, true)
}

// submit queues the input of x and waits for the answer: for a cast, until it
// is accepted.
func (l *Loop) submit(ctx context.Context, p *process, x any, cast bool) error {
	return l.submitEntry(ctx, l.queue.fresh(), p, x, cast)
}

func (l *Loop) submitEntry(ctx context.Context, e *entry, p *process, x any, cast bool) error {
	e.kind, e.proc, e.x, e.cast = kindInput, p, x, cast
	if cast {
		p.unread.Add(1)
	}
	casual := e.casual() // from now on the loop has it
	room, err := l.queue.push(e)
	if err != nil {
		if cast {
			p.unread.Add(-1)
		}
		return refused(p.name, statemachine.NotApplied, err)
	}
	if room && casual {
		l.kick()
		return nil
	}
	l.kick()
	return l.await(ctx, e, room)
}

// await waits for the answer to e, which the loop has.
func (l *Loop) await(ctx context.Context, e *entry, room bool) error {
	if gone := ctx.Done(); gone == nil {
		<-e.done // costs less than to wait for either of two
	} else if !e.over(gone) {
		return l.abandon(ctx, e, room)
	}
	err := e.err
	if !e.cast { // the loop may still have to step a cast
		l.queue.recycle(e)
	}
	return err
}

// over waits until e is answered, and then returns true, or else until gone is closed.
func (e *entry) over(gone <-chan struct{}) bool {
	select {
	case <-e.done:
		return true
	default:
	}
	select {
	case <-e.done:
		return true
	case <-gone:
		return false
	}
}

// abandon ends the wait for e because ctx has ended.
func (l *Loop) abandon(ctx context.Context, e *entry, room bool) error {
	name, cast := e.proc.name, e.cast
	if !l.queue.withdraw(e, room) {
		select {
		case <-e.done: // both at once
			return e.err
		default:
		}
		if !e.kept.Load() {
			return late(ctx, name, statemachine.Unknown)
		}
		if l.abandonKept(e) {
			return late(ctx, name, statemachine.Applied)
		}
		<-e.done
		return e.err
	}
	if cast {
		e.proc.unread.Add(-1)
	}
	if !room {
		err := fmt.Errorf("%w: %w", statemachine.ErrOverloaded, context.Cause(ctx))
		return refused(name, statemachine.NotApplied, err)
	}
	return late(ctx, name, statemachine.NotApplied)
}

// abandonKept ends the wait for a reply that a later step was to give. False:
// there is one.
func (l *Loop) abandonKept(e *entry) bool {
	l.enter()
	defer l.exit()
	if e.answered {
		return false
	}
	e.answered = true
	if e.key == "" { // else its answer is remembered
		e.proc.drop(e)
	}
	return true
}

// readCrashed reports the crash of a read-only step to the loop, and waits
// until it has been seen there, so that this caller's next input meets the
// process restarted.
func (l *Loop) readCrashed(ctx context.Context, p *process, life uint32, crash *statemachine.CrashError) error {
	e := &entry{kind: kindExit, proc: p, life: life, reason: statemachine.Crash(crash), done: make(chan struct{}, 1)}
	l.queue.pushOwn(e, false)
	l.kick()
	select {
	case <-e.done:
	case <-l.done:
	case <-ctx.Done():
	}
	return refused(p.name, statemachine.NotApplied, crash)
}

// Ref is a typed handle on a process, by name: it survives every restart, and
// if the child is deleted and another of the same types added under its name,
// it is a handle on that. Copy it freely; any goroutine may use it.
type Ref[I, O any] struct {
	loop *Loop
	proc *process
	code *statemachine.Process
	port statemachine.Port[I, O] // the same
	key  string                  // of idempotency; empty: none
}

// RefTo returns the handle on the process called name. It fails with
// ErrNoProcess, or if the process's inputs are not I or its outputs not O.
func RefTo[I, O any](l *Loop, name statemachine.Name) (Ref[I, O], error) {
	p := l.procs.find(name)
	if p == nil {
		return Ref[I, O]{}, refused(name, statemachine.NotApplied, statemachine.ErrNoProcess)
	}
	code := p.code.Load()
	port, ok := (*code).(statemachine.Port[I, O])
	if !ok {
		in, out := (*code).Describe()
		return Ref[I, O]{}, fmt.Errorf("eventloop: %s takes %s and answers %s", name, in, out)
	}
	return Ref[I, O]{loop: l, proc: p, code: code, port: port}, nil
}

// stale reports whether r is to be made anew: the name may be another process's,
// or the process runs another machine.
func (r *Ref[I, O]) stale() bool { return r.proc.code.Load() != r.code || r.proc.gone.Load() }

// Name returns the name of the process.
func (r Ref[I, O]) Name() statemachine.Name { return r.proc.name }

// Call is Loop.Call without bytes: the same waiting, the same errors.
func (r Ref[I, O]) Call(ctx context.Context, in I) (out O, err error) {
	if ctx.Err() != nil {
		return out, late(ctx, r.proc.name, statemachine.NotApplied)
	}
	if r.stale() {
		key := r.key
		if r, err = RefTo[I, O](r.loop, r.proc.name); err != nil {
			return out, err
		}
		r.key = key
	}
	if r.key != "" {
		x := r.port.NewExchange(in)
		if err := r.loop.submitOnce(ctx, r.proc, x, r.key, false); err != nil {
			return out, err // the loop may be writing to x
		}
		return x.Out, nil
	}
	if r.proc.unread.Load() == 0 {
		life := r.proc.life.Load()
		out, ok, crash := r.port.ReadIn(in)
		if crash != nil {
			return out, r.loop.readCrashed(ctx, r.proc, life, crash)
		}
		if ok {
			r.proc.reads.Add(1)
			return out, nil
		}
	}
	if r.loop.enterFor(r.proc, r.code) {
		out, crash := r.port.StepIn(in)
		if !r.loop.keepsWaiting(crash) {
			return out, r.loop.leaveAfter(crash)
		}
		x := r.port.NewExchange(in)
		if err := r.loop.leaveWaiting(ctx, r.proc, x); err != nil {
			return out, err // as above
		}
		return x.Out, nil
	}
	x := r.port.NewExchange(in)
	if err := r.loop.submit(ctx, r.proc, x, false); err != nil {
		return out, err
	}
	out = x.Out
	r.port.Free(x)
	return out, nil
}

// Cast is Loop.Cast without bytes.
func (r Ref[I, O]) Cast(ctx context.Context, in I) error {
	if ctx.Err() != nil {
		return late(ctx, r.proc.name, statemachine.NotApplied)
	}
	if r.stale() {
		key := r.key
		var err error
		if r, err = RefTo[I, O](r.loop, r.proc.name); err != nil {
			return err
		}
		r.key = key
	}
	if r.key != "" {
		return r.loop.submitOnce(ctx, r.proc, r.port.NewExchange(in), r.key, true)
	}
	if r.loop.enterFor(r.proc, r.code) {
		r.loop.moment.SetFrom(0)
		_, crash := r.port.StepIn(in)
		r.loop.leaveAfter(crash)
		return nil
	}
	return r.loop.submit(ctx, r.proc, r.port.NewExchange(in), true)
}

func refused(name statemachine.Name, o statemachine.Outcome, err error) error {
	return &statemachine.CallError{Name: name, Outcome: o, Err: err}
}

func late(ctx context.Context, name statemachine.Name, o statemachine.Outcome) error {
	return refused(name, o, fmt.Errorf("%w: %w", statemachine.ErrDeadline, context.Cause(ctx)))
}
