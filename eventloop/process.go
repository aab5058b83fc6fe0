package eventloop

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// process is a worker of the tree as the loop sees it: one for each name, over
// all restarts.
type process struct {
	statemachine.Process // for who holds the role; a change of code replaces it
	name                 statemachine.Name
	machine              statemachine.Server
	specified            statemachine.Server // what the spec named when it was made: machine, unless the code was changed
	node                 *supervisor.Node

	// For callers' goroutines.
	code   atomic.Pointer[statemachine.Process] // the Process
	life   atomic.Uint32                        // counts the Inits that succeeded
	gen    atomic.Uint32                        // that of its PID while it lives, its Terminate too; else 0
	unread atomic.Int32                         // casts sent and not stepped: while there are any, reads queue behind them
	reads  atomic.Int64                         // read-only inputs stepped on callers' goroutines

	size atomic.Int64 // of its encoded state, in bytes, when it was saved or loaded last

	// For who holds the role.
	steps     int64
	alive     bool     // it has a state
	ready     bool     // it is alive, and no crash of it is on its way to the journal
	reported  bool     // a crash of this life is in the journal, or on its way
	committed []*entry // journaled inputs that wait for it to be up
	dying     *dying   // its Terminate is running
	unusable  error    // why what was saved for it cannot be loaded

	callers   map[statemachine.From]*entry // who wait for a reply of a later step
	timers    named
	calls     map[uint64]*asked            // that it waits for
	works     map[uint64]*work             // likewise
	watchers  []*process                   // who monitor it
	watches   []*process                   // whom it monitors
	peer      *process                     // whom it has sent to last
	peerSince uint64                       // when the registry said so
	links     []*process                   // those linked to it, who are told of its end
	linked    []*process                   // those of whose end it is told
	crossing  int                          // what it has sent that is on its way to the journal
	continues int                          // messages Continue that it is to have before anything else
	blocked   bool                         // something waits for these
	owed      int                          // what it has asked for, and would have been answered at once: see owedMax
	traps     bool                         // exits of those it is linked to are messages
	downs     map[statemachine.Name]uint32 // those whose MonitorDown it is to have yet, and in which life
	refused   [2]int                       // how many messages wait that say that a cast of it was not delivered: derived ones are the second
	sys       *sys                         // nil unless it is suspended or watched

	held  list // inputs that wait for it to be up, not journaled; the queue's lock guards it
	stays bool // they wait even when their callers have gone; the queue's lock guards it

	journaled bool        // its inputs are journaled; never changes once it was started
	born      uint64      // the batch of a replay that added it; 0 for none
	gone      atomic.Bool // it was dropped or deleted: the name may be another's
}

// takes reports whether p can step e now. What is in the journal is stepped
// until the crash is there too, as it will be in a replay.
func (p *process) takes(e *entry) bool {
	return (p.ready || p.alive && e.journaled()) && !p.suspended() && (p.continues == 0 || isContinue(e))
}

// runs makes m the machine that p runs.
func (p *process) runs(m statemachine.Server, as statemachine.Process) {
	p.machine, p.Process = m, as
	p.code.Store(&as)
}

// front is the Process for a goroutine that does not hold the role.
func (p *process) front() statemachine.Process { return *p.code.Load() }

// open reports whether p can step anything.
func (p *process) open() bool { return p.ready && p.continues == 0 }

func isContinue(e *entry) bool {
	_, ok := e.msg.(statemachine.Continue)
	return ok
}

// owner returns the process of a worker's node.
func owner(n *supervisor.Node) *process { return n.Owner.(*process) }

// hasWorker reports whether the tree has a worker of that name: then the process of
// the name is its.
func (l *Loop) hasWorker(name statemachine.Name) bool {
	n := l.tree.Node(name)
	return n != nil && !n.IsSupervisor()
}

// addProcesses makes the processes of all workers in specs and below.
func (l *Loop) addProcesses(specs []supervisor.Child) {
	for _, spec := range specs {
		switch spec := spec.(type) {
		case supervisor.Supervisor:
			if spec.Strategy != supervisor.SimpleOneForOne { // whose child is a template
				l.addProcesses(spec.Children)
			}
		case supervisor.Worker:
			l.addProcess(spec)
		}
	}
}

func (l *Loop) addProcess(w supervisor.Worker) *process {
	p := &process{name: w.Name, specified: w.Machine}
	p.runs(w.Machine, w.Machine.New(w.Name, l.moment))
	p.journaled = (l.cfg.Durability == Always || l.replays()) && p.Durable() // a journal may be of a program with Always
	if l.replays() && !l.booting {
		p.born = l.past.index
	}
	l.procs.add(p)
	if state, ok := l.orphans[w.Name]; ok && p.Durable() {
		if p.unusable = aside(p.name, "decode", func() error { return p.Load(state) }); p.unusable == nil {
			delete(l.orphans, w.Name)
		}
	}
	return p
}

