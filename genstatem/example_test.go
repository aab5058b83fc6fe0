package genstatem_test

import (
	"fmt"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/conformance/statem"
	"github.com/lineshaft/lineshaft/genstatem"
	"github.com/lineshaft/lineshaft/statemachine"
)

// light is that which drivers see at a crossing. Pedestrians walk when it is red.
type light string

const (
	green  light = "green"
	yellow light = "yellow"
	red    light = "red"
)

// lasts says how long a light stays.
var lasts = map[light]time.Duration{green: 20 * time.Second, yellow: 3 * time.Second, red: 15 * time.Second}

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
	crossing := &statem.Virtual[press, string]{
		Machine: trafficLight,
		Replied: func(to statemachine.From, out string) { fmt.Println(to, out) },
	}
	if err := crossing.Start(); err != nil {
		panic(err)
	}
	crossing.Run()
	crossing.Call(press{})
	crossing.Advance(15*time.Second, true)
	crossing.Call(press{})
	crossing.Run()
	fmt.Println("wait")
	crossing.Advance(30*time.Second, true)
	// Output:
	// 1 walk
	// wait
	// 2 walk
}
