package eventloop

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
)

// Limits of what one batch of the journal gathers, beside Config.BatchMax.
const (
	batchBytesMax = 8 << 20 // begin no further entry beyond it
	exitBytesMax  = 1 << 10 // of what says why a process ended
	takeStep      = 64      // entries taken from the queue at a time
)

// disk is what the loop knows of its Log. The role guards it.
type disk struct {
	builder  journal.Builder // of the batch that is written or committed
	last     uint64          // the index of the last batch handed to the Log
	time     int64           // the time of that batch
	tail     int64           // bytes of the batches since the last checkpoint
	entries  int             // and their entries
	saving   atomic.Bool     // a checkpoint is being saved
	deleted  []string        // whose states are to be deleted by the next save
	deleting []string        // the same, of the checkpoint that is being encoded

	committed chan error // capacity 1: how the batch being committed went
}

// journals reports whether inputs are being journaled.
func (l *Loop) journals() bool { return l.cfg.Durability == Always && !l.replays() && l.ended == nil }

// take takes the next batch from the queue, and begins to commit what of it is
// to be journaled. It appends to dst, which is empty.
func (l *Loop) take(dst []*entry) []*entry {
	if !l.journals() {
		return l.queue.take(dst, l.cfg.BatchMax)
	}
	w := &l.disk.builder
	now := l.clock.now()
	w.Reset(now)
	var rest []*entry // taken, and not written
	defer func() {
		if len(rest) > 0 { // a codec has called runtime.Goexit, writing the first
			go l.takeOver(dst, rest, now)
		}
	}()
	for len(dst) < l.cfg.BatchMax && w.Size() < batchBytesMax {
		from := len(dst)
		taken := l.queue.take(l.taken[:0], min(takeStep, l.cfg.BatchMax-from))
		if len(taken) == 0 {
			break
		}
		parted := false
		for rest = taken; len(rest) > 0 && w.Size() < batchBytesMax; rest = rest[1:] {
			if parted = parts(dst, rest[0]); parted {
				break
			}
			if l.write(w, rest[0], now) {
				dst = append(dst, rest[0])
			}
		}
		l.queue.putBack(rest)
		rest, l.taken = nil, taken
		if parted {
			break
		}
	}
	if w.Len() > 0 {
		l.append(w, now)
	}
	return dst
}

// parts reports whether e can not be in the batch of dst: one of them changes
// what the other is written, or read, by.
func parts(dst []*entry, e *entry) bool {
	return len(dst) > 0 && (dst[0].alone() || e.alone())
}

// takeOver goes on for a goroutine that a codec is ending, by runtime.Goexit,
// while it holds the role: the batch ends before the entry that it was writing.
func (l *Loop) takeOver(written, rest []*entry, now int64) {
	if e, err := rest[0], errors.New("its codec called runtime.Goexit"); !e.fails(err) { // else its machine is told that
		l.refuse(e, fmt.Errorf("%w: %w", statemachine.ErrInput, err))
		rest = rest[1:]
	}
	l.queue.putBack(rest)
	l.flight = written
	if w := &l.disk.builder; w.Len() > 0 {
		l.append(w, now)
	}
	l.work(1)
	l.exit()
}

// write adds the record of e to the batch, if it needs one. False: e is not
// part of the batch; it waits for its process, or has been answered.
func (l *Loop) write(w *journal.Builder, e *entry, now int64) bool {
	p := e.proc
	if e.by != nil {
		e.by.crossing--
		e.by = nil
	}
	switch {
	case e.kind == kindRetry:
		r := &request{op: opRetry, sup: e.pid.Node.Name(), child: e.node.Name(), gen: e.pid.Gen, due: e.due}
		return r.writeFact(w, e, now)
	case e.kind == kindOver:
		r := &request{op: opOver, sup: p.name, reason: e.reason, gen: e.dying.pid.Gen}
		return r.writeFact(w, e, now)
	case e.kind == kindExit:
		return l.writeExit(w, e, now)
	case e.kind == kindRequest:
		return l.writeRequest(w, e, now)
	case e.kind == kindGoOn:
		r := &request{op: opGoOn, sup: l.cfg.Root.Name}
		return e.post != l.post(true) || r.writeFact(w, e, now)
	case e.kind == kindMessage:
		return !p.journaled || l.writeMessage(w, e, now)
	case (e.kind == kindBind || e.kind == kindAnswer) && p.gone.Load():
		l.answer(e, nil) // that life has ended; the start of a program may not know the name
		return false
	case e.kind == kindBind:
		return l.writeBind(w, e, now)
	case e.kind == kindAnswer:
		return l.writeAnswer(w, e, now)
	case e.key != "" && l.repeated(e):
		return false
	case l.cut:
		l.refuse(e, statemachine.ErrStopping)
		return false
	case !p.journaled || p.IsReadOnly(e.x):
		return true
	case !p.open() || p.suspended() && len(p.committed) >= l.queue.bound:
		l.wait(e)
		return false
	}
	if err := w.AddFunc(e.recordKind(), string(p.name), e.appendInput); err != nil {
		l.refuse(e, fmt.Errorf("%w: %w", statemachine.ErrInput, err))
		return false
	}
	e.time, e.seed = now, seedOf(now, w.Len())
	return true
}

