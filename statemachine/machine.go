package statemachine

import (
	"sync"
	"sync/atomic"

	"github.com/lineshaft/lineshaft/codec"
)

// Machine is a generic server (OTP: a gen_server's callback module): a state S,
// inputs I, outputs O, and the functions that connect them. Step, Input and
// Output are required. A Machine is used by its address, must not change once a
// process runs it, and may be shared by any number of processes.
type Machine[S, I, O any] struct {
	// Init returns the state to begin with: at the first start and after every
	// restart. An error, or a panic, is a failed start. Init is pure, as Step.
	// Nil: begin with what was saved last, or with S's zero value.
	Init func(Start[S]) (S, error)

	// Step is called once for each input, one at a time. A panic in it is a
	// crash: the caller gets a *CrashError, the state stays what it was, and
	// the supervisor of the process decides.
	Step Step[S, I, O]

	// Terminate is told why the process ends, and its last state (after a
	// crash: the state before the input that crashed it). It may do I/O: it
	// runs beside the loop, at most as long as the child's shutdown grace. It
	// is not called for a process that is killed, or whose Init failed. A panic
	// in it is reported and ends only the callback. Nil: nothing to do.
	Terminate func(Name, S, Reason)

	// ReadOnly reports whether in leaves the state as it is. Step then runs on
	// the caller's goroutine, many at a time, against the state last published;
	// the state that it returns is ignored, and the input is not journaled.
	// Such a step must ask for nothing: an effect, a Stop, a NoReply is a crash.
	// ReadOnly is pure. Nil: no input is.
	ReadOnly func(in I) bool

	// Message makes an input of what the loop tells the process, so that it is
	// stepped: nobody waits for its output. It is pure, and has an input for any
	// message, if only one that the step ignores. A panic in it is a crash like
	// one in the step. Nil: messages are dropped. OTP: handle_info,
	// handle_continue.
	Message func(Message) I

	// Tasks are the works that the machine may start, each by another name.
	Tasks []AnyTask

	Input  codec.Codec[I]
	Output codec.Codec[O]

	// State encodes the states that are saved. Nil: this process's state is
	// never saved nor journaled, and every Init begins with nothing.
	State codec.Codec[S]

	// Version is that of the states that this machine saves, 0 to 2^31-1. States
	// that were saved before there were versions are of version 0. A saved state
	// of a newer version does not load.
	Version int

	// Migrate makes a state of this version of one that was saved by an older
	// one: Decode decodes it by the older codec. It is pure. An error, or a
	// panic, keeps the state from being loaded, and so does a nil Migrate. OTP:
	// code_change.
	Migrate func(from int, saved Saved) (S, error)

	exchanges sync.Pool     // of *Exchange[I, O]
	effects   sync.Pool     // of *Effects[O], each with a Moment of its own, for readers
	readers   atomic.Uint64 // how many of those were made: the seed that each began with
	_         struct{}
}

// Step is the function of a machine: from an input and a state to the next
// state and an output. It is pure; see the package comment. What it wants
// besides it asks of fx, which must not be used after Step returned.
type Step[S, I, O any] func(in I, s S, fx *Effects[O]) (S, O)

// Pure lifts the simple form of a step, which most machines want.
func Pure[S, I, O any](f func(in I, s S) (S, O)) Step[S, I, O] {
	return func(in I, s S, _ *Effects[O]) (S, O) { return f(in, s) }
}

// Start is what Init is told.
type Start[S any] struct {
	// Name is the name of the process.
	Name Name
	// Saved is the state that was saved last, nil if none was: always with
	// durability none, or when the machine has no State codec. It is not to be
	// changed.
	Saved *S
	// Fx records what Init asks for, such as timers; it must not be used after
	// Init returned.
	Fx *Fx

	_ struct{}
}
