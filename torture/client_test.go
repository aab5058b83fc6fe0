package torture_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
)

// client is the only one who sends to its process, one input after the other,
// and remembers what it was told of each.
type client struct {
	name statemachine.Name
	sup  statemachine.Name // it is added to this one; empty: it is of the tree
	rand *rand.Rand
	seq  int64
	sent []record

	ended bool     // it was ended in this life, perhaps for good
	trace []string // what was done, for a failure's report
}

// record is what a client knows of something that it sent.
type record struct {
	seq    int64
	what   change
	is     fate
	mark   int64 // that its reply told, or that was found; 0 for unknown
	pinned bool  // found there after a start, or not: it cannot change
	key    bool  // it was sent under its number as a key
	in     input // if so
}

type change uint8

const (
	anInput  change = iota
	addition        // StartChild
	deletion        // TerminateChild and DeleteChild
)

type fate uint8

const (
	unknown fate = iota
	absent
	present
)

func fateOf(err error) fate {
	switch {
	case err == nil:
		return present
	case statemachine.OutcomeOf(err) == statemachine.Applied:
		return present
	case statemachine.OutcomeOf(err) == statemachine.NotApplied:
		return absent
	}
	return unknown
}

// run sends until ctx ends, or the application does.
func (c *client) run(ctx context.Context, l *eventloop.Loop, log *faultyLog) (err error) {
	c.ended = false
	for ctx.Err() == nil && !log.isDead() && err == nil {
		select {
		case <-l.Done():
			return nil
		default:
		}
		if c.rand.IntN(3) > 0 {
			select {
			case <-time.After(time.Duration(c.rand.IntN(3000)) * time.Microsecond):
			case <-ctx.Done():
			}
		}
		err = c.once(ctx, l, log)
	}
	return err
}

// once sends one thing.
func (c *client) once(ctx context.Context, l *eventloop.Loop, log *faultyLog) error {
	life := ctx
	if c.rand.IntN(4) == 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.rand.IntN(15000))*time.Microsecond)
		defer cancel()
	}
	n := c.rand.IntN(100)
	switch {
	case c.sup != "" && n < 12:
		if n < 3 {
			c.delete(ctx, l, log)
		} else {
			c.add(ctx, l, log)
		}
		l.CountChildren(life, c.sup) // a request that was given up is handled before this
		return nil
	case n < 15:
		c.end(ctx, l)
		return nil
	}
	target, err := eventloop.RefTo[input, output](l, c.name)
	if err != nil {
		return nil // not added, or deleted
	}
	switch {
	case n < 30:
		return c.look(ctx, target, log)
	case n < 50:
		c.cast(ctx, target, log)
	default:
		return c.call(ctx, target, log)
	}
	return nil
}

// end ends the process from outside: no change of the account, but for the mark.
func (c *client) end(ctx context.Context, l *eventloop.Loop) {
	c.ended = true
	if c.rand.IntN(2) == 0 {
		c.note("killed: %v", l.Kill(ctx, c.name))
		return
	}
	c.note("stopped: %v", l.StopProcess(ctx, c.name, statemachine.Shutdown))
}

type ref = eventloop.Ref[input, output]

// look reads the account: all that was acknowledged must be there.
func (c *client) look(ctx context.Context, target ref, log *faultyLog) error {
	if c.rand.IntN(20) == 0 {
		_, err := target.Call(ctx, input{Do: doCrashGet})
		c.note("crash-get: %v", err)
		return nil
	}
	out, err := target.Call(ctx, input{Do: doGet})
	if err != nil || log.isDead() {
		return nil
	}
	if err := match(c.sent, out.Account, false); err != nil {
		return fmt.Errorf("%s, read while it runs: %w", c.name, err)
	}
	return nil
}

func (c *client) next(what change) *record {
	c.seq++
	c.sent = append(c.sent, record{seq: c.seq, what: what})
	return &c.sent[len(c.sent)-1]
}

