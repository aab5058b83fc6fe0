package torture_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"
)

// register is the history of one key: every value was written once, and value 0
// is that of a key that is not there.
type register struct {
	mu     sync.Mutex
	writes map[int]span
	reads  []read
}

// span is when something began and ended, since the history began.
type span struct{ begin, end time.Duration }

// never is the end of a write whose outcome is unknown.
const never = time.Duration(math.MaxInt64)

type read struct {
	span
	value int
}

func newRegister() *register { return &register{writes: map[int]span{0: {-1, -1}}} }

// write notes a write, unless it is known not to have happened.
func (r *register) write(value int, begin, end time.Duration, is fate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch is {
	case present:
		r.writes[value] = span{begin, end}
	case unknown:
		r.writes[value] = span{begin, never}
	}
}

func (r *register) read(value int, begin, end time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads = append(r.reads, read{span{begin, end}, value})
}

// check returns what no linearizable register does: a read of a value that was
// not written before, or that a later write or read shows to be past.
func (r *register) check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Whoever begins after a proof has ended sees nothing that ended before what
	// it proves began.
	type proof struct{ end, begin time.Duration }
	var proofs []proof
	for _, w := range r.writes {
		proofs = append(proofs, proof{w.end, w.begin})
	}
	for _, x := range r.reads {
		w, ok := r.writes[x.value]
		if !ok || w.begin > x.end {
			return fmt.Errorf("%v read %d, which was not written", x.span, x.value)
		}
		proofs = append(proofs, proof{x.end, w.begin})
	}
	slices.SortFunc(proofs, func(a, b proof) int { return cmp.Compare(a.end, b.end) })
	reads := slices.Clone(r.reads)
	slices.SortFunc(reads, func(a, b read) int { return cmp.Compare(a.begin, b.begin) })
	latest, at := proof{begin: -1}, 0
	for _, x := range reads {
		for ; at < len(proofs) && proofs[at].end < x.begin; at++ {
			if proofs[at].begin > latest.begin {
				latest = proofs[at]
			}
		}
		if w := r.writes[x.value]; w.end < latest.begin {
			return fmt.Errorf("%v read %d, written in %v; by %v it had been overwritten by what was written from %v on",
				x.span, x.value, w, latest.end, latest.begin)
		}
	}
	return nil
}

// The check itself sees what it is there for.
func TestRegister(t *testing.T) {
	for name, test := range map[string]struct {
		does func(r *register)
		ok   bool
	}{
		"in order":      {func(r *register) { r.write(1, 0, 1, present); r.read(1, 2, 3) }, true},
		"concurrent":    {func(r *register) { r.write(1, 0, 5, present); r.read(0, 1, 2); r.read(1, 3, 4) }, true},
		"unknown":       {func(r *register) { r.write(1, 0, 1, unknown); r.read(0, 2, 3); r.read(1, 4, 5) }, true},
		"lost":          {func(r *register) { r.write(1, 0, 1, present); r.read(0, 2, 3) }, false},
		"from nowhere":  {func(r *register) { r.read(1, 2, 3) }, false},
		"not applied":   {func(r *register) { r.write(1, 0, 1, absent); r.read(1, 2, 3) }, false},
		"before":        {func(r *register) { r.read(1, 0, 1); r.write(1, 2, 3, present) }, false},
		"back in time":  {func(r *register) { r.write(1, 0, never, unknown); r.read(1, 1, 2); r.read(0, 3, 4) }, false},
		"older written": {func(r *register) { r.write(1, 0, 1, present); r.write(2, 2, 3, present); r.read(1, 4, 5) }, false},
	} {
		r := newRegister()
		test.does(r)
		if err := r.check(); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
