package supervisor

import "github.com/lineshaft/lineshaft/statemachine"

// The methods of this file are OTP's API of a supervisor. Each sends a request
// to the supervisor s, which handles it after what it got before. The answer is
// a Reply action with the token, whose Err is, besides what each says:
// statemachine.ErrNoProcess if s does not run, ErrNotSupervisor if it is a
// worker, an *ExitError if s ended before it had handled the request.

// StartChild adds a child after all others and starts it (OTP: start_child).
// With a SimpleOneForOne supervisor c is a Worker of which only Name and, if
// not the template's, Machine are set. Answers with the PID. Fails with a
// *SpecError; ErrAlreadyStarted or ErrAlreadyPresent if the tree has a child of
// that name; what the start failed with: then no child was added.
func (t *Tree) StartChild(s *Node, token any, c Child) {
	t.request(s, &request{op: reqStartChild, token: token, child: c})
}

// TerminateChild ends a child and leaves it down; a Temporary one is dropped.
// A retry of its start is cancelled (OTP: terminate_child). Fails with
// ErrNotFound, or ErrSimpleOneForOne.
func (t *Tree) TerminateChild(s *Node, token any, name statemachine.Name) {
	t.request(s, &request{op: reqTerminateChild, token: token, name: name})
}

// TerminatePID ends a child of a SimpleOneForOne supervisor (OTP:
// terminate_child with a pid), or cancels the retry of its start if p was its
// last process. No error if p has ended otherwise. Fails with ErrNotFound if p
// is alive elsewhere; always, with a supervisor of another strategy.
func (t *Tree) TerminatePID(s *Node, token any, p PID) {
	t.request(s, &request{op: reqTerminatePID, token: token, pid: p})
}

// RestartChild starts a child that is down (OTP: restart_child). Answers with
// the PID. Fails with ErrRunning, ErrRestarting, ErrNotFound,
// ErrSimpleOneForOne, or what the start failed with: then the child stays down.
func (t *Tree) RestartChild(s *Node, token any, name statemachine.Name) {
	t.request(s, &request{op: reqRestartChild, token: token, name: name})
}

// DeleteChild forgets a child that is down (OTP: delete_child). Fails with
// ErrRunning, ErrRestarting, ErrNotFound or ErrSimpleOneForOne.
func (t *Tree) DeleteChild(s *Node, token any, name statemachine.Name) {
	t.request(s, &request{op: reqDeleteChild, token: token, name: name})
}

// WhichChildren answers with the children, the last one in start order first
// (OTP: which_children).
func (t *Tree) WhichChildren(s *Node, token any) {
	t.request(s, &request{op: reqWhichChildren, token: token})
}

// CountChildren answers with the numbers of children (OTP: count_children).
func (t *Tree) CountChildren(s *Node, token any) {
	t.request(s, &request{op: reqCountChildren, token: token})
}

// GetChildSpec answers with a child's spec (OTP: get_childspec). Fails with
// ErrNotFound.
func (t *Tree) GetChildSpec(s *Node, token any, name statemachine.Name) {
	t.request(s, &request{op: reqGetChildSpec, token: token, name: name})
}

// ChangeSpec replaces the spec of s while it runs, and ends and starts nothing
// (OTP: sys:change_code of a supervisor whose init returns spec; here a request
// in its turn, for which s need not be suspended). Fails with a *SpecError, as
// New or as said below; then nothing has changed.
//
//   - Name must be that of s. Restart, Shutdown and Significant are ignored:
//     they belong to the spec of the supervisor of s, and stay.
//   - All else of the supervisor itself counts from now on. The restarts so far
//     are not forgotten, nor is a restart that waits. Init is for the next start.
//   - Children that s has, by name, whether by its spec or by StartChild: they
//     keep their process, and their spec is replaced. Of a worker the new Machine
//     runs from its next start on, all else counts now. Of a supervisor Restart,
//     Shutdown and Significant count now, and all else, on every level below,
//     from its own next start on.
//   - Children that s does not have are added, and are down: see RestartChild.
//   - The children of s are in the order of spec. Those that it does not name
//     follow in the order that they had, unchanged: they are now as if they had
//     been added by StartChild, so they are gone after a restart of s.
//   - Of a SimpleOneForOne supervisor the template is replaced, at once for its
//     children too: as a worker's spec is, but for a Machine that was given to
//     StartChild.
//
// Refused are, of a supervisor in the tree, a Strategy that was SimpleOneForOne
// and is not or is and was not (ErrInvalidStrategy; OTP crashes later, or loses
// the children); a child in the tree that is to be a supervisor and was a
// worker, or the reverse (ErrInvalidChildType); and a name that a child of
// another supervisor has, or will have by the newest specs (ErrDuplicateName).
//
// s, and all supervisors above it, will start with what the change made of
// their specs; Root().Supervisor() has all of it, and is what Restore wants.
func (t *Tree) ChangeSpec(s *Node, token any, spec Supervisor) {
	t.request(s, &request{op: reqChangeSpec, token: token, child: spec})
}

// request is what a supervisor is asked for.
type request struct {
	op    reqOp
	token any
	name  statemachine.Name
	pid   PID
	child Child // StartChild's; of ChangeSpec the supervisor's own
}

type reqOp uint8

const (
	reqStartChild reqOp = iota
	reqTerminateChild
	reqTerminatePID
	reqRestartChild
	reqDeleteChild
	reqWhichChildren
	reqCountChildren
	reqGetChildSpec
	reqChangeSpec
)

// request sends r to s.
func (t *Tree) request(s *Node, r *request) {
	switch {
	case s.sup == nil:
		t.reply(r, Answer{Err: ErrNotSupervisor})
	case !s.state.living():
		t.reply(r, Answer{Err: statemachine.ErrNoProcess})
	default:
		t.post(s, message{kind: msgRequest, req: r})
	}
}

// reply answers r.
func (t *Tree) reply(r *request, a Answer) {
	a.Token = r.token
	t.emit(Action{Kind: Reply, Answer: &a})
}
