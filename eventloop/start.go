package eventloop

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// Start starts an application: it reads back what Log has kept, replays the
// journal, and starts the tree, every Init in turn. It returns when all of the
// tree is up. Errors are those of the configuration (a *supervisor.SpecError
// for a wrong spec), of the Log, of states and inputs that cannot be decoded
// (what is saved is then as before), and of a tree that does not come up.
func Start(cfg Config) (*Loop, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	ended := map[place]bool{}
	for {
		l, err := newLoop(cfg, ended)
		if err == nil {
			return l, l.begin()
		}
		if err != errGoexit || ended[l.place] {
			return nil, err
		}
		ended[l.place] = true // and again from the start, without that step
	}
}

// newLoop returns a Loop that is as the last one was when the program ended.
// The steps at the given places end their goroutine, and count as crashed.
func newLoop(cfg Config, ended map[place]bool) (*Loop, error) {
	l := &Loop{
		cfg:     cfg,
		clock:   newClock(),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		goexits: ended,
	}
	l.moment = statemachine.NewMoment(l.clock.now, l.goexit)
	l.queue.bound = cfg.QueueLen
	l.disk.committed = make(chan error, 1)
	l.shape = newShape()
	l.orphans = map[statemachine.Name][]byte{}
	if err := l.newTree(); err != nil {
		return l, err
	}
	l.addProcesses(cfg.Root.Children, true)
	if cfg.Durability != None {
		return l, l.recover()
	}
	return l, nil
}

// place is one of the journal's entries.
type place struct {
	index uint64
	n     int
}

// errGoexit is why a replay came to no end.
var errGoexit = errors.New("eventloop: a machine called runtime.Goexit while the journal was replayed")

// newTree makes a tree of which nothing runs. What ran keeps its state.
func (l *Loop) newTree() error {
	for _, p := range l.procs.all() {
		if p.alive {
			p.Keep()
		}
		p.End()
		p.alive, p.ready, p.node, p.dying = false, false, nil, nil
	}
	l.changed = false
	l.ended, l.unborn = nil, nil
	l.retries, l.dropped = map[statemachine.Name][]*entry{}, map[statemachine.Name]bool{}
	l.shape.missing = maps.Clone(l.shape.deleted)
	var err error
	l.tree, err = supervisor.New(l.root())
	return err
}

// begin starts the tree, live.
func (l *Loop) begin() error {
	if err := l.newTree(); err != nil {
		return err
	}
	if err := l.recordStart(); err != nil {
		return err
	}
	for _, p := range l.procs.all() {
		p.steps = 0 // what a replay stepped was counted when it was live
	}
	for _, name := range slices.Sorted(maps.Keys(l.orphans)) {
		l.tell(Unclaimed{name})
	}
	go l.goroutine()
	started := make(chan struct{})
	go func() { // which a machine may end
		defer close(started)
		l.enter()
		l.startTree(l.disk.time)
		l.exit()
	}()
	<-started
	l.enter()
	up := l.ended == nil && l.tree.Root().Status() == statemachine.Up
	l.exit()
	if up {
		return nil
	}
	<-l.done // what had come up is terminating
	return l.err
}

// startTree starts the tree; at is the time of the journal.
func (l *Loop) startTree(at int64) {
	l.at = at
	l.tree.SetNow(l.now())
	l.tree.Start()
	l.booting = true
	l.settle()
	l.startAdded()
}

// recordStart makes durable that the program starts here, from the states that
// it has.
func (l *Loop) recordStart() error {
	failed := make(chan error, 1)
	switch d := &l.disk; l.cfg.Durability {
	case Always, AtShutdown:
		w := &d.builders[d.turn]
		now := l.clock.now()
		w.Reset(now)
		if err := w.Add(journal.KindStart, "", nil); err != nil {
			return err
		}
		d.last++
		d.time = now
		l.cfg.Log.Append(w.Seal(), func(_ uint64, err error) { failed <- err })
	default:
		return nil
	}
	err := <-failed
	if err == nil && l.cfg.Durability == AtShutdown {
		// From here on states are saved without the journal, which must end here.
		l.cfg.Log.Save(l.wholeUpdate(), func(err error) { failed <- err })
		err = <-failed
	}
	if err != nil {
		return fmt.Errorf("%w: %w", statemachine.ErrJournal, err)
	}
	return nil
}

// wholeUpdate saves everything as it is when nothing runs.
func (l *Loop) wholeUpdate() journal.Update {
	d := &l.disk
	u := journal.Update{Index: d.last, Time: d.time, App: l.saveShape(nil), States: l.keptAll(), Delete: d.deleted}
	d.deleted = nil
	return u
}

// recover brings every process's kept state to what it was when the program
// ended: what was saved, and what the journal says happened since.
func (l *Loop) recover() error {
	l.replays = true
	done := make(chan error, 1)
	go func() { // which a machine may end
		err := errGoexit
		defer func() { done <- err }()
		err = l.cfg.Log.Recover(l.load, l.replay)
	}()
	err := <-done
	l.replays = false
	return err
}

// load takes over a snapshot.
func (l *Loop) load(s journal.Snapshot) error {
	tree, err := l.loadShape(s.App)
	if err != nil {
		return fmt.Errorf("eventloop: the children that were added: %w", err)
	}
	for _, a := range l.shape.added {
		l.addAdded(a)
	}
	for name, state := range s.States {
		p := l.procs.find(statemachine.Name(name))
		if p == nil || !p.Durable() { // for now; such a child may be added again
			l.orphans[statemachine.Name(name)] = bytes.Clone(state)
			continue
		}
		if err := p.Load(state); err != nil {
			return fmt.Errorf("eventloop: the saved state of %s: %w", name, err)
		}
	}
	l.disk.last, l.disk.time = s.Index, s.Time
	l.clock.advance(s.Time)
	if len(tree) == 0 {
		return nil // saved when nothing ran
	}
	return l.resume(tree)
}