// writeExit writes the reason.
func (l *Loop) writeExit(w *journal.Builder, e *entry, now int64) bool {
	p := e.proc
	if e.life != 0 && e.life != p.life.Load() || p.reported || !p.alive {
		l.answer(e, nil) // that life has ended, or is about to
		return false
	}
	p.reported, p.ready = true, false
	p.Hide()
	if err := w.Add(journal.KindExit, string(p.name), appendReason(nil, e.reason)); err != nil {
		panic(err) // neither name nor text can be too long
	}
	e.time = now
	return true
}

// seedOf returns the randomness of the n-th record of the batch of a time.
func seedOf(time int64, n int) uint64 { return (uint64(time)+uint64(n))*0x9e3779b97f4a7c15 | 1 }

// append hands the batch to the Log.
func (l *Loop) append(w *journal.Builder, now int64) {
	b := w.Seal()
	l.disk.last++
	l.disk.time = now
	l.disk.tail += int64(len(b.Bytes()))
	l.disk.entries += b.Len()
	l.syncing.Store(true)
	l.cfg.Log.Append(b, func(_ uint64, err error) {
		l.disk.committed <- err
		l.nudge()
	})
}

// committed reports whether the flight has been committed. If so, its casts
// are accepted.
func (l *Loop) committed() bool {
	select {
	case err := <-l.disk.committed:
		l.syncing.Store(false)
		if err != nil {
			l.breakDown(err)
			return true
		}
		for _, e := range l.flight {
			if e.cast && e.journaled() && l.ended == nil {
				l.answer(e, nil)
			}
		}
		return true
	default:
		return false
	}
}

// breakDown ends the application because a commit failed: what was being
// committed may be on disk or not, and nothing more can be promised.
func (l *Loop) breakDown(err error) {
	err = fmt.Errorf("%w: %w", statemachine.ErrJournal, err)
	for _, e := range l.flight {
		switch {
		case e.kind != kindInput:
			l.answer(e, err)
		case e.journaled():
			l.answer(e, refused(e.proc.name, statemachine.Unknown, err))
		default:
			l.refuse(e, err)
		}
	}
	l.flight = nil
	l.queue.close()
	for _, p := range l.procs.all() {
		p.ready = false
		p.Hide()
	}
	if l.ended == nil {
		killed := statemachine.Killed
		l.ended = &killed
	}
	if !l.saving { // else the last save has failed too, and says so
		l.saving = true
		go l.closeDown(err)
	}
}

// saveOne saves what p was kept with, at durability AtShutdown.
func (l *Loop) saveOne(p *process) {
	if l.cfg.Durability != AtShutdown || l.replays() {
		return
	}
	l.cfg.Log.Save(journal.Update{States: l.kept(p)}, func(err error) {
		if err != nil {
			l.notSaved(err, nil)
		}
	})
}

// saveDeleted deletes the states of who was forgotten, at durability
// AtShutdown; where inputs are journaled the next checkpoint does.
func (l *Loop) saveDeleted() {
	if l.cfg.Durability != AtShutdown || l.replays() {
		return
	}
	deleted := l.disk.deleted
	l.cfg.Log.Save(journal.Update{Delete: deleted}, func(err error) {
		if err != nil {
			l.notSaved(err, deleted)
		}
	})
	l.disk.deleted = nil
}

