package eventloop

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// This file goes through what a Log has kept.

// past is what only a replay needs. Batches are read on one goroutine and
// stepped on another; one that a machine ends, by runtime.Goexit, is followed by
// the next, which goes on behind the step that counts as crashed.
type past struct {
	tree    []byte         // the supervisors' memory, of a snapshot taken in the middle of a run
	batches chan pastBatch // closed when there are no more
	stop    chan struct{}  // closed when no more are wanted
	done    chan error     // capacity 1: how the replay ended
	ended   *bool          // a machine has ended the goroutine at work: another follows

	pastBatch      // the one being replayed
	n         int  // how many of its entries were begun
	behind    bool // it was written before the one before it was applied

	failed error // what the observer of a Replay has returned

	retries []*entry                       // until the journal says that their turn has come
	dropped map[statemachine.Name]*process // forgotten in this run of the program
}

type pastBatch struct {
	index   uint64
	time    int64
	entries []journal.Entry
}

// readAhead is how many batches are read before they are stepped.
const readAhead = 4

var (
	errStopped = errors.New("eventloop: the replay has ended")
	errGoexit  = errors.New("eventloop: a codec called runtime.Goexit while the journal was replayed")
)

// replays reports whether the journal is being replayed.
func (l *Loop) replays() bool { return l.past != nil }

// recover brings every process's kept state to what it was when the program
// ended: what was saved, and what the journal says happened since.
func (l *Loop) recover() error {
	p := &past{
		batches: make(chan pastBatch, readAhead), stop: make(chan struct{}), done: make(chan error, 1),
		dropped: map[statemachine.Name]*process{},
	}
	l.past = p
	for _, p := range l.procs.all() {
		p.journaled = p.Durable()
	}
	read := make(chan error, 1)
	go func() { // which a codec may end
		err := errGoexit
		defer func() {
			read <- err
			close(p.batches)
		}()
		err = l.cfg.Log.Recover(l.load, p.read)
	}()
	go l.replayRest()
	err := cmp.Or(<-p.done, p.failed)
	close(p.stop)
	if failed := <-read; failed != errStopped && failed != nil {
		err = failed // and the replay has just seen the end of the batches
	}
	l.past = nil
	if l.cfg.Durability != Always {
		for _, p := range l.procs.all() {
			p.journaled = false
		}
		l.windows[0], l.windows[1] = l.windows[1], window{}
	}
	return err
}

// read hands a batch over to the replay.
func (p *past) read(index uint64, b journal.Batch) error {
	b, err := journal.Decode(bytes.Clone(b.Bytes())) // the Log's own do not live on
	if err != nil {
		return err
	}
	select {
	case p.batches <- pastBatch{index, b.Time(), slices.AppendSeq(make([]journal.Entry, 0, b.Len()), b.Entries())}:
		return nil
	case <-p.stop:
		return errStopped
	}
}

// load takes over a snapshot.
func (l *Loop) load(s journal.Snapshot) error {
	tree, kept, err := l.loadShape(s.App)
	if err != nil {
		return fmt.Errorf("eventloop: the children that were added: %w", err)
	}
	l.populate()
	l.rerun()
	for name, state := range s.States {
		p := l.procs.find(statemachine.Name(name))
		if p == nil || !p.Durable() { // for now; such a child may be added again
			l.orphans[statemachine.Name(name)] = bytes.Clone(state)
			continue
		}
		if err := p.Load(state); err != nil {
			return fmt.Errorf("eventloop: the saved state of %s: %w", name, err)
		}
		p.size.Store(int64(len(state)))
	}
	l.disk.last, l.disk.time, l.at = s.Index, s.Time, s.Time
	l.clock.advance(s.Time)
	l.past.tree = tree
	if err := l.restore(kept); err != nil {
		return fmt.Errorf("eventloop: what machines have asked for: %w", err)
	}
	return nil
}

// resume goes on in the middle of a run, if the snapshot was taken there.
func (l *Loop) resume() error {
	saved := l.past.tree
	l.past.tree = nil
	if len(saved) == 0 {
		return nil
	}
	var err error
	if l.tree, err = l.restoreTree(saved); err != nil {
		return fmt.Errorf("eventloop: the saved supervision tree: %w", err)
	}
	for n := range l.tree.Root().All() {
		if n.IsSupervisor() {
			continue
		}
		p := l.processOf(n)
		if n.Status() != statemachine.Up {
			continue
		}
		if p.Durable() {
			p.Resume()
		} // else nothing of it is replayed but when it lives
		p.alive, p.ready = true, true
		p.life.Add(1)
		p.gen.Store(n.PID().Gen)
	}
	for n := range l.tree.Root().Absent() {
		if p := l.procs.find(n.Name()); p != nil && p.node == nil && !n.IsSupervisor() && n.PID().Gen > 0 {
			p.node, n.Owner = n, p // what waits for it may be waiting for its supervisor
		}
	}
	l.settle()
	return nil
}

