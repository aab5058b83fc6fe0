package eventloop

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
)

// kept is what a snapshot has of what machines have asked for: all that belongs
// to processes whose state lasts. Everything is in the order of its number, or of
// its turn.
type kept struct {
	ID      uint64        `json:"id"`   // the last number that was given
	Sent    uint64        `json:"sent"` // the last letter
	Timers  []keptTimer   `json:"timers,omitempty"`
	Calls   []keptCall    `json:"calls,omitempty"`
	Works   []keptWork    `json:"works,omitempty"`
	Letters []keptLetter  `json:"letters,omitempty"`
	Waiting []keptLetter  `json:"waiting,omitempty"` // for their processes
	Bonds   []keptProcess `json:"bonds,omitempty"`
	Keys    []keptKey     `json:"keys,omitempty"`

	Suspended []statemachine.Name `json:"suspended,omitempty"`

	noted []notedKey // of which Keys is made
}

type keptTimer struct {
	Proc  statemachine.Name `json:"proc"`
	Name  []byte            `json:"name,omitempty"`
	At    int64             `json:"at"`
	Every int64             `json:"every,omitempty"`
	ID    uint64            `json:"id"`
	Call  uint64            `json:"call,omitempty"`
}

type keptCall struct {
	ID     uint64            `json:"id"`
	Caller statemachine.Name `json:"caller"`
	Tag    []byte            `json:"tag,omitempty"`
	Callee statemachine.Name `json:"callee"`
	From   uint64            `json:"from,omitempty"` // the callee's word for the caller, if it has kept it waiting
}

type keptWork struct {
	ID    uint64             `json:"id"`
	Proc  statemachine.Name  `json:"proc"`
	Name  []byte             `json:"name"`
	Tag   []byte             `json:"tag,omitempty"`
	Arg   []byte             `json:"arg"`
	Retry statemachine.Retry `json:"retry"`
	At    int64              `json:"at"`
}

// keptLetter is an entry that waits to be stepped.
type keptLetter struct {
	Kind    uint8             `json:"kind"`
	To      statemachine.Name `json:"to"`
	Gone    bool              `json:"gone,omitempty"` // there is no such process any more
	Sender  statemachine.Name `json:"sender,omitempty"`
	Time    int64             `json:"time"`
	Seed    uint64            `json:"seed"`
	Data    []byte            `json:"data,omitempty"`
	Call    uint64            `json:"call,omitempty"`
	Tag     []byte            `json:"tag,omitempty"`
	OfLife  bool              `json:"of_life,omitempty"` // it is for one life only
	Over    bool              `json:"over,omitempty"`    // which has ended
	Counted bool              `json:"counted,omitempty"`
	Record  journal.Kind      `json:"record,omitempty"` // it is not a machine's: Data is the data of such a record
}

type keptProcess struct {
	Name     statemachine.Name   `json:"name"`
	Watchers []statemachine.Name `json:"watchers,omitempty"`
	Links    []statemachine.Name `json:"linked,omitempty"` // who are told of its end
	Traps    bool                `json:"traps,omitempty"`
}

