package eventloop

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// request is something that a supervisor is asked for.
type request struct {
	op     op
	sup    statemachine.Name   // the supervisor; of what concerns workers, the process
	child  statemachine.Name   // of all but opWhich, opCount and opStop; of opExit, who sent it
	spec   supervisor.Child    // of opStart and opChange
	record json.RawMessage     // the spec, encoded
	reason statemachine.Reason // of opStop, opOver and opExit
	gen    uint32              // of opExpire, opRetry, opOver and opExit: which incarnation
	to     replacement         // of opReplaceState
	look   func(*process)      // of opLook: what is done with the role held
	life   *Life               // of opExit, live
	due    int64               // of opRetry: the time that a Delay ends
	boot   bool                // the child was there before the program started
	entry  *entry              // who waits
	answer supervisor.Answer
}

// op is what is asked for. Those before opWhich change the tree.
type op uint8

const (
	opStart op = iota
	opTerminate
	opRestart
	opDelete
	opStop
	opChange
	opSuspend
	opResume
	opExpire   // the grace of a supervisor has passed
	opRetry    // only in the journal: the turn of a retry has come
	opOver     // only in the journal: a Terminate is over
	opShutdown // the application is stopped
	opCut      // Stop's context has ended
	opBehind   // only in journals of earlier versions: the batch was written before the one before it was applied
	opGoOn     // only in the journal: more letters are stepped
	opExit     // an exit signal from outside
	opReplaceState
	opChangeCode
	opWhich // this and what follows is not in the journal
	opCount
	opSpec
	opLook
)

// requestRecord is a request in the journal.
type requestRecord struct {
	Op     op                 `json:"op"`
	Child  statemachine.Name  `json:"child,omitempty"`
	Spec   json.RawMessage    `json:"spec,omitempty"`
	Class  statemachine.Class `json:"class,omitempty"`
	Detail string             `json:"detail,omitempty"` // as it was written before there was Reason
	Reason []byte             `json:"reason,omitempty"`
	Gen    uint32             `json:"gen,omitempty"`
	Due    int64              `json:"due,omitempty"`
	State  []byte             `json:"state,omitempty"`
}

// writeRequest adds the record of a request that changes something.
func (l *Loop) writeRequest(w *journal.Builder, e *entry, now int64) bool {
	r := e.req
	if r.op >= opWhich {
		return true
	}
	if r.op == opExit && r.life.over {
		return false
	}
	if r.op == opReplaceState {
		p, err := l.managed(r.sup)
		if err == nil && !p.journaled {
			return true
		}
		if err == nil {
			err = r.to.encode(p)
		}
		if err != nil {
			l.answer(e, err)
			return false
		}
	}
	if err := r.write(w); err != nil {
		l.answer(e, fmt.Errorf("%w: %w", statemachine.ErrInput, err))
		return false
	}
	e.time = now
	return true
}

// write adds the record of r to the batch.
func (r *request) write(w *journal.Builder) error {
	return w.Add(journal.KindChild, string(r.sup), r.encoded())
}

// encoded returns what readRequest reads.
func (r *request) encoded() []byte {
	rec := requestRecord{Op: r.op, Child: r.child, Spec: r.record, Class: r.reason.Class, Gen: r.gen, Due: r.due, State: r.to.data}
	if r.reason.Detail != nil {
		rec.Reason = appendReason(nil, r.reason)
	}
	data, err := json.Marshal(rec)
	if err != nil {
		panic(err) // the spec is JSON already
	}
	return data
}

// writeFact adds the record of something that the loop did of itself.
func (r *request) writeFact(w *journal.Builder, e *entry, now int64) bool {
	if err := r.write(w); err != nil {
		panic(err) // its names are those of processes, its text is short
	}
	e.time = now
	return true
}

// readRequest is the inverse of writeRequest.
func (l *Loop) readRequest(sup, data []byte) (*request, error) {
	var rec requestRecord
	if err := json.Unmarshal(data, &rec); err != nil {
		return nil, err
	}
	r := &request{op: rec.Op, sup: statemachine.Name(sup), child: rec.Child, record: rec.Spec, gen: rec.Gen, due: rec.Due,
		reason: statemachine.Reason{Class: rec.Class}, to: replacement{data: rec.State}}
	if rec.Detail != "" {
		r.reason.Detail = errors.New(rec.Detail)
	}
	var err error
	if rec.Reason != nil {
		if r.reason, err = readReason(rec.Reason); err != nil {
			return nil, err
		}
	}
	if rec.Spec == nil {
		return r, nil
	}
	r.spec, err = l.cfg.decodeSpec(rec.Spec)
	return r, err
}

// ask carries a request to its supervisor.
func (l *Loop) ask(e *entry) {
	r := e.req
	if e.sender != nil {
		l.requests = append(l.requests, e)
	}
	l.tree.SetNow(l.now())
	switch n := l.tree.Node(r.sup); {
	case l.ended != nil:
		l.answer(e, statemachine.ErrStopping)
	case n == nil:
		l.answer(e, statemachine.ErrNoProcess)
	case r.op == opShutdown:
		l.leaving = true
		l.tree.Shutdown()
	case r.op == opCut:
		l.leaving = true
		l.tree.Expire(n.PID())
	case r.op == opStop:
		l.stopProcess(n, r)
	case r.op == opSuspend || r.op == opResume:
		l.suspend(n, r)
	case r.op == opExit:
		l.exitSignal(n, e)
	case r.op == opReplaceState || r.op == opChangeCode || r.op == opLook:
		l.answer(e, l.manage(r))
	case r.op == opExpire:
		l.tree.Expire(supervisor.PID{Node: n, Gen: r.gen})
	default:
		l.hand(n, r)
	}
	l.settle()
}

