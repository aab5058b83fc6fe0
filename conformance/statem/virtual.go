package statem

import (
	"errors"
	"slices"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// Virtual runs one process of a machine by itself, in virtual time: what a loop
// does for it, as far as a state machine can tell. Inputs are queued until Run.
// Not safe for concurrent use.
type Virtual[I, O any] struct {
	// Machine is what it runs.
	Machine statemachine.Server
	// Replied is called for every reply, in order: of callers that wait the
	// first one only.
	Replied func(to statemachine.From, out O)
	// Exited is called when the process has ended: because of r, or, if its
	// Terminate crashed, of that. Those who wait get no reply any more.
	Exited func(r statemachine.Reason, waiting []statemachine.From)

	moment  *statemachine.Moment
	process statemachine.Port[I, O] // nil if it has ended
	ended   statemachine.Port[I, O] // the last one that has
	now     int64                   // nanoseconds
	steps   uint64
	callers []statemachine.From // that wait, in order
	calls   statemachine.From   // how many there were
	first   []letter[I]         // comes before the mailbox
	mailbox []letter[I]
	timers  map[string]*timer
	traps   bool
	tie     bool
}

// letter is an input in the mailbox, or a message; timer is the one that it is of.
type letter[I any] struct {
	in      I
	from    statemachine.From
	message statemachine.Message
	timer   *timer
}

// timer is one that is set; fired is set while its message is in the mailbox.
type timer struct {
	name  string
	at    int64
	fired bool
}

// Alive reports whether the process runs.
func (v *Virtual[I, O]) Alive() bool { return v.process != nil }

// Traps reports whether the process traps exits.
func (v *Virtual[I, O]) Traps() bool { return v.traps }

// Tie reports whether two timers have fired at one instant: OTP says nothing of
// their order.
func (v *Virtual[I, O]) Tie() bool { return v.tie }

// Start begins a life. Returns Init's error.
func (v *Virtual[I, O]) Start() error {
	if v.moment == nil {
		v.now = 1
		v.moment = statemachine.NewMoment(func() int64 { return v.now }, nil)
	}
	p := v.Machine.New("machine", v.moment).(statemachine.Port[I, O])
	v.set(0)
	if err := p.Init(); err != nil {
		return err
	}
	v.first, v.mailbox, v.callers, v.timers = nil, nil, nil, map[string]*timer{}
	v.live(p)
	return nil
}

// Restart begins another life with the state that the last one has left, as a
// supervised process whose states are saved: timers and what is in the mailbox
// are still there. Returns Init's error.
func (v *Virtual[I, O]) Restart() error {
	v.process = v.ended
	saved := v.Saved()
	v.process = nil
	v.set(0)
	if err := errors.Join(v.ended.Load(saved), v.ended.Init()); err != nil {
		return err
	}
	v.live(v.ended)
	return nil
}

func (v *Virtual[I, O]) live(p statemachine.Port[I, O]) {
	v.process, v.traps = p, false
	v.carryOut()
}

func (v *Virtual[I, O]) set(from statemachine.From) {
	v.steps++
	v.moment.Set(v.now, v.steps)
	v.moment.SetFrom(from)
}

// Call queues a call; the callers are counted from 1.
func (v *Virtual[I, O]) Call(in I) statemachine.From {
	v.calls++
	v.callers = append(v.callers, v.calls)
	v.mailbox = append(v.mailbox, letter[I]{in: in, from: v.calls})
	return v.calls
}

// Cast queues a cast.
func (v *Virtual[I, O]) Cast(in I) { v.mailbox = append(v.mailbox, letter[I]{in: in}) }

// Tell queues a message.
func (v *Virtual[I, O]) Tell(m statemachine.Message) {
	v.mailbox = append(v.mailbox, letter[I]{message: m})
}

// Advance lets time pass. What the timers make is queued, and between two of
// them, if run is set, what is queued is handled.
func (v *Virtual[I, O]) Advance(d time.Duration, run bool) {
	until := v.now + int64(d)
	for v.Alive() {
		t := v.due(until)
		if t == nil {
			break
		}
		t.fired, v.now = true, t.at
		v.tie = v.tie || v.due(t.at) != nil
		v.mailbox = append(v.mailbox, letter[I]{message: statemachine.Timeout{Timer: t.name}, timer: t})
		if run {
			v.Run()
		}
	}
	v.now = until
}

// due returns the next timer to fire until then, nil if there is none.
func (v *Virtual[I, O]) due(until int64) (next *timer) {
	for _, t := range v.timers {
		if !t.fired && t.at <= until && (next == nil || t.at < next.at || t.at == next.at && t.name < next.name) {
			next = t
		}
	}
	return next
}

// Run handles what is queued.
func (v *Virtual[I, O]) Run() {
	for v.Alive() {
		queue := &v.mailbox
		if len(v.first) > 0 {
			queue = &v.first
		}
		if len(*queue) == 0 {
			return
		}
		l := (*queue)[0]
		*queue = (*queue)[1:]
		if l.timer != nil {
			if v.timers[l.timer.name] != l.timer {
				continue // set again or cancelled
			}
			delete(v.timers, l.timer.name)
		}
		v.step(l)
	}
}

func (v *Virtual[I, O]) step(l letter[I]) {
	x := any(v.process.NewExchange(l.in))
	if l.message != nil {
		made, ok, crash := v.process.FromMessage(l.message)
		if crash != nil {
			v.end(statemachine.Crash(crash))
			return
		} else if !ok {
			return
		}
		x = made
	}
	v.set(l.from)
	if crash := v.process.Step(x); crash != nil {
		v.end(statemachine.Crash(crash))
		return
	}
	exit := v.moment.Exit()
	if !v.moment.NoReply() && (exit == nil || !exit.NoReply) {
		v.reply(l.from, v.process.Output(x).(O))
	}
	v.carryOut()
	if exit != nil {
		v.end(exit.Reason)
	}
}

// carryOut does what the step has asked for.
func (v *Virtual[I, O]) carryOut() {
	for _, e := range v.moment.Effects() {
		switch e.Kind {
		case statemachine.EffectContinue:
			v.first = append(v.first, letter[I]{message: statemachine.Continue{Tag: e.Tag}})
		case statemachine.EffectSetTimer:
			v.timers[e.Tag] = &timer{name: e.Tag, at: v.now + int64(e.After)}
		case statemachine.EffectCancelTimer:
			delete(v.timers, e.Tag)
		case statemachine.EffectTrapExits:
			v.traps = e.On
		case statemachine.EffectReply:
			v.reply(e.From, e.Value.(O))
		}
	}
}

func (v *Virtual[I, O]) reply(to statemachine.From, out O) {
	if i := slices.Index(v.callers, to); i >= 0 {
		v.callers = slices.Delete(v.callers, i, i+1)
		v.Replied(to, out)
	}
}

// Stop ends the process: Terminate is told r.
func (v *Virtual[I, O]) Stop(r statemachine.Reason) { v.end(r) }

// Kill ends the process without its Terminate.
func (v *Virtual[I, O]) Kill(r statemachine.Reason) {
	waiting := v.callers
	v.process, v.ended, v.callers = nil, v.process, nil
	v.Exited(r, waiting)
}

func (v *Virtual[I, O]) end(r statemachine.Reason) {
	if terminate := v.process.Terminator(r); terminate != nil {
		if crash := terminate(); crash != nil {
			r = statemachine.Crash(crash)
		}
	}
	v.Kill(r)
}

// Saved returns the state, encoded in msgpack.
func (v *Virtual[I, O]) Saved() []byte {
	saved, err := v.process.Current()(nil)
	if err != nil {
		panic(err)
	}
	return saved
}

// Replace makes a state that is encoded in msgpack the process's.
func (v *Virtual[I, O]) Replace(saved []byte) {
	if err := v.process.Load(saved); err != nil {
		panic(err)
	}
	v.process.Resume()
}
