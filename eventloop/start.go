package eventloop

import (
	"fmt"
	"maps"
	"slices"

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
	l, err := newLoop(cfg)
	if err != nil {
		return nil, err
	}
	return l, l.begin()
}

// newLoop returns a Loop that is as the last one was when the program ended.
func newLoop(cfg Config) (*Loop, error) {
	l, err := blankLoop(cfg)
	if err == nil && cfg.Durability != None {
		err = l.recover()
	}
	return l, err
}

// blankLoop returns a Loop that knows nothing of the past.
func blankLoop(cfg Config) (*Loop, error) {
	l := &Loop{
		cfg:   cfg,
		clock: newClock(),
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
	}
	l.farewell = farewell
	l.moment = statemachine.NewMoment(l.clock.now, l.goexit)
	l.queue.bound = cfg.QueueLen
	l.bounds = cfg.bounds()
	l.disk.committed = make(chan error, 1)
	l.shape = newShape()
	l.orphans = map[statemachine.Name][]byte{}
	l.calls, l.works = map[uint64]*asked{}, map[uint64]*work{}
	l.unarm = func() {}
	if err := l.newTree(); err != nil {
		return l, err
	}
	l.addProcesses(cfg.Root.Children)
	l.static = map[statemachine.Name]bool{}
	for _, p := range l.procs.all() {
		l.static[p.name] = true
	}
	return l, nil
}

// newTree makes a tree of which nothing runs. What ran keeps its state.
func (l *Loop) newTree() error {
	for _, p := range l.procs.inOrder() {
		if p.alive {
			p.Keep()
		}
		p.End()
		p.alive, p.ready, p.node, p.dying = false, false, nil, nil
		p.gen.Store(0)
		l.unwatch(p)
		l.cutOff(p)
	}
	l.orphanedCalls()
	l.orphanedRequests()
	l.outside.sups = nil // nobody can have asked yet
	l.changed, l.leaving = false, false
	l.ended, l.unborn = nil, nil
	if l.replays() {
		l.past.retries, l.past.dropped = nil, map[statemachine.Name]*process{}
	}
	l.shape.missing = maps.Clone(l.shape.deleted)
	for _, a := range l.shape.added {
		a.whole = false
	}
	var err error
	l.tree, err = supervisor.New(l.root())
	return err
}

// begin starts the tree, live.
func (l *Loop) begin() error {
	l.ids[0] = uint64(l.clock.now()) // those that the last program gave mean nobody in this one
	l.seed = l.ids[0]                // and its randomness does not come again
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
		tell(l, Unclaimed{name})
	}
	go l.goroutine()
	started := make(chan struct{})
	go func() { // which a machine may end
		defer close(started)
		l.enter()
		l.starts = true
		l.startTree(l.disk.time)
		l.begun()
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

// begun goes on with what was under way when the program ended, once the tree was
// started.
func (l *Loop) begun() {
	l.starts = false
	l.arm()
}

// startTree starts the tree; at is the time of the journal.
func (l *Loop) startTree(at int64) {
	l.owe(true)
	l.at = at
	l.tree.SetNow(l.now())
	l.tree.Start()
	l.booting = true
	l.settle()
	l.startAdded()
	l.deliver(true)
}

// recordStart makes durable that the program starts here, from the states that
// it has.
func (l *Loop) recordStart() error {
	failed := make(chan error, 1)
	switch d := &l.disk; l.cfg.Durability {
	case Always, AtShutdown:
		w := &d.builder
		now := l.clock.now()
		w.Reset(now)
		l.bounds = l.cfg.bounds()
		if err := w.Add(journal.KindStart, "", l.bounds.record()); err != nil {
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
		var u journal.Update
		if u, err = l.wholeUpdate(); err == nil {
			l.cfg.Log.Save(u, func(err error) { failed <- err })
			err = <-failed
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", statemachine.ErrJournal, err)
	}
	return nil
}

// wholeUpdate saves everything as it is when nothing runs.
func (l *Loop) wholeUpdate() (journal.Update, error) {
	d := &l.disk
	app, err := l.saveShape(false)
	if err != nil {
		return journal.Update{}, err
	}
	u := journal.Update{Index: d.last, Time: d.time, App: app(), States: l.keptAll(), Delete: slices.Concat(d.deleting, d.deleted)}
	d.deleted = nil
	return u, nil
}

// addAdded makes the processes of a child that was added.
func (l *Loop) addAdded(a *addition) {
	if w, ok := a.spec.(supervisor.Worker); ok && w.Machine == nil {
		w.Machine = l.template(a.sup) // of a SimpleOneForOne supervisor
		l.addProcess(w)
		return
	}
	spec := a.spec
	if s, ok := spec.(supervisor.Supervisor); ok {
		spec = without(s, l.shape.deleted)
	}
	l.addProcesses([]supervisor.Child{spec})
}

// template returns the machine of a SimpleOneForOne supervisor's children.
func (l *Loop) template(sup statemachine.Name) statemachine.Server {
	var todo, running []supervisor.Child // the last first: what did not start only if there is no other of the name
	for _, a := range l.shape.added {
		if a.unstarted {
			todo = append(todo, a.spec)
		} else {
			running = append(running, a.spec)
		}
	}
	todo = append(append(todo, l.cfg.Root), running...)
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
