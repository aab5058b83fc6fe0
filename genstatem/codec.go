package genstatem

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// StateCodec returns the codec of the states of machines whose states, data and
// events have these codecs. That of a Machine itself is made by New; this is for
// the states of its older versions: see Machine.Migrate.
func StateCodec[S comparable, D, E any](state codec.Codec[S], data codec.Codec[D], event codec.Codec[E]) codec.Codec[State[S, D, E]] {
	return stateCodec[S, D, E]{state, data, event}
}

type stateCodec[S comparable, D, E any] struct {
	state codec.Codec[S]
	data  codec.Codec[D]
	event codec.Codec[E]
}

// The encoded form of a State.
type (
	wireState struct {
		State     part         `json:"state"`
		Data      part         `json:"data"`
		Postponed []wireEvent  `json:"postponed,omitempty"` // the oldest first
		Timeouts  []wireEvent  `json:"timeouts,omitempty"`
		Waiting   *wireWaiting `json:"waiting,omitempty"`
	}
	// wireEvent is an event, a timeout that runs or waits, or, if Kind is not
	// zero, an action.
	wireEvent struct {
		Kind    actionKind        `json:"kind,omitempty"`
		Type    EventType         `json:"type"`
		Content part              `json:"content"`
		From    statemachine.From `json:"from,omitempty"`
		After   time.Duration     `json:"after,omitempty"`
	}
	wireWaiting struct {
		Begin   bool        `json:"begin,omitempty"`
		Actions []wireEvent `json:"actions,omitempty"`
		Resume  bool        `json:"resume,omitempty"`
		Queue   []wireEvent `json:"queue,omitempty"` // the next one first
		Zero    []wireEvent `json:"zero,omitempty"`
	}
)

var wireStates = codec.Of[wireState]()

// part is something within a document that another codec has encoded, in the
// format of the document. It has the methods by which package codec knows types
// that encode themselves.
type part struct{ text []byte }

func (p part) MarshalJSON() ([]byte, error)     { return p.text, nil }
func (p part) MarshalMsgpack() ([]byte, error)  { return p.text, nil }
func (p *part) UnmarshalJSON(b []byte) error    { p.text = slices.Clone(b); return nil }
func (p *part) UnmarshalMsgpack(b []byte) error { p.text = slices.Clone(b); return nil }

func (c stateCodec[S, D, E]) Append(dst []byte, f codec.Format, s State[S, D, E]) ([]byte, error) {
	w := encoding[E]{f: f, event: c.event}
	wire := wireState{State: encode(&w, c.state, s.State), Data: encode(&w, c.data, s.Data)}
	if s.more != nil {
		w.ofMore(&wire, s.more)
	}
	if w.err != nil {
		return dst, w.err
	}
	return wireStates.Append(dst, f, wire)
}

func (c stateCodec[S, D, E]) Decode(f codec.Format, data []byte) (s State[S, D, E], err error) {
	wire, err := wireStates.Decode(f, data)
	if err != nil {
		return s, err
	}
	r := encoding[E]{f: f, event: c.event}
	s.State, s.Data = decode(&r, c.state, wire.State), decode(&r, c.data, wire.Data)
	if m := r.toMore(&wire); !m.empty() {
		s.more = m
	}
	if r.err != nil {
		return State[S, D, E]{}, refused(f, r.err)
	}
	return s, nil
}

// refused makes an *codec.Error of err, as Decode must.
func refused(f codec.Format, err error) error {
	if own, ok := errors.AsType[*codec.Error](err); ok {
		return own
	}
	return &codec.Error{Format: f, Kind: codec.Meaningless, Offset: -1, Err: err}
}

// encoding encodes or decodes, until something cannot be.
type encoding[E any] struct {
	f     codec.Format
	event codec.Codec[E]
	err   error
}

func encode[E, T any](w *encoding[E], c codec.Codec[T], v T) part {
	if w.err != nil {
		return part{}
	}
	text, err := c.Append(nil, w.f, v)
	w.err = err
	return part{text}
}

