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

// request is what a supervisor is asked for.
type request struct {
	op    reqOp
	token any
	name  statemachine.Name
	pid   PID
	child Child
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
