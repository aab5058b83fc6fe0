package statemachine

import "time"

// Effects is a step's only connection to the world. Everything that it answers
// belongs to the entry that is being stepped, so that a replay of the journal
// gets the same answers. What it is asked to do it only records: it is done, in
// that order, once the step has returned, and not at all if the step crashes. A
// read-only input must ask for nothing: that is a crash.
//
// It is valid until the step returns, and only on the step's own goroutine.
type Effects[O any] struct{ Fx }

// NoReply keeps the caller waiting: the output that this step returns is
// ignored, and the caller is answered by a later Reply to what NoReply returns,
// or by another process (To.Answer). Whoever is not answered when the life of
// this process ends gets an *ExitError; so does a machine that has called it when
// the program has ended meanwhile. Zero: nobody waits for an output, since the
// input is a cast's, or a message. OTP: noreply, and From.
func (fx *Effects[O]) NoReply() From {
	fx.moment.noReply, fx.moment.touched = true, true
	return fx.moment.from
}

// Reply answers a caller of this process, who waits since an earlier step, or
// this one, called NoReply. The first reply wins, and the output that a step
// returns is its last; one to nobody, which zero is too, is dropped. OTP:
// gen_server:reply/2.
func (fx *Effects[O]) Reply(to From, out O) {
	fx.Record(Effect{Kind: EffectReply, Name: fx.name, From: to, Value: out})
}

// From is a caller that waits for its reply. It can be kept in any state and
// sent to other processes; it means nothing any more when the caller has its
// reply or has gone, or when the life of the process that was called has ended.
// Zero is nobody.
type From uint64

// Recorder is what effects are recorded in: an *Effects[O] or an *Fx.
type Recorder interface {
	// Record records an effect. It panics if the effect is none that can be
	// carried out, which crashes the step: see Fx.Record.
	Record(Effect)

	spares() *spares
}

// Fx is all of [Effects] that has nothing to do with the type of the outputs.
// An Init gets it, in its [Start]; what is said of steps is true of Inits: one
// that fails has asked for nothing.
//
// Names of timers and tags may be any strings, of any length, the empty one too.
// A name that no process can have, such as one longer than [MaxNameBytes], is
// that of a process that is not there: each method says what that leads to.
type Fx struct {
	moment *Moment
	name   Name
	tasks  *[]AnyTask // those of the machine
}

// Self returns the name of the process.
func (fx *Fx) Self() Name { return fx.name }

// Now returns the time of the entry, in UTC: the same however often it is asked
// within one step, never before that of an earlier entry. For a journaled input it is
// the time at which its batch was appended.
func (fx *Fx) Now() time.Time { return time.Unix(0, fx.moment.now()).UTC() }

// Rand returns the next of a sequence of evenly distributed numbers that is
// decided by the entry. It is not fit for secrets.
func (fx *Fx) Rand() uint64 { return fx.moment.rand() }

// Stop ends the process once the step has returned, because of r: normal, a
// shutdown, or an error of its own, made with Crash. Its output is still the
// reply. Terminate is told r and the state that the step returned; then the
// supervisor does what the restart type says. An Init that calls it crashes: it
// can return an error. OTP: {stop, Reason, Reply, State}.
func (fx *Fx) Stop(r Reason) { fx.moment.stop(Stop{Reason: r}) }

// StopNoReply is Stop without a reply: the caller gets an *ExitError. OTP:
// {stop, Reason, State}.
func (fx *Fx) StopNoReply(r Reason) { fx.moment.stop(Stop{Reason: r, NoReply: true}) }

// Continue gives the process the message Continue{tag} before anything else
// that it is sent. Asked for more than once, it comes as often, in that order.
// The step of a Continue may ask for another. OTP: {continue, Tag}.
func (fx *Fx) Continue(tag string) { fx.Record(Effect{Kind: EffectContinue, Tag: tag}) }

// SetTimer gives the process the message Timeout{name} once after has passed,
// counted from Now. It takes the place of the timer of that name, if there is
// one. A negative after counts as zero, which is not at once: what is in the
// queue already may come first. OTP: erlang:start_timer/3.
func (fx *Fx) SetTimer(name string, after time.Duration) {
	fx.Record(Effect{Kind: EffectSetTimer, Tag: name, After: after})
}

