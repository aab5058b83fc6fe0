package torture_test

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// body is an actor in one step.
type body struct {
	t    *troupe
	fx   *statemachine.Fx
	out  *actorFx // nil in an Init
	a    *actor
	name string
}

func (b *body) chance(n int) bool { return b.intn(n) == 0 }
func (b *body) intn(n int) int    { return int(b.fx.Rand() >> 1 % uint64(n)) }

func (b *body) tag(kind string) string {
	b.a.Next++
	return fmt.Sprintf("%s%d of %s in %x", kind, b.a.Next, b.fx.Self(), b.a.Life)
}

func (b *body) bad(format string, args ...any) {
	b.t.bad(fmt.Sprintf("%s: %s", b.name, fmt.Sprintf(format, args...)))
}

// mustContinue sees to it that nothing comes before what it is to continue with.
func (b *body) mustContinue(msg statemachine.Message) {
	c, is := msg.(statemachine.Continue)
	switch must := b.a.Must; {
	case is && (len(must) == 0 || must[0] != c.Tag):
		b.bad("continued with %q, where it was to with %q", c.Tag, must)
	case is:
		b.a.Must = slices.Clone(must[1:])
	case len(must) > 0:
		b.bad("was to continue with %q, and got %T", must, msg)
	}
}

// do does what an input says.
func (b *body) do(in cue) {
	switch in.Do {
	case "go":
		for range 1 + b.intn(3) {
			b.something(in.TTL)
		}
		if b.chance(12) {
			b.end()
		}
	case "cast": // one of a row
		key := in.From
		forgets := strings.Contains(key, ",") // one of the two
		if got := b.a.Got[key]; in.Seq != got+1 && !(in.Seq > got && (b.t.lossy || forgets)) {
			b.bad("cast %d of %s came behind %d", in.Seq, key, got)
		}
		b.a.Got = with(b.a.Got, key, in.Seq)
		if in.TTL > 0 && b.chance(2) {
			b.something(in.TTL - 1)
		}
	case "noise":
		if b.chance(10) {
			b.end()
		}
		b.something(in.TTL - 1)
	case "ask":
		b.asked(in)
	case "answer": // for another
		statemachine.To[cue, says](in.From).Answer(b.fx, in.Who, says{Tag: in.Tag})
	case "stop":
		b.fx.Stop(statemachine.Normal)
	}
}

// asked answers a call: at once, later, or has another answer it.
func (b *body) asked(in cue) {
	switch b.intn(6) {
	case 0:
		from := b.out.NoReply()
		b.a.Waiting = with(b.a.Waiting, in.Tag, from)
	case 1:
		if from := b.out.NoReply(); from != 0 {
			statemachine.To[cue, says](b.someone()).Cast(b.fx, cue{Do: "answer", From: b.name, Who: from, Tag: in.Tag})
		}
	case 2:
		b.out.Reply(b.out.From(), says{Tag: in.Tag})
	case 3:
		b.something(in.TTL - 1)
	}
}

// end ends the process, or sees to it that it will.
func (b *body) end() {
	switch b.intn(5) {
	case 0:
		panic("an actor panics")
	case 1:
		runtime.Goexit()
	case 2:
		b.fx.Stop(statemachine.ShutdownWith(errors.New("enough")))
	case 3:
		b.fx.StopNoReply(statemachine.Crash(fmt.Errorf("sick of %w", statemachine.ErrConflict)))
	default:
		b.fx.Stop(statemachine.Shutdown)
	}
}

func (b *body) someone() string {
	names := b.t.names
	return string(names[b.intn(len(names))])
}

