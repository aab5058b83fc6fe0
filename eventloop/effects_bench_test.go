package eventloop_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// relay is a machine that casts the number it gets, less one, to the other of
// two, until none is left; the caller of the first is answered then.
func relay(other statemachine.To[int, int]) *statemachine.Machine[statemachine.From, int, int] {
	return &statemachine.Machine[statemachine.From, int, int]{
		Step: func(n int, from statemachine.From, fx *statemachine.Effects[int]) (statemachine.From, int) {
			if who := fx.From(); who != 0 {
				from = who
				fx.NoReply()
			}
			if n > 0 {
				other.Cast(fx, n-1)
			} else {
				fx.Reply(from, 0)
				other.Answer(fx, from, 0)
			}
			return from, 0
		},
		Input: codec.Of[int](), Output: codec.Of[int](),
	}
}

// BenchmarkMachineCast is a cast from one machine to another, and its step.
func BenchmarkMachineCast(b *testing.B) {
	l, err := eventloop.Start(eventloop.Config{Root: flat(worker("a", relay("b")), worker("b", relay("a")))})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Stop(context.Background())
	a, err := eventloop.RefTo[int, int](l, "a")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := a.Call(context.Background(), b.N+b.N%2); err != nil { // it ends where it began
		b.Fatal(err)
	}
}

// BenchmarkLinkCrash is a machine that links itself to another and has it end
// for a reason of its own, is told so, and begins again once the other was
// restarted.
func BenchmarkLinkCrash(b *testing.B) {
	const victim = statemachine.To[int, int]("victim")
	why := statemachine.Crash(errors.New("as told"))
	left, done := b.N, make(chan struct{})
	watcher := &statemachine.Machine[int, int, int]{
		Step: func(_, s int, fx *statemachine.Effects[int]) (int, int) {
			if left == 0 {
				close(done)
				return s, 0
			}
			left--
			fx.TrapExits(true)
			fx.Link("victim")
			victim.Cast(fx, 0)
			return s, 0
		},
		Message: func(statemachine.Message) int { return 0 },
		Input:   codec.Of[int](), Output: codec.Of[int](),
	}
	dies := &statemachine.Machine[int, int, int]{
		Step: func(_, s int, fx *statemachine.Effects[int]) (int, int) {
			fx.Stop(why)
			return s, 0
		},
		Input: codec.Of[int](), Output: codec.Of[int](),
	}
	l, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{Name: "root", Intensity: 1 << 30, Period: time.Second,
		Children: []supervisor.Child{worker("victim", dies), worker("watcher", watcher)}}})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Stop(context.Background())
	w, err := eventloop.RefTo[int, int](l, "watcher")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := w.Call(context.Background(), 0); err != nil {
		b.Fatal(err)
	}
	<-done
	b.StopTimer()
}

// alarms is the state of a machine that sets timers a thousand at a time.
type alarms struct {
	from       statemachine.From
	left, lots int
}

const atOnce = 1000

func alarm(n int, s alarms, fx *statemachine.Effects[int]) (alarms, int) {
	switch {
	case n < 0: // so many that stay pending
		for i := range -n {
			fx.SetTimer("far"+strconv.Itoa(i), time.Hour)
		}
		return s, 0
	case n > 0:
		s.from, s.left = fx.NoReply(), n
	default:
		s.left--
		if s.lots--; s.lots > 0 {
			return s, 0
		}
	}
	if s.left <= 0 {
		fx.Reply(s.from, 0)
		return s, 0
	}
	for s.lots = 0; s.lots < min(s.left, atOnce); s.lots++ {
		fx.SetTimer(alarmNames[s.lots], 0)
	}
	return s, 0
}

var alarmNames = func() (names [atOnce]string) {
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}()

// ticking is a machine that sets its timer anew whenever it fires, left times in
// all.
func ticking(left *int, done chan<- struct{}) *statemachine.Machine[int, int, int] {
	return &statemachine.Machine[int, int, int]{
		Step: func(_, s int, fx *statemachine.Effects[int]) (int, int) {
			if *left--; *left == 0 {
				close(done)
			}
			if *left > 0 {
				fx.SetTimer("tick", 0)
			}
			return s, 0
		},
		Message: func(statemachine.Message) int { return 0 },
		Input:   codec.Of[int](), Output: codec.Of[int](),
	}
}

// BenchmarkTimer is a timer set and fired, with a million pending: a thousand
// timers of one machine, or one of each of a thousand.
func BenchmarkTimer(b *testing.B) {
	m := &statemachine.Machine[alarms, int, int]{Step: alarm, Message: func(statemachine.Message) int { return 0 },
		Input: codec.Of[int](), Output: codec.Of[int]()}
	start := func(b *testing.B, others ...supervisor.Child) func(name statemachine.Name, n int) {
		l, err := eventloop.Start(eventloop.Config{Root: flat(append(others, worker("a", m), worker("pending", m))...)})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { l.Stop(context.Background()) })
		call := func(name statemachine.Name, n int) {
			r, err := eventloop.RefTo[int, int](l, name)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := r.Call(context.Background(), n); err != nil {
				b.Fatal(err)
			}
		}
		call("pending", -1_000_000)
		runtime.GC() // of what it took to set them
		b.ReportAllocs()
		b.ResetTimer()
		return call
	}
	b.Run("machines=1", func(b *testing.B) {
		start(b)("a", b.N)
		b.StopTimer()
	})
	b.Run("machines=1000", func(b *testing.B) {
		left, done := b.N, make(chan struct{})
		var others []supervisor.Child
		for i := range min(b.N, atOnce) {
			others = append(others, worker(statemachine.Name("t"+strconv.Itoa(i)), ticking(&left, done)))
		}
		call := start(b, others...)
		for i := range others {
			call(statemachine.Name("t"+strconv.Itoa(i)), 0)
		}
		<-done
		b.StopTimer()
	})
}
