package eventloop

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// This file looks at the past without going on from it.

// Replay does what [Start] does before the application goes live, and no more: it
// reads back what cfg.Log has kept and steps the inputs of the journal, with
// cfg's machines. It changes nothing: what it steps is not written, no
// Terminate, task or timer runs, OnEvent is told nothing. Durability is taken as
// Always; a Log that was written with AtShutdown has no inputs.
//
// observe, if not nil, is told of every step of a process whose inputs are
// journaled, in order, one at a time. An error of it ends the Replay and is
// returned as it is. Other errors are those of Start.
func Replay(cfg Config, observe func(Step) error) (*Replayed, error) {
	cfg.Durability, cfg.observe = Always, observe
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	l, err := newLoop(cfg)
	if err != nil {
		return nil, err
	}
	return &Replayed{l}, nil
}

// Step is a step that a [Replay] has done, or an Init. It is valid until the
// observer has returned.
type Step struct {
	// Batch is the index of the batch of the journal that led to the step, and
	// Entry which of its entries, from 1. Several steps may come of one entry:
	// what machines send each other is not written to the journal.
	Batch uint64
	Entry int
	// Time is that of the batch, in Unix nanoseconds.
	Time int64

	Process statemachine.Name

	// Init reports that a life of the process began: there is neither input nor
	// output.
	Init bool
	// Message is what the machine made the input of; nil if it was sent one.
	Message statemachine.Message
	// Err is the *statemachine.CrashError of a step, or what Init has returned:
	// the state is what it was, and there is no output.
	Err error

	// Effects is what the step has asked for, in that order; NoReply that its
	// caller is to wait for an effect of a later one; Stop that the process ends.
	Effects []statemachine.Effect
	NoReply bool
	Stop    *statemachine.Stop

	proc *process
	x    any
}

// AppendInput appends the input of the step; nothing if it has none.
func (s Step) AppendInput(dst []byte, f codec.Format) ([]byte, error) {
	if s.x == nil {
		return dst, nil
	}
	return s.proc.AppendInputValue(dst, f, s.proc.Input(s.x))
}

// AppendOutput appends the output of the step; nothing if it has none.
func (s Step) AppendOutput(dst []byte, f codec.Format) ([]byte, error) {
	if s.x == nil || s.Err != nil {
		return dst, nil
	}
	return s.proc.AppendOutput(dst, f, s.x)
}

// AppendState appends the state of the process after the step; nothing if its
// Init has failed.
func (s Step) AppendState(dst []byte, f codec.Format) ([]byte, error) {
	if s.Init && s.Err != nil {
		return dst, nil
	}
	return s.proc.AppendState(dst, f, s.proc.State())
}

// observed tells the observer of the step of e, or of an input without entry.
func (l *Loop) observed(e *entry, p *process, crash *statemachine.CrashError) {
	s := Step{NoReply: l.moment.NoReply(), Stop: l.moment.Exit()}
	if e != nil {
		s.Message, s.x = e.msg, e.x
	}
	if crash != nil {
		s.Err, s.Stop = crash, nil
	}
	l.observe(p, s)
}

// observedInit tells the observer of an Init.
func (l *Loop) observedInit(p *process, err error) {
	l.observe(p, Step{Init: true, Err: err})
}

func (l *Loop) observe(p *process, s Step) {
	past := l.past
	if past == nil || past.failed != nil || !p.derives() {
		return
	}
	s.Batch, s.Entry, s.Time = past.index, past.n, past.time
	s.Process, s.proc, s.Effects = p.name, p, l.moment.Effects()
	past.failed = l.cfg.observe(s)
}

// Replayed is an application as its journal has left it. Nothing of it runs. One
// goroutine at a time may use it.
type Replayed struct{ loop *Loop }

// Names yields those of the processes that have a state, or have one saved, in
// the order of their bytes.
func (r *Replayed) Names() iter.Seq[statemachine.Name] {
	var names []statemachine.Name
	for _, p := range r.loop.procs.all() {
		if _, kept := p.Kept(); p.Durable() && (p.alive || kept) {
			names = append(names, p.name)
		}
	}
	slices.Sort(names)
	return slices.Values(names)
}

// AppendState appends the state of a process: of one that is down, what its next
// Init would be given as saved.
func (r *Replayed) AppendState(dst []byte, name statemachine.Name, f codec.Format) ([]byte, error) {
	p := r.loop.procs.find(name)
	if p == nil || !p.Durable() {
		return dst, fmt.Errorf("eventloop: %w: %s", statemachine.ErrNoProcess, name)
	}
	if _, kept := p.Kept(); !p.alive && !kept {
		return dst, fmt.Errorf("eventloop: %s has no state", name)
	} else if !p.alive {
		p.Resume()
	}
	return p.AppendState(dst, f, p.State())
}

// Unclaimed returns the names of saved states whose processes are not in the
// tree, in the order of their bytes: see the event of that name.
func (r *Replayed) Unclaimed() []statemachine.Name {
	return slices.SortedFunc(maps.Keys(r.loop.orphans), cmp.Compare)
}

// Waiting returns how many inputs of the journal were not stepped, since their
// process is down: the next start of the program steps them.
func (r *Replayed) Waiting() int {
	n := 0
	for _, p := range r.loop.waiting {
		n += len(p.committed)
	}
	return n
}