// hand gives r to the supervisor n, which answers with a Reply.
func (l *Loop) hand(n *supervisor.Node, r *request) {
	switch r.op {
	case opStart:
		l.tree.StartChild(n, r, r.spec)
	case opTerminate:
		l.terminateChild(n, r)
	case opRestart:
		l.tree.RestartChild(n, r, r.child)
	case opDelete:
		l.tree.DeleteChild(n, r, r.child)
	case opChange:
		l.changed = true
		l.tree.ChangeSpec(n, r, r.spec.(supervisor.Supervisor))
	case opWhich:
		l.tree.WhichChildren(n, r)
	case opCount:
		l.tree.CountChildren(n, r)
	case opSpec:
		l.tree.GetChildSpec(n, r, r.child)
	}
}

// terminateChild is by name, where OTP wants the pid of a SimpleOneForOne
// supervisor's child: the latest process of that name. One that has ended, and
// is forgotten, is no error, as for a pid.
func (l *Loop) terminateChild(n *supervisor.Node, r *request) {
	if s, _ := n.Supervisor(); s.Strategy != supervisor.SimpleOneForOne {
		l.tree.TerminateChild(n, r, r.child)
		return
	}
	switch c := l.tree.Node(r.child); {
	case c == nil:
		l.tree.CountChildren(n, r) // nothing to do, once its turn has come
	case c.Parent() != n:
		l.tree.TerminatePID(n, r, l.tree.Root().PID()) // alive, and not found
	default:
		l.tree.TerminatePID(n, r, c.PID())
	}
}

// reply passes a supervisor's answer on, and remembers a new shape of the tree.
func (l *Loop) reply(a *supervisor.Answer) {
	r := a.Token.(*request)
	r.answer = *a
	for i := range r.answer.Children {
		r.answer.Children[i].PID = supervisor.PID{} // its Node is the loop's
	}
	known := l.shape.added[r.child]
	switch {
	case r.boot:
		switch {
		case known != nil:
			known.unstarted = a.Err != nil || l.tree.Node(r.child) == nil
		case a.Err == nil && l.tree.Node(r.child) != nil: // its supervisor had been restarted meanwhile
			l.shape.add(r)
		}
	case r.op == opStart && a.Err == nil && l.tree.Node(r.child) != nil:
		if known != nil {
			l.supersede(known)
		}
		l.shape.restore(supervisorsOf(r.spec))
		l.shape.add(r)
	case r.op == opDelete && a.Err == nil:
		l.forget(r.sup, r.child, a.Spec)
	case r.op == opTerminate && a.Err == nil && known != nil && known.sup == r.sup && l.tree.Node(r.child) == nil:
		l.forget(r.sup, r.child, known.spec) // a temporary child, or one of a pool
	case r.op == opDelete && known != nil && known.unstarted && known.sup == r.sup:
		l.forget(r.sup, r.child, known.spec)
		a.Err = nil
	}
	if r.op == opStart && l.tree.Node(r.child) == nil { // that its Init gave ErrIgnore is no error
		l.unstarted(r.spec)
	}
	if r.entry != nil {
		l.answer(r.entry, a.Err)
	}
}

// unstarted forgets the processes of a child that did not start. What is kept for
// them stays saved.
func (l *Loop) unstarted(spec supervisor.Child) {
	for _, name := range workersOf(spec) {
		l.vacate(name)
	}
}

// suspend makes n handle nothing, or all that has come.
func (l *Loop) suspend(n *supervisor.Node, r *request) {
	var err error
	switch {
	case !n.IsSupervisor():
		err = l.suspendProcess(r)
	case !n.PID().Alive():
		err = statemachine.ErrNoProcess
	case r.op == opSuspend:
		l.tree.Suspend(n)
	default:
		l.tree.Resume(n)
	}
	l.answer(r.entry, err)
}

// stopProcess ends the process of n, and has the caller wait for that.
func (l *Loop) stopProcess(n *supervisor.Node, r *request) {
	pid := n.PID()
	switch {
	case n.IsSupervisor() && r.reason.Class == statemachine.ClassKilled && pid.Alive():
		l.awaitStop(pid, r)
		l.tree.Expire(pid)
	case n.IsSupervisor():
		if !l.tree.Stop(n, r.reason) {
			l.answer(r.entry, statemachine.ErrNoProcess)
			return
		}
		l.awaitStop(pid, r)
	default:
		p, _ := n.Owner.(*process)
		if p == nil || !p.alive && p.dying == nil {
			l.answer(r.entry, statemachine.ErrNoProcess)
			return
		}
		l.awaitStop(pid, r)
		if p.dying == nil || r.reason.Class == statemachine.ClassKilled { // else it ends already, for a reason of its own
			l.exits(p, r.reason)
		}
	}
}

// tellStopped answers who waits for the end of pid.
func (l *Loop) tellStopped(pid supervisor.PID, r statemachine.Reason) {
	for _, req := range l.stops[pid] {
		var err error
		if r.Class != req.reason.Class {
			err = &statemachine.ExitError{Name: pid.Node.Name(), Reason: r}
		}
		l.answer(req.entry, err)
	}
	delete(l.stops, pid)
}

func (l *Loop) awaitStop(pid supervisor.PID, r *request) {
	if l.stops == nil {
		l.stops = map[supervisor.PID][]*request{}
	}
	l.stops[pid] = append(l.stops[pid], r)
}
