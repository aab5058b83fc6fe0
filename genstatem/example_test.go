package genstatem_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/genstatem"
	"github.com/lineshaft/lineshaft/supervisor"
)

// light is that which drivers see at a crossing. Pedestrians walk when it is red.
type light string

const (
	green  light = "green"
	yellow light = "yellow"
	red    light = "red"
)

// lasts says how long a light stays; a real one takes a thousand times as long.
var lasts = map[light]time.Duration{green: 40 * time.Millisecond, yellow: 5 * time.Millisecond, red: 30 * time.Millisecond}

// press is the press of a button, and the end of a light.
type press struct{}

type (
	lightEvent   = genstatem.Event[press]
	lightEffects = genstatem.Effects[press, string]
	lightState   = genstatem.Callback[light, int, press, string]
)

// then returns the callback of a light in which who presses the button waits.
func then(next light) lightState {
	return func(ev lightEvent, now light, walked int, fx *lightEffects) (light, int) {
		if ev.Type == genstatem.StateTimeout {
			return next, walked
		}
		fx.Postpone() // until it is red
		return now, walked
	}
}

// trafficLight counts who has walked.
var trafficLight = genstatem.New(genstatem.Machine[light, int, press, string]{
	Init: func(*lightEffects) (light, int, error) { return red, 0, nil },
	Enter: func(_, now light, walked int, fx *lightEffects) int {
		fx.SetTimeout(genstatem.StateTimeout, lasts[now], press{})
		return walked
	},
	States: map[light]lightState{
		green:  then(yellow),
		yellow: then(red),
		red: func(ev lightEvent, now light, walked int, fx *lightEffects) (light, int) {
			if ev.Type == genstatem.StateTimeout {
				return green, walked
			}
			fx.Reply(ev.From, "walk")
			return now, walked + 1
		},
	},
	Event: codec.Of[press](),
	Reply: codec.Of[string](),
})

func Example() {
	loop, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{
		Name:     "crossing",
		Children: []supervisor.Child{supervisor.Worker{Name: "light", Machine: trafficLight}},
	}})
	if err != nil {
		panic(err)
	}
	crossing, err := eventloop.RefTo[press, string](loop, "light")
	if err != nil {
		panic(err)
	}
	for range 3 { // while it is red, or it waits until it is
		fmt.Println(crossing.Call(context.Background(), press{}))
	}
	loop.Stop(context.Background())
	// Output:
	// walk <nil>
	// walk <nil>
	// walk <nil>
}