// SetPeriodic is SetTimer again and again, every time that so much has passed.
// It panics unless every is positive. OTP: timer:send_interval/2.
func (fx *Fx) SetPeriodic(name string, every time.Duration) {
	fx.Record(Effect{Kind: EffectSetPeriodic, Tag: name, After: every})
}

// CancelTimer removes the timer of that name, if there is one. Its Timeout does
// not come any more, even if it was due. OTP: erlang:cancel_timer/1.
func (fx *Fx) CancelTimer(name string) { fx.Record(Effect{Kind: EffectCancelTimer, Tag: name}) }

// Monitor gives the process the message MonitorDown once the process called
// name ends, or at once, with the reason [NoProcess], if there is none. Of one
// process there is one monitor: a second Monitor before that is no other. A
// supervisor counts as none, here and for Link. OTP: erlang:monitor/2.
func (fx *Fx) Monitor(name Name) { fx.Record(Effect{Kind: EffectMonitor, Name: name}) }

// Demonitor takes back Monitor: its MonitorDown does not come any more. OTP:
// erlang:demonitor/2 with flush.
func (fx *Fx) Demonitor(name Name) { fx.Record(Effect{Kind: EffectDemonitor, Name: name}) }

// Link ties the process and that called name: if one ends, so does the other,
// for the same reason, unless that is normal. One that traps exits is told
// instead, of a normal end too, by the message Exit. If there is no such process,
// it is as if that had ended for the reason [NoProcess]. OTP: link/1.
func (fx *Fx) Link(name Name) { fx.Record(Effect{Kind: EffectLink, Name: name}) }

// Unlink takes back Link, whoever of the two asked for it. OTP: unlink/1.
func (fx *Fx) Unlink(name Name) { fx.Record(Effect{Kind: EffectUnlink, Name: name}) }

// TrapExits says whether the end of a linked process is the message Exit, or
// the end of this one too, as it is at first. OTP: process_flag(trap_exit, on).
func (fx *Fx) TrapExits(on bool) { fx.Record(Effect{Kind: EffectTrapExits, On: on}) }

// Report has a crash that the machine has survived, as Try returns it, told to
// those who watch over the application, as one that ends a process is. OTP: an
// error report.
func (fx *Fx) Report(crash *CrashError) { fx.Record(Effect{Kind: EffectReport, Value: crash}) }

// Record records e; all other methods that ask for something call it. A Reply
// to nobody is not recorded, a negative After counts as zero, a Call without one
// has DefaultCallTimeout. Record panics if e is a SetPeriodic without a positive
// After, the start of a task that Machine.Tasks lacks or with an argument that
// is not the task's, a Report of no crash, or of no known Kind.
func (fx *Fx) Record(e Effect) {
	e.After = max(e.After, 0)
	switch {
	case e.Kind == 0 || e.Kind > effectLast:
		panic("an effect of no known kind: " + e.String())
	case e.Kind == EffectReply && e.From == 0:
		return
	case e.Kind == EffectSetPeriodic && e.After == 0:
		panic("the period of a timer is not positive: " + e.String())
	case e.Kind == EffectContinue:
		fx.moment.hide = true
	case e.Kind == EffectCall && e.After == 0:
		e.After = DefaultCallTimeout
	case e.Kind == EffectStartTask:
		fx.mustHave(e)
	case e.Kind == EffectReport:
		if crash, ok := e.Value.(*CrashError); !ok || crash == nil {
			panic("what is reported is no crash: " + e.String())
		}
	}
	fx.moment.effects, fx.moment.touched = append(fx.moment.effects, e), true
}

func (fx *Fx) spares() *spares { return &fx.moment.spares }

// mustHave sees to it that the task that e starts can be found again after a
// restart of the program.
func (fx *Fx) mustHave(e Effect) {
	switch t := findTask(*fx.tasks, string(e.Name)); {
	case t == nil:
		panic("Machine.Tasks lacks what is started: " + e.String())
	case !t.takes(e.Value):
		panic("the argument is not of the task's type: " + e.String())
	}
}
