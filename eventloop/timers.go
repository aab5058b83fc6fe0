package eventloop

import (
	"maps"
	"slices"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// clocking is the timers of a loop, and when its goroutine is woken for them.
type clocking struct {
	clockwork   timers
	spareTimers spares[timer]
	armed       int64  // when it is woken; 0 for never
	unarm       func() // or not
	overdue     bool   // that time has come
}

// timer is one of a process, by name, or the time that a machine's call has.
type timer struct {
	at      int64 // Unix nanoseconds
	id      uint64
	proc    *process
	name    string
	msg     statemachine.Message // its Timeout, once it has fired
	every   int64                // 0 unless periodic
	call    *asked               // nil unless it is a call's
	derived bool
	set     bool // it is one of its process
	slot    int  // where it is: inHeap, or a slot of the wheel
	place   int  // there, from 1; 0: it is nowhere
}

// named are the timers of a process, by name. Mostly there are few. The zero
// named are none.
type named struct {
	few  []*timer
	many map[string]*timer // instead, if there were more than fewMax
}

const fewMax = 8

// get returns the timer called name, nil if there is none.
func (n *named) get(name string) *timer {
	if n.many != nil {
		return n.many[name]
	}
	for _, t := range n.few {
		if t.name == name {
			return t
		}
	}
	return nil
}

// put adds t, whose name none has.
func (n *named) put(t *timer) {
	if n.many == nil && len(n.few) < fewMax {
		n.few = append(n.few, t)
		return
	}
	if n.many == nil {
		n.many = map[string]*timer{}
		for _, f := range n.few {
			n.many[f.name] = f
		}
		n.few = nil
	}
	n.many[t.name] = t
}

// drop removes t.
func (n *named) drop(t *timer) {
	if n.many != nil {
		delete(n.many, t.name)
		return
	}
	n.few = without1(n.few, t)
}

// all returns the timers, in no order.
func (n *named) all() []*timer {
	if n.many != nil {
		return slices.Collect(maps.Values(n.many))
	}
	return slices.Clone(n.few)
}

// belongs makes t one of its process.
func (t *timer) belongs() {
	t.proc.timers.put(t)
	t.set = true
}

// forgetTimer takes t, which does not run, from its process. An entry that says
// that it is due has another id than the next timer in the same memory.
func (l *Loop) forgetTimer(t *timer) {
	if !t.set {
		return
	}
	t.proc.timers.drop(t)
	*t = timer{id: t.id, name: t.name, msg: t.msg}
	l.spareTimers.put(t)
}

// setTimer sets the timer of that name of p, in place of the one there is.
func (l *Loop) setTimer(p *process, name string, after, every time.Duration, derived bool) {
	t := p.timers.get(name)
	if t == nil {
		t = l.spareTimers.get()
		if t.proc = p; t.name != name {
			t.name, t.msg = name, nil
		}
		t.belongs()
	}
	l.clockwork.remove(t)
	t.every, t.derived = int64(every), derived
	l.addTimer(t, after)
}

// addTimer has t fire when so much time has passed since the entry that is
// being stepped.
func (l *Loop) addTimer(t *timer, after time.Duration) *timer {
	now := l.moment.Time()
	t.at, t.id = now+min(int64(after), 1<<63-1-now), l.id(t.derived)
	l.clockwork.advance(now)
	l.clockwork.add(t)
	l.arm()
	return t
}

// cancelTimer ends t, if there is one, also if it has fired and was not stepped.
func (l *Loop) cancelTimer(t *timer) {
	if t == nil {
		return
	}
	l.clockwork.remove(t)
	l.forgetTimer(t)
}

// arm has the loop's goroutine woken when the next timer is due.
func (l *Loop) arm() {
	if l.replays() {
		return
	}
	if at, any := l.clockwork.next(); any && (l.armed == 0 || at < l.armed) {
		l.unarm()
		l.armed = at
		wait := at - l.clock.now()
		if l.overdue = wait <= 0; l.overdue {
			l.unarm = func() {}
			return // who gives the role back wakes the goroutine
		}
		l.unarm = l.clock.after(time.Duration(wait), l.nudge)
	}
}

// ring queues the timers that are due; none once Stop was called, or those that
// are set again and again would keep the queue from ever being empty.
func (l *Loop) ring() {
	l.overdue = false
	if l.armed == 0 || l.ended != nil || l.stopping.Load() {
		return
	}
	now := l.clock.now()
	if now < l.armed {
		return
	}
	var rings list
	l.clockwork.advance(now)
	for rings.n < l.cfg.BatchMax {
		t := l.clockwork.pop(now)
		if t == nil {
			break
		}
		e := l.letters.get()
		e.kind, e.proc, e.answered, e.timer, e.id = kindMessage, t.proc, true, t, t.id
		rings.pushBack(e)
	}
	l.queue.pushAll(&rings)
	l.armed = 0
	l.arm()
}

// runs reports whether t, which was due as id, was not set again since, nor
// cancelled.
func (l *Loop) runs(t *timer, id uint64) bool {
	switch {
	case t.id != id:
		return false
	case t.call != nil:
		return l.calls[t.call.id] == t.call
	}
	return t.set
}

// rang is the turn of a timer that was due. It reports whether its process is
// to be told so.
func (l *Loop) rang(e *entry) bool {
	t := e.timer
	if t.call != nil {
		l.timedOut(t.call, t.derived)
		return false
	}
	l.clockwork.remove(t)
	if t.every > 0 {
		at := e.time
		if at == 0 {
			at = l.clock.now()
		}
		t.at += (max(0, at-t.at)/t.every + 1) * t.every // it misses those that are over
		t.id = l.id(t.derived)
		l.clockwork.add(t)
		l.arm()
	}
	if t.msg == nil {
		t.msg = statemachine.Timeout{Timer: t.name}
	}
	e.msg = t.msg
	if t.every == 0 {
		l.forgetTimer(t)
	}
	return true
}

// rewind has the timers of p run again that were due while nobody could be told.
// One that waits in the queue yet is told once: see runs.
func (l *Loop) rewind(p *process) {
	for _, t := range p.timers.all() {
		l.wind(t)
	}
	for _, a := range p.calls {
		if a.timer != nil {
			l.wind(a.timer)
		}
	}
}

func (l *Loop) wind(t *timer) {
	if t.place == 0 {
		l.clockwork.add(t)
		l.arm()
	}
}
