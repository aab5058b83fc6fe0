// Package machinetest checks a machine of package statemachine for what its
// type cannot say: that it is pure, deterministic, and keeps no secrets from
// its codecs.
//
//	func TestCounter(t *testing.T) {
//		machinetest.Check(t, counter.Machine, []counter.Input{counter.Add{N: 1}, counter.Get{}})
//	}
//
// The inputs are samples: one or more of every kind, with few enough different
// keys, amounts and names that they meet. Check steps random sequences of them
// from Init on, each step several times over, while hours pass (in the bubble
// of a testing/synctest, where that takes no time), and reports whatever breaks
// a [Rule]. A step may crash: then it is checked that it does so again, and
// that it has changed nothing before.
//
// If the machine takes messages, it is given those too that its effects may
// bring about: timeouts, answers that are errors, the ends of processes. What an
// answer without an error leads to is for a test of the machine's own.
//
// # What is compared
//
// Values are compared by their JSON encoding and, as a codec may lose what it
// should keep, by their contents too, whatever pointers lead to: all fields,
// unexported ones among them. Nil and empty slices and maps have the same
// contents, and so do times of the same instant. Three kinds of contents cannot be
// compared and are left out: what a function has captured, what a channel holds,
// and the stack of a *statemachine.CrashError.
//
// Types of other modules (the standard library among them) may hide different
// insides behind equal behaviour, such as a tree that was built in another
// order. If a machine's states have a codec, then of a foreign type only those
// unexported fields are compared that are plain data: numbers, text, booleans.
// The encodings say the rest.
//
// # Limits
//
// A check is a search, not a proof. It finds what happens in the sequences that
// it tries: of reading a file, or a variable that nobody changes meanwhile, it
// sees nothing. Terminate is not called, as it may do I/O. A step that does not
// return is for the time limit of go test.
package machinetest
