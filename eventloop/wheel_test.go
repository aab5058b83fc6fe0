package eventloop

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTimersInOrder: timers at random times, near and far, some removed, fire in
// the order of their times, and of those when they were set; never early, and
// next never tells a time that is too late.
func TestTimersInOrder(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var ts timers
		var set []*timer
		now := r.Int64N(1 << r.IntN(62))
		for id := uint64(1); id <= 400; id++ {
			switch r.IntN(4) {
			case 0:
				if len(set) > 0 {
					i := r.IntN(len(set))
					ts.remove(set[i])
					ts.remove(set[i]) // it is not there
					set = slices.Delete(set, i, i+1)
				}
			case 1:
				now += r.Int64N(1 << r.IntN(45))
				set = fire(t, &ts, set, now)
			default:
				at := now + r.Int64N(1<<r.IntN(60)) - 10
				x := &timer{at: max(0, at), id: id}
				ts.add(x)
				set = append(set, x)
			}
		}
		for len(set) > 0 {
			at, any := ts.next()
			if !any {
				t.Fatalf("seed %d: %d timers are lost", seed, len(set))
			}
			now = max(now, at)
			set = fire(t, &ts, set, now)
		}
		if at, any := ts.next(); any {
			t.Fatalf("seed %d: none is left, and the next is at %d", seed, at)
		}
	}
}

// fire fires those of set that are due, and returns the others.
func fire(t *testing.T, ts *timers, set []*timer, now int64) []*timer {
	t.Helper()
	slices.SortFunc(set, func(x, y *timer) int { return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.id, y.id)) })
	if at, any := ts.next(); any != (len(set) > 0) || any && at > set[0].at {
		t.Fatalf("next is %d, %t, of %d timers", at, any, len(set))
	}
	ts.advance(now)
	for len(set) > 0 && set[0].at <= now {
		if got := ts.pop(now); got != set[0] {
			t.Fatalf("at %d came %v, not %v", now, got, set[0])
		}
		set = set[1:]
	}
	if got := ts.pop(now); got != nil {
		t.Fatalf("at %d came %v, which is not due", now, got)
	}
	return set
}
