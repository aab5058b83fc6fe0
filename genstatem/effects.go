package genstatem

import (
	"errors"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// Effects is what a callback asks for besides the state and the data that it
// returns. Its own methods are OTP's transition actions: they are gone through,
// in order, once the callback has returned, and not at all if it panics.
//
// Those of the Fx are a plain machine's: see [statemachine.Fx]. Its timers are
// no timeouts of the state machine: their Timeouts are events of the type Info.
// Their names must be no [EventType]s of timeouts. Its Continue is best left to
// NextEvent.
//
// It is valid until the callback returns.
type Effects[E, R any] struct {
	*statemachine.Fx

	from    statemachine.From // the caller of the event
	answers bool              // before all actions, it is to be answered
	answer  R                 // with this
	actions []action[E]
	replies []R // of the actions
	repeat  bool
	stop    bool
	reason  statemachine.Reason
}

// action is a transition action. Those of Init are kept in the state.
type action[E any] struct {
	kind    actionKind
	typ     EventType         // of an event or a timeout
	content E                 // likewise
	after   time.Duration     // of a timeout
	from    statemachine.From // of a reply
	reply   int               // of a reply: its place in Effects.replies
}

type actionKind uint8

const (
	actReply actionKind = iota
	actPostpone
	actNextEvent
	actSet
	actUpdate
	actCancel

	actLast = actCancel
)

// Reply answers a caller: that of the event being handled, Event.From, or one
// whose From was kept in the data. The first reply wins; one to nobody (zero)
// is dropped. OTP: {reply, From, Reply}.
func (fx *Effects[E, R]) Reply(to statemachine.From, r R) {
	if to == fx.from && len(fx.actions) == 0 && !fx.answers {
		fx.answers, fx.answer = true, r // as mostly, and faster
		return
	}
	fx.actions = append(fx.actions, action[E]{kind: actReply, from: to, reply: len(fx.replies)})
	fx.replies = append(fx.replies, r)
}

// Postpone keeps the event for later: it is handled again after the next change
// of state, with all others that were postponed, in the order in which they
// arrived, before anything newer. Not for enter calls. OTP: postpone.
func (fx *Effects[E, R]) Postpone() { fx.actions = append(fx.actions, action[E]{kind: actPostpone}) }

// NextEvent inserts an event, to be handled before all that wait already; of
// several, the first one first. One of the type Call is by the caller of the
// event being handled. Not for enter calls. It panics if there is no such type.
// OTP: {next_event, Type, Content}.
func (fx *Effects[E, R]) NextEvent(t EventType, content E) {
	if !t.known() {
		panic("there is no event type " + string(t))
	}
	a := action[E]{kind: actNextEvent, typ: t, content: content}
	if t == Call {
		a.from = fx.from
	}
	fx.actions = append(fx.actions, a)
}

// SetTimeout makes an event of the type t, a timeout, once after has passed. It
// takes the place of the timeout of that type, if there is one. After no time at
// all it comes before what waits in the mailbox, and after what is inserted or
// retried. Infinity cancels. A negative time is a bad action, which ends the
// machine. It panics if t is not the type of a timeout. OTP: {state_timeout,
// Time, Content} and its like.
func (fx *Effects[E, R]) SetTimeout(t EventType, after time.Duration, content E) {
	kind := actSet
	if after == Infinity {
		kind = actCancel
	}
	fx.timeout(action[E]{kind: kind, typ: t, content: content, after: after})
}

// UpdateTimeout changes what a timeout carries, not its time. If it does not
// run, it is set to no time. OTP: {state_timeout, update, Content} and its like.
func (fx *Effects[E, R]) UpdateTimeout(t EventType, content E) {
	fx.timeout(action[E]{kind: actUpdate, typ: t, content: content})
}

// CancelTimeout removes a timeout, if there is one, even if it was due. OTP:
// {state_timeout, cancel} and its like.
func (fx *Effects[E, R]) CancelTimeout(t EventType) { fx.timeout(action[E]{kind: actCancel, typ: t}) }

func (fx *Effects[E, R]) timeout(a action[E]) {
	if !a.typ.isTimeout() {
		panic("there is no timeout of the type " + string(a.typ))
	}
	fx.actions = append(fx.actions, a)
}

// Repeat makes the transition one to another state, even if it is to the same:
// that is entered again. No event is retried, and no timeout cancelled. Without
// Machine.Enter it does nothing. OTP: repeat_state.
func (fx *Effects[E, R]) Repeat() { fx.repeat = true }

// Stop ends the machine because of r: normal, a shutdown, or an error of its
// own, made with [statemachine.Crash]. Replies that this callback asks for are
// sent first, its other actions dropped. Terminate is told the state and data
// that the callback returns. OTP: {stop, Reason, NewData} and {stop_and_reply,
// Reason, Replies, NewData}.
func (fx *Effects[E, R]) Stop(r statemachine.Reason) { fx.stop, fx.reason = true, r }

// StopNoReply is Stop: whoever has no reply by then gets none.
func (fx *Effects[E, R]) StopNoReply(r statemachine.Reason) { fx.Stop(r) }

// plain reports whether nothing was asked for but an answer to the caller.
func (fx *Effects[E, R]) plain() bool { return len(fx.actions) == 0 && !fx.repeat && !fx.stop }

// reset makes it ready for a callback that handles an event of from.
func (fx *Effects[E, R]) reset(from statemachine.From) {
	fx.from, fx.answers, fx.repeat, fx.stop = from, false, false, false
	if len(fx.actions) > 0 {
		clear(fx.actions)
		fx.actions = fx.actions[:0]
	}
	if len(fx.replies) > 0 {
		clear(fx.replies)
		fx.replies = fx.replies[:0]
	}
}

// What Reasons of the class ClassCrash have as their Detail, where no callback
// has panicked.
var (
	// ErrBadAction: a callback asked for a timeout in the past, OTP's
	// bad_action_from_state_function.
	ErrBadAction = errors.New("bad_action_from_state_function")
	// ErrBadEnterAction: an enter call asked for Postpone or NextEvent, OTP's
	// bad_state_enter_action_from_state_function.
	ErrBadEnterAction = errors.New("bad_state_enter_action_from_state_function")
	// ErrBadReplyAction: a callback that called Stop asked for a timeout in the
	// past, OTP's bad_reply_action_from_state_function.
	ErrBadReplyAction = errors.New("bad_reply_action_from_state_function")
	// ErrBadReturn: a callback returned a state that Machine.States has no
	// callback for, OTP's bad_return_from_state_function.
	ErrBadReturn = errors.New("bad_return_from_state_function")
)
