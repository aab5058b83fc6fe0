package genevent

import (
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// Kind is a kind of handler (OTP: a gen_event callback module): a state S, and
// what events E, calls of Q, answered by R, and other messages do to it. A is
// what a new handler is given. All that a kind is not interested in is left out;
// a type that it has no use for is struct{}. A Kind is used by its address, must
// not change, and may be listed by any number of managers.
//
// All functions are pure, as a machine's Step; what they want done they ask of
// fx. One that panics takes its handler away, and only that: the state and what
// it has asked for are as if it had not been called.
type Kind[E, S, A, Q, R any] struct {
	// Name is what handlers of this kind are found by, in inputs and in saved
	// states: unique in a manager, not empty, not to be changed.
	Name string

	// Init returns the state of a new handler. An error, or a panic, is told to
	// whoever adds it, and it is not added. Nil: S's zero value.
	Init func(Start[A]) (S, error)

	// HandleEvent is given each event. Nil: none matters.
	HandleEvent func(e E, s S, fx *Fx[E]) S

	// HandleCall answers a call. Nil: calls are refused with ErrBadModule.
	HandleCall func(q Q, s S, fx *Fx[E]) (S, R)

	// HandleInfo is given each message that the loop tells the manager, whoever it
	// was that has asked for it: a Timeout of any handler's timer, a TaskDone, a
	// MonitorDown. Put fx.Handler's name into the names of timers and tags where
	// there can be two of a kind. Nil: none matters. OTP: handle_info.
	HandleInfo func(m statemachine.Message, s S, fx *Fx[E]) S

	// Terminate is told why the handler goes, and its last state; what it
	// returns is the answer to a delete, or is given to the Init of the handler
	// that takes its place. A panic in it changes nothing but that answer. If
	// the manager is ended from outside, not by the input Stop, Terminate is run
	// beside the loop: it may do I/O then, nothing that it asks of fx is done,
	// and fx knows no time. Nil: R's zero value.
	Terminate func(why Why, s S, fx *statemachine.Fx) R

	// The codecs. Nil: codec.Of the type.
	State codec.Codec[S]
	Args  codec.Codec[A]
	Query codec.Codec[Q]
	Reply codec.Codec[R]

	_ struct{}
}

// AnyKind is a [Kind] whose types, but for that of the events, are hidden. Only
// *Kind implements it.
type AnyKind[E any] interface {
	erase() (name string, k anyKind[E])
}

// Start is what a handler's Init is told.
type Start[A any] struct {
	// Handler is the new handler's own name.
	Handler Handler
	// Client is the process that supervises it, "" if none does.
	Client statemachine.Name
	// Args is what it is given.
	Args A
	// Old is, if the handler takes the place of another, what DeleteHandler of
	// that would have been answered: see Result. Otherwise nil.
	Old Output
	// Fx records what Init asks for.
	Fx *statemachine.Fx

	_ struct{}
}

// Fx is what a handler may ask for: all that any machine may, and to go.
type Fx[E any] struct {
	*statemachine.Fx
	// Handler is the handler's own name.
	Handler Handler

	goes    bool           // it is to go
	args    string         // what it is then told
	replace *AddHandler[E] // what takes its place, nil for nothing
}

// Remove takes the handler away once the function has returned. OTP:
// remove_handler.
func (fx *Fx[E]) Remove() { fx.goes, fx.replace = true, nil }

// Swap puts another handler in this one's place, once the function has
// returned. This one's Terminate is told args, the other's Init is given what it
// returns. The client remains the same, whatever by says. A kind whose functions
// mention itself here gets them in a func init, since Go refuses a declaration
// that refers to itself. OTP: swap_handler.
func (fx *Fx[E]) Swap(args string, by AddHandler[E]) { fx.goes, fx.args, fx.replace = true, args, &by }

// Handler returns the name of the handler of this kind with that id.
func (k *Kind[E, S, A, Q, R]) Handler(id string) Handler { return Handler{Kind: k.Name, ID: id} }

// Add is the input that adds a handler.
func (k *Kind[E, S, A, Q, R]) Add(id string, args A) AddHandler[E] {
	return AddHandler[E]{Handler: k.Handler(id), args: args}
}

// AddSup is Add of a handler that client, a process, supervises: see the package
// comment.
func (k *Kind[E, S, A, Q, R]) AddSup(client statemachine.Name, id string, args A) AddHandler[E] {
	return AddHandler[E]{Handler: k.Handler(id), Client: client, args: args}
}

// Call is the input that calls a handler. [Result] makes an R of its output.
func (k *Kind[E, S, A, Q, R]) Call(id string, q Q) Call[E] {
	return Call[E]{Handler: k.Handler(id), query: q}
}

// as returns v as a T: a nil, as T's zero value.
func as[T any](v any) (T, bool) {
	if v == nil {
		return *new(T), true
	}
	t, ok := v.(T)
	return t, ok
}

// must is as for a value that was made by a kind of the same name; if that is
// not the same kind, it panics, which takes the handler away.
func must[T any](v any) T {
	t, ok := as[T](v)
	if !ok {
		panic(fmt.Sprintf("a %T is not a %T: there are two kinds of one name", v, t))
	}
	return t
}

// anyKind is a kind as the manager sees it.
type anyKind[E any] interface {
	init(s Start[any]) (any, error)
	event(e E, s any, fx *Fx[E]) any
	call(q, s any, fx *Fx[E]) (next, reply any)
	info(m statemachine.Message, s any, fx *Fx[E]) any
	terminate(why Why, s any, fx *statemachine.Fx) any
	calls() bool // whether it takes any
	forms() *forms
}

// forms are how a kind's values are encoded.
type forms struct{ state, args, query, reply form }

// erased is a Kind whose codecs are all there.
type erased[E, S, A, Q, R any] struct {
	*Kind[E, S, A, Q, R]
	f forms
}

func (k *Kind[E, S, A, Q, R]) erase() (string, anyKind[E]) {
	if k == nil {
		return "", nil
	}
	return k.Name, &erased[E, S, A, Q, R]{k, forms{
		state: formOf(k.State), args: formOf(k.Args), query: formOf(k.Query), reply: formOf(k.Reply),
	}}
}

func (k *erased[E, S, A, Q, R]) forms() *forms { return &k.f }

func (k *erased[E, S, A, Q, R]) calls() bool { return k.HandleCall != nil }

func (k *erased[E, S, A, Q, R]) init(s Start[any]) (any, error) {
	if k.Init == nil {
		return *new(S), nil
	}
	return k.Init(Start[A]{Handler: s.Handler, Client: s.Client, Args: must[A](s.Args), Old: s.Old, Fx: s.Fx})
}

func (k *erased[E, S, A, Q, R]) event(e E, s any, fx *Fx[E]) any {
	if k.HandleEvent == nil {
		return s
	}
	return k.HandleEvent(e, must[S](s), fx)
}

func (k *erased[E, S, A, Q, R]) call(q, s any, fx *Fx[E]) (next, reply any) {
	return k.HandleCall(must[Q](q), must[S](s), fx)
}

func (k *erased[E, S, A, Q, R]) info(m statemachine.Message, s any, fx *Fx[E]) any {
	if k.HandleInfo == nil {
		return s
	}
	return k.HandleInfo(m, must[S](s), fx)
}

func (k *erased[E, S, A, Q, R]) terminate(why Why, s any, fx *statemachine.Fx) any {
	if k.Terminate == nil {
		return *new(R)
	}
	return k.Terminate(why, must[S](s), fx)
}
