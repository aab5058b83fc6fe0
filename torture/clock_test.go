package torture_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

const year = 365 * 24 * time.Hour

// rings is the state of a machine with timers: when each has fired.
type rings map[string][]int64

type ringInput struct {
	Do    string        `json:"do"` // once, every, now, crash, or fired
	Timer string        `json:"timer"`
	After time.Duration `json:"after"`
}

type ringOutput struct {
	Now   int64 `json:"now"`
	Rings rings `json:"rings"`
}

func newRings() *statemachine.Machine[rings, ringInput, ringOutput] {
	return &statemachine.Machine[rings, ringInput, ringOutput]{
		Step: func(in ringInput, s rings, fx *statemachine.Effects[ringOutput]) (rings, ringOutput) {
			now := fx.Now().UnixNano()
			switch in.Do {
			case "once":
				fx.SetTimer(in.Timer, in.After)
			case "every":
				fx.SetPeriodic(in.Timer, in.After)
			case "crash":
				panic(in.Do)
			case "fired":
				next := rings{}
				for name, times := range s {
					next[name] = slices.Clone(times)
				}
				next[in.Timer] = append(next[in.Timer], now)
				s = next
			}
			return s, ringOutput{now, s}
		},
		Init: func(s statemachine.Start[rings]) (rings, error) {
			if s.Saved != nil {
				return *s.Saved, nil
			}
			return rings{}, nil
		},
		Message: func(m statemachine.Message) ringInput {
			return ringInput{Do: "fired", Timer: m.(statemachine.Timeout).Timer}
		},
		Input:  codec.Of[ringInput](),
		Output: codec.Of[ringOutput](),
		State:  codec.Of[rings](),
	}
}

// clocked is an application over several lives, each with a clock of its own.
type clocked struct {
	t    *testing.T
	mem  *journal.Memory
	loop *eventloop.Loop
	cfg  eventloop.Config
}

// life runs the application while f does, on a clock that shows a time since the
// year 2000, and ends with a power cut.
func (c *clocked) life(clock time.Duration, f func()) {
	synctest.Test(c.t, func(t *testing.T) {
		<-time.After(clock)
		c.cfg.Log = c.mem
		var err error
		if c.loop, err = eventloop.Start(c.cfg); err != nil {
			t.Fatal(err)
		}
		f()
		c.mem = c.mem.Reopen()
		c.loop.Stop(context.Background())
	})
}

func (c *clocked) do(in ringInput) ringOutput {
	c.t.Helper()
	ref, err := eventloop.RefTo[ringInput, ringOutput](c.loop, "r")
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	out, err := ref.Call(ctx, in)
	if err != nil && in.Do != "crash" {
		c.t.Fatal(err)
	}
	return out
}

// TestClockJumps: however the clock jumps between two lives, the application's
// time does not go back, and what was under way goes on: a timer has what was
// left of its time, or is over, and a periodic one misses what is over.
func TestClockJumps(t *testing.T) {
	const ago = 10 * year
	for _, test := range []struct {
		jump         time.Duration
		once         time.Duration // when it fires, after the second start
		every, later int           // how often that has fired 1 ms after the second start, and 22 s later
	}{
		{0, 45 * time.Second, 1, 3},
		{-ago, 50 * time.Second, 1, 3}, // the time stands at that of the last entry: when every fired
		{20 * time.Second, 25 * time.Second, 2, 4},
		{ago, 0, 2, 4},
	} {
		c := &clocked{t: t, mem: new(journal.Memory), cfg: eventloop.Config{Durability: eventloop.Always,
			Root: supervisor.Supervisor{Name: "root", Children: []supervisor.Child{supervisor.Worker{Name: "r", Machine: newRings()}}}}}
		var last int64
		const lasts = 15 * time.Second
		c.life(ago, func() {
			c.do(ringInput{Do: "once", Timer: "once", After: time.Minute})
			c.do(ringInput{Do: "every", Timer: "every", After: 10 * time.Second})
			c.do(ringInput{Do: "crash"}) // one restart in 5 s is allowed, and one in another life
			<-time.After(lasts)
		})
		c.life(ago+lasts+test.jump, func() {
			begun := time.Now()
			<-time.After(time.Millisecond)
			first := c.do(ringInput{Do: "now"})
			c.do(ringInput{Do: "crash"})
			if got := len(first.Rings["every"]); got != test.every {
				t.Errorf("jump of %v: after the start every had fired %d times, want %d", test.jump, got, test.every)
			}
			<-time.After(22 * time.Second)
			if got := len(c.do(ringInput{Do: "now"}).Rings["every"]); got != test.later {
				t.Errorf("jump of %v: 22 s later every had fired %d times, want %d", test.jump, got, test.later)
			}
			<-time.After(test.once - time.Since(begun) - time.Second)
			if got := c.do(ringInput{Do: "now"}); len(got.Rings["once"]) != 0 && test.once > 25*time.Second {
				t.Errorf("jump of %v: once fired before its time", test.jump)
			}
			<-time.After(2 * time.Second)
			out := c.do(ringInput{Do: "now"})
			if len(out.Rings["once"]) != 1 {
				t.Errorf("jump of %v: once fired %v, want one time", test.jump, out.Rings["once"])
			}
			last = out.Now
			if err := inOrder(out); err != nil {
				t.Errorf("jump of %v: %v", test.jump, err)
			}
		})
		c.life(0, func() {
			if out := c.do(ringInput{Do: "now"}); out.Now < last {
				t.Errorf("jump of %v: the time went back to %v from %v", test.jump, time.Unix(0, out.Now), time.Unix(0, last))
			}
		})
	}
}

func inOrder(out ringOutput) error {
	for name, times := range out.Rings {
		if !slices.IsSorted(times) || times[len(times)-1] > out.Now {
			return fmt.Errorf("%s fired at %v, and it is %d", name, times, out.Now)
		}
	}
	return nil
}
