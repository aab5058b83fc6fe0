package eventloop

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// This file is how a process is watched at work. None of it is in the journal:
// what is watched goes on as it would, and nothing is seen of what a replay
// repeats. A process that is watched takes no short cuts: its inputs go through
// the queue and, while it has a log or is traced, its read-only ones too.

// SysLogMax is how many events of a process can be kept.
const SysLogMax = 4096

// trace is told of events, until it says that it is done.
type trace struct {
	f func(statemachine.SysEvent) (done bool)
}

// statistics are what is counted since they were turned on.
type statistics struct {
	start   int64 // Unix nanoseconds
	in, out int64
	reads   int64 // of the process, then
}

func (s *statistics) at(p *process, now int64) statemachine.Statistics {
	reads := p.reads.Load() - s.reads
	return statemachine.Statistics{
		Start: time.Unix(0, s.start).UTC(), Now: time.Unix(0, now).UTC(), In: s.in + reads, Out: s.out + reads,
	}
}

// eventLog is the last events.
type eventLog struct {
	max    int
	events []logged
}

type logged struct {
	at int64
	ev statemachine.SysEvent
}

// SetStatistics turns the statistics of a worker on, from zero, or off (OTP:
// sys:statistics). They are off in every new life. GetStatus has them.
func (l *Loop) SetStatistics(ctx context.Context, name statemachine.Name, on bool) error {
	return l.look(ctx, name, func(p *process) {
		l.watch(p, func(s *sys) {
			s.stats = nil
			if on {
				s.stats = &statistics{start: l.clock.now(), reads: p.reads.Load()}
			}
		})
	})
}

// Install has f told of every event of a worker, in order, until it returns true,
// panics, or the worker's life ends (OTP: sys:install). It is called while the loop
// stands still: it must return soon, and must not call the Loop. Each Install is
// one more function.
func (l *Loop) Install(ctx context.Context, name statemachine.Name, f func(statemachine.SysEvent) (done bool)) error {
	return l.look(ctx, name, func(p *process) {
		l.watch(p, func(s *sys) { s.traces = append(s.traces, trace{f}) })
	})
}

// SetLog has the last events of a worker kept, at most max of them, itself at most
// SysLogMax; those that were kept before are forgotten. Zero: none are (OTP:
// sys:log).
func (l *Loop) SetLog(ctx context.Context, name statemachine.Name, max int) error {
	if max < 0 || max > SysLogMax {
		err := fmt.Errorf("%w: %d events: it must be 0 to %d", statemachine.ErrInput, max, SysLogMax)
		return refused(name, statemachine.NotApplied, err)
	}
	return l.look(ctx, name, func(p *process) {
		l.watch(p, func(s *sys) {
			s.log = nil
			if max > 0 {
				s.log = &eventLog{max: max}
			}
		})
	})
}

// GetLog returns the events that are kept, the first one first: none if it is off.
func (l *Loop) GetLog(ctx context.Context, name statemachine.Name) ([]statemachine.SysRecord, error) {
	var kept []logged
	err := l.look(ctx, name, func(p *process) {
		if p.sys != nil && p.sys.log != nil {
			kept = slices.Clone(p.sys.log.events)
		}
	})
	if err != nil {
		return nil, err
	}
	records := make([]statemachine.SysRecord, len(kept))
	for i, k := range kept {
		records[i] = l.recordOf(k)
	}
	return records, nil
}

// recordOf shows an event. It does not hold the role.
func (l *Loop) recordOf(k logged) statemachine.SysRecord {
	ev := k.ev
	r := statemachine.SysRecord{Event: ev.Kind.String(), At: time.Unix(0, k.at).UTC(), From: ev.From, To: ev.To}
	if ev.Message != nil {
		_, r.Message, _ = strings.Cut(fmt.Sprintf("%T", ev.Message), ".")
	}
	if ev.Kind == statemachine.SysNoReply {
		return r
	}
	name := ev.Name
	if ev.To != "" {
		name = ev.To
	}
	p := l.procs.find(name)
	if p == nil {
		r.Error = statemachine.ErrNoProcess.Error()
		return r
	}
	encode := p.front().AppendOutputValue
	if ev.To != "" || ev.Kind == statemachine.SysIn {
		encode = p.front().AppendInputValue
	}
	text, err := encode(nil, codec.JSON, ev.Value)
	if err == nil {
		var raw codec.Raw
		if raw, err = codec.ParseRaw(text); err == nil {
			r.Value = &raw
			return r
		}
	}
	r.Error = err.Error()
	return r
}

// watch changes how p is watched.
func (l *Loop) watch(p *process, change func(*sys)) {
	if p.sys == nil {
		p.sys = new(sys)
	}
	change(p.sys)
	p.tidy()
}

// sawInput tells who watches p that e is about to be stepped.
func (l *Loop) sawInput(p *process, e *entry) {
	ev := statemachine.SysEvent{Kind: statemachine.SysIn, Name: p.name, From: e.from, Value: p.Input(e.x)}
	if e.kind == kindMessage {
		ev.Message = e.msg
	}
	l.saw(p, ev)
}

// sawStep tells who watches p how the step of e has ended. With noReply e may be
// its caller's again.
func (l *Loop) sawStep(p *process, e *entry, noReply bool) {
	ev := statemachine.SysEvent{Kind: statemachine.SysNoReply, Name: p.name}
	if !noReply && e != nil && e.from != 0 {
		ev.Kind, ev.From, ev.Value = statemachine.SysOut, e.from, p.Output(e.x)
	}
	l.saw(p, ev)
}

// sawEffect tells who watches p what its step sends.
func (l *Loop) sawEffect(p *process, f *statemachine.Effect) {
	ev := statemachine.SysEvent{Kind: statemachine.SysOut, Name: p.name}
	switch f.Kind {
	case statemachine.EffectReply:
		ev.From, ev.Value = f.From, f.Value
	case statemachine.EffectCast, statemachine.EffectCall:
		ev.To, ev.Value = f.Name, f.Input()
	default:
		return
	}
	l.saw(p, ev)
}

// saw tells who watches p of an event.
func (l *Loop) saw(p *process, ev statemachine.SysEvent) {
	s := p.sys
	if s == nil {
		return
	}
	if s.stats != nil {
		switch ev.Kind {
		case statemachine.SysIn:
			s.stats.in++
		case statemachine.SysOut:
			s.stats.out++
		}
	}
	if s.log != nil {
		s.log.events = append(s.log.events, logged{l.clock.now(), ev})
		if n := len(s.log.events) - s.log.max; n > 0 {
			clear(s.log.events[:n])
			s.log.events = s.log.events[n:]
		}
	}
	if len(s.traces) == 0 {
		return
	}
	s.traces = slices.DeleteFunc(s.traces, func(t trace) (done bool) {
		err := aside(p.name, "trace", func() error {
			done = t.f(ev)
			return nil
		})
		return done || err != nil
	})
	if len(s.traces) == 0 {
		p.tidy()
	}
}
