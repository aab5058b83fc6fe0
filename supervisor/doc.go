// Package supervisor is OTP's supervision trees as a pure state machine: events
// go in, actions come out.
//
// A supervisor starts its children in order, ends them in reverse order, and
// starts those that end by themselves again: which of them its [Strategy] and
// the child's [Restart] say, and how often Intensity and Period, before it gives
// up and leaves the problem to its own supervisor. The package decides all that
// and does nothing itself: it has no goroutine, clock, or I/O. What it wants done
// it says by [Action]s, which an event loop carries out; how each went comes back
// as a method call. The package's Example is a whole such loop:
//
//	tree, err := supervisor.New(supervisor.Supervisor{
//		Name:     "root",
//		Children: []supervisor.Child{supervisor.Worker{Name: "a", Machine: m}},
//	})
//	tree.Start()
//	for a, ok := tree.Next(); ok; a, ok = tree.Next() {
//		// carry out a; answer with tree.Started, tree.Exited, ... now or later
//	}
//
// # Semantics
//
// They are those of OTP 25's supervisor, to the order of every callback. The
// tests hold it against what OTP did in more than a thousand recorded scenarios.
//
// Each supervisor has an inbox: exits of its children, requests, retries, orders
// to end. It handles one message at a time, in order of arrival; where that
// needs an answer it waits, and nothing else is handled by that supervisor
// meanwhile, while all others go on. Among supervisors that need not wait,
// messages are handled in order of arrival too, each to its end, so that the
// actions are a function of the calls alone.
//
// A child is a [Node], each of its processes a [PID]. What is said of a process
// that has ended already is ignored.
//
// # Guarantees and limits
//
// Restarting one child costs the same whatever the number of its siblings;
// ending all is linear. Depth costs no stack. A Node has 96 bytes, one whose
// process has ended 112 more, and the text of at most 1 KiB that says why. A broken
// protocol (Exited of a supervisor, Save of a tree that is not quiet) panics.
//
// # Beyond OTP
//
// Who asks for none of it has OTP's behaviour: [Backoff] makes restarts wait,
// Supervisor.MaxRestarts bounds them over the supervisor's whole life, and what a
// Node remembers (LastExit and what follows it) decides nothing.
//
// # Differences from OTP
//
//   - The specs of the whole tree are checked before anything is started; OTP
//     checks those of a nested supervisor when that is started.
//   - Names are the processes' registered names too, so they are unique in the
//     whole tree, not only among siblings. StartChild refuses the name of any
//     child in the tree. A supervisor that is started again does not start if
//     another one has a child by the name of one of its own.
//   - The children of a SimpleOneForOne supervisor are workers, have names, and
//     are listed by them. In place of extra arguments StartChild takes a Machine.
//   - A SimpleOneForOne child whose restart gives ignore is dropped (as in newer
//     versions; OTP 25 keeps it and crashes later), and CountChildren does not
//     lose count of one that was ended while it was restarting.
//   - A retry belongs to the child that failed to start. In OTP it belongs to
//     the name, so it also hits a successor that was added meanwhile.
//   - A supervisor that is killed takes all below it with it at once. In OTP
//     its children find out for themselves.
//   - ChangeSpec is OTP's code_change with the new specs as a value. It does not
//     turn a SimpleOneForOne supervisor into another or back, which OTP survives
//     only until the next request, nor a worker into a supervisor. A child of a
//     SimpleOneForOne supervisor that ceases to be Temporary is restarted; in OTP
//     its first restart fails for ever, and ends the supervisor.
//   - Suspend takes effect at once, not in its turn.
package supervisor