func (c *client) cast(ctx context.Context, target ref, log *faultyLog) {
	r := c.next(anInput)
	c.note("%d is a cast", r.seq)
	err := target.Cast(ctx, input{Seq: r.seq, Pad: strings.Repeat("x", c.rand.IntN(50))})
	c.told(r, err, log)
	if c.ended && r.is == present {
		r.is = unknown // a process that ends for good drops the casts behind that
	}
}

// dos are what calls do; most of them nothing special.
var dos = []string{doCrash, doCrash, doFail, doQuit, doGoexit}

func (c *client) call(ctx context.Context, target ref, log *faultyLog) error {
	in := input{Pad: strings.Repeat("x", c.rand.IntN(50))}
	if n := c.rand.IntN(60); n < len(dos) {
		in.Do = dos[n]
	}
	if in.Do == doQuit {
		c.ended = true
	}
	r := c.next(anInput)
	in.Seq = r.seq
	if c.rand.IntN(3) == 0 {
		target = target.Once(fmt.Sprint(r.seq))
		r.key, r.in = true, in
	}
	out, err := target.Call(ctx, in)
	c.told(r, err, log)
	if err == nil && r.is == present {
		r.mark = out.Applied.Mark
		if out.Applied.Seq != r.seq {
			return fmt.Errorf("%s: the reply to input %d is that to %d", c.name, r.seq, out.Applied.Seq)
		}
	}
	var crash *statemachine.CrashError
	if err != nil && in.Do == "" && errors.As(err, &crash) {
		return fmt.Errorf("%s: input %d got another's crash: %w", c.name, r.seq, err)
	}
	return nil
}

// told notes what the client was told of r, unless the power was off by then.
func (c *client) told(r *record, err error, log *faultyLog) {
	if !log.isDead() {
		r.is = fateOf(err)
	}
	c.note("%d (change %d): %v, fate %d", r.seq, r.what, err, r.is)
}

func (c *client) note(format string, args ...any) {
	c.trace = append(c.trace, fmt.Sprintf(format, args...))
}

func (c *client) add(ctx context.Context, l *eventloop.Loop, log *faultyLog) {
	spec := `{"worker":{"name":%q,"machine":"account"}}`
	if c.sup == "pool" {
		spec = `{"worker":{"name":%q}}`
	}
	r := c.next(addition)
	_, err := l.StartChildJSON(ctx, c.sup, fmt.Appendf(nil, spec, c.name))
	c.told(r, err, log)
}

// delete ends the process and has it forgotten; in the pool its end does both.
func (c *client) delete(ctx context.Context, l *eventloop.Loop, log *faultyLog) {
	c.ended = true
	if c.sup == "pool" {
		if _, err := eventloop.RefTo[input, output](l, c.name); err != nil {
			return // terminate_child of none succeeds
		}
		r := c.next(deletion)
		c.told(r, l.TerminateChild(ctx, c.sup, c.name), log)
		if _, err := eventloop.RefTo[input, output](l, c.name); r.is == present && err == nil {
			r.is = absent // it was being restarted, and was not the process that was meant (S56)
		}
		return
	}
	if err := l.TerminateChild(ctx, c.sup, c.name); err != nil {
		return
	}
	r := c.next(deletion)
	c.told(r, l.DeleteChild(ctx, c.sup, c.name), log)
}

// match checks an account against what was sent to it: all that is present in
// order, nothing that is absent, and of the rest anything in its place. With
// pin what is found is what must be found ever after.
func match(sent []record, a account, pin bool) error {
	from := 0
	var possible []int // where the account may begin: behind any deletion since the last certain one
	for i, r := range sent {
		if r.what == deletion && r.is != absent {
			if r.is == present {
				possible = possible[:0]
			} else if len(possible) == 0 {
				possible = append(possible, 0)
			}
			possible = append(possible, i+1)
		}
	}
	if len(possible) == 0 {
		possible = []int{0}
	}
	var err error
	for _, from = range possible {
		if err = matchFrom(sent[from:], a, pin); err == nil {
			if pin && len(possible) > 1 {
				settleDeletions(sent, from)
			}
			return nil
		}
	}
	return err
}