// something asks for one thing.
func (b *body) something(ttl int) {
	if ttl < 0 {
		return
	}
	to := b.someone()
	switch b.intn(16) {
	case 0, 1, 2:
		b.cast(to, ttl)
	case 3, 4:
		b.call(to, ttl)
	case 5:
		statemachine.To[cue, says](to).Cast(b.fx, cue{Do: "noise", TTL: ttl - 1})
	case 6:
		b.setTimer()
	case 7:
		b.otherTimer()
	case 8:
		b.tick()
	case 9:
		b.watch(to)
	case 10:
		b.link(to)
	case 11:
		b.goOn()
	case 12:
		b.task()
	case 13:
		b.answerOne()
	case 14:
		b.child()
	case 15:
		b.crashes(to)
	}
}

// crashes tries what fails, and goes on.
func (b *body) crashes(to string) {
	before := *b.a
	b.fx.Try("part", func() {
		b.cast(to, 0)
		b.goOn()
		b.fx.SetPeriodic("never", 0)
	})
	*b.a = before
	statemachine.To[int, says](to).Cast(b.fx, 7) // not what it takes
}

func (b *body) cast(to string, ttl int) {
	if mayBeDown(to) {
		statemachine.To[cue, says](to).Cast(b.fx, cue{Do: "noise", TTL: ttl - 1})
		return
	}
	key := string(b.fx.Self())
	if isVolatile(key) || isVolatile(to) || mayBeDown(key) { // who forget
		key = fmt.Sprintf("%s, %x", key, b.a.Life)
	}
	b.a.Sent = with(b.a.Sent, to, b.a.Sent[to]+1)
	statemachine.To[cue, says](to).Cast(b.fx, cue{Do: "cast", From: key, Seq: b.a.Sent[to], TTL: ttl - 1})
}

func (b *body) call(to string, ttl int) {
	tag := b.tag("call")
	b.a.Calls = with(b.a.Calls, tag, to)
	statemachine.To[cue, says](to).Call(b.fx, tag, cue{Do: "ask", Tag: tag, TTL: ttl - 1}, time.Duration(1+b.intn(300))*time.Millisecond)
}

func (b *body) setTimer() {
	name, after := b.tag("timer"), time.Duration(b.intn(100))*time.Millisecond
	b.a.Timers = with(b.a.Timers, name, b.fx.Now().Add(after).UnixNano())
	b.fx.SetTimer(name, after)
}

// otherTimer cancels or replaces one.
func (b *body) otherTimer() {
	names := slices.Sorted(maps.Keys(b.a.Timers))
	if len(names) == 0 {
		return
	}
	name := names[b.intn(len(names))]
	if b.chance(2) {
		b.fx.CancelTimer(name)
		b.a.Timers = without(b.a.Timers, name)
		return
	}
	after := time.Duration(b.intn(200)) * time.Millisecond
	b.a.Timers = with(b.a.Timers, name, b.fx.Now().Add(after).UnixNano())
	b.fx.SetTimer(name, after)
}

func (b *body) tick() {
	if len(b.a.Ticks) > 3 {
		return
	}
	name := b.tag("tick")
	b.a.Ticks = with(b.a.Ticks, name, int64(1+b.intn(5)))
	b.fx.SetPeriodic(name, time.Duration(1+b.intn(20))*time.Millisecond)
}

func (b *body) watch(to string) {
	if b.a.Watches[to] && b.chance(2) {
		b.fx.Demonitor(statemachine.Name(to))
		b.a.Watches = without(b.a.Watches, to)
		return
	}
	b.fx.Monitor(statemachine.Name(to))
	b.a.Watches = with(b.a.Watches, to, true)
}

func (b *body) link(to string) {
	switch b.intn(4) {
	case 0:
		b.fx.TrapExits(b.chance(2))
	case 1:
		b.fx.Unlink(statemachine.Name(to))
	default:
		b.fx.Link(statemachine.Name(to))
	}
}

func (b *body) goOn() {
	for range 1 + b.intn(2) {
		tag := b.tag("continue")
		b.a.Must = append(slices.Clone(b.a.Must), tag)
		b.fx.Continue(tag)
	}
}