// keep returns what a snapshot is to have. An error is a codec's.
func (l *Loop) keep() (*kept, error) {
	k := &kept{ID: l.ids[1], Sent: l.sent, noted: l.noteKeys()}
	for _, t := range l.lastingTimers() {
		k.addTimer(t)
	}
	for _, id := range slices.Sorted(maps.Keys(l.calls)) {
		if a := l.calls[id]; l.lasts(a.caller) {
			c := keptCall{ID: id, Caller: a.caller.name, Tag: []byte(a.tag), Callee: a.callee}
			if e := a.entry; e != nil && e.kept.Load() && e.journaled() {
				c.From = uint64(e.from)
			}
			k.Calls = append(k.Calls, c)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(l.works)) {
		w := l.works[id]
		if !l.lasts(w.proc) {
			continue
		}
		arg, err := w.appendArg(nil)
		if err != nil {
			return nil, fmt.Errorf("the argument of a task of %s: %w", w.proc.name, err)
		}
		k.Works = append(k.Works, keptWork{id, w.proc.name, []byte(w.name), []byte(w.tag), arg, w.retry, w.at})
	}
	for e := l.post(l.cfg.Durability == Always).list.head; e != nil; e = e.next {
		if l.cfg.Durability != Always && !l.comesAgain(e) {
			continue
		}
		if err := l.keepLetter(&k.Letters, e); err != nil {
			return nil, err
		}
	}
	for _, p := range l.procs.inOrder() {
		for _, e := range p.committed {
			if err := l.keepLetter(&k.Waiting, e); err != nil {
				return nil, err
			}
		}
		k.addBonds(p)
		if p.suspended() {
			k.Suspended = append(k.Suspended, p.name)
		}
	}
	return k, nil
}

// comesAgain reports whether a letter that no journal has is for the next start
// of the program.
func (l *Loop) comesAgain(e *entry) bool {
	return e.proc != nil && !e.proc.gone.Load() && l.lasts(e.proc) && e.life == 0 && (e.kind == kindInput || e.kind == kindMessage)
}

// lastingTimers returns the timers that a snapshot is to have, those that are due
// and have not been stepped among them.
func (l *Loop) lastingTimers() []*timer {
	var all []*timer
	for _, p := range l.procs.all() {
		if l.lasts(p) {
			all = append(all, p.timers.all()...)
		}
	}
	for _, a := range l.calls {
		if a.timer != nil && l.lasts(a.caller) {
			all = append(all, a.timer)
		}
	}
	slices.SortFunc(all, func(t, u *timer) int { return cmp.Compare(t.id, u.id) })
	return all
}

func (k *kept) addTimer(t *timer) {
	s := keptTimer{Proc: t.proc.name, Name: []byte(t.name), At: t.at, Every: t.every, ID: t.id}
	if t.call != nil {
		s.Call = t.call.id
	}
	k.Timers = append(k.Timers, s)
}

// addBonds adds who is told of the end of p: of those who are not journaled a
// replay knows nothing.
func (k *kept) addBonds(p *process) {
	s := keptProcess{Name: p.name, Watchers: namesOf(p.watchers), Links: namesOf(p.links), Traps: p.traps && p.derives()}
	if len(s.Watchers)+len(s.Links) > 0 || s.Traps {
		k.Bonds = append(k.Bonds, s)
	}
}

func namesOf(ps []*process) []statemachine.Name {
	var names []statemachine.Name
	for _, p := range ps {
		if p.derives() {
			names = append(names, p.name)
		}
	}
	return names
}

func (l *Loop) keepLetter(all *[]keptLetter, e *entry) error {
	s := keptLetter{Kind: uint8(e.kind), Time: e.time, Seed: e.seed, Tag: []byte(e.tag), Counted: e.counts != nil}
	if p := e.proc; p != nil {
		s.Counted = s.Counted && !(e.journaled() && e.counts == &p.refused[0]) // what went through the journal a replay does not count
		s.To, s.Gone = p.name, p.gone.Load()
		s.OfLife, s.Over = e.life != 0, !p.alive || e.life != p.life.Load()
	}
	if e.sender != nil && !e.sender.gone.Load() && l.lasts(e.sender) { // of another a new life begins with the program
		s.Sender = e.sender.name
	}
	var err error
	switch {
	case s.Gone:
	case e.kind == kindInput && (!e.letter || e.asked != nil && !isDerived(e.asked.id)): // of that caller a replay knows nothing
		s.Record = e.recordKind()
		s.Data, err = e.appendInput(nil)
	case e.kind == kindInput:
		s.Data, err = e.proc.AppendInput(nil, e.x)
	case e.kind == kindMessage && (e.timer != nil || e.asked != nil || e.work != nil):
		s.Record = journal.KindMessage
		s.Data, err = l.appendFact(nil, e)
	case e.kind == kindMessage:
		s.Data, err = l.appendMessage(nil, e)
	case e.kind == kindExit:
		s.Data = appendReason(nil, e.reason)
	case e.kind == kindRequest:
		s.To = e.req.sup
		s.Data = e.req.encoded()
	}
	if e.asked != nil && isDerived(e.asked.id) {
		s.Call = e.asked.id
	}
	*all = append(*all, s)
	if err != nil {
		return fmt.Errorf("what waits for %s: %w", s.To, err)
	}
	return nil
}

// restore takes over what a snapshot has. What is of a process that the tree has
// not any more is left out.
func (l *Loop) restore(k *kept) error {
	if k == nil {
		return nil
	}
	l.ids[1], l.sent = k.ID, k.Sent
	l.restoreKeys(k.Keys)
	for _, c := range k.Calls {
		l.restoreCall(c)
	}
	for _, t := range k.Timers {
		l.restoreTimer(t)
	}
	for _, s := range k.Works {
		if err := l.restoreWork(s); err != nil {
			return fmt.Errorf("the argument of a task of %s: %w", s.Proc, err)
		}
	}
	for _, s := range k.Letters {
		e, err := l.restoreLetter(s)
		if err != nil {
			return fmt.Errorf("a letter to %s: %w", s.To, err)
		}
		l.post(e.journaled()).list.pushBack(e)
	}
	for _, s := range k.Waiting {
		e, err := l.restoreLetter(s)
		if err != nil {
			return fmt.Errorf("what waits for %s: %w", s.To, err)
		}
		if p := e.proc; p != nil {
			if len(p.committed) == 0 {
				l.waiting = append(l.waiting, p)
			}
			p.blocked = p.continues > 0
			p.committed = append(p.committed, e)
		}
	}
	for _, b := range k.Bonds {
		l.restoreBonds(b)
	}
	for _, name := range k.Suspended {
		if p := l.procs.find(name); p != nil {
			p.sys = &sys{suspended: true}
		}
	}
	return nil
}

func (l *Loop) restoreCall(c keptCall) {
	p := l.procs.find(c.Caller)
	if p == nil {
		return
	}
	a := &asked{id: c.ID, caller: p, tag: string(c.Tag), callee: c.Callee, derived: isDerived(c.ID)}
	l.addCall(a)
	if to := l.procs.find(c.Callee); to != nil && c.From != 0 {
		e := &entry{kind: kindInput, proc: to, asked: a, letter: true, answered: true, shared: true, from: statemachine.From(c.From), time: 1}
		e.x, a.entry = to.Blank(), e
		to.keep(e)
	}
}

// restoreWork takes over a work, also one whose task the machine has not any more:
// its end is told all the same, as it would be in a replay from the beginning.
func (l *Loop) restoreWork(s keptWork) (err error) {
	p := l.procs.find(s.Proc)
	if p == nil {
		return nil
	}
	w := &work{id: s.ID, proc: p, name: string(s.Name), tag: string(s.Tag), encoded: s.Arg, retry: s.Retry, derived: isDerived(s.ID), at: s.At}
	if w.task = p.Task(w.name); w.task != nil {
		w.encoded = nil
		w.arg, err = w.task.DecodeArg(s.Arg)
	}
	l.addWork(w)
	return err
}

func (l *Loop) restoreTimer(s keptTimer) {
	t := &timer{at: s.At, id: s.ID, proc: l.procs.find(s.Proc), name: string(s.Name), every: s.Every, derived: isDerived(s.ID)}
	switch a := l.calls[s.Call]; {
	case t.proc == nil || s.Call != 0 && a == nil:
		return
	case a != nil:
		t.call, a.timer = a, t
	default:
		t.belongs()
	}
	l.clockwork.add(t)
}

// restoreLetter returns what keepLetter was given. One that cannot be stepped
// any more has its place all the same: what there is room for depends on it.
func (l *Loop) restoreLetter(s keptLetter) (*entry, error) {
	e := &entry{kind: kind(s.Kind), proc: l.procs.find(s.To), sender: l.procs.find(s.Sender), tag: string(s.Tag), time: s.Time, seed: s.Seed,
		letter: s.Record == 0 && s.Kind != uint8(kindMessage), answered: true, shared: true}
	if s.Gone || e.proc == nil && e.kind != kindRequest {
		e.proc = &process{name: s.To}
		e.proc.gone.Store(true)
		s.Data, s.Record = nil, 0
	}
	if e.kind == kindInput && s.Call != 0 {
		if e.asked = l.calls[s.Call]; e.asked != nil {
			e.asked.entry = e
		} else {
			e.asked = &asked{id: s.Call} // which has waited no longer
		}
	}
	if s.OfLife {
		e.life = e.proc.life.Load() + 1 // see resume
		if s.Over {
			e.life = math.MaxUint32
		}
	}
	if err := l.restoreContent(s, e); err != nil {
		return nil, err
	}
	l.recount(s, e)
	return e, nil
}

func (l *Loop) restoreContent(s keptLetter, e *entry) (err error) {
	switch {
	case e.proc != nil && e.proc.gone.Load():
	case s.Record == journal.KindMessage:
		e.kind = kindDrop
		err = l.readMessage(s.Data, e)
	case s.Record != 0:
		err = e.readRecord(s.Record, s.Data)
	case e.kind == kindRequest:
		if e.req, err = l.readRequest([]byte(s.To), s.Data); err == nil {
			e.req.entry = e
		}
	case e.kind == kindInput:
		e.x, err = e.proc.Decode(codec.Msgpack, s.Data)
	case e.kind == kindMessage:
		e.msg, err = statemachine.DecodeMessage(s.Data, e.proc, l.processNamed)
	case e.kind == kindExit:
		e.reason, err = readReason(s.Data)
	}
	return err
}

// recount counts a letter again, where it was counted.
func (l *Loop) recount(s keptLetter, e *entry) {
	if isContinue(e) && !s.Over {
		e.proc.continues++
	}
	e.tellsDown(true)
	if !s.Counted {
		return
	}
	switch _, undelivered := e.msg.(statemachine.Undelivered); {
	case undelivered:
		e.counts = &e.proc.refused[1]
	case e.kind != kindRequest:
		e.counts = &e.proc.owed
	case e.sender != nil:
		e.counts = &e.sender.owed
	default:
		e.counts = new(int)
	}
	*e.counts++
}

func (l *Loop) restoreBonds(s keptProcess) {
	p := l.procs.find(s.Name)
	if p == nil {
		return
	}
	p.traps = s.Traps
	for _, name := range s.Watchers {
		if w := l.procs.find(name); w != nil {
			p.watchers, w.watches = append(p.watchers, w), append(w.watches, p)
		}
	}
	for _, name := range s.Links {
		if to := l.procs.find(name); to != nil {
			p.tell(to)
		}
	}
}
