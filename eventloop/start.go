package eventloop

import (
	"fmt"

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
	l := &Loop{
		cfg:   cfg,
		clock: newClock(),
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
	}
	l.moment = statemachine.NewMoment(l.clock.now, l.goexit)
	l.queue.bound = cfg.QueueLen
	l.disk.committed = make(chan error, 1)
	if err := l.newTree(); err != nil {
		return nil, err
	}
	l.addProcesses(cfg.Root.Children)
	if cfg.Durability != None {
		if err := l.recover(); err != nil {
			return nil, err
		}
	}
	return l, l.begin()
}

// newTree makes a tree of which nothing runs. What ran keeps its state.
func (l *Loop) newTree() error {
	for p := range l.procs.all() {
		if p.alive {
			p.Keep()
		}
		p.End()
		p.alive, p.ready, p.node = false, false, nil
	}
	l.ended = nil
	var err error
	l.tree, err = supervisor.New(l.cfg.Root)
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
	go l.goroutine()
	l.enter()
	l.startTree(l.disk.time)
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
	l.settle()
}

// recordStart makes durable that the program starts here, from the states that
// it has.
func (l *Loop) recordStart() error {
	failed := make(chan error, 1)
	switch d := &l.disk; l.cfg.Durability {
	case Always:
		w := &d.builders[d.turn]
		now := l.clock.now()
		w.Reset(now)
		if err := w.Add(journal.KindStart, "", nil); err != nil {
			return err
		}
		d.last++
		d.time = now
		l.cfg.Log.Append(w.Seal(), func(_ uint64, err error) { failed <- err })
	case AtShutdown:
		// From here on states are saved without the journal, which must end here.
		l.cfg.Log.Save(journal.Update{Index: d.last, Time: d.time, States: l.keptAll()}, func(err error) { failed <- err })
	default:
		return nil
	}
	if err := <-failed; err != nil {
		return fmt.Errorf("%w: %w", statemachine.ErrJournal, err)
	}
	return nil
}

// recover brings every process's kept state to what it was when the program
// ended: what was saved, and what the journal says happened since.
func (l *Loop) recover() error {
	l.replays = true
	err := l.cfg.Log.Recover(l.load, l.replay)
	l.replays = false
	return err
}

// load takes over a snapshot.
func (l *Loop) load(s journal.Snapshot) error {
	for name, state := range s.States {
		p := l.procs.find(statemachine.Name(name))
		if p == nil || !p.Durable() {
			continue // the tree has changed; what is saved stays saved
		}
		if err := p.Load(state); err != nil {
			return fmt.Errorf("eventloop: the saved state of %s: %w", name, err)
		}
	}
	l.disk.last, l.disk.time = s.Index, s.Time
	l.clock.advance(s.Time)
	if len(s.App) == 0 {
		return nil // saved when nothing ran
	}
	return l.resume(s.App)
}

// resume goes on in the middle of a run.
func (l *Loop) resume(app []byte) error {
	tree, err := supervisor.Restore(l.cfg.Root, app, nil)
	if err != nil {
		return fmt.Errorf("eventloop: the saved supervision tree: %w", err)
	}
	l.tree = tree
	for n := range l.tree.Root().All() {
		if n.IsSupervisor() {
			continue
		}
		p := l.procs.find(n.Name())
		p.node, n.Owner = n, p
		if n.Status() == statemachine.Up {
			p.Resume()
			p.alive, p.ready = true, true
			p.life.Add(1)
		}
	}
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

func (l *Loop) replayEntry(rec journal.Entry, e *entry) error {
	p := l.procs.find(statemachine.Name(rec.Name))
	if p == nil || rec.Kind == journal.KindInput && !p.Durable() {
		return fmt.Errorf("%s is not, or no longer, a durable process of the tree; "+
			"let the program that wrote the journal end in order before the tree is changed", rec.Name)
	}
	e.proc = p
	switch rec.Kind {
	case journal.KindCrash:
		e.kind = kindCrash
		e.crash = &statemachine.CrashError{Name: p.name, In: "read_only", Value: string(rec.Data)}
	case journal.KindInput:
		x, err := p.Decode(codec.Msgpack, rec.Data)
		if err != nil {
			return fmt.Errorf("the input of %s: %w", p.name, err)
		}
		e.x = x
	}
	l.run(e)
	return nil
}
