// Package statemachine says what a generic server is: a state, and a pure
// function that steps it.
//
//	var Counter = &statemachine.Machine[int, Add, Total]{
//		Step: statemachine.Pure(func(in Add, n int) (int, Total) {
//			return n + in.N, Total{N: n + in.N}
//		}),
//		Input:  codec.Of[Add](),
//		Output: codec.Of[Total](),
//		State:  codec.Of[int](),
//	}
//
// That is a whole server. Run by package eventloop it gets typed calls that any
// goroutine may make, a supervisor that restarts it when it crashes, an HTTP
// endpoint, and, as its state has a codec, durability.
//
// # Purity
//
// Step and Init are pure: they do not change the state or the input that they
// are given, and read no clock, no randomness, no network, no disk. A state
// that holds a map or a slice is therefore copied, or, better, kept in an
// immutable structure, before it is changed. In return
//
//   - a step that panics has changed nothing: the process goes back to the
//     state that it had, and its supervisor decides what happens next;
//   - read-only inputs (see Machine.ReadOnly) run on the caller's own goroutine
//     and scale with the cores;
//   - saving a state does not stop the loop;
//   - a journal of inputs, replayed, gives the same states again.
//
// What a step needs to know of the world, such as the time, it asks of its
// [Effects]. Package machinetest checks a machine for purity.
//
// # Effects and messages
//
// What a step wants done it asks of its Effects too: a timer, a cast or a call
// to another machine ([To]), a monitor, a link, a reply later, blocking work (a
// [Task]). That is only recorded; the loop does it, in that order, once the step
// has returned. A step that crashes has asked for nothing. What comes of it
// comes back as a [Message], of which [Machine].Message makes an input like any
// other:
//
//	Step: func(in Input, s State, fx *statemachine.Effects[Output]) (State, Output) {
//		switch in.(type) {
//		case Open:
//			fx.SetTimer("door", 10*time.Second)
//			return s.opened(), Output{}
//		case Late:
//			return s.closed(), Output{}
//		…
//	},
//	Message: func(m statemachine.Message) Input {
//		if m == (statemachine.Timeout{Timer: "door"}) {
//			return Late{}
//		}
//		return Ignore{}
//	},
//
// # Versions
//
// When S or its codec changes so that saved states cannot be decoded any more,
// Machine.Version is counted up, and Machine.Migrate makes a new state of an
// old one, which [Decode] decodes by the old codec. A field that is added to a
// struct is no such change: see package codec.
//
// # Differences from OTP
//
// A gen_server's callbacks run in a process of its own and may block; a
// machine's Step runs in the loop and must not: what blocks is a Task.
// gen_server tells calls from casts; here both are inputs, and the output of a
// cast is dropped. There are no pids: timers, monitors, links and calls are
// known by names and tags, which outlive restarts, instead of references.
// gen_server:reply/2 works at once, and so does every other request of a
// callback; here all of it waits for the step's end.
package statemachine
