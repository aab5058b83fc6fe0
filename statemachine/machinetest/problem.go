package machinetest

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Rule is one of the things that a machine has to promise. See the constants.
type Rule string

const (
	// Pure: a step, also one that panics, changes neither the state nor the
	// input that it is given, nor what earlier steps were given or returned;
	// and it returns nothing that another step from the same state changes, as
	// append does to the spare capacity of a slice (slices.Clip prevents it).
	Pure Rule = "pure"
	// Deterministic: from the same state, input, time and randomness a step
	// returns the same again, and asks for the same effects in the same order.
	// It depends on no global variable, on no randomness but that of its
	// Effects, on no order of a map. A message makes the same input again.
	Deterministic Rule = "deterministic"
	// NoClock: nor does it depend on the time, except for that of its Effects.
	NoClock Rule = "no clock"
	// ReadOnly: an input that ReadOnly reports leaves the state as it is and
	// asks for no effect, and ReadOnly reports the same each time.
	ReadOnly Rule = "read-only"
	// Init: from the same name and saved state Init returns the same again, no
	// error, asks for the same effects, and leaves the saved state as it is.
	Init Rule = "init"
	// Message: the function Message returns, whatever the message: also one that
	// the machine has not asked for.
	Message Rule = "message"
	// RoundTrip: inputs, outputs that somebody gets, and states come back from their encodings, in
	// both formats, as what they were.
	RoundTrip Rule = "codec round trip"
	// Restored: a state that comes back from its encoding answers further
	// inputs as the original does, and asks for the same effects.
	Restored Rule = "restored state"
)

// Problem is a rule that a machine has broken: the first time that it did.
type Problem struct {
	Rule Rule
	// Sequence and Step say when, counted from 1. Step 0 is Init.
	Sequence, Step int
	// Input is the input of the step, in JSON, or empty.
	Input string
	// Text says what happened.
	Text string
	// Want and Got are the two values that should be equal, shortened; empty
	// where there are none.
	Want, Got string
}

// String returns all that is known, in one to three lines.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: sequence %d, step %d", p.Rule, p.Sequence, p.Step)
	if p.Input != "" {
		fmt.Fprintf(&b, ", input %s", p.Input)
	}
	fmt.Fprintf(&b, ": %s", p.Text)
	if p.Want != p.Got {
		fmt.Fprintf(&b, "\n\twant %s\n\tgot  %s", p.Want, p.Got)
	}
	return b.String()
}

// Limits, in bytes, of what a Problem shows of a value.
const (
	shownMax   = 240
	contextMax = 60 // of that, before the first difference
)

// differing returns what is to be shown of two texts: the places where they
// begin to differ.
func differing(want, got string) (string, string) {
	i := 0
	for i < len(want) && i < len(got) && want[i] == got[i] {
		i++
	}
	from := max(0, i-contextMax)
	return excerpt(want, from), excerpt(got, from)
}

// excerpt returns at most shownMax bytes of text, from a rune near from on.
func excerpt(text string, from int) string {
	for from > 0 && !utf8.RuneStart(text[from]) {
		from--
	}
	text, before, after := text[from:], "", ""
	if from > 0 {
		before = "…"
	}
	if len(text) > shownMax {
		text, after = strings.ToValidUTF8(text[:shownMax], ""), "…"
	}
	return before + text + after
}
