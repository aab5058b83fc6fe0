package supervisor

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/lineshaft/lineshaft/statemachine"
)

// TestS10WhoIsRestarted pins the table of restart type and exit reason.
func TestS10WhoIsRestarted(t *testing.T) {
	for _, c := range []struct {
		class                           statemachine.Class
		permanent, transient, temporary bool
	}{
		{statemachine.ClassNormal, true, false, false},
		{statemachine.ClassShutdown, true, false, false},
		{statemachine.ClassShutdownTerm, true, false, false},
		{statemachine.ClassKilled, true, true, false},
		{statemachine.ClassCrash, true, true, false},
	} {
		got := []bool{again[Permanent][c.class], again[Transient][c.class], again[Temporary][c.class]}
		if want := []bool{c.permanent, c.transient, c.temporary}; !slices.Equal(got, want) {
			t.Errorf("%v: %v, want %v", c.class, got, want)
		}
		if again[Transient][c.class] == c.class.Clean() {
			t.Errorf("%v: differs from Clean", c.class)
		}
	}
}

// TestS16Window: restarts at these seconds, and how many count after each.
func TestS16Window(t *testing.T) {
	for _, c := range []struct {
		name   string
		period int64
		at     []int64
		counts []int
	}{
		{"all at once", 5, []int64{7, 7, 7}, []int{1, 2, 3}},
		{"exactly a period apart still counts", 5, []int64{10, 15}, []int{1, 2}},
		{"one second more does not", 5, []int64{10, 16}, []int{1, 1}},
		{"the window slides", 2, []int64{0, 1, 2, 3, 4, 9}, []int{1, 2, 3, 3, 3, 1}},
		{"from zero", 1, []int64{0, 0, 1, 2}, []int{1, 2, 3, 2}},
	} {
		var history []int64
		for i, now := range c.at {
			history = window(history, now, c.period)
			if len(history) != c.counts[i] || history[len(history)-1] != now {
				t.Errorf("%s: at %d: %v, want %d of them", c.name, now, history, c.counts[i])
			}
		}
	}
}

// TestS16WholeSeconds: the time is cut to whole seconds, and never goes back.
func TestS16WholeSeconds(t *testing.T) {
	var tree Tree
	for _, c := range []struct{ nanos, want int64 }{
		{0, 0}, {999_999_999, 0}, {1_000_000_000, 1}, {5_999_999_999, 5}, {4_000_000_000, 5}, {-1, 5},
	} {
		if tree.SetNow(c.nanos); tree.now != c.want {
			t.Errorf("SetNow(%d): %d, want %d", c.nanos, tree.now, c.want)
		}
	}
}

func TestQueue(t *testing.T) {
	var q queue[int]
	var want []int
	next := 0
	for round := range 2000 {
		for range round % 7 {
			q.push(next)
			want = append(want, next)
			next++
		}
		if round%50 == 0 {
			q.pushFront(-round)
			want = append([]int{-round}, want...)
		}
		for range round % 9 {
			v, ok := q.pop()
			if ok != (len(want) > 0) || ok && v != want[0] {
				t.Fatalf("round %d: pop: %d %v, want %v", round, v, ok, want)
			}
			want = want[min(1, len(want)):]
		}
		if q.len() != len(want) {
			t.Fatalf("round %d: len %d, want %d", round, q.len(), len(want))
		}
	}
}

// TestQueueMemory: a queue that has been long gives its memory back, and one
// that is never quite empty does not grow.
func TestQueueMemory(t *testing.T) {
	var q queue[int]
	for i := range 10_000 {
		q.push(i)
	}
	for q.len() > 0 {
		q.pop()
	}
	if cap(q.items) > keepCap {
		t.Errorf("empty, but room for %d", cap(q.items))
	}
	q.push(0)
	for i := range 10_000 {
		q.push(i)
		q.pop()
	}
	if cap(q.items) > keepCap {
		t.Errorf("one item, but room for %d", cap(q.items))
	}
}

// TestNodeSize keeps a child small.
func TestNodeSize(t *testing.T) {
	if size := unsafe.Sizeof(Node{}); size > 96 {
		t.Errorf("a node has %d bytes", size)
	}
}
