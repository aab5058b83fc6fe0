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
// # Differences from OTP
//
// A gen_server's callbacks run in a process of its own and may block; a
// machine's Step runs in the loop and must not. gen_server tells calls from
// casts; here both are inputs, and the output of a cast is dropped.
package statemachine
