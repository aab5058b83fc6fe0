package machinetest

import (
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
)

// step checks a step of in from s, and returns the state to go on from.
func (c *checker[S, I, O]) step(in I, s S) (next S, ok bool) {
	readOnly, ok := c.readOnly(in)
	if !ok {
		return s, false
	}
	was := c.states.of(s)
	r := c.probe.step(in, s, c.entry)
	if !c.unchanged(c.recent()) || !c.checkResult(r) {
		return s, false
	}
	if readOnly && !c.same(ReadOnly, "ReadOnly reports this input, but it leads to another state", was, c.states.of(r.state)) {
		return s, false
	}
	if readOnly && !r.asked.none() {
		return s, c.problem(ReadOnly, "ReadOnly reports this input, but it asks for effects: "+c.asks.show(r.asked), "", "")
	}
	keep(c, c.states, fmt.Sprintf("the state after step %d", c.i), r.state)
	keep(c, c.outs, fmt.Sprintf("the output of step %d", c.i), r.out)
	keep(c, c.asks, fmt.Sprintf("what step %d asked for", c.i), r.asked)
	if !c.branch(s) || !c.again(in, s, r) || !c.stepTwin(in, r) {
		return s, false
	}
	if readOnly {
		return s, true
	}
	c.expect(r.asked)
	return r.state, true
}

func (c *checker[S, I, O]) recent() []memory { return c.kept[max(0, len(c.kept)-recentLen):] }

func (c *checker[S, I, O]) roundTripInput(in I) bool {
	text, want, got := c.ins.roundTrip(in)
	return text == "" || c.problem(RoundTrip, "the input: "+text, want, got)
}

// readOnly asks whether in is, several times.
func (c *checker[S, I, O]) readOnly(in I) (is, ok bool) {
	if c.m.ReadOnly == nil {
		return false, true
	}
	var answers [3]bool
	for i := range answers {
		if i == 2 {
			c.passTime()
		}
		if crash := attempt(func() { answers[i] = c.m.ReadOnly(in) }); crash != nil {
			return false, c.problem(ReadOnly, "the function ReadOnly does not return: "+ending(crash), "", "")
		}
	}
	if answers[0] != answers[1] || answers[0] != answers[2] {
		return false, c.problem(ReadOnly, fmt.Sprintf("the function ReadOnly answers %v of the same input", answers), "", "")
	}
	return answers[0], true
}

// branch steps another input from s, which must leave alone what was returned.
func (c *checker[S, I, O]) branch(s S) bool {
	other := c.inputs[c.rng.IntN(len(c.inputs))]
	was := c.ins.of(other)
	c.probe.step(other, s, entry{time: c.entry.time, seed: c.rng.Uint64()})
	for _, m := range append(c.recent(), memory{"the input", was, func() image { return c.ins.of(other) }}) {
		text := m.what + " has changed when " + c.ins.show(other) + " was stepped from the same state"
		if !c.same(Pure, text, m.was, m.now()) {
			return false
		}
	}
	return true
}

// again repeats the step: at once, and once time has passed.
func (c *checker[S, I, O]) again(in I, s S, first result[S, O]) bool {
	if !c.sameResult(Deterministic, "the step, repeated,", first, c.probe.step(in, s, c.entry)) {
		return false
	}
	c.passTime()
	later := c.probe.step(in, s, c.entry)
	rule := NoClock
	if !c.alike(first, later) {
		for range 100 { // it is not the clock if it goes on changing while the clock stands still
			if !c.alike(later, c.probe.step(in, s, c.entry)) {
				rule = Deterministic
			}
		}
	}
	return c.sameResult(rule, "the step, repeated when time has passed,", first, later) && c.unchanged(c.recent())
}

func (c *checker[S, I, O]) alike(a, b result[S, O]) bool {
	return (a.crash == nil) == (b.crash == nil) && c.outs.of(a.out) == c.outs.of(b.out) &&
		c.asks.of(a.asked) == c.asks.of(b.asked) && c.states.of(a.state) == c.states.of(b.state)
}

func (c *checker[S, I, O]) sameResult(r Rule, what string, first, second result[S, O]) bool {
	return c.sameAnswer(r, what, first, second) &&
		c.same(r, what+" returns another state", c.states.of(first.state), c.states.of(second.state))
}

func (c *checker[S, I, O]) sameAnswer(r Rule, what string, first, second result[S, O]) bool {
	if (first.crash == nil) != (second.crash == nil) {
		return c.problem(r, what+" does not end as it did", ending(first.crash), ending(second.crash))
	}
	return c.same(r, what+" returns another output", c.outs.of(first.out), c.outs.of(second.out)) &&
		c.same(r, what+" asks for other effects", c.asks.of(first.asked), c.asks.of(second.asked))
}

func ending(crash any) string {
	if crash == nil {
		return "a return"
	}
	return excerpt(fmt.Sprint("a panic: ", crash), 0)
}

// checkResult takes state and output through their codecs, but for an output that
// nobody gets: then it may be what cannot be encoded, as the nil of a Union.
func (c *checker[S, I, O]) checkResult(r result[S, O]) bool {
	if r.crash == nil && !r.asked.NoReply && c.entry.message == nil {
		if text, want, got := c.outs.roundTrip(r.out); text != "" {
			return c.problem(RoundTrip, "the output: "+text, want, got)
		}
	}
	return c.checkState(r.state)
}

func (c *checker[S, I, O]) checkState(s S) bool {
	if c.m.State == nil {
		return true
	}
	if text, want, got := c.states.roundTrip(s); text != "" {
		return c.problem(RoundTrip, "the state: "+text, want, got)
	}
	return true
}

// stepTwin steps in from a restored state, which must answer as the original
// has done, and begins with another one every few steps.
func (c *checker[S, I, O]) stepTwin(in I, first result[S, O]) bool {
	if c.m.State == nil {
		return true
	}
	if c.twin != nil {
		second := c.probe.step(in, *c.twin, c.entry)
		*c.twin = second.state
		if !c.sameAnswer(Restored, "the step, from a state that was restored,", first, second) {
			return false
		}
		if first, second := c.states.of(first.state).json, c.states.of(second.state).json; first != second {
			want, got := differing(first, second)
			return c.problem(Restored, "the step, from a state that was restored, returns another state", want, got)
		}
	}
	if c.twin == nil || c.rng.IntN(4) == 0 {
		c.restore(first.state)
	}
	return true
}

// restore makes the twin of s, and has an Init of a later sequence given it.
func (c *checker[S, I, O]) restore(s S) {
	data, err := encode(c.m.State, codec.Msgpack, s)
	if err != nil {
		return // checkState has said so
	}
	twin, err := decode(c.m.State, codec.Msgpack, data)
	if err != nil {
		return
	}
	c.twin = &twin
	if len(c.saved) < savedMax {
		c.saved = append(c.saved, data)
	}
}
