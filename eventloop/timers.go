package eventloop

import (
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// timer is one of a process, by name, or the time that a machine's call has.
type timer struct {
	at      int64 // Unix nanoseconds
	id      uint64
	proc    *process
	name    string
	every   int64  // 0 unless periodic
	call    *asked // nil unless it is a call's
	derived bool
	place   int // in the heap, from 1; 0: it is not there
}

// timers are those that have not fired, the next one first: those of one time
// in the order in which they were set. It is a heap in which each has four below
// it, so that a million of them are ten deep. The zero timers are none.
type timers struct{ heap []*timer }

func (t *timer) before(u *timer) bool { return t.at < u.at || t.at == u.at && t.id < u.id }

func (ts *timers) put(t *timer, i int) {
	ts.heap[i] = t
	t.place = i + 1
}

func (ts *timers) up(t *timer, i int) {
	for i > 0 {
		above := ts.heap[(i-1)/4]
		if !t.before(above) {
			break
		}
		ts.put(above, i)
		i = (i - 1) / 4
	}
	ts.put(t, i)
}

func (ts *timers) down(t *timer, i int) {
	for {
		first := 4*i + 1
		if first >= len(ts.heap) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(ts.heap)); c++ {
			if ts.heap[c].before(ts.heap[least]) {
				least = c
			}
		}
		if !ts.heap[least].before(t) {
			break
		}
		ts.put(ts.heap[least], i)
		i = least
	}
	ts.put(t, i)
}

func (ts *timers) add(t *timer) {
	ts.heap = append(ts.heap, t)
	ts.up(t, len(ts.heap)-1)
}

// remove removes t if it is there.
func (ts *timers) remove(t *timer) {
	i := t.place - 1
	if i < 0 {
		return
	}
	t.place = 0
	n := len(ts.heap) - 1
	last := ts.heap[n]
	ts.heap[n] = nil
	ts.heap = ts.heap[:n]
	if last == t {
		return
	}
	if i > 0 && last.before(ts.heap[(i-1)/4]) {
		ts.up(last, i)
	} else {
		ts.down(last, i)
	}
}

// setTimer sets the timer of that name of p, in place of the one there is.
func (l *Loop) setTimer(p *process, name string, after, every time.Duration, derived bool) {
	t := p.timers[name]
	if t == nil {
		t = &timer{proc: p, name: name}
		if p.timers == nil {
			p.timers = map[string]*timer{}
		}
		p.timers[name] = t
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
	if t.call == nil && t.proc.timers[t.name] == t {
		delete(t.proc.timers, t.name)
	}
}

// arm has the loop's goroutine woken when the next timer is due.
func (l *Loop) arm() {
	if l.replays() || len(l.clockwork.heap) == 0 {
		return
	}
	if at := l.clockwork.heap[0].at; l.armed == 0 || at < l.armed {
		l.unarm()
		l.armed = at
		l.unarm = l.clock.after(time.Duration(max(0, at-l.clock.now())), l.nudge)
	}
}

// ring queues the timers that are due; none once Stop was called, or those that
// are set again and again would keep the queue from ever being empty.
func (l *Loop) ring() {
	if l.armed == 0 || l.ended != nil || l.stopping.Load() {
		return
	}
	now := l.clock.now()
	if now < l.armed {
		return
	}
	for n := 0; len(l.clockwork.heap) > 0 && l.clockwork.heap[0].at <= now && n < l.cfg.BatchMax; n++ {
		t := l.clockwork.heap[0]
		l.clockwork.remove(t)
		e := l.queue.fresh()
		e.kind, e.proc, e.answered, e.timer, e.id = kindMessage, t.proc, true, t, t.id
		l.queue.pushOwn(e, false)
	}
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
	return t.proc.timers[t.name] == t
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
	} else {
		delete(t.proc.timers, t.name)
	}
	e.msg = statemachine.Timeout{Timer: t.name}
	return true
}

// rewind has the timers of p run again that were due while nobody could be told.
// One that waits in the queue yet is told once: see runs.
func (l *Loop) rewind(p *process) {
	for _, t := range p.timers {
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
