package eventloop

import (
	"context"
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// GetState returns the present state of a worker (OTP: sys:get_state). It is the
// state itself: it must not be changed. That it is no S is an ErrInput.
func GetState[S any](ctx context.Context, l *Loop, name statemachine.Name) (S, error) {
	state, _, err := l.state(ctx, name)
	if err != nil {
		return *new(S), err
	}
	s, err := stateAs[S](state)
	if err != nil {
		return s, refused(name, statemachine.NotApplied, err)
	}
	return s, nil
}

// GetState appends the present state of a worker, in format f, to dst. It is
// encoded on this goroutine: the loop goes on meanwhile.
func (l *Loop) GetState(ctx context.Context, name statemachine.Name, f codec.Format, dst []byte) ([]byte, error) {
	state, p, err := l.state(ctx, name)
	if err != nil {
		return dst, err
	}
	if !p.Durable() {
		return dst, refused(name, statemachine.NotApplied, errNoCodec)
	}
	out, err := p.AppendState(dst, f, state)
	if err != nil {
		return dst, refused(name, statemachine.NotApplied, fmt.Errorf("%w: %w", statemachine.ErrOutput, err))
	}
	return out, nil
}

var errNoCodec = fmt.Errorf("%w: the machine has no State codec", statemachine.ErrConflict)

func (l *Loop) state(ctx context.Context, name statemachine.Name) (any, statemachine.Process, error) {
	var state any
	var code statemachine.Process
	if err := l.look(ctx, name, func(p *process) { state, code = p.State(), p.Process }); err != nil {
		return nil, nil, err
	}
	return state, code, nil
}

// ReplaceState makes what f makes of the state of a worker its state, and returns
// it (OTP: sys:replace_state). F is pure, as a step; it is called once, while the
// loop stands still, between two inputs: it must not call the Loop. If it panics
// the state is kept, and the error is an ErrNotChanged. With durability Always the
// new state is written to the journal. That the state is no S is an ErrInput.
func ReplaceState[S any](ctx context.Context, l *Loop, name statemachine.Name, f func(S) S) (S, error) {
	r := &request{op: opReplaceState, sup: name}
	r.to.f = func(state any) (any, error) {
		s, err := stateAs[S](state)
		if err != nil {
			return nil, err
		}
		err = aside(name, "replace_state", func() error {
			s = f(s)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", statemachine.ErrNotChanged, err)
		}
		return s, nil
	}
	if err := l.request(ctx, r); err != nil {
		return *new(S), err
	}
	s, _ := stateAs[S](r.to.state)
	return s, nil
}

// ReplaceState makes the state that data encodes, in format f, that of a worker.
// With durability Always it is written to the journal.
func (l *Loop) ReplaceState(ctx context.Context, name statemachine.Name, f codec.Format, data []byte) error {
	p := l.procs.find(name)
	if p == nil {
		return refused(name, statemachine.NotApplied, statemachine.ErrNoProcess)
	}
	code := p.front()
	if !code.Durable() {
		return refused(name, statemachine.NotApplied, errNoCodec)
	}
	state, err := code.DecodeState(f, data)
	if err != nil {
		return refused(name, statemachine.NotApplied, fmt.Errorf("%w: %w", statemachine.ErrInput, err))
	}
	return l.request(ctx, &request{op: opReplaceState, sup: name, to: replacement{state: state}})
}

// replacement is a state to be, which may have to be made of the one that is.
type replacement struct {
	f     func(any) (any, error) // nil once it is made
	state any
	data  []byte // in msgpack, as the journal has it
}

func (r *replacement) make(p *process) error {
	if r.f == nil {
		return nil
	}
	state, err := r.f(p.State())
	if err == nil {
		r.state, r.f = state, nil
	}
	return err
}

// encode makes the state, for the journal: nothing that could change that of p may
// come in between.
func (r *replacement) encode(p *process) error {
	err := r.make(p)
	if err != nil {
		return err
	}
	if r.data, err = p.AppendState(nil, codec.Msgpack, r.state); err != nil {
		err = fmt.Errorf("%w: %w", statemachine.ErrInput, err)
	}
	return err
}

// apply gives p the state.
func (r *replacement) apply(p *process) error {
	if err := r.make(p); err != nil {
		return err
	}
	if !p.Replace(r.state) {
		return fmt.Errorf("%w: the state is a %T, not a %T", statemachine.ErrInput, p.State(), r.state)
	}
	return nil
}

// readState reads the state of a record that has one.
func (l *Loop) readState(r *request) error {
	p := l.procs.find(r.sup)
	if r.op != opReplaceState || p == nil {
		return nil
	}
	var err error
	if r.to.state, err = p.DecodeState(codec.Msgpack, r.to.data); err != nil {
		return fmt.Errorf("the state that was given to %s: %w", r.sup, err)
	}
	return nil
}

// stateAs returns a state as an S. An S that is a nil interface is a nil any.
func stateAs[S any](state any) (S, error) {
	s, ok := state.(S)
	if !ok && (state != nil || any(s) != nil) {
		return s, fmt.Errorf("%w: the state is a %T, not a %T", statemachine.ErrInput, state, s)
	}
	return s, nil
}
