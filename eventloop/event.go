package eventloop

import "github.com/lineshaft/lineshaft/statemachine"

// Event is something that happened in the tree: one of Restarting, Started,
// StartFailed, Crashed, Terminating, Exited, SaveFailed and Unclaimed. They are the hooks
// of a life: before a restart (Restarting), after it (Started), before a stop
// (Terminating) and after it (Exited).
type Event interface{ event() }

// Restarting: a process is about to be started again, because of the end of
// Because: itself, a sibling, or the like of a supervisor above.
type Restarting struct {
	Name       statemachine.Name
	Supervisor bool
	Because    statemachine.Name
}

// Started: the Init of a worker returned a state, or that of a supervisor
// returned and it begins to start its children.
type Started struct {
	Name       statemachine.Name
	Supervisor bool
}

// StartFailed: the Init of a worker or a supervisor returned an error, or
// panicked. With statemachine.ErrIgnore it is no failure, but there is no
// process.
type StartFailed struct {
	Name       statemachine.Name
	Supervisor bool
	Err        error
}

// Crashed: a function of the process panicked. A crash in "terminate" ends
// only that callback, and one that the machine has reported by Fx.Report, such as
// that of a handler of package genevent, ends the process neither.
type Crashed struct {
	Name  statemachine.Name
	Crash *statemachine.CrashError
}

// Terminating: the process is told to end, or ends because it crashed; its
// Terminate, if it has one, is about to run.
type Terminating struct {
	Name   statemachine.Name
	Reason statemachine.Reason
}

// Exited: the process has ended. Reason is Killed for one that was ended
// without Terminate, or whose Terminate outlived its grace.
type Exited struct {
	Name       statemachine.Name
	Supervisor bool
	Reason     statemachine.Reason
}

// SaveFailed: states could not be saved. If the cause is journal.ErrRefused (a
// state that its codec cannot encode) the application goes on, and what was
// saved before stays; after anything else it ends.
type SaveFailed struct{ Err error }

func (SaveFailed) event() {}

// Unclaimed: when the application started there was a state saved for Name,
// which the tree does not have. It stays saved.
type Unclaimed struct{ Name statemachine.Name }

func (Unclaimed) event()   {}
func (Restarting) event()  {}
func (Started) event()     {}
func (StartFailed) event() {}
func (Crashed) event()     {}
func (Terminating) event() {}
func (Exited) event()      {}
