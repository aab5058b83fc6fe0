package supervisor

import (
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// Kind is what an [Action] asks for.
type Kind uint8

const (
	// Start: a worker: register it and run its Init. A supervisor: it is about to
	// start its children; run its spec's Init if it has one. Answer with
	// Tree.Started or Tree.Ignored.
	Start Kind = iota
	// Terminate: a worker is told to end, because of Reason. Run its Terminate;
	// answer with Tree.Exited once it has ended. If it has not within Grace,
	// abandon it and answer that it was Killed. If it is ending already, for a
	// reason of its own, its end is the answer.
	Terminate
	// Kill: end a worker at once, without Terminate, also one that is
	// terminating or starting. Answer with Tree.Exited and Killed. (Not waited for
	// below a supervisor that was killed; an answer is then ignored.)
	Kill
	// Guard: a supervisor has been told to end. If it has not within Grace, call
	// Tree.Expire.
	Guard
	// Retry: without a Delay: put it at the back of the queue of entries; when its
	// turn comes, call Tree.Retry with PID and Child, once, also if it has become
	// stale meanwhile. With a Delay: wait for it first, by a timer; if it has become
	// stale (Child is not Restarting, or its PID another) that may be left out.
	Retry
	// Exit: a supervisor has ended, because of Reason; every process below it
	// had ended before. Nothing to answer. Of the root, it is the end of the
	// tree. One whose Start was answered with an error or ignore has none.
	Exit
	// Reply: answer the request of Answer.Token. Nothing to answer.
	Reply
)

// String returns the kind in lower case.
func (k Kind) String() string {
	return word(k, "start", "terminate", "kill", "guard", "retry", "exit", "reply")
}

// Action is something that the tree wants done. Which fields are set depends
// on Kind.
type Action struct {
	Kind Kind

	// PID is the process that the action is about; of a Retry, the supervisor
	// that will retry, or, with a Delay, the process that is to be replaced: Child's
	// latest. Unset in a Reply.
	PID PID

	// Child is the child that a Retry is about.
	Child *Node

	// Because is, of a Start that is part of a restart, the child that ended or
	// failed to start, and so made its supervisor decide on the restart: the one
	// that starts, a sibling, or one of these of a supervisor above. Nil in every
	// other Start.
	Because *Node

	// Reason is why, of Terminate, Kill and Exit.
	Reason statemachine.Reason

	// Grace is the time limit of Terminate and Guard; Infinity means none.
	Grace time.Duration

	// Delay is how long a Retry waits. Zero: for what is queued, no longer.
	Delay time.Duration

	// Answer is what a Reply says.
	Answer *Answer
}

// Answer is the result of a request: Err, or what the request asks for.
type Answer struct {
	// Token is the request's.
	Token any
	// Err is nil, or why the request failed.
	Err error
	// PID is the process that StartChild or RestartChild started; zero if its
	// Init gave ignore (OTP: {ok, undefined}).
	PID PID
	// Children is the answer to WhichChildren.
	Children []ChildInfo
	// Count is the answer to CountChildren.
	Count Count
	// Spec is the answer to GetChildSpec, and, to DeleteChild, what was deleted.
	Spec Child
}

// ChildInfo is one child in the answer to WhichChildren.
type ChildInfo struct {
	Name statemachine.Name
	// PID is the child's process; zero if it has none.
	PID PID
	// Status is Down, Restarting or Up: Up too while the supervisor has not
	// handled the exit of a process that has ended.
	Status statemachine.Status
	// Supervisor is true of a supervisor, false of a worker.
	Supervisor bool
}

// Count is the answer to CountChildren.
type Count struct {
	Specs       int // child specs; of a SimpleOneForOne supervisor 1
	Active      int // children that have a process
	Supervisors int // children that are supervisors, also those that are down
	Workers     int // children that are workers, also those that are down
}
