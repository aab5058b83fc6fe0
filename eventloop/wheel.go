package eventloop

import "math/bits"

// timers are those that have not fired. To set, to cancel and to fire one costs
// the same however many there are, but for those of one tick: these are a heap,
// the next one first, and those of one time in the order in which they were set.
// The later ones are in a wheel: in the slot for the first time unit in which
// they differ from the present tick. When the slot's time comes they are put
// where they belong then. The zero timers are none.
type timers struct {
	due   []*timer // of the present tick, or before it
	tick  int64    // the present one
	later [wheelLevels][wheelSlots][]*timer
	used  [wheelLevels]uint64 // a bit for each slot that is not empty
}

const (
	tickBits    = 24 // a tick is 17 ms
	slotBits    = 6
	wheelSlots  = 1 << slotBits
	wheelLevels = (63 - tickBits + slotBits - 1) / slotBits

	inHeap = 0 // timer.slot of one in the heap; those in the wheel count from 1
)

// slotKept is how many timers a slot may have had for its memory to be reused.
const slotKept = 1 << 10

func (t *timer) before(u *timer) bool { return t.at < u.at || t.at == u.at && t.id < u.id }

// add adds t, which is not there.
func (ts *timers) add(t *timer) {
	tick := t.at >> tickBits
	if tick <= ts.tick {
		t.slot = inHeap
		ts.due = append(ts.due, t)
		ts.up(t, len(ts.due)-1)
		return
	}
	level := (bits.Len64(uint64(tick^ts.tick)) - 1) / slotBits
	i := tick >> (level * slotBits) % wheelSlots
	slot := &ts.later[level][i]
	*slot = append(*slot, t)
	t.slot, t.place = 1+level*wheelSlots+int(i), len(*slot)
	ts.used[level] |= 1 << i
}

// remove removes t if it is there.
func (ts *timers) remove(t *timer) {
	i := t.place - 1
	switch {
	case i < 0:
		return
	case t.slot == inHeap:
		ts.removeDue(t, i)
	default:
		level, n := (t.slot-1)/wheelSlots, (t.slot-1)%wheelSlots
		slot := &ts.later[level][n]
		last := len(*slot) - 1
		(*slot)[i] = (*slot)[last]
		(*slot)[i].place = t.place
		(*slot)[last] = nil
		*slot = (*slot)[:last]
		if last == 0 {
			ts.used[level] &^= 1 << n
		}
	}
	t.place = 0
}

// next returns a time before which none is due, and false if there are none.
func (ts *timers) next() (at int64, any bool) {
	if len(ts.due) > 0 {
		return ts.due[0].at, true
	}
	tick, _, any := ts.nextSlot()
	return tick << tickBits, any
}

// nextSlot returns the tick that the next slot begins with, and its level.
func (ts *timers) nextSlot() (tick int64, level int, any bool) {
	for level, used := range ts.used {
		if used != 0 {
			above := (level + 1) * slotBits
			i := int64(bits.TrailingZeros64(used))
			return ts.tick>>above<<above | i<<(level*slotBits), level, true
		}
	}
	return 0, 0, false
}

// pop removes the first timer that is due at now, to which time has advanced,
// and returns it; nil for none.
func (ts *timers) pop(now int64) *timer {
	if len(ts.due) == 0 || ts.due[0].at > now {
		return nil
	}
	t := ts.due[0]
	ts.remove(t)
	return t
}

// advance has the time be now, if it was earlier.
func (ts *timers) advance(now int64) {
	tick := now >> tickBits
	for ts.tick < tick {
		next, level, any := ts.nextSlot()
		if !any || next > tick {
			ts.tick = tick
			return
		}
		ts.tick = next
		i := next >> (level * slotBits) % wheelSlots
		slot := ts.later[level][i]
		ts.used[level] &^= 1 << i
		for _, t := range slot {
			ts.add(t) // to a lower level, or the heap
		}
		clear(slot)
		if ts.later[level][i] = slot[:0]; cap(slot) > slotKept {
			ts.later[level][i] = nil
		}
	}
}

// The heap: each has four below it.

func (ts *timers) put(t *timer, i int) {
	ts.due[i] = t
	t.place = i + 1
}

func (ts *timers) up(t *timer, i int) {
	for i > 0 {
		above := ts.due[(i-1)/4]
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
		if first >= len(ts.due) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(ts.due)); c++ {
			if ts.due[c].before(ts.due[least]) {
				least = c
			}
		}
		if !ts.due[least].before(t) {
			break
		}
		ts.put(ts.due[least], i)
		i = least
	}
	ts.put(t, i)
}

func (ts *timers) removeDue(t *timer, i int) {
	n := len(ts.due) - 1
	last := ts.due[n]
	ts.due[n] = nil
	ts.due = ts.due[:n]
	switch {
	case last == t:
	case i > 0 && last.before(ts.due[(i-1)/4]):
		ts.up(last, i)
	default:
		ts.down(last, i)
	}
}
