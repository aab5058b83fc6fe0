package genevent_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/genevent"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// Event is what becomes of an alarm: Raised or Cleared.
type Event interface{ event() }

type Raised struct {
	Alarm string `json:"alarm"`
}

type Cleared struct {
	Alarm string `json:"alarm"`
}

func (Raised) event()  {}
func (Cleared) event() {}

type none = struct{}

// Active knows which alarms are raised, and answers so. When it goes it hands
// them to the handler that takes its place.
var Active = &genevent.Kind[Event, []string, none, none, []string]{
	Name: "active",
	HandleEvent: func(e Event, alarms []string, _ *genevent.Fx[Event]) []string {
		switch e := e.(type) {
		case Raised:
			if !slices.Contains(alarms, e.Alarm) {
				return append(slices.Clone(alarms), e.Alarm)
			}
		case Cleared:
			return slices.DeleteFunc(slices.Clone(alarms), func(a string) bool { return a == e.Alarm })
		}
		return alarms
	},
	HandleCall: func(_ none, alarms []string, _ *genevent.Fx[Event]) ([]string, []string) { return alarms, alarms },
	Terminate:  func(_ genevent.Why, alarms []string, _ *statemachine.Fx) []string { return alarms },
}

// Limits say which alarms are counted, and how many are too many.
type Limits struct {
	Only string `json:"only"`
	Max  int    `json:"max"`
}

type Count struct {
	Limits
	N int
}

// Counter counts an alarm, and goes when it has seen it often enough.
var Counter = &genevent.Kind[Event, Count, Limits, none, int]{
	Name: "counter",
	Init: func(s genevent.Start[Limits]) (Count, error) {
		if s.Args.Max < 1 {
			return Count{}, fmt.Errorf("a maximum of %d", s.Args.Max)
		}
		already, err := genevent.Result[[]string](s.Old) // it may take the place of one that knows some
		if err != nil {
			already = nil
		}
		return Count{s.Args, len(already)}, nil
	},
	HandleEvent: func(e Event, c Count, fx *genevent.Fx[Event]) Count {
		if r, ok := e.(Raised); ok && r.Alarm == c.Only {
			c.N++
		}
		if c.N == c.Max {
			fx.Remove()
		}
		return c
	},
	HandleCall: func(_ none, c Count, _ *genevent.Fx[Event]) (Count, int) { return c, c.N },
}

// Alarms is the manager.
var Alarms = genevent.New(genevent.Config[Event]{
	Event:    codec.Union[Event](codec.Case[Raised]("raised"), codec.Case[Cleared]("cleared")),
	Kinds:    []genevent.AnyKind[Event]{Active, Counter},
	Handlers: []genevent.AddHandler[Event]{Active.Add("", none{})},
})

// Input is what the manager is told.
type Input = genevent.Input[Event]

// An alarm manager: one handler knows what is wrong at the moment, others come
// and go.
func Example() {
	ctx := context.Background()
	loop, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{Name: "root", Children: []supervisor.Child{
		supervisor.Worker{Name: "alarms", Machine: Alarms},
	}}})
	if err != nil {
		panic(err)
	}
	defer loop.Stop(ctx)
	alarms, err := eventloop.RefTo[Input, genevent.Output](loop, "alarms")
	if err != nil {
		panic(err)
	}
	call := func(in Input) genevent.Output {
		out, err := alarms.Call(ctx, in)
		if err != nil {
			panic(err)
		}
		return out
	}

	fmt.Println(call(Counter.Add("disks", Limits{"disk", 0})).Err())
	fmt.Println(call(Counter.Add("disks", Limits{"disk", 2})).Err())
	if err := alarms.Cast(ctx, genevent.Notify[Event]{Event: Raised{"disk"}}); err != nil {
		panic(err)
	}
	call(genevent.SyncNotify[Event]{Event: Raised{"fan"}})
	fmt.Println(genevent.Result[[]string](call(Active.Call("", none{}))))
	fmt.Println(genevent.Result[int](call(Counter.Call("disks", none{}))))
	fmt.Println(call(genevent.WhichHandlers[Event]{}))
	call(genevent.SyncNotify[Event]{Event: Raised{"disk"}}) // the second: too many
	fmt.Println(genevent.Result[int](call(Counter.Call("disks", none{}))))
	fmt.Println(genevent.Result[[]string](call(genevent.DeleteHandler[Event]{Handler: Active.Handler(""), Args: "end of the shift"})))
	// Output:
	// refused: a maximum of 0
	// <nil>
	// [disk fan] <nil>
	// 1 <nil>
	// {[counter/disks active]}
	// 0 bad_module
	// [disk fan] <nil>
}
