// Package eventloop runs an application: the machines of a supervision tree,
// all of them on one loop.
//
//	loop, err := eventloop.Start(eventloop.Config{
//		Root: supervisor.Supervisor{
//			Name:     "root",
//			Children: []supervisor.Child{supervisor.Worker{Name: "counter", Machine: Counter}},
//		},
//	})
//	counter, err := eventloop.RefTo[Add, Total](loop, "counter")
//	total, err := counter.Call(ctx, Add{N: 2})
//	err = loop.Stop(ctx)
//
// # The life of a call
//
// A caller queues its input and waits. The loop takes it, has it journaled
// where durability asks for that, steps the machine, makes the new state the
// one that readers see, and replies. Inputs of one caller to one process are
// stepped in the order in which they were sent. A caller that finds the loop
// idle does all this itself, on its own goroutine, which is why a call costs
// little more than a lock. Read-only inputs are stepped on the caller's
// goroutine at any time, unless a cast that was accepted still waits.
//
// The queue is bounded. A caller waits for room, and for its answer, until its
// context ends. Every error of a call says what became of the input: not
// applied, applied, or unknown.
//
// # Crashes
//
// A panic in Init, Step or Terminate is caught, and is the process's crash; the
// caller gets a *statemachine.CrashError. The process's own Terminate runs, then
// its supervisor decides, before the loop takes another input: no caller sees a
// half restarted tree. Where Terminate takes its time only the processes that
// the restart is about wait, and callers of those. What can not be caught, as in
// any Go program: a data race, a stack overflow, running out of memory.
//
// # Durability
//
// With [AtShutdown] a process's state is saved when it terminates and given to
// its next Init, over restarts of the process and of the program. With [Always]
// an input is in the journal, and the journal on disk, before it is stepped;
// after a kill -9 the journal is replayed, crashes and restarts included, and
// the states are exactly what they were. A process whose machine has no State
// codec begins anew at each start.
//
// Time never goes back, from one start of the program to the next either: one
// that ran with a clock that was ahead goes on from there, and stays ahead, as
// long as it has its journal. Timers keep the time that they were set for. Once a
// supervisor was given another spec, the journal is not truncated.
//
// # Limits
//
// A step that never returns stops the loop, as it would a gen_server, but all of
// them: machines wait by other means. Processes share one loop, and so one core;
// reads use all of them.
//
// # Differences from OTP
//
// A call to a process that is restarting waits for it (OTP: noproc). A call to
// one that crashes gets the crash at once. A process that crashed has its
// shutdown grace for its Terminate (OTP: no limit). With durability a process
// that is restarted is told the state it had.
package eventloop