// notSaved is called by the Log when a save failed. One that was refused
// leaves the Log as it was; after any other the application cannot go on.
func (l *Loop) notSaved(err error, deleted []string) {
	go func() {
		l.enter()
		defer l.exit()
		l.disk.deleted = append(deleted, l.disk.deleted...)
		tell(l, SaveFailed{err})
		if !errors.Is(err, journal.ErrRefused) && l.ended == nil {
			l.breakDown(err)
		}
	}()
}

// kept yields what processes were kept with.
func (l *Loop) kept(ps ...*process) iter.Seq2[string, journal.Encode] {
	states := make(map[string]journal.Encode, len(ps))
	for _, p := range ps {
		if e, ok := p.Kept(); ok {
			states[string(p.name)] = p.sized(e)
		}
	}
	return maps.All(states)
}

// sized is e with room for as much as the state had last time, and some more: to
// copy a large slice that grows stops the whole program for as long. So dst is not
// grown either, of which all would be copied that was ever in it.
func (p *process) sized(e statemachine.Encoder) journal.Encode {
	return func(dst []byte) ([]byte, error) {
		last := int(p.size.Load())
		if cap(dst)-len(dst) < last+last/16 {
			dst = append(make([]byte, 0, len(dst)+last+last/4), dst...)
		}
		var data []byte
		err := aside(p.name, "encode", func() (err error) { // the goroutine is the Log's
			data, err = e(dst)
			return err
		})
		if err == nil {
			p.size.Store(int64(len(data) - len(dst)))
		}
		return data, err
	}
}

// checkpoint saves all states and the supervisors' memory as they are after
// the batch that was applied last, if the journal has grown long and nothing
// is half done.
func (l *Loop) checkpoint() {
	d := &l.disk
	if d.tail < l.cfg.SnapshotBytes && d.entries < l.cfg.SnapshotEntries || d.saving.Load() || l.changed || l.leaving || l.ended != nil || !l.tree.Quiet() {
		return
	}
	if l.holdsUndecodable() {
		return // it would be lost from the checkpoint on
	}
	for _, p := range l.procs.all() {
		if p.dying != nil || p.alive && !p.ready {
			return // its end is on its way to the journal
		}
		if p.alive && p.Durable() {
			p.Keep()
		}
	}
	app, err := l.saveShape(true)
	if err != nil {
		d.tail, d.entries = 0, 0 // to be tried again later
		tell(l, SaveFailed{err})
		return
	}
	u := journal.Update{Index: d.last, Time: d.time, States: l.keptAll(), Delete: d.deleted}
	d.saving.Store(true)
	d.tail, d.entries, d.deleted, d.deleting = 0, 0, nil, d.deleted
	go l.save(u, app)
}

// holdsUndecodable reports whether a message waits to be stepped whose value only
// this program has, and a replay from where it came from.
func (l *Loop) holdsUndecodable() bool {
	for e := l.post(true).list.head; e != nil; e = e.next {
		if l.undecodable(e) != nil {
			return true
		}
	}
	for _, p := range l.waiting {
		if slices.ContainsFunc(p.committed, func(e *entry) bool { return l.undecodable(e) != nil }) {
			return true
		}
	}
	return false
}

// save saves a checkpoint, beside the loop.
func (l *Loop) save(u journal.Update, app func() []byte) {
	u.App = app()
	l.enter()
	defer l.exit()
	if l.saving { // the last save has more
		return
	}
	l.disk.deleting = nil
	l.cfg.Log.Save(u, func(err error) {
		l.disk.saving.Store(false)
		if err != nil {
			l.notSaved(err, u.Delete)
		}
	})
}

// unapplied reports whether inputs that are in the journal wait for their
// process.
func (l *Loop) unapplied() bool {
	return slices.ContainsFunc(l.waiting, func(p *process) bool { return len(p.committed) > 0 })
}

// keptAll is kept of all processes, and what is kept for those that are no more.
func (l *Loop) keptAll() iter.Seq2[string, journal.Encode] {
	orphans := maps.Clone(l.orphans)
	states := l.kept(l.procs.all()...)
	return func(yield func(string, journal.Encode) bool) {
		for name, state := range orphans {
			if !yield(string(name), func(dst []byte) ([]byte, error) { return append(dst, state...), nil }) {
				return
			}
		}
		states(yield)
	}
}