// settleDeletions pins that the last deletion that happened is the one before from.
func settleDeletions(sent []record, from int) {
	for i := range sent {
		if sent[i].what == deletion && sent[i].is == unknown {
			sent[i].is = absent
			if i < from {
				sent[i].is = present
			}
		}
	}
}

func matchFrom(sent []record, a account, pin bool) error {
	at := 0
	marks := make([]int64, len(sent))
	for i, r := range sent {
		if r.what != anInput {
			continue
		}
		found := at < len(a.Applied) && a.Applied[at].Seq == r.seq
		switch {
		case !found && r.is == present:
			return fmt.Errorf("input %d was acknowledged and is lost; there are %v", r.seq, a.Applied[at:])
		case found && r.is == absent:
			return fmt.Errorf("input %d was reported as not applied and is there", r.seq)
		case !found:
			continue
		}
		marks[i] = a.Applied[at].Mark
		if r.mark != 0 && r.mark != marks[i] {
			return fmt.Errorf("input %d left mark %d, its caller was told %d", r.seq, marks[i], r.mark)
		}
		at++
	}
	if at < len(a.Applied) {
		return fmt.Errorf("inputs that do not belong there: %v", a.Applied[at:])
	}
	for i := range sent {
		if pin && sent[i].what == anInput && !sent[i].pinned {
			sent[i].pinned = true
			sent[i].is, sent[i].mark = absent, marks[i]
			if marks[i] != 0 {
				sent[i].is = present
			}
		}
	}
	return nil
}

// verify checks, after a start, that the process is what its client was told.
func (c *client) verify(l *eventloop.Loop) error {
	there := c.expected()
	target, err := eventloop.RefTo[input, output](l, c.name)
	if err == nil {
		var out output
		out, err = target.Call(context.Background(), input{Do: doGet})
		if err != nil && c.name == "w" { // an input that was kept for it has ended it: it is transient
			l.RestartChild(context.Background(), "rest", c.name)
			out, err = target.Call(context.Background(), input{Do: doGet})
		}
		if err == nil {
			if there == absent {
				return fmt.Errorf("%s was deleted, or never added, and is there", c.name)
			}
			if err := match(c.sent, out.Account, true); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			c.settle(present)
			if err := c.sendAgain(target); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			return nil
		}
	}
	if there == present {
		return fmt.Errorf("%s is not there: %w", c.name, err)
	}
	c.settle(absent)
	return nil
}

// sendAgain sends the last input that was applied under a key again: the answer
// must be that of the first time.
func (c *client) sendAgain(target ref) error {
	for i := len(c.sent) - 1; i >= 0; i-- {
		r := &c.sent[i]
		if r.what != anInput {
			return nil // it may have been deleted since
		}
		if !r.key || r.is != present {
			continue
		}
		out, err := target.Once(fmt.Sprint(r.seq)).Call(context.Background(), r.in)
		if r.in.Do == doQuit {
			var exit *statemachine.ExitError
			if !errors.As(err, &exit) {
				return fmt.Errorf("input %d, sent again under its key: %w; want that it had ended its process", r.seq, err)
			}
			return nil
		}
		if err != nil || out.Applied.Seq != r.seq || out.Applied.Mark != r.mark {
			return fmt.Errorf("input %d, which left mark %d, sent again under its key: %v %w", r.seq, r.mark, out.Applied, err)
		}
		return nil
	}
	return nil
}

// expected says whether the process should be there.
func (c *client) expected() fate {
	is := absent
	if c.sup == "" {
		return present
	}
	for _, r := range c.sent {
		switch {
		case r.what == anInput || r.is == absent:
		case r.is == unknown:
			is = unknown
		case r.what == addition:
			is = present
		default:
			is = absent
		}
	}
	return is
}

// settle pins that the process is there, or is not.
func (c *client) settle(is fate) {
	for i := range c.sent {
		if c.sent[i].what != anInput && c.sent[i].is == unknown {
			c.sent[i].is = absent
		}
	}
	if c.sup == "" {
		return
	}
	what := addition
	if is == absent {
		what = deletion
	}
	c.sent = append(c.sent, record{seq: -1, what: what, is: present})
}
