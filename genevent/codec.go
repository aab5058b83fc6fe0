package genevent

import (
	"errors"
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// inputs is the codec of a manager's inputs.
type inputs[E any] struct{ m *machine[E] }

// Append implements codec.Codec.
func (c inputs[E]) Append(dst []byte, f codec.Format, in Input[E]) ([]byte, error) {
	w := &raws[E]{m: c.m}
	var wire any
	switch in := in.(type) {
	case Notify[E]:
		wire = wireNotify{c.event(w, in.Event)}
	case SyncNotify[E]:
		wire = wireSyncNotify{c.event(w, in.Event)}
	case AddHandler[E]:
		wire = c.add(w, in)
	case DeleteHandler[E]:
		wire = wireDelete{in.Handler.Kind, in.Handler.ID, in.Args}
	case SwapHandler[E]:
		wire = wireSwap{in.Handler.Kind, in.Handler.ID, in.Args, c.add(w, in.New)}
	case Call[E]:
		wire = wireCall{in.Handler.Kind, in.Handler.ID, w.of(in.Handler.Kind, queryForm, in.query)}
	case WhichHandlers[E]:
		wire = wireWhich{}
	case Stop[E]:
		wire = stopping(in.Reason)
	default:
		w.err = fmt.Errorf("genevent: a %T cannot be encoded", in)
	}
	if w.err != nil {
		return dst, w.err
	}
	return wireInputs.Append(dst, f, wire)
}

func (c inputs[E]) event(w *raws[E], e E) (raw codec.Raw) {
	if w.err == nil {
		raw, w.err = typedForm[E]{c.m.Event}.raw(e)
	}
	return raw
}

func (c inputs[E]) add(w *raws[E], in AddHandler[E]) wireAdd {
	return wireAdd{in.Handler.Kind, in.Handler.ID, w.of(in.Handler.Kind, argsForm, in.args), in.Client}
}

// Decode implements codec.Codec.
func (c inputs[E]) Decode(f codec.Format, data []byte) (in Input[E], err error) {
	wire, err := wireInputs.Decode(f, data)
	if err != nil {
		return nil, err
	}
	r := &reader[E]{m: c.m, format: f}
	switch wire := wire.(type) {
	case wireNotify:
		in = Notify[E]{c.readEvent(r, "notify", wire.Raw)}
	case wireSyncNotify:
		in = SyncNotify[E]{c.readEvent(r, "sync_notify", wire.Raw)}
	case wireAdd:
		in = r.add("add_handler", wire)
	case wireDelete:
		r.kind("delete_handler.kind", wire.Kind)
		in = DeleteHandler[E]{Handler{wire.Kind, wire.ID}, wire.Args}
	case wireSwap:
		r.kind("swap_handler.kind", wire.Kind)
		in = SwapHandler[E]{Handler{wire.Kind, wire.ID}, wire.Args, r.add("swap_handler.new", wire.New)}
	case wireCall:
		call := Call[E]{Handler: Handler{wire.Kind, wire.ID}}
		if k := r.kind("call.kind", wire.Kind); k != nil {
			call.query = r.value("call.query", k.query, wire.Query)
		}
		in = call
	case wireWhich:
		in = WhichHandlers[E]{}
	case wireStop:
		in = Stop[E]{r.reason(wire)}
	}
	if r.err != nil {
		return nil, r.err
	}
	return in, nil
}

func (c inputs[E]) readEvent(r *reader[E], path string, raw codec.Raw) E {
	e, _ := as[E](r.value(path, typedForm[E]{c.m.Event}, raw))
	return e
}

func (r *reader[E]) add(path string, wire wireAdd) AddHandler[E] {
	in := AddHandler[E]{Handler: Handler{wire.Kind, wire.ID}, Client: wire.Client}
	if k := r.kind(path+".kind", wire.Kind); k != nil {
		in.args = r.value(path+".args", k.args, wire.Args)
	}
	return in
}

func stopping(r statemachine.Reason) wireStop {
	wire := wireStop{Reason: r.Class.String()}
	if r.Detail != nil {
		wire.Detail = text(r.Detail)
	}
	return wire
}

func (r *reader[E]) reason(wire wireStop) statemachine.Reason {
	for class := statemachine.ClassNormal; class <= statemachine.ClassCrash; class++ {
		if class.String() != wire.Reason {
			continue
		}
		reason := statemachine.Reason{Class: class}
		if wire.Detail != "" {
			reason.Detail = errors.New(wire.Detail)
		}
		return reason
	}
	r.fail("stop.reason", &codec.Error{
		Kind:     codec.Meaningless,
		Expected: "normal, shutdown, shutdown_t, killed or crash",
		Found:    fmt.Sprintf("%q", text(wire.Reason)),
	})
	return statemachine.Normal
}

// outputs is the codec of a manager's outputs.
type outputs[E any] struct{ m *machine[E] }

// Append implements codec.Codec.
func (c outputs[E]) Append(dst []byte, f codec.Format, out Output) ([]byte, error) {
	var wire any = out
	if reply, ok := out.(Reply); ok {
		w := &raws[E]{m: c.m}
		wire = wireReply{reply.Kind, w.of(reply.Kind, replyForm, reply.value)}
		if w.err != nil {
			return dst, w.err
		}
	}
	return wireOutputs.Append(dst, f, wire)
}

// Decode implements codec.Codec.
func (c outputs[E]) Decode(f codec.Format, data []byte) (Output, error) {
	wire, err := wireOutputs.Decode(f, data)
	if err != nil {
		return nil, err
	}
	reply, ok := wire.(wireReply)
	if !ok {
		return wire.(Output), nil
	}
	r := &reader[E]{m: c.m, format: f}
	out := Reply{Kind: reply.Kind}
	if k := r.kind("reply.kind", reply.Kind); k != nil {
		out.value = r.value("reply.value", k.reply, reply.Value)
	}
	return out, r.err
}

// states is the codec of a manager's states.
type states[E any] struct{ m *machine[E] }

// Append implements codec.Codec.
func (c states[E]) Append(dst []byte, f codec.Format, s State) ([]byte, error) {
	w := &raws[E]{m: c.m}
	wire := wireState{Handlers: make([]wireInstance, len(s.handlers)), Stopped: s.stopped}
	for i, h := range s.handlers {
		wire.Handlers[i] = wireInstance{h.Handler.Kind, h.Handler.ID, h.Client, w.of(h.Handler.Kind, stateForm, h.state)}
	}
	if w.err != nil {
		return dst, w.err
	}
	return wireStates.Append(dst, f, wire)
}

// Decode implements codec.Codec.
func (c states[E]) Decode(f codec.Format, data []byte) (State, error) {
	wire, err := wireStates.Decode(f, data)
	if err != nil {
		return State{}, err
	}
	r := &reader[E]{m: c.m, format: f}
	s := State{handlers: make([]instance, len(wire.Handlers)), stopped: wire.Stopped}
	for i, h := range wire.Handlers {
		s.handlers[i] = instance{Handler: Handler{h.Kind, h.ID}, Client: h.Client}
		path := fmt.Sprintf("handlers[%d]", i)
		if k := r.kind(path+".kind", h.Kind); k != nil {
			s.handlers[i].state = r.value(path+".state", k.state, h.State)
		}
	}
	if r.err != nil {
		return State{}, r.err
	}
	return s, nil
}
