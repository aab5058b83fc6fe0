package eventloop

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// Verify reads all that cfg.Log has kept and decodes it with cfg's machines: the
// saved states, through Migrate where they are of an older version, every record
// of the journal, and what else is remembered. It steps nothing and changes
// nothing. report is told, on another goroutine and one at a time, each thing
// that cannot be read, in one line that says where it is.
//
// It says less than a Replay, which finds too what cannot be read at its place
// only; and more, since it goes on. Of what machines have asked for (timers,
// calls, letters) the first problem is reported. Saved states of processes that
// are not in the tree are passed over.
//
// Returns an error of the configuration or of the Log, such as
// journal.ErrDamaged: then what is behind the damage was not read.
func Verify(cfg Config, report func(error)) error {
	cfg.Durability = Always
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	l, err := blankLoop(cfg)
	if err != nil {
		return err
	}
	l.past = &past{}
	v := &verifier{
		loop: l, report: report, procs: map[statemachine.Name][]*process{},
		templates: map[statemachine.Name]statemachine.Server{},
	}
	v.know("", cfg.Root)
	done := make(chan error, 1)
	go func() { // which a codec may end
		err := errors.New("eventloop: a codec called runtime.Goexit")
		defer func() { done <- err }()
		err = cfg.Log.Recover(v.snapshot, v.batch)
	}()
	return <-done
}

// verifier is one run of Verify.
type verifier struct {
	loop      *Loop // of which nothing is stepped
	report    func(error)
	procs     map[statemachine.Name][]*process // all that have had a name: it does not follow who has it when
	templates map[statemachine.Name]statemachine.Server
}

func (v *verifier) found(format string, args ...any) {
	v.report(fmt.Errorf("eventloop: "+format, args...))
}

// know takes note of the processes in a spec, that of a child of sup.
func (v *verifier) know(sup statemachine.Name, c supervisor.Child) {
	switch c := c.(type) {
	case supervisor.Worker:
		if c.Machine == nil {
			c.Machine = v.templates[sup]
		}
		if c.Machine != nil {
			p := v.loop.addProcess(c)
			v.procs[c.Name] = append(v.procs[c.Name], p)
		}
	case supervisor.Supervisor:
		for _, child := range c.Children {
			if w, ok := child.(supervisor.Worker); ok && c.Strategy == supervisor.SimpleOneForOne {
				v.templates[c.Name] = w.Machine
			} else {
				v.know(c.Name, child)
			}
		}
	}
}

// snapshot verifies the states, and what the loop has kept beside them.
func (v *verifier) snapshot(s journal.Snapshot) error {
	l := v.loop
	tree, kept, err := l.loadShape(s.App)
	if err != nil {
		v.found("the children that were added: %w", err)
	}
	for _, a := range l.shape.inOrder() {
		v.know(a.sup, a.spec)
	}
	l.rerun()
	for name, state := range s.States {
		if p := l.procs.find(statemachine.Name(name)); p != nil && p.Durable() {
			if err := p.Load(state); err != nil {
				v.found("the saved state of %s: %w", name, err)
			}
		}
	}
	if len(tree) > 0 {
		if _, err := l.restoreTree(tree); err != nil {
			v.found("the saved supervision tree: %w", err)
		}
	}
	if err := l.restore(kept); err != nil {
		v.found("what machines have asked for: %w", err)
	}
	v.keys(kept)
	return nil
}

// keys verifies what was answered to inputs with an idempotency key.
func (v *verifier) keys(k *kept) {
	if k == nil {
		return
	}
	for _, s := range k.Keys {
		p := v.loop.procs.find(s.Proc)
		if p == nil || s.From != 0 || s.Exit || s.Failed != "" {
			continue
		}
		if _, err := p.DecodeOutput(s.Out); err != nil {
			v.found("what %s has answered under the idempotency key %q: %w", s.Proc, s.Key, err)
		}
	}
}

func (v *verifier) batch(index uint64, b journal.Batch) error {
	n := 0
	for e := range b.Entries() {
		n++
		if err := v.entry(e); err != nil {
			v.found("batch %d of the journal, entry %d: %w", index, n, err)
		}
	}
	return nil
}

func (v *verifier) entry(rec journal.Entry) error {
	switch rec.Kind {
	case journal.KindStart:
		return new(bounds).read(rec.Data)
	case journal.KindChild:
		r, err := v.loop.readRequest(rec.Name, rec.Data)
		if err != nil {
			return fmt.Errorf("a request to %s: %w", rec.Name, err)
		}
		if r.spec != nil {
			v.know(r.sup, r.spec)
		}
		return nil
	}
	err := fmt.Errorf("%s is no durable process of the tree", rec.Name)
	for _, p := range v.procs[statemachine.Name(rec.Name)] {
		if rec.Kind != journal.KindExit && !p.Durable() {
			continue
		}
		if err = v.addressed(rec, p); err == nil {
			return nil
		}
	}
	if err != nil && !v.loop.static[statemachine.Name(rec.Name)] && v.readable(rec) {
		return nil
	}
	return err
}

// readable reports whether a record can be read by one of the machines that a child
// may have been added with: what machines ask supervisors for is not in the journal.
func (v *verifier) readable(rec journal.Entry) bool {
	machines := slices.AppendSeq(slices.Collect(maps.Values(v.templates)), maps.Values(v.loop.cfg.Machines))
	return slices.ContainsFunc(machines, func(m statemachine.Server) bool {
		name := statemachine.Name(rec.Name)
		p := &process{name: name}
		p.runs(m, m.New(name, v.loop.moment))
		return (rec.Kind == journal.KindExit || p.Durable()) && v.addressed(rec, p) == nil
	})
}

// addressed verifies a record for p.
func (v *verifier) addressed(rec journal.Entry, p *process) error {
	data := rec.Data
	switch rec.Kind {
	case journal.KindExit:
		_, err := readReason(data)
		return err
	case journal.KindMessage:
		return v.message(data, p)
	case journal.KindSent:
		var err error
		if data, err = new(entry).readSent(data); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	x, err := p.Decode(codec.Msgpack, data)
	if err != nil {
		return fmt.Errorf("the input of %s: %w", p.name, err)
	}
	p.Free(x)
	return nil
}

// message verifies a message to p, whether or not it is waited for.
func (v *verifier) message(data []byte, p *process) error {
	kind, _, rest, err := cutMessage(data)
	if err == nil && (kind == factReply || kind == factWork || kind == factTold) {
		_, err = statemachine.DecodeMessage(rest, p, v.loop.processNamed)
	}
	if err == nil && kind == factAnswer && len(rest) > 0 {
		_, err = p.DecodeOutput(rest)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}
