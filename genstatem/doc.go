// Package genstatem is OTP's gen_statem: machines that are in one of several
// states, in which the same event means different things.
//
//	type (
//		event   = genstatem.Event[string]
//		effects = genstatem.Effects[string, string]
//	)
//
//	// Door opens to the code, and locks itself after ten seconds.
//	var Door = genstatem.New(genstatem.Machine[string, struct{}, string, string]{
//		Init: func(*effects) (string, struct{}, error) { return "locked", struct{}{}, nil },
//		HandleEvent: func(ev event, state string, d struct{}, fx *effects) (string, struct{}) {
//			switch {
//			case ev.Type == genstatem.StateTimeout:
//				return "locked", d
//			case state == "open" || ev.Content == "1234":
//				fx.Reply(ev.From, "come in")
//				fx.SetTimeout(genstatem.StateTimeout, 10*time.Second, "")
//				return "open", d
//			}
//			fx.Reply(ev.From, "wrong")
//			return state, d
//		},
//		Event: codec.Of[string](),
//		Reply: codec.Of[string](),
//	})
//
// New returns a machine like any other, to be supervised, called and saved by
// package eventloop, which learns nothing new for it.
//
// A callback gets an event, the state and the data, and returns the next state
// and data. All else it asks of its [Effects], in OTP's words. It is pure, so
// that a journal of inputs, replayed, gives the same states again: what it asks
// for is done when it has returned.
//
// When not to use it: a server that has but one state is a plain machine.
//
// M1 to M14, below, are the rules that are OTP's; the tests of rules_test.go are
// named after them.
//
// # States and events (M1, M2)
//
// Machine.States has a callback for each state, Machine.HandleEvent is one for
// all: OTP's two callback modes. Both are of the type [Callback], so that one for
// a single state is told that too. States, data, contents of events and replies
// are of any types; states can be compared. A call, a cast, an answer to what
// was asked of the loop (Info), an event that the machine inserts by itself and
// a timeout are told apart by Event.Type, so that nobody from outside can pass
// for a timeout.
//
// # Postponing and inserting (M3, M4)
//
// Effects.Postpone keeps an event until the state changes. Then all that were
// postponed are handled again, in the order in which they arrived, before
// anything newer. Effects.NextEvent inserts an event before all others.
//
// # Order (M5)
//
// One event from the mailbox, and what comes of it before the next one, is one
// step: the state changes, is entered, then come inserted events, retried
// ones, timeouts without time. A machine that inserts events without end, or
// sets timeouts without time without end, hangs, as any step that does not
// return.
//
// # Timeouts (M6, M7, M8, M14)
//
// A StateTimeout is cancelled by a change of state, an EventTimeout by any
// event, one of [Timeout] by neither. A machine has one of each type: setting it
// takes the place of what was set. One that was due already can still be cancelled
// or updated. A StateTimeout that is set by the very callback that changes the
// state, or by the enter call after it, counts for the new state. With no time at
// all a timeout comes before the mailbox; several such in the order in which they
// were set.
//
// # Enter calls (M9)
//
// Machine.Enter is called when a state has been entered: OTP's state_enter. Its
// type keeps it from changing the state.
//
// # Replies (M10, M13)
//
// A call is answered by Effects.Reply, at once or by a later event: Event.From
// can be kept in the data, and is kept for an event that is postponed. Who is not
// answered waits until its deadline or the end of the process.
//
// # Ends (M10, M11)
//
// Effects.Stop ends the machine, after the replies that were asked for with it:
// OTP's stop and stop_and_reply. A panic undoes the event: Terminate is told
// the state and data from before it, even if the panic was in an enter call. What
// was done by earlier events of the same step stays done. A panic with a
// [statemachine.Reason] is OTP's exit(Reason). ErrBadReturn, ErrBadAction and
// their like are the mistakes that the types leave possible.
//
// # What is saved (M12)
//
// A [State] is all that there is: besides the state and the data the events
// that are postponed, what timeouts will carry, and whoever waits for a reply.
// With codecs for states and data it survives what it has to: a crash undoes the
// event that has caused it, and the process goes on, without Init. Events that
// were inserted, or retried, and not handled yet when it ended are handled
// then. Machine.Resume says what should be otherwise, for example because a
// connection is gone.
//
// # Cost
//
// An event costs no memory unless it is postponed, or changes which timeouts
// run or what they carry: to set one anew that carries the same is free, so that a
// content without details is the best. BenchmarkCall has the time, beside that of
// a plain machine; a state and data of three words together are the fastest.
//
// # Differences from OTP
//
// A callback cannot return what is no result. It has no way to take back a
// Postpone, and none to hibernate, to change the callback module, or to set a
// timeout to an absolute time. Effects that are a plain machine's, as Monitor,
// are done when the step is over, and not at all if its first callback panics. A
// timeout without time that is set to some before its turn is not lost, as in
// OTP 25.
package genstatem
