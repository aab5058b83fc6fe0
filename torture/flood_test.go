package torture_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// floods are machines that never stop asking, by what they ask for. They are
// stepped with "go", and with "" for each message.
var floods = map[string]func(in string, fx *statemachine.Effects[string]){
	"ping": func(in string, fx *statemachine.Effects[string]) {
		statemachine.To[string, string](other(fx.Self())).Cast(fx, in)
	},
	"ten casts": func(in string, fx *statemachine.Effects[string]) {
		for range 10 {
			statemachine.To[string, string](other(fx.Self())).Cast(fx, in)
		}
	},
	"ten casts to nobody": func(in string, fx *statemachine.Effects[string]) {
		for i := range 10 {
			statemachine.To[string, string](fmt.Sprint("nobody", i)).Cast(fx, in)
		}
	},
	"ten calls": func(in string, fx *statemachine.Effects[string]) {
		if in == "ask" {
			return
		}
		for range 10 {
			statemachine.To[string, string](other(fx.Self())).Call(fx, "", "ask", time.Hour)
		}
	},
	"ten calls without answer": func(in string, fx *statemachine.Effects[string]) {
		if in == "ask" {
			fx.NoReply()
		}
		for range 10 {
			statemachine.To[string, string](other(fx.Self())).Call(fx, "", "ask", time.Hour)
		}
	},
	"continue": func(in string, fx *statemachine.Effects[string]) { fx.Continue("") },
	"continue twice": func(in string, fx *statemachine.Effects[string]) {
		fx.Continue("")
		fx.Continue("")
	},
	"timers": func(in string, fx *statemachine.Effects[string]) {
		for i := range 10 {
			fx.SetTimer(fmt.Sprint(i), 0)
		}
	},
	"monitors": func(in string, fx *statemachine.Effects[string]) {
		for range 10 {
			fx.Monitor(statemachine.Name(fmt.Sprint("nobody", fx.Rand())))
		}
	},
	"exits": func(in string, fx *statemachine.Effects[string]) {
		fx.TrapExits(true)
		for range 10 {
			fx.Link(statemachine.Name(fmt.Sprint("nobody", fx.Rand())))
		}
	},
	"children": func(in string, fx *statemachine.Effects[string]) {
		for range 10 {
			supervisor.TerminateChild(fx, "", "pool", "nobody")
		}
	},
	"tasks": func(in string, fx *statemachine.Effects[string]) {
		nothing.Start(fx, "", "", statemachine.Retry{})
	},
}

var nothing = statemachine.NewTask("nothing", codec.Of[string](), codec.Of[string](),
	func(context.Context, statemachine.TaskID, string) (string, error) { return "", nil })

// other is the other one of the two who flood.
func other(name statemachine.Name) string {
	if name == "a" {
		return "b"
	}
	return "a"
}

// floodCalls is how many calls have to be answered during a flood.
const floodCalls = 200

// floodMachine is a machine that floods; what it is told is counted.
func floodMachine(flood func(string, *statemachine.Effects[string]), state codec.Codec[int], overloaded *atomic.Int64) *statemachine.Machine[int, string, string] {
	return &statemachine.Machine[int, string, string]{
		Step: func(in string, s int, fx *statemachine.Effects[string]) (int, string) {
			if m, ok := fx.Message().(statemachine.Undelivered); ok && errors.Is(m.Err, statemachine.ErrOverloaded) {
				overloaded.Add(1)
			}
			flood(in, fx)
			return s + 1, in
		},
		Message: func(statemachine.Message) string { return "" },
		Tasks:   []statemachine.AnyTask{nothing},
		Input:   codec.Of[string](), Output: codec.Of[string](), State: state,
	}
}

// savesLog counts checkpoints.
type savesLog struct {
	*journal.Memory
	saves atomic.Int64
}

func (l *savesLog) Save(u journal.Update, done func(error)) {
	l.Memory.Save(u, func(err error) {
		if err == nil {
			l.saves.Add(1)
		}
		done(err)
	})
}

// However machines flood: others are answered, the memory is bounded, journals
// are truncated, and the application ends when it is told to.
func TestFloods(t *testing.T) {
	kinds := map[string][2]codec.Codec[int]{
		"durable": {codec.Of[int](), codec.Of[int]()}, "volatile": {}, "durable to volatile": {codec.Of[int]()}, "volatile to durable": {1: codec.Of[int]()},
	}
	for name, flood := range floods {
		for kind, states := range kinds {
			for _, d := range []eventloop.Durability{eventloop.None, eventloop.Always} {
				if d == eventloop.None && kind != "volatile" || raceDetector && kind != "volatile to durable" {
					continue
				}
				t.Run(strings.ReplaceAll(fmt.Sprint(name, " ", kind, " ", d), " ", "_"), func(t *testing.T) {
					floodOnce(t, name, flood, states, d)
				})
			}
		}
	}
}

func floodOnce(t *testing.T, name string, flood func(string, *statemachine.Effects[string]), states [2]codec.Codec[int], d eventloop.Durability) {
	var overloaded atomic.Int64
	log := &savesLog{Memory: new(journal.Memory)}
	m := [2]*statemachine.Machine[int, string, string]{floodMachine(flood, states[0], &overloaded), floodMachine(flood, states[1], &overloaded)}
	quiet := floodMachine(func(string, *statemachine.Effects[string]) {}, codec.Of[int](), &overloaded)
	l, err := eventloop.Start(eventloop.Config{Durability: d, Log: log, SnapshotBytes: 1 << 12,
		Machines: map[string]statemachine.Server{"quiet": quiet},
		Root: supervisor.Supervisor{Name: "root", Intensity: 1000, Children: []supervisor.Child{
			supervisor.Worker{Name: "a", Machine: m[0], Restart: supervisor.Temporary}, supervisor.Worker{Name: "b", Machine: m[1], Restart: supervisor.Temporary},
			supervisor.Worker{Name: "c", Machine: quiet},
			supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne, Children: []supervisor.Child{supervisor.Worker{Name: "template", Machine: quiet}}},
		}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []statemachine.Name{"a", "b"} {
		if r, err := eventloop.RefTo[string, string](l, name); err == nil {
			r.Cast(context.Background(), "go")
		}
	}
	c, err := eventloop.RefTo[string, string](l, "c")
	if err != nil {
		t.Fatal(err)
	}
	before, calls := log.saves.Load(), 0
	saved := func() bool { return d == eventloop.None || log.saves.Load() > before }
	for start := time.Now(); (calls < floodCalls || !saved()) && time.Since(start) < time.Minute; calls++ {
		if _, err := c.Call(context.Background(), "x"); err != nil {
			t.Fatalf("call %d: %v", calls, err)
		}
	}
	if calls < floodCalls || !saved() {
		t.Errorf("%d calls, and %d checkpoints", calls, log.saves.Load()-before)
	}
	var mem runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&mem)
	if mem.HeapAlloc > 400<<20 {
		t.Errorf("%d MiB are in use", mem.HeapAlloc>>20)
	}
	if strings.HasPrefix(name, "ten casts") && !strings.Contains(name, "nobody") && overloaded.Load() == 0 {
		t.Error("nobody was told that there was no room")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := l.Stop(ctx); err != nil || ctx.Err() != nil {
		t.Errorf("Stop: %v, %v", err, ctx.Err())
	}
}