func (b *body) task() {
	if tags := slices.Sorted(maps.Keys(b.a.Tasks)); len(tags) > 0 && b.chance(4) {
		tag := tags[b.intn(len(tags))]
		b.t.tasks[0].Cancel(b.fx, tag)
		b.a.Tasks = without(b.a.Tasks, tag)
		return
	}
	tag := b.tag("task")
	how := []string{"ok", "slow", "slow", "fail", "panic", "goexit"}[b.intn(6)]
	b.a.Tasks = with(b.a.Tasks, tag, true)
	b.t.tasks[0].Start(b.fx, tag, how+" "+tag, statemachine.Retry{Tries: b.intn(3), Backoff: time.Duration(b.intn(20)) * time.Millisecond})
}

func (b *body) answerOne() {
	tags := slices.Sorted(maps.Keys(b.a.Waiting))
	if len(tags) > 0 && b.out != nil {
		tag := tags[b.intn(len(tags))]
		b.out.Reply(b.a.Waiting[tag], says{Tag: tag})
		b.a.Waiting = without(b.a.Waiting, tag)
	}
}

func (b *body) child() {
	tag := b.tag("ask")
	child := statemachine.Name(fmt.Sprint("p", 1+b.intn(3)))
	b.a.Asks = with(b.a.Asks, tag, true)
	switch b.intn(3) {
	case 0:
		supervisor.TerminateChild(b.fx, tag, "pool", child)
	case 1:
		supervisor.RestartChild(b.fx, tag, "root", "t")
	default:
		supervisor.StartChild(b.fx, tag, "pool", supervisor.Worker{Name: child})
	}
}

// hear checks that a message is one that was to come.
func (b *body) hear(m statemachine.Message) {
	a := b.a
	switch m := m.(type) {
	case statemachine.Reply:
		out, err := statemachine.To[cue, says](m.Name).Output(m)
		switch who, ok := a.Calls[m.Tag]; {
		case !ok:
			b.bad("a reply to no call, or a second one: %s %v", m.Tag, err)
		case who != string(m.Name) || err == nil && out.Tag != m.Tag:
			b.bad("the reply to %s of %s is %s of %s", m.Tag, who, out.Tag, m.Name)
		}
		a.Calls = without(a.Calls, m.Tag)
	case statemachine.Timeout:
		b.rang(m.Timer)
	case statemachine.TaskDone:
		if _, ok := a.Tasks[m.Tag]; !ok {
			b.bad("the end of a task that was not started, or a second one: %s", m.Tag)
		}
		b.t.done(string(m.ID), m.Tag)
		a.Tasks = without(a.Tasks, m.Tag)
	case statemachine.MonitorDown:
		if !a.Watches[string(m.Name)] {
			b.bad("told of the end of %s, which it does not watch", m.Name)
		}
		a.Watches = without(a.Watches, string(m.Name))
	case statemachine.Undelivered:
		if !mayBeDown(string(m.To)) && !b.t.lossy && !errors.Is(m.Err, statemachine.ErrInput) && !errors.Is(m.Err, statemachine.ErrStopping) {
			b.bad("a cast to %s was not delivered: %v", m.To, m.Err)
		}
	case statemachine.ChildReply:
		if !a.Asks[m.Tag] {
			b.bad("a supervisor's answer to no question: %s %v", m.Tag, m.Err)
		}
		a.Asks = without(a.Asks, m.Tag)
	}
	if b.chance(4) {
		b.something(1)
	}
}

func (b *body) rang(name string) {
	a := b.a
	if left, ok := a.Ticks[name]; ok {
		a.Ticks = with(a.Ticks, name, left-1)
		if left <= 1 {
			b.fx.CancelTimer(name)
			a.Ticks = without(a.Ticks, name)
		}
		return
	}
	at, ok := a.Timers[name]
	switch now := b.fx.Now().UnixNano(); {
	case !ok:
		b.bad("%s fired, which is not set", name)
	case now < at:
		b.bad("%s fired at %d, and was set for %d", name, now, at)
	}
	a.Timers = without(a.Timers, name)
}
