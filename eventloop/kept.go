package eventloop

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// kept is what a snapshot has of what machines have asked for: all that is
// derived. Everything is in the order of its number, or of its turn.
type kept struct {
	ID      uint64        `json:"id"`   // the last number that was given
	Sent    uint64        `json:"sent"` // the last letter
	Timers  []keptTimer   `json:"timers,omitempty"`
	Calls   []keptCall    `json:"calls,omitempty"`
	Works   []keptWork    `json:"works,omitempty"`
	Letters []keptLetter  `json:"letters,omitempty"`
	Bonds   []keptProcess `json:"bonds,omitempty"`
	Keys    []keptKey     `json:"keys,omitempty"`

	Suspended []statemachine.Name `json:"suspended,omitempty"`
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

type keptLetter struct {
	Kind   uint8              `json:"kind"`
	To     statemachine.Name  `json:"to"`
	Sender statemachine.Name  `json:"sender,omitempty"`
	Time   int64              `json:"time"`
	Seed   uint64             `json:"seed"`
	Data   []byte             `json:"data,omitempty"`
	Call   uint64             `json:"call,omitempty"`
	Class  statemachine.Class `json:"class,omitempty"`
	Tag    []byte             `json:"tag,omitempty"`
}

type keptProcess struct {
	Name    statemachine.Name   `json:"name"`
	Watches []statemachine.Name `json:"watches,omitempty"`
	Links   []statemachine.Name `json:"links,omitempty"`
	Traps   bool                `json:"traps,omitempty"`
}

// keep returns what a snapshot is to have. An error is a codec's.
func (l *Loop) keep() (*kept, error) {
	k := &kept{ID: l.ids[1], Sent: l.sent, Keys: l.keepKeys()}
	for _, t := range l.derivedTimers() {
		k.addTimer(t)
	}
	for _, id := range slices.Sorted(maps.Keys(l.calls)) {
		if a := l.calls[id]; a.derived {
			c := keptCall{ID: id, Caller: a.caller.name, Tag: []byte(a.tag), Callee: a.callee}
			if a.entry != nil && a.entry.kept.Load() {
				c.From = uint64(a.entry.from)
			}
			k.Calls = append(k.Calls, c)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(l.works)) {
		w := l.works[id]
		if !w.derived {
			continue
		}
		arg, err := w.task.AppendArg(nil, w.arg)
		if err != nil {
			return nil, fmt.Errorf("the argument of a task of %s: %w", w.proc.name, err)
		}
		k.Works = append(k.Works, keptWork{id, w.proc.name, []byte(w.name), []byte(w.tag), arg, w.retry, w.at})
	}
	for e := l.post(true).list.head; e != nil; e = e.next {
		if err := l.keepLetter(k, e); err != nil {
			return nil, fmt.Errorf("a letter to %s: %w", k.Letters[len(k.Letters)-1].To, err)
		}
	}
	for _, p := range slices.SortedFunc(slices.Values(l.procs.all()), func(p, q *process) int { return cmp.Compare(p.name, q.name) }) {
		k.addBonds(p)
		if p.suspended() {
			k.Suspended = append(k.Suspended, p.name)
		}
	}
	return k, nil
}

// derivedTimers returns the timers that a snapshot is to have, those that are due
// and have not been stepped among them.
func (l *Loop) derivedTimers() []*timer {
	var all []*timer
	for _, p := range l.procs.all() {
		all = slices.AppendSeq(all, maps.Values(p.timers))
	}
	for _, a := range l.calls {
		if a.timer != nil {
			all = append(all, a.timer)
		}
	}
	all = slices.DeleteFunc(all, func(t *timer) bool { return !t.derived })
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

func (k *kept) addBonds(p *process) {
	if !p.derives() {
		return
	}
	s := keptProcess{Name: p.name, Watches: namesOf(p.watches), Links: namesOf(p.links), Traps: p.traps}
	if len(s.Watches)+len(s.Links) > 0 || s.Traps {
		k.Bonds = append(k.Bonds, s)
	}
}

func namesOf(ps []*process) []statemachine.Name {
	var names []statemachine.Name
	for _, p := range ps {
		names = append(names, p.name)
	}
	return names
}

func (l *Loop) keepLetter(k *kept, e *entry) error {
	s := keptLetter{Kind: uint8(e.kind), Time: e.time, Seed: e.seed, Tag: []byte(e.tag)}
	if e.proc != nil {
		s.To = e.proc.name
	}
	var err error
	switch e.kind {
	case kindInput:
		s.Data, err = e.proc.AppendInput(nil, e.x)
	case kindMessage:
		s.Data, err = l.appendMessage(nil, e)
	case kindExit:
		s.Class = e.reason.Class
		if e.reason.Detail != nil {
			s.Data = []byte(e.reason.Detail.Error())
		}
	case kindRequest:
		s.To = e.req.sup
		s.Data = e.req.encoded()
	}
	if e.sender != nil {
		s.Sender = e.sender.name
	}
	if e.asked != nil {
		s.Call = e.asked.id
	}
	k.Letters = append(k.Letters, s)
	return err
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
		if p := l.procs.find(s.Proc); p != nil && p.Task(string(s.Name)) != nil {
			task := p.Task(string(s.Name))
			arg, err := task.DecodeArg(s.Arg)
			if err != nil {
				return fmt.Errorf("the argument of a task of %s: %w", s.Proc, err)
			}
			l.works[s.ID] = &work{id: s.ID, proc: p, name: string(s.Name), task: task, tag: string(s.Tag), arg: arg, retry: s.Retry, derived: true, at: s.At}
		}
	}
	for _, s := range k.Letters {
		if err := l.restoreLetter(s); err != nil {
			return fmt.Errorf("a letter to %s: %w", s.To, err)
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
	a := &asked{id: c.ID, caller: p, tag: string(c.Tag), callee: c.Callee, derived: true}
	l.calls[c.ID] = a
	if to := l.procs.find(c.Callee); to != nil && c.From != 0 {
		e := &entry{kind: kindInput, proc: to, asked: a, letter: true, answered: true, shared: true, from: statemachine.From(c.From), time: 1}
		e.x, a.entry = to.Blank(), e
		to.keep(e)
	}
}

func (l *Loop) restoreTimer(s keptTimer) {
	t := &timer{at: s.At, id: s.ID, proc: l.procs.find(s.Proc), name: string(s.Name), every: s.Every, derived: true}
	switch a := l.calls[s.Call]; {
	case t.proc == nil || s.Call != 0 && a == nil:
		return
	case a != nil:
		t.call, a.timer = a, t
	default:
		if t.proc.timers == nil {
			t.proc.timers = map[string]*timer{}
		}
		t.proc.timers[t.name] = t
	}
	l.clockwork.add(t)
}

func (l *Loop) restoreLetter(s keptLetter) error {
	e := &entry{kind: kind(s.Kind), proc: l.procs.find(s.To), sender: l.procs.find(s.Sender), tag: string(s.Tag), time: s.Time, seed: s.Seed,
		letter: true, answered: true, shared: true}
	var err error
	switch {
	case e.kind == kindDrop:
	case e.kind == kindRequest:
		if e.req, err = l.readRequest([]byte(s.To), s.Data); err == nil {
			e.req.entry = e
		}
	case e.proc == nil:
		return nil
	case e.kind == kindInput:
		e.x, err = e.proc.Decode(codec.Msgpack, s.Data)
	case e.kind == kindMessage:
		e.letter = false
		e.msg, err = statemachine.DecodeMessage(s.Data, e.proc, l.processNamed)
		if _, ok := e.msg.(statemachine.Undelivered); ok {
			e.counts = &e.proc.refused[1]
			*e.counts++
		}
	case e.kind == kindExit:
		e.reason = statemachine.Reason{Class: s.Class}
		if len(s.Data) > 0 {
			e.reason.Detail = errors.New(string(s.Data))
		}
	}
	if a := l.calls[s.Call]; a != nil && e.kind == kindInput {
		e.asked, a.entry = a, e
	}
	if err == nil {
		l.post(true).list.pushBack(e)
	}
	return err
}

func (l *Loop) restoreBonds(s keptProcess) {
	p := l.procs.find(s.Name)
	if p == nil {
		return
	}
	p.traps = s.Traps
	for _, name := range s.Watches {
		if to := l.procs.find(name); to != nil {
			p.watches, to.watchers = append(p.watches, to), append(to.watchers, p)
		}
	}
	for _, name := range s.Links {
		if to := l.procs.find(name); to != nil {
			p.links = append(p.links, to)
		}
	}
}