// processOf returns the process of a worker's node, which is about to start.
func (l *Loop) processOf(n *supervisor.Node) *process {
	w, _ := n.Worker()
	p := l.procs.find(w.Name)
	if p == nil || p.specified != w.Machine {
		old := p
		delete(l.shape.changed, w.Name)
		p = l.addProcess(w)
		if old != nil {
			l.inherit(p, old)
			l.inheritState(p, old)
		}
	}
	p.node, n.Owner = n, p
	return p
}

// inherit gives p what was kept of old, which ran another machine under the same
// name: the new one's codec must be able to read it. If p keeps no states it stays
// saved, for the next one that does.
func (l *Loop) inherit(p, old *process) {
	old.node = nil
	old.gone.Store(true)
	kept, ok := old.Kept()
	if !ok {
		return
	}
	p.unusable = aside(p.name, "decode", func() error {
		state, err := kept(nil)
		switch {
		case err == nil && !p.Durable():
			l.orphans[p.name] = state
		case err == nil:
			err = p.Load(state)
		}
		return err
	})
}

// wait puts e aside until its process is up; or refuses it, if that is not to
// be expected.
func (l *Loop) wait(e *entry) {
	p := e.proc
	p.blocked = p.continues > 0
	if !p.blocked && l.refuses(p) && !(l.ended != nil && e.journaled()) { // the next start of the program steps those
		l.refuse(e, l.refusal())
		return
	}
	if !l.queue.waits(p) {
		l.waiting = append(l.waiting, p)
	}
	if e.journaled() {
		p.committed = append(p.committed, e)
	} else {
		l.queue.hold(e)
	}
}

// refuses reports whether p is down, and no restart under way can change that.
func (l *Loop) refuses(p *process) bool {
	switch {
	case l.ended != nil:
		return true
	case l.leaving:
		return false // closeDown knows what to tell
	case p.node == nil:
		return l.tree.Quiet()
	}
	return p.node.Status() == statemachine.Down && p.node.Settled()
}

// refuse answers e without stepping it.
func (l *Loop) refuse(e *entry, err error) { l.refuseAs(e, statemachine.NotApplied, err) }

func (l *Loop) refuseAs(e *entry, o statemachine.Outcome, err error) {
	if e.kind != kindInput {
		l.answer(e, err)
		return
	}
	if e.cast {
		e.proc.unread.Add(-1)
	}
	l.answer(e, refused(e.proc.name, o, err))
}

// next takes the entry that is to be stepped first, of those that waited for p.
func (l *Loop) next(p *process) *entry {
	if p.suspended() {
		return nil
	}
	if p.continues > 0 {
		p.blocked = true
		return l.nextContinue(p)
	}
	if len(p.committed) > 0 {
		e := p.committed[0]
		p.committed = p.committed[1:]
		return e
	}
	p.committed = nil
	if !p.ready {
		return nil
	}
	if p.journaled && !l.replays() {
		l.queue.requeue(p) // they must go through the journal first
		return nil
	}
	return l.queue.unhold(p)
}

// nextContinue takes the first Continue, if one waits, as p was suspended.
func (l *Loop) nextContinue(p *process) *entry {
	if i := slices.IndexFunc(p.committed, isContinue); i >= 0 {
		e := p.committed[i]
		p.committed = slices.Delete(p.committed, i, i+1)
		return e
	}
	return l.queue.unholdContinue(p)
}

// stepWaiting steps one of the inputs that waited for a process that is up
// again. It reports whether there was one.
func (l *Loop) stepWaiting() bool {
	for len(l.revived) > 0 {
		if p := l.revived[0]; p.alive {
			if e := l.next(p); e != nil {
				l.run(e)
				return true
			}
		}
		l.revived = l.revived[1:]
	}
	return false
}

// refusal is why inputs are refused.
func (l *Loop) refusal() error {
	if l.ended != nil {
		return statemachine.ErrStopping
	}
	return statemachine.ErrNoProcess
}

// refuseWaiting refuses what waits for processes that will not come up.
func (l *Loop) refuseWaiting() {
	err := l.refusal()
	slices.SortStableFunc(l.waiting, func(p, q *process) int { return cmp.Compare(p.name, q.name) }) // as in a replay
	still := l.waiting[:0]
	for _, p := range l.waiting {
		if l.refuses(p) {
			for _, e := range p.committed {
				l.refuse(e, err)
			}
			p.committed = nil
			for e := l.queue.unhold(p); e != nil; e = l.queue.unhold(p) {
				l.refuse(e, err)
			}
		} else if l.queue.waits(p) {
			still = append(still, p)
		}
	}
	clear(l.waiting[len(still):])
	l.waiting = still
}
