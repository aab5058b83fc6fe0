package eventloop_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// noted is the state of the random test's machines, whatever their version.
type noted struct {
	Seen []string `json:"seen"`
}

// noting returns a version of a machine that notes what it sees, and sends some of
// it on.
func noting(version int) *statemachine.Machine[noted, string, string] {
	return &statemachine.Machine[noted, string, string]{
		Step: func(in string, s noted, fx *serverFx) (noted, string) {
			s.Seen = append(s.Seen[:len(s.Seen):len(s.Seen)], fmt.Sprintf("%d:%s", version, in))
			what, to, _ := strings.Cut(in, " ")
			switch what {
			case "crash":
				panic("crash")
			case "stop":
				fx.Stop(statemachine.Normal)
			case "cast":
				statemachine.To[string, string](to).Cast(fx, "sent")
			case "call":
				statemachine.To[string, string](to).Call(fx, "", "asked", time.Second)
			case "timer":
				fx.SetTimer("t", time.Second)
			case "continue":
				fx.Continue("c")
			}
			return s, in
		},
		Message:  func(m statemachine.Message) string { return fmt.Sprintf("%T", m) },
		ReadOnly: func(in string) bool { return in == "read" },
		Input:    codec.Of[string](), Output: codec.Of[string](), State: codec.Of[noted](),
		Version: version,
		Migrate: func(from int, saved statemachine.Saved) (noted, error) {
			s, err := statemachine.Decode(saved, codec.Of[noted]())
			s.Seen = append(s.Seen, fmt.Sprintf("from %d", from))
			return s, err
		},
	}
}

// Whatever sys does between inputs, crashes and checkpoints, a program that was
// killed goes on with the states that it had.
//
//	go test ./eventloop -run TestSysRandom -seed=123
func TestSysRandom(t *testing.T) {
	runs := 60
	for range runs {
		s := *seed
		if s == 0 {
			s = rand.Uint64()
		}
		if !t.Run(fmt.Sprint("seed=", s), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { sysRandom(t, rand.New(rand.NewPCG(s, 1))) })
		}) {
			return
		}
	}
}

func sysRandom(t *testing.T, r *rand.Rand) {
	machines := map[string]statemachine.Server{"v0": noting(0), "v1": noting(1), "v2": noting(2)}
	names := []statemachine.Name{"a", "b", "c"}
	mem := new(journal.Memory)
	cfg := eventloop.Config{Durability: eventloop.Always, Log: mem, Machines: machines, SnapshotBytes: int64(1 + r.IntN(4000)), QueueLen: 5 + r.IntN(20)}
	cfg.Root = supervisor.Supervisor{Name: "root", Intensity: 1 << 20, Strategy: supervisor.Strategy(r.IntN(3))}
	for _, n := range names {
		cfg.Root.Children = append(cfg.Root.Children, worker(n, machines["v0"]))
	}
	for range 3 { // programs, each killed
		l := start(t, cfg)
		for range 5 + r.IntN(60) {
			sysRandomOp(r, l, names)
		}
		time.Sleep(time.Minute) // for what is under way
		resumed := r.IntN(2) == 0
		for _, n := range names {
			if resumed {
				l.Resume(t.Context(), n)
			}
		}
		time.Sleep(time.Minute) // for all timers
		synctest.Wait()
		want := sysStates(t, l, names)
		mem = mem.Reopen()
		cfg.Log = mem
		again := start(t, cfg)
		time.Sleep(time.Minute)
		got := sysStates(t, again, names)
		for i := range want { // what waited for those that were not resumed was stepped at the start
			if got[i] != want[i] && (resumed || !strings.HasPrefix(got[i], strings.TrimSuffix(want[i], "]"))) {
				t.Fatalf("after kill -9:\n%s\nwant\n%s", got[i], want[i])
			}
		}
		l.Stop(context.Background())
		again.Stop(context.Background())
		mem = mem.Reopen()
		cfg.Log = mem
	}
}

func sysStates(t *testing.T, l *eventloop.Loop, names []statemachine.Name) (all []string) {
	for _, n := range names {
		s, err := eventloop.GetState[noted](t.Context(), l, n)
		if err != nil {
			t.Fatal(n, err)
		}
		status, err := l.GetStatus(t.Context(), n)
		if err != nil {
			t.Fatal(n, err)
		}
		all = append(all, fmt.Sprint(n, " ", status.Version, " ", s.Seen))
	}
	return all
}

// sysRandomOp does something with a process, and mostly does not wait for it.
func sysRandomOp(r *rand.Rand, l *eventloop.Loop, names []statemachine.Name) {
	name, other := names[r.IntN(len(names))], names[r.IntN(len(names))]
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(3000))*time.Millisecond)
	ref, err := eventloop.RefTo[string, string](l, name)
	if err != nil {
		panic(err)
	}
	n := r.IntN(100)
	do := func() {
		switch {
		case n < 20:
			ref.Call(ctx, fmt.Sprint("call ", other))
		case n < 35:
			ref.Cast(ctx, fmt.Sprint("cast ", other))
		case n < 45:
			ref.Call(ctx, []string{"timer", "continue", "read", "stop"}[n%4])
		case n < 50:
			ref.Call(ctx, "crash")
		case n < 65:
			l.Suspend(ctx, name)
		case n < 75:
			l.Resume(ctx, name)
		case n < 85:
			eventloop.ReplaceState(ctx, l, name, func(s noted) noted {
				return noted{append(s.Seen[:len(s.Seen):len(s.Seen)], fmt.Sprint("replaced at ", len(s.Seen)))}
			})
		case n < 97:
			l.ChangeCodeKey(ctx, name, fmt.Sprint("v", n%3))
		default:
			l.StopProcess(ctx, name, statemachine.Shutdown)
		}
		cancel()
	}
	if r.IntN(3) == 0 {
		do()
	} else {
		go do()
	}
	if r.IntN(4) == 0 {
		time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
	}
}