// addAdded makes the processes of a child that was added.
func (l *Loop) addAdded(a *addition) {
	if w, ok := a.spec.(supervisor.Worker); ok && w.Machine == nil {
		w.Machine = l.template(a.sup) // of a SimpleOneForOne supervisor
		l.addProcess(w, false)
		return
	}
	l.addProcesses([]supervisor.Child{a.spec}, false)
}

// template returns the machine of a SimpleOneForOne supervisor's children.
func (l *Loop) template(sup statemachine.Name) statemachine.Server {
	todo := []supervisor.Child{l.cfg.Root}
	for _, a := range l.shape.added {
		todo = append(todo, a.spec)
	}
	for len(todo) > 0 {
		s, ok := todo[len(todo)-1].(supervisor.Supervisor)
		todo = todo[:len(todo)-1]
		if !ok {
			continue
		}
		if s.Name == sup && s.Strategy == supervisor.SimpleOneForOne {
			return s.Children[0].(supervisor.Worker).Machine
		}
		todo = append(todo, s.Children...)
	}
	return nil
}

// resume goes on in the middle of a run.
func (l *Loop) resume(saved []byte) error {
	tree, err := supervisor.Restore(l.root(), saved, func(_, child statemachine.Name) (supervisor.Child, error) {
		if a := l.shape.added[child]; a != nil {
			return a.spec, nil
		}
		return nil, errors.New("not among the children that were added")
	})
	if err != nil {
		return fmt.Errorf("eventloop: the saved supervision tree: %w", err)
	}
	l.tree = tree
	for n := range l.tree.Root().All() {
		if n.IsSupervisor() {
			continue
		}
		p := l.processOf(n)
		if n.Status() == statemachine.Up {
			if !p.Durable() {
				if err := p.Init(); err != nil { // it begins anew at every start
					return fmt.Errorf("eventloop: init of %s: %w", p.name, err)
				}
			} else {
				p.Resume()
			}
			p.alive, p.ready = true, true
			p.life.Add(1)
		}
	}
	l.settle()
	return nil
}

// replay applies a batch of the journal.
func (l *Loop) replay(index uint64, b journal.Batch) error {
	l.disk.last, l.disk.time = index, b.Time()
	l.disk.tail += int64(len(b.Bytes()))
	l.clock.advance(b.Time())
	n := 0
	for rec := range b.Entries() {
		n++
		l.place = place{index, n}
		e := &entry{time: b.Time(), seed: seedOf(b.Time(), n), answered: true}
		if rec.Kind == journal.KindStart {
			if err := l.newTree(); err != nil {
				return err
			}
			l.startTree(b.Time())
			continue
		}
		if err := l.replayEntry(rec, e); err != nil {
			return fmt.Errorf("eventloop: batch %d of the journal, entry %d: %w", index, n, err)
		}
	}
	return nil
}

// recordedRetry returns the retry whose turn has come, nil if there is none.
func (l *Loop) recordedRetry(r *request, e *entry) *entry {
	waiting := l.retries[r.child]
	if len(waiting) == 0 {
		return nil
	}
	l.retries[r.child] = waiting[1:]
	waiting[0].time = e.time
	return waiting[0]
}

// recordedEnd returns the end of a Terminate that is over, nil if none runs.
func (l *Loop) recordedEnd(r *request, e *entry) *entry {
	p := l.procs.find(r.sup)
	if p == nil || p.dying == nil || p.dying.pid.Gen != r.gen {
		return nil
	}
	e.kind, e.proc, e.dying, e.reason = kindOver, p, p.dying, r.reason
	return e
}

func (l *Loop) replayEntry(rec journal.Entry, e *entry) error {
	if rec.Kind == journal.KindChild {
		req, err := l.readRequest(rec.Name, rec.Data)
		if err != nil {
			return err
		}
		switch req.op {
		case opRetry:
			e = l.recordedRetry(req, e)
		case opOver:
			e = l.recordedEnd(req, e)
		default:
			e.kind, e.req, req.entry = kindRequest, req, e
		}
		if e != nil {
			l.run(e)
		}
		return nil
	}
	p := l.procs.find(statemachine.Name(rec.Name))
	if p == nil && l.dropped[statemachine.Name(rec.Name)] {
		return nil // it was refused: the process had ended for good
	}
	if p == nil || rec.Kind == journal.KindInput && !p.Durable() {
		return fmt.Errorf("%s is not, or no longer, a durable process of the tree; "+
			"let the program that wrote the journal end in order before the tree is changed", rec.Name)
	}
	e.proc = p
	switch rec.Kind {
	case journal.KindExit:
		e.kind, e.reason = kindExit, readReason(rec.Data)
	case journal.KindInput:
		x, err := p.Decode(codec.Msgpack, rec.Data)
		if err != nil {
			return fmt.Errorf("the input of %s: %w", p.name, err)
		}
		e.x = x
		if l.goexits[l.place] {
			l.at, l.current, l.running = max(l.at, e.time), e, p
			l.stepped(&statemachine.CrashError{Name: p.name, In: "step", Value: errGoexit})
			return nil
		}
	}
	l.run(e)
	return nil
}
