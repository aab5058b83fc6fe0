package trace

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
)

// ErrFormat says that what was to be compared with is no trace, or not a whole
// one, or one of another version.
var ErrFormat = errors.New("not a trace")

// Report is what a Compare has found.
type Report struct {
	Steps int // how many were compared

	// The first difference of each sort; nil if there is none.
	Step   *Difference // what is stepped
	Output *Difference // what came of a step: output, crash, effects
	State  *Difference
}

// Differs reports whether there is a difference.
func (r *Report) Differs() bool { return r.Step != nil || r.Output != nil || r.State != nil }

// errEnough ends a replay that has nothing more to tell.
var errEnough = errors.New("enough is known")

// Compare replays the journal of cfg.Log and compares what comes of it with the
// trace that r reads. Returns an error that wraps ErrFormat, the error of r, or
// that of eventloop.Replay.
func Compare(cfg eventloop.Config, r io.Reader) (*Report, error) {
	c := &comparer{from: json.NewDecoder(bufio.NewReader(r)), report: new(Report), seen: states{}}
	if err := c.begin(); err != nil {
		return nil, err
	}
	past, err := eventloop.Replay(cfg, c.step)
	if err == nil {
		err = c.end(past)
	}
	if err == errEnough {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return c.report, nil
}

// comparer is one run of Compare.
type comparer struct {
	from   *json.Decoder
	next   line // of the trace
	report *Report
	seen   states
}

func (c *comparer) begin() error {
	var h header
	if err := c.from.Decode(&h); err != nil || h.Trace == 0 {
		return fmt.Errorf("%w: its first line says nothing of one", ErrFormat)
	}
	if h.Trace != version {
		return fmt.Errorf("%w of version %d, but %d", ErrFormat, version, h.Trace)
	}
	return c.read()
}

// read reads the next line of the trace.
func (c *comparer) read() error {
	c.next = line{}
	err := c.from.Decode(&c.next)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if err == io.EOF || err == io.ErrUnexpectedEOF || errors.As(err, &syntax) || errors.As(err, &kind) {
		return fmt.Errorf("%w, or only the beginning of one: %w", ErrFormat, err)
	}
	return err
}

// step compares a step with the one that was recorded.
func (c *comparer) step(s eventloop.Step) error {
	now := lineOf(s)
	was := c.next
	if was.place() != now.place() || was.Process != now.Process || was.Input != now.Input {
		return c.stepsDiffer(now, was)
	}
	c.report.Steps++
	if c.report.Output == nil && !slices.Equal(was.Result, now.Result) {
		c.report.Output = now.difference(was.Result, now.Result)
	}
	known := c.seen.of(now.Process)
	known.steps++
	if was.State != nil && c.report.State == nil {
		c.compareState(now, was.State, s.AppendState)
	}
	if c.report.Output != nil && c.report.State != nil {
		return errEnough
	}
	return c.read()
}

// stepsDiffer notes that the two builds part here: at whichever step comes first.
func (c *comparer) stepsDiffer(now, was line) error {
	switch order := was.compare(now); {
	case order < 0:
		c.report.Step = was.difference([]string{was.stepped()}, []string{"no such step"})
	case order > 0:
		c.report.Step = now.difference([]string{"no such step"}, []string{now.stepped()})
	default:
		c.report.Step = now.difference([]string{was.stepped()}, []string{now.stepped()})
	}
	return errEnough
}

// compareState compares a state with what was recorded of it.
func (c *comparer) compareState(now line, was *look, encode func([]byte, codec.Format) ([]byte, error)) {
	known := c.seen.of(now.Process)
	steps := known.steps
	found := known.look(encode)
	if len(was.Whole) > 0 && len(found.Whole) > 0 {
		recorded, err := parse(was.Whole)
		if err != nil {
			panic(err) // it is part of what was parsed
		}
		if differ := changes(recorded, known.value); len(differ) > 0 {
			c.report.State = now.difference(nil, differ)
			c.report.State.Steps = steps
		}
		return
	}
	if !slices.Equal(was.Changes, found.Changes) || len(was.Whole) != len(found.Whole) {
		c.report.State = now.difference(was.lines(), found.lines())
		c.report.State.Steps = steps
	}
}

// end compares the states at the end.
func (c *comparer) end(past *eventloop.Replayed) error {
	if !c.next.End {
		return c.stepsDiffer(line{End: true}, c.next)
	}
	for process := range past.Names() {
		now := line{Process: name(process), End: true}
		was := c.next
		if was.Process != now.Process {
			c.seenAtOne(now, was)
			return nil
		}
		if was.State == nil {
			return fmt.Errorf("%w: the state of %s at its end is not there", ErrFormat, was.Process)
		}
		if c.report.State == nil {
			c.compareState(now, was.State, func(dst []byte, f codec.Format) ([]byte, error) {
				return past.AppendState(dst, process, f)
			})
		}
		if err := c.read(); err != nil {
			return err
		}
	}
	if c.next.Process != "" {
		c.seenAtOne(line{End: true}, c.next)
	}
	return nil
}

// seenAtOne notes that one of two processes has a state in one build only.
func (c *comparer) seenAtOne(now, was line) {
	if c.report.State != nil {
		return
	}
	if now.Process == "" || was.Process != "" && was.Process < now.Process {
		c.report.State = was.difference([]string{"a state"}, []string{"none"})
	} else {
		c.report.State = now.difference([]string{"none"}, []string{"a state"})
	}
}

// compare orders lines by their places, the end last.
func (l line) compare(m line) int {
	switch {
	case l.End && m.End:
		return 0
	case l.End:
		return 1
	case m.End:
		return -1
	}
	return cmp.Or(cmp.Compare(l.Batch, m.Batch), cmp.Compare(l.Entry, m.Entry))
}
