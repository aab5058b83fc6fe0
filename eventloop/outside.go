package eventloop

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// Life is one life of a process, or of a supervisor: from an Init that succeeded
// to its end. OTP: a pid.
type Life struct {
	Loop *Loop
	Name statemachine.Name

	gen      uint32 // of its PID
	attached Attached
	over     bool // the role guards it
}

// Attached is what goroutines outside the loop have attached to a life.
type Attached interface {
	// Ended is told, once, that the life has ended. Who calls it holds up the
	// loop: it must return soon, and call no Loop, but for Attach and Life.Exit.
	Ended(statemachine.Reason)
}

// outside is what is attached.
type outside struct {
	mu    sync.Mutex
	lives map[statemachine.Name]*Life  // those that something is attached to
	sups  map[statemachine.Name]uint32 // the supervisors that run: their generation
}

// Attach returns what is attached to the life that the process or supervisor
// called name has now: attach makes it when it is asked for first. One that has
// none, such as a process that is between two lives, is statemachine.ErrNoProcess;
// otherwise Ended will be called. It is package backplane's way in. What is
// attached belongs to the outside: it is not journaled, and gone when the program ends.
//
// Any goroutine may call it, at any time; it does not wait for the loop. attach
// must not call the Loop.
func (l *Loop) Attach(name statemachine.Name, attach func(*Life) Attached) (Attached, error) {
	o := &l.outside
	o.mu.Lock()
	defer o.mu.Unlock()
	if f := o.lives[name]; f != nil {
		return f.attached, nil
	}
	gen := o.sups[name]
	if p := l.procs.find(name); p != nil {
		gen = p.gen.Load()
	}
	if gen == 0 {
		return nil, refused(name, statemachine.NotApplied, statemachine.ErrNoProcess)
	}
	f := &Life{Loop: l, Name: name, gen: gen}
	f.attached = attach(f)
	if o.lives == nil {
		o.lives = map[statemachine.Name]*Life{}
	}
	o.lives[name] = f
	return f.attached, nil
}

// Exit sends the life an exit signal from someone outside, called from: as if
// that were linked to it, and had ended because of r. A process that traps exits
// is told, by the message Exit; any other one ends because of r too, unless that
// is normal, and so does a supervisor, its children first. Nothing happens if the
// life has ended, or Stop was called. It is an entry of the journal where there is one; of r's Detail
// that keeps the text. OTP: exit/2.
//
// Any goroutine may call it, at any time; it does not wait. What this goroutine
// sends the process later comes to it later.
func (f *Life) Exit(from statemachine.Name, r statemachine.Reason) {
	if f.Loop.cfg.Durability == Always { // a replay must not know less
		from = statemachine.Name(valid(string(from), statemachine.MaxNameBytes))
		if r.Detail != nil {
			r.Detail = errors.New(valid(r.Detail.Error(), exitBytesMax))
		}
	}
	req := &request{op: opExit, sup: f.Name, child: from, reason: r, gen: f.gen, life: f}
	req.entry = &entry{kind: kindRequest, req: req}
	if f.Loop.queue.pushRequest(req.entry) == nil {
		f.Loop.nudge()
	}
}

// valid returns of s what JSON keeps as it is, at most max bytes.
func valid(s string, max int) string { return strings.ToValidUTF8(s[:min(len(s), max)], "") }

// exitSignal is the turn of an Exit.
func (l *Loop) exitSignal(n *supervisor.Node, e *entry) {
	r, pid := e.req, n.PID()
	p, _ := n.Owner.(*process)
	switch {
	case pid.Gen != r.gen, !e.journaled() && r.life.over: // it was for one before
	case n.IsSupervisor() && r.reason.Class == statemachine.ClassKilled:
		l.tree.Expire(pid)
	case n.IsSupervisor() && r.reason.Class != statemachine.ClassNormal:
		l.tree.Stop(n, r.reason)
	case p == nil || !p.alive:
	case p.derives() && !p.traps && r.reason.Class != statemachine.ClassNormal:
		l.exits(p, r.reason)
	default:
		l.linkBroke(p, r.child, r.reason, e.journaled(), false)
	}
	l.answer(e, nil)
}

// began notes that a supervisor runs.
func (o *outside) began(pid supervisor.PID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sups == nil {
		o.sups = map[statemachine.Name]uint32{}
	}
	o.sups[pid.Node.Name()] = pid.Gen
}

// ended tells what is attached to the process or supervisor called name that its
// life has ended.
func (o *outside) ended(name statemachine.Name, r statemachine.Reason) {
	o.mu.Lock()
	f := o.lives[name]
	delete(o.lives, name)
	delete(o.sups, name)
	o.mu.Unlock()
	if f != nil {
		f.over = true
		f.attached.Ended(r)
	}
}

// close ends the lives that are left when the application has ended: all of them,
// if its journal failed.
func (o *outside) close(err error) {
	r := statemachine.Killed
	if err != nil {
		r = statemachine.Crash(err)
	}
	o.mu.Lock()
	var left []*Life
	for _, f := range o.lives {
		left = append(left, f)
	}
	o.lives, o.sups = nil, nil
	o.mu.Unlock()
	slices.SortFunc(left, func(f, g *Life) int { return cmp.Compare(f.Name, g.Name) })
	for _, f := range left {
		f.over = true
		f.attached.Ended(r)
	}
}