// restoreTree returns the tree of a snapshot that was taken in the middle of a run.
func (l *Loop) restoreTree(saved []byte) (*supervisor.Tree, error) {
	return supervisor.Restore(l.root(), saved, func(_, child statemachine.Name) (supervisor.Child, error) {
		if a := l.shape.added[child]; a != nil {
			return l.present(a), nil
		}
		return nil, errors.New("not among the children that were added")
	})
}

// replayRest replays what has not been, and says how the replay ended.
func (l *Loop) replayRest() {
	p := l.past
	ended := new(bool)
	p.ended = ended
	err := errGoexit
	defer func() {
		if !*ended {
			p.done <- err
		}
	}()
	err = l.replayBatches()
}

func (l *Loop) replayBatches() error {
	p := l.past
	for {
		for p.n < len(p.entries) {
			p.n++
			if err := l.replay(p.entries[p.n-1]); err != nil {
				return fmt.Errorf("eventloop: batch %d of the journal, entry %d: %w", p.index, p.n, err)
			}
			if p.failed != nil {
				return p.failed
			}
		}
		b, more := <-p.batches
		if err := l.resume(); err != nil || !more {
			return err
		}
		p.pastBatch, p.n, p.behind = b, 0, false
		l.disk.last, l.disk.time = b.index, b.time
		l.clock.advance(b.time)
	}
}

// replay applies one entry of the journal.
func (l *Loop) replay(rec journal.Entry) error {
	p := l.past
	l.disk.entries++
	l.disk.tail += int64(journal.EntryOverheadBytes + len(rec.Name) + len(rec.Data))
	e := &entry{time: p.time, seed: seedOf(p.time, p.n), answered: true, shared: true}
	var err error
	switch rec.Kind {
	case journal.KindStart:
		l.bounds = l.cfg.bounds()
		if err := l.bounds.read(rec.Data); err != nil {
			return err
		}
		if err := l.newTree(); err != nil {
			return err
		}
		l.startTree(p.time)
		return nil
	case journal.KindChild:
		err = l.recorded(rec, e)
	default:
		err = l.addressed(rec, e)
	}
	if err == nil && e.journaled() { // also if nothing is to be done any more: letters are stepped for it, as they were live
		l.owe(true)
		l.run(e)
		l.deliver(true)
	}
	return err
}

// recorded makes e what a record of KindChild says.
func (l *Loop) recorded(rec journal.Entry, e *entry) error {
	r, err := l.readRequest(rec.Name, rec.Data)
	if err != nil {
		return err
	}
	switch r.op {
	case opRetry:
		l.past.retry(r, e)
	case opOver:
		if p := l.procs.find(r.sup); p != nil && p.dying != nil && p.dying.pid.Gen == r.gen {
			e.kind, e.proc, e.dying, e.reason = kindOver, p, p.dying, r.reason
		}
	case opBehind:
		l.past.behind = true
		e.time = 0 // it was no entry of the loop
	case opGoOn:
		e.kind, e.post = kindGoOn, l.post(true)
	default:
		e.kind, e.req, r.entry = kindRequest, r, e
	}
	return l.readState(r)
}

// retry makes e the retry whose turn has come.
func (p *past) retry(r *request, e *entry) {
	for i, waiting := range p.retries {
		if waiting.node.Name() == r.child && waiting.pid.Gen == r.gen && waiting.due == r.due {
			p.retries = slices.Delete(p.retries, i, i+1)
			e.kind, e.pid, e.node = kindRetry, waiting.pid, waiting.node
			return
		}
	}
}

// addressed makes e an input of a process, or its end.
func (l *Loop) addressed(rec journal.Entry, e *entry) error {
	p := l.procs.find(statemachine.Name(rec.Name))
	switch {
	case p == nil && l.past.dropped[statemachine.Name(rec.Name)] != nil:
		return nil // it was refused: the process had ended for good
	case p != nil && p.born > 0 && (p.born == l.past.index || l.past.behind && p.born+1 == l.past.index):
		return nil // it was written for another, that had the name before
	case rec.Kind == journal.KindMessage && concernsLife(rec.Data) && (p == nil || !p.Durable()):
		return nil // earlier versions wrote that for processes that had ended for good
	case p == nil || rec.Kind != journal.KindExit && !p.Durable():
		return fmt.Errorf("%s is not, or no longer, a durable process of the tree; "+
			"let the program that wrote the journal end in order before the tree is changed", rec.Name)
	}
	e.proc = p
	if rec.Kind == journal.KindExit {
		e.kind = kindExit
		var err error
		e.reason, err = readReason(rec.Data)
		return err
	}
	if rec.Kind == journal.KindMessage {
		return l.readMessage(rec.Data, e)
	}
	e.kind = kindInput
	return e.readRecord(rec.Kind, rec.Data)
}

// readRecord reads an input of the entry's process.
func (e *entry) readRecord(kind journal.Kind, data []byte) error {
	p := e.proc
	if kind == journal.KindSent {
		var err error
		if data, err = e.readSent(data); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if e.cast {
			p.unread.Add(1)
		}
	}
	var err error
	if e.x, err = p.Decode(codec.Msgpack, data); err != nil {
		return fmt.Errorf("the input of %s: %w", p.name, err)
	}
	return nil
}
