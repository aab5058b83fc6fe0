package eventloop

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
)

// This file ties processes: monitors and links.
//
// A link is two ties: who is told when the one ends, and who when the other
// does. What a journaled process is told follows from the journal. So when a
// process that is not journaled makes a link with one that is, the latter's tie
// is an entry of the journal; its own is not. The end of a process that is not
// journaled is an entry always.

// monitor has p told when the process called name ends.
func (l *Loop) monitor(p *process, name statemachine.Name, derived bool) {
	if p.isDown(name) {
		return // it is to be told that the one there was has ended
	}
	to := l.procs.here(name)
	if to == nil || !to.lives() {
		l.tellAtOnce(p, statemachine.MonitorDown{Name: name, Reason: statemachine.NoProcess}, derived)
		return
	}
	if !slices.Contains(to.watchers, p) {
		to.watchers = append(to.watchers, p)
		p.watches = append(p.watches, to)
	}
}

// lives reports whether p has a life that has not ended: its Terminate may run.
func (p *process) lives() bool { return p.gen.Load() != 0 }

func (l *Loop) demonitor(p *process, name statemachine.Name) {
	if to := l.procs.here(name); to != nil {
		to.watchers = without1(to.watchers, p)
		p.watches = without1(p.watches, to)
	}
	if p.isDown(name) {
		l.takeBack(p, func(e *entry) bool {
			m, ok := e.msg.(statemachine.MonitorDown)
			return ok && m.Name == name && e.kind == kindMessage && e.life == p.life.Load()
		})
	}
}

// isDown reports whether p is to have a MonitorDown of name yet.
func (p *process) isDown(name statemachine.Name) bool {
	life, down := p.downs[name]
	return down && life == p.life.Load()
}

// tellsDown notes whether e, a message, is a MonitorDown that is on its way.
func (e *entry) tellsDown(on bool) {
	m, ok := e.msg.(statemachine.MonitorDown)
	p := e.proc
	if !ok || e.kind != kindMessage {
		return
	}
	if p.downs == nil {
		p.downs = map[statemachine.Name]uint32{}
	}
	if on {
		p.downs[m.Name] = max(p.downs[m.Name], e.life)
	} else if p.downs[m.Name] == e.life {
		delete(p.downs, m.Name)
	}
}

// takeBack takes back those letters to p that are on their way yet. It goes
// through those to others too.
func (l *Loop) takeBack(p *process, is func(*entry) bool) {
	drop := func(e *entry) {
		if e.proc == p && is(e) {
			e.uncount()
			e.tellsDown(false)
			e.kind = kindDrop // its place is kept, in a snapshot too
		}
	}
	for i := range l.posts {
		l.posts[i].list.each(drop)
	}
	for _, e := range p.committed {
		drop(e)
	}
	l.queue.eachHeld(p, drop)
}

// uncount takes note that e does not wait any more.
func (e *entry) uncount() {
	if e.counts != nil {
		*e.counts--
	}
	e.counts = nil
}

// link ties two processes.
func (l *Loop) link(p *process, name statemachine.Name, derived bool) {
	to := l.procs.here(name)
	switch {
	case to == p:
	case to == nil || !to.lives():
		l.linkBroke(p, name, statemachine.NoProcess, derived, true)
	default:
		to.tell(p)
		if to.derives() && !derived {
			l.bind(p, to, true)
		} else {
			p.tell(to)
		}
	}
}

func (l *Loop) unlink(p *process, name statemachine.Name, derived bool) {
	if to := l.procs.here(name); to != nil && to != p {
		to.untell(p)
		if to.derives() && !derived && to.lives() {
			l.bind(p, to, false)
		} else {
			p.untell(to)
		}
	}
	l.takeBack(p, func(e *entry) bool { // also if it was of who is not there any more
		m, ok := e.msg.(statemachine.Exit)
		return ok && m.Name == name || e.kind == kindExit && e.letter && e.tag == string(name)
	})
}

// tell has to told of the end of p.
func (p *process) tell(to *process) {
	if !slices.Contains(p.links, to) {
		p.links, to.linked = append(p.links, to), append(to.linked, p)
	}
}

// untell takes that back.
func (p *process) untell(to *process) {
	p.links, to.linked = without1(p.links, to), without1(to.linked, p)
}

// linkBroke tells p that the process called name, to which it is linked, has
// ended because of r, or ends it too. AtOnce: it was not there to begin with.
func (l *Loop) linkBroke(p *process, name statemachine.Name, r statemachine.Reason, derived, atOnce bool) {
	switch {
	case p.gone.Load() || l.replays() && !p.derives(): // the journal has what comes of it
	case p.traps && atOnce:
		l.tellAtOnce(p, statemachine.Exit{Name: name, Reason: r}, derived)
	case p.traps:
		l.tellProcess(p, statemachine.Exit{Name: name, Reason: r}, derived)
	case r.Class == statemachine.ClassNormal:
	case l.journals() && !p.derives():
		l.cross(p, &entry{kind: kindExit, proc: p, life: p.life.Load(), reason: r})
	default:
		e := l.letter(p, kindExit, derived)
		e.reason, e.life, e.letter, e.tag = r, p.life.Load(), true, string(name)
		l.send(e, derived)
	}
}

// without1 returns list without x.
func without1[T comparable](list []T, x T) []T {
	if i := slices.Index(list, x); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// bind makes an entry of it that to is to be told, or no longer, of the end of
// p, which is not journaled.
func (l *Loop) bind(p, to *process, on bool) {
	l.cross(p, &entry{kind: kindBind, proc: to, sender: p, tag: string(p.name), linked: on, gens: [2]uint32{generation(p), generation(to)}})
}

// generation tells the lives of p apart: the same in a replay.
func generation(p *process) uint32 { return p.node.PID().Gen }

// What a fact of this kind begins with.
const (
	factLink   = 'l' // the generations of both, and the name of the one that is not journaled
	factUnlink = 'u'
)

// writeBind adds the record of a kindBind.
func (l *Loop) writeBind(w *journal.Builder, e *entry, now int64) bool {
	data := []byte{factUnlink}
	if e.linked {
		data[0] = factLink
	}
	for _, gen := range e.gens {
		data = binary.AppendUvarint(data, uint64(gen))
	}
	if err := w.Add(journal.KindMessage, string(e.proc.name), append(data, e.tag...)); err != nil {
		panic(err) // its names are those of processes
	}
	e.time = now
	return true
}

// readBind is the inverse of writeBind.
func (l *Loop) readBind(data []byte, e *entry) error {
	e.linked = data[0] == factLink
	data = data[1:]
	for i := range e.gens {
		gen, n := binary.Uvarint(data)
		if n <= 0 {
			return errors.New("a link without generations")
		}
		e.gens[i], data = uint32(gen), data[n:]
	}
	e.kind, e.tag, e.sender = kindBind, string(data), l.procs.here(statemachine.Name(data))
	return nil
}

// bound is the turn of a kindBind.
func (l *Loop) bound(e *entry) {
	to, p := e.proc, e.sender
	switch there := p != nil && p.alive && generation(p) == e.gens[0]; {
	case !to.alive || generation(to) != e.gens[1]: // p has been told
	case there && e.linked:
		p.tell(to)
	case there:
		p.untell(to)
	case e.linked: // it has ended meanwhile
		l.linkBroke(to, statemachine.Name(e.tag), statemachine.NoProcess, true, false)
	}
}
