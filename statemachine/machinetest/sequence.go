package machinetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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
	asks   images[asked]
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
	due   []statemachine.Message // what the machine's effects may bring about
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
	c.n, c.i, c.input, c.kept, c.twin, c.due = n, 0, "", nil, nil, nil
	c.entry.time = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano() + c.rng.Int64N(int64(40*365*24*time.Hour))
	s, ok := c.init()
	ok = ok && c.messages()
	for c.i = 1; ok && c.i <= c.cfg.Steps; c.i++ {
		var in I
		if in, ok = c.next(); ok {
			s, ok = c.step(in, s)
		}
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

// next returns the input of the next step: one of the samples, or what the
// machine makes of a message that it has asked for.
func (c *checker[S, I, O]) next() (in I, ok bool) {
	if len(c.due) > 0 && c.rng.IntN(3) == 0 {
		i := c.rng.IntN(len(c.due))
		m := c.due[i]
		c.due = slices.Delete(c.due, i, i+1)
		if in, ok = c.fromMessage(m); ok {
			c.begin(in, m)
		}
		return in, ok
	}
	in = c.inputs[c.rng.IntN(len(c.inputs))]
	c.begin(in, nil)
	return in, c.roundTripInput(in)
}

// begin begins a step of in, which was made of m unless that is nil.
func (c *checker[S, I, O]) begin(in I, m statemachine.Message) {
	c.entry.time += 1 + c.rng.Int64N(int64(48*time.Hour))
	c.entry.seed = c.rng.Uint64()
	c.entry.message = m
	c.entry.caller = 0
	if m == nil && c.rng.IntN(2) == 0 {
		c.entry.caller = statemachine.From(c.i)
	}
	c.input = c.ins.show(in)
	keep(c, c.ins, fmt.Sprintf("the input of step %d", c.i), in)
}

// init checks Init, and returns the state to begin the sequence with.
func (c *checker[S, I, O]) init() (s S, ok bool) {
	var given *S
	c.entry.seed = c.rng.Uint64()
	if len(c.saved) > 0 && c.rng.IntN(2) == 0 {
		saved, err := decode(c.m.State, codec.Msgpack, c.saved[c.rng.IntN(len(c.saved))])
		if err != nil {
			return s, c.problem(RoundTrip, fmt.Sprintf("the state of an earlier sequence can no longer be decoded: %v", err), "", "")
		}
		given = &saved
		keep(c, c.states, "the saved state that Init was given", saved)
	}
	if c.m.Init == nil {
		if given != nil {
			return *given, true
		}
		return s, true
	}
	first, err := c.callInit(given)
	if err != nil {
		return s, c.problem(Init, err.Error(), "", "")
	}
	if !c.checkState(first.state) {
		return s, false
	}
	was := c.states.of(first.state)
	if given != nil && !c.same(Init, "it changes the saved state", c.kept[0].was, c.states.of(*given)) {
		return s, false
	}
	for range 2 {
		c.passTime()
		again, err := c.callInit(given)
		if err != nil {
			return s, c.problem(Init, "called again, "+err.Error(), "", "")
		}
		if !c.same(Init, "called again, it returns another state", was, c.states.of(again.state)) ||
			!c.same(Init, "called again, it asks for other effects", c.asks.of(first.asked), c.asks.of(again.asked)) {
			return s, false
		}
	}
	keep(c, c.states, "the state that Init returned", first.state)
	c.expect(first.asked)
	return first.state, true
}

func (c *checker[S, I, O]) callInit(given *S) (result[S, O], error) {
	r, err := c.probe.init(given, c.entry)
	if r.crash != nil {
		return r, errors.New("it ends with " + ending(r.crash))
	}
	if err != nil {
		return r, errors.New("it returns the error " + excerpt(err.Error(), 0))
	}
	return r, nil
}
