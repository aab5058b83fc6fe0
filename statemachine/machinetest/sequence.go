package machinetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// checker looks for problems of one machine.
type checker[S, I, O any] struct {
	m      *statemachine.Machine[S, I, O]
	cfg    Config
	inputs []I
	pass   func(time.Duration) // lets time pass

	states images[S]
	ins    images[I]
	outs   images[O]
	probe  *probe[S, I, O]

	saved    [][]byte // encodings of states of earlier sequences: what an Init may be given
	problems []Problem
	found    map[Rule]bool // the rules of problems

	// Of the sequence that is being tried:
	rng   *rand.Rand
	n     int // which it is
	i     int // the step, 0 for Init
	input string
	entry entry
	kept  []memory
	twin  *S // a state restored from its encoding, stepped beside the original; nil: none
}

// memory is a value that must stay as it was.
type memory struct {
	what string
	was  image
	now  func() image
}

const (
	recentLen = 6  // memories looked at after every step; at the end it is all
	savedMax  = 64 // encoded states kept for Inits
)

// sequence tries the n-th sequence, up to its first problem.
func (c *checker[S, I, O]) sequence(n int) {
	c.rng = rand.New(rand.NewPCG(c.cfg.Seed, uint64(n)))
	c.n, c.i, c.input, c.kept, c.twin = n, 0, "", nil, nil
	c.entry.time = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano() + c.rng.Int64N(int64(40*365*24*time.Hour))
	s, ok := c.init()
	for c.i = 1; ok && c.i <= c.cfg.Steps; c.i++ {
		in := c.inputs[c.rng.IntN(len(c.inputs))]
		c.input = c.ins.show(in)
		s, ok = c.step(in, s)
	}
	if ok {
		c.i, c.input = c.cfg.Steps, ""
		c.unchanged(c.kept)
	}
}

// problem records one. It returns false, for its callers to do likewise.
func (c *checker[S, I, O]) problem(r Rule, text, want, got string) bool {
	if !c.found[r] {
		c.found[r] = true
		c.problems = append(c.problems, Problem{
			Rule: r, Sequence: c.n, Step: c.i, Input: c.input, Text: text, Want: want, Got: got,
		})
	}
	return false
}

// same reports whether the images are equal; if not, that is a problem.
func (c *checker[S, I, O]) same(r Rule, text string, want, got image) bool {
	if want == got {
		return true
	}
	w, g := want.diff(got)
	return c.problem(r, text, w, g)
}

// keep remembers a value that no later step may change.
func keep[S, I, O, T any](c *checker[S, I, O], k images[T], what string, v T) {
	c.kept = append(c.kept, memory{what, k.of(v), func() image { return k.of(v) }})
}

// unchanged checks that memories are as they were.
func (c *checker[S, I, O]) unchanged(memories []memory) bool {
	for _, m := range memories {
		if !c.same(Pure, m.what+" has changed", m.was, m.now()) {
			return false
		}
	}
	return true
}

// passTime lets so much time pass that every part of a date becomes another,
// but in no sequence, at twice a step, more than two centuries: then, from the
// year 2000 on, an int64 of nanoseconds would soon be full.
func (c *checker[S, I, O]) passTime() {
	const day = 24 * time.Hour
	const gap = 400*day + 7*time.Hour + 11*time.Minute + 13017019023*time.Nanosecond
	c.pass(min(gap, 100*365*day/time.Duration(c.cfg.Steps)))
}

// init checks Init, and returns the state to begin the sequence with.
func (c *checker[S, I, O]) init() (s S, ok bool) {
	start := statemachine.Start[S]{Name: processName}
	if len(c.saved) > 0 && c.rng.IntN(2) == 0 {
		saved, err := decode(c.m.State, codec.Msgpack, c.saved[c.rng.IntN(len(c.saved))])
		if err != nil {
			return s, c.problem(RoundTrip, fmt.Sprintf("the state of an earlier sequence can no longer be decoded: %v", err), "", "")
		}
		start.Saved = &saved
		keep(c, c.states, "the saved state that Init was given", saved)
	}
	if c.m.Init == nil {
		if start.Saved != nil {
			return *start.Saved, true
		}
		return s, true
	}
	s, err := c.callInit(start)
	if err != nil {
		return s, c.problem(Init, err.Error(), "", "")
	}
	if !c.checkState(s) {
		return s, false
	}
	was := c.states.of(s)
	if start.Saved != nil && !c.same(Init, "it changes the saved state", c.kept[0].was, c.states.of(*start.Saved)) {
		return s, false
	}
	for range 2 {
		c.passTime()
		again, err := c.callInit(start)
		if err != nil {
			return s, c.problem(Init, "called again, "+err.Error(), "", "")
		}
		if !c.same(Init, "called again, it returns another state", was, c.states.of(again)) {
			return s, false
		}
	}
	keep(c, c.states, "the state that Init returned", s)
	return s, true
}

func (c *checker[S, I, O]) callInit(start statemachine.Start[S]) (s S, err error) {
	if crash := attempt(func() { s, err = c.m.Init(start) }); crash != nil {
		return s, errors.New("it ends with " + ending(crash))
	}
	if err != nil {
		return s, errors.New("it returns the error " + excerpt(err.Error(), 0))
	}
	return s, nil
}
