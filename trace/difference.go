package trace

import (
	"fmt"
	"strings"
	"time"
)

// Difference is where two builds differ, and how.
type Difference struct {
	// Batch and Entry are the place in the journal: see eventloop.Step. Zero if it
	// is the state at the end.
	Batch uint64
	Entry int
	Time  time.Time // of the batch

	Process string
	Input   string // maybe cut short

	// Steps is of a state how many steps of the process ago it was looked at last,
	// and the same. 0 or 1: the step itself, or an Init before it, has made the
	// difference.
	Steps int

	// Recorded is what the trace says, and Now what this build does. Of a state
	// both are how it has changed since it was the same; or, if it has been
	// different from the first, Now is how it differs and there is no Recorded.
	Recorded, Now []string
}

// difference returns one at the place of l.
func (l line) difference(recorded, now []string) *Difference {
	return &Difference{
		Batch: l.Batch, Entry: l.Entry, Time: time.Unix(0, l.Time).UTC(), Process: l.Process, Input: l.Input,
		Recorded: recorded, Now: now,
	}
}

// place is what two lines of the same step have in common.
func (l line) place() [2]uint64 {
	if l.End {
		return [2]uint64{^uint64(0)}
	}
	return [2]uint64{l.Batch, uint64(l.Entry)}
}

func (l line) stepped() string { return l.Process + " ← " + l.Input }

// lines returns what was found, for reading.
func (l *look) lines() []string {
	switch {
	case len(l.Whole) > 0:
		return []string{brief(l.Whole)}
	case len(l.Changes) == 0:
		return []string{"no change"}
	}
	return l.Changes
}

// String returns the differences, some lines for each; empty if there is none.
func (r *Report) String() string {
	var b strings.Builder
	for _, d := range []struct {
		what string
		*Difference
	}{{"the steps", r.Step}, {"the outputs", r.Output}, {"the states", r.State}} {
		if d.Difference != nil {
			fmt.Fprintf(&b, "%s differ first %s\n", d.what, d.Difference)
		}
	}
	return b.String()
}

// String returns place, process, input and both sides, in lines.
func (d *Difference) String() string {
	var b strings.Builder
	if d.Batch == 0 && d.Entry == 0 && d.Input == "" {
		fmt.Fprintf(&b, "at the end of the journal: %s", d.Process)
	} else {
		fmt.Fprintf(&b, "at batch %d, entry %d (%s): %s ← %s", d.Batch, d.Entry, d.Time.Format(time.RFC3339), d.Process, d.Input)
	}
	if d.Steps > 1 {
		fmt.Fprintf(&b, "\n  or up to %d steps of %s before that", d.Steps-1, d.Process)
	}
	if d.Recorded != nil {
		d.side(&b, "recorded", without(d.Recorded, d.Now))
	}
	d.side(&b, "now", without(d.Now, d.Recorded))
	return b.String()
}

func (d *Difference) side(b *strings.Builder, label string, lines []string) {
	if len(lines) == 0 {
		lines = []string{"nothing else"}
	}
	for _, text := range lines {
		fmt.Fprintf(b, "\n  %-9s %s", label, text)
	}
}

// without returns those of lines that are not among others too.
func without(lines, others []string) []string {
	both := map[string]bool{}
	for _, l := range others {
		both[l] = true
	}
	var rest []string
	for _, l := range lines {
		if !both[l] {
			rest = append(rest, l)
		}
	}
	return rest
}