func decode[E, T any](r *encoding[E], c codec.Codec[T], p part) (v T) {
	switch {
	case r.err != nil:
	case p.text == nil:
		r.err = fmt.Errorf("a part of the state is missing: %T", v)
	default:
		v, r.err = c.Decode(r.f, p.text)
	}
	return v
}

func (w *encoding[E]) ofMore(wire *wireState, m *more[E]) {
	for p := m.postponed; p != nil; p = p.older {
		wire.Postponed = append(wire.Postponed, w.ofEvent(p.event))
	}
	slices.Reverse(wire.Postponed)
	for _, t := range []EventType{StateTimeout, EventTimeout} {
		if content := m.running(t); content != nil {
			wire.Timeouts = append(wire.Timeouts, w.ofTimeout(timeout[E]{t, *content}))
		}
	}
	wire.Timeouts = append(wire.Timeouts, each(m.timeouts, w.ofTimeout)...)
	if m.waiting != nil {
		wire.Waiting = &wireWaiting{
			Begin: m.waiting.begin, Actions: each(m.waiting.actions, w.ofAction), Resume: m.waiting.resume,
			Queue: each(m.waiting.queue, w.ofEvent), Zero: each(m.waiting.zero, w.ofTimeout),
		}
		slices.Reverse(wire.Waiting.Queue)
	}
}

func (r *encoding[E]) toMore(wire *wireState) *more[E] {
	var m more[E]
	for _, e := range wire.Postponed {
		m.postponed = &postponed[E]{r.toEvent(e), m.postponed}
	}
	for _, e := range wire.Timeouts {
		t := r.toTimeout(e)
		m.put(t.typ, t.content)
	}
	if w := wire.Waiting; w != nil {
		m.waiting = &waiting[E]{
			begin: w.Begin, actions: each(w.Actions, r.toAction), resume: w.Resume,
			queue: each(w.Queue, r.toEvent), zero: each(w.Zero, r.toTimeout),
		}
		slices.Reverse(m.waiting.queue)
	}
	return &m
}

func (w *encoding[E]) ofEvent(e Event[E]) wireEvent {
	return wireEvent{Type: e.Type, Content: encode(w, w.event, e.Content), From: e.From}
}

func (w *encoding[E]) ofTimeout(t timeout[E]) wireEvent {
	return wireEvent{Type: t.typ, Content: encode(w, w.event, t.content)}
}

func (w *encoding[E]) ofAction(a action[E]) wireEvent {
	return wireEvent{Kind: a.kind, Type: a.typ, Content: encode(w, w.event, a.content), After: a.after}
}

func (r *encoding[E]) toEvent(e wireEvent) Event[E] {
	if !e.Type.known() && r.err == nil {
		r.err = fmt.Errorf("there is no event type %q", e.Type)
	}
	return Event[E]{Type: e.Type, Content: decode(r, r.event, e.Content), From: e.From}
}

func (r *encoding[E]) toTimeout(e wireEvent) timeout[E] {
	if !e.Type.isTimeout() && r.err == nil {
		r.err = fmt.Errorf("there is no timeout %q", e.Type)
	}
	return timeout[E]{typ: e.Type, content: decode(r, r.event, e.Content)}
}

func (r *encoding[E]) toAction(e wireEvent) action[E] {
	if e.Kind > actLast && r.err == nil {
		r.err = fmt.Errorf("there is no action %d", e.Kind)
	}
	return action[E]{kind: e.Kind, typ: e.Type, content: decode(r, r.event, e.Content), after: e.After}
}

// each returns what f makes of each; nil of none.
func each[A, B any](all []A, f func(A) B) []B {
	var made []B
	for _, a := range all {
		made = append(made, f(a))
	}
	return made
}

// WithData returns a state with all that belongs to one of another type: it is
// for Machine.Migrate. The contents of events stay as they are.
func WithData[S2 comparable, D2 any, S comparable, D, E any](old State[S, D, E], s S2, d D2) State[S2, D2, E] {
	return State[S2, D2, E]{State: s, Data: d, more: old.more}
}
