package torture_test

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"

	"github.com/lineshaft/lineshaft/statemachine"
)

// shadow sees all that the durable actors of a round are stepped with, live and
// in replays. What a replay steps must be what was stepped live: from where the
// snapshot was taken on, all of it, in the same order, and then what the journal
// has beyond that.
type shadow struct {
	mu       sync.Mutex
	past     []seen // of all lives
	again    []seen // of the replay under way
	replays  bool
	problems []string
	tasks    map[string]string // their ids, and what they are for
	ids      map[string]string // the inverse
	ends     map[string]bool   // the ids of those whose end was told
	steps    int
}

// seen is one step, or Init.
type seen struct {
	name          statemachine.Name
	before, after int64 // marks: after it, if it did not crash
	fresh         bool  // an Init without a saved state
	what          string
}

func newShadow() *shadow {
	return &shadow{tasks: map[string]string{}, ids: map[string]string{}, ends: map[string]bool{}}
}

// see takes note of a step and returns the mark that it leaves.
func (s *shadow) see(name statemachine.Name, before int64, fresh bool, what string) int64 {
	h := fnv.New64a()
	h.Write([]byte(what))
	after := mix(before, int64(h.Sum64()>>1))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps++
	x := seen{name, before, after, fresh, what}
	switch {
	case isVolatile(string(name)):
	case s.replays:
		s.again = append(s.again, x)
	default:
		s.past = append(s.past, x)
	}
	return after
}

func (s *shadow) bad(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, text)
}

// worked notes that the function of a task is called.
func (s *shadow) worked(id, arg string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, tag, _ := strings.Cut(arg, " ")
	if other, ok := s.tasks[id]; ok && other != tag {
		s.problems = append(s.problems, fmt.Sprintf("the task id %s is that of %q and of %q", id, other, tag))
	}
	if other, ok := s.ids[tag]; ok && other != id {
		s.problems = append(s.problems, fmt.Sprintf("the task %q has the ids %s and %s", tag, id, other))
	}
	s.tasks[id], s.ids[tag] = tag, id
}

// done notes that the end of a task is told.
func (s *shadow) done(id, tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tasks[id] != tag {
		s.problems = append(s.problems, fmt.Sprintf("the end of %q is told with the id %s, of %q", tag, id, s.tasks[id]))
	}
}

// begin is called before the application starts: what is stepped now is a replay.
func (s *shadow) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replays, s.again = true, nil
}

// live is called when the replay is over: it compares.
func (s *shadow) live() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.replays {
		return
	}
	s.replays = false
	from := len(s.past)
	if len(s.again) > 0 {
		for i := len(s.past) - 1; i >= 0; i-- {
			if s.past[i] == s.again[0] {
				from = i
				break
			}
		}
		for i, x := range s.again {
			if at := from + i; at < len(s.past) && s.past[at] != x {
				s.problems = append(s.problems, fmt.Sprintf("the replay differs in its step %d of %d (live %d of %d), behind\n\t%v\nit was\n\t%v\n\t%v\nand is\n\t%v\n\t%v",
					i, len(s.again), at, len(s.past), s.past[max(0, at-6):at], s.past[at], s.past[min(at+1, len(s.past)-1)], x, s.again[min(i+1, len(s.again)-1)]))
				return
			}
		}
		if end := from + len(s.again); end < len(s.past) {
			s.problems = append(s.problems, fmt.Sprintf("the replay ends with its step %d, where live there were %d more: %v", len(s.again), len(s.past)-end, s.past[end:min(end+5, len(s.past))]))
			return
		}
	}
	s.past = append(s.past[:from:from], s.again...)
	s.again = nil
}

// chain checks that each step went on from where the one before it, of the same
// process, had left its state.
func (s *shadow) chain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := map[statemachine.Name]seen{}
	for i, x := range s.past {
		if l, ok := last[x.name]; ok && !x.fresh && x.before != l.after && x.before != l.before {
			s.problems = append(s.problems, fmt.Sprintf("step %d of %d goes on from %d:\n\t%v\nwhere the one before it left %d (or %d):\n\t%v", i, len(s.past), x.before, x, l.after, l.before, l))
			return
		}
		last[x.name] = x
	}
}

// found returns what is wrong, and forgets it.
func (s *shadow) found() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := slices.Clone(s.problems)
	s.problems = nil
	return found
}

func (x seen) String() string {
	return fmt.Sprintf("%s %d→%d %v %s", x.name, x.before, x.after, x.fresh, x.what)
}
