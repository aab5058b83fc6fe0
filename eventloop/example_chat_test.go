package eventloop_test

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// A chat room casts what is said to its members, which are processes too, and
// monitors them: who ends has left.

type roomInput interface{ roomInput() } // join, say or left
type join struct {
	Who statemachine.Name `json:"who"`
}
type say struct {
	Who  statemachine.Name `json:"who"`
	Text string            `json:"text"`
}
type left struct {
	Who statemachine.Name `json:"who"`
}

func (join) roomInput() {}
func (say) roomInput()  {}
func (left) roomInput() {}

// members are those in the room; a set that is copied before it changes.
type members map[statemachine.Name]bool

func room(in roomInput, there members, fx *statemachine.Effects[int]) (members, int) {
	there = maps.Clone(there)
	if there == nil {
		there = members{}
	}
	text := ""
	switch in := in.(type) {
	case join:
		there[in.Who] = true
		fx.Monitor(in.Who)
		text = string(in.Who) + " is here"
	case say:
		text = string(in.Who) + ": " + in.Text
	case left:
		delete(there, in.Who)
		text = string(in.Who) + " has left"
	}
	for _, who := range slices.Sorted(maps.Keys(there)) { // in an order that a replay has too
		statemachine.To[string, []string](who).Cast(fx, text)
	}
	return there, len(there)
}

var chatRoom = &statemachine.Machine[members, roomInput, int]{
	Step: room,
	Message: func(m statemachine.Message) roomInput {
		if down, ok := m.(statemachine.MonitorDown); ok {
			return left{down.Name}
		}
		return left{} // of nothing else that it asks for, there is an answer
	},
	Input:  codec.Union[roomInput](codec.Case[join]("join"), codec.Case[say]("say"), codec.Case[left]("left")),
	Output: codec.Of[int](), State: codec.Of[members](),
}

// A member remembers what it has heard; the empty input asks for it.
var member = &statemachine.Machine[[]string, string, []string]{
	Step: statemachine.Pure(func(in string, heard []string) ([]string, []string) {
		if in == "" {
			return heard, heard
		}
		return append(slices.Clip(heard), in), nil
	}),
	Input: codec.Of[string](), Output: codec.Of[[]string](),
}

// Machines that cast to each other, and monitor each other: a chat room.
func Example_chatRoom() {
	ctx := context.Background()
	loop, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{Name: "chat", Children: []supervisor.Child{
		supervisor.Worker{Name: "room", Machine: chatRoom},
		supervisor.Worker{Name: "ann", Machine: member, Restart: supervisor.Temporary},
		supervisor.Worker{Name: "bob", Machine: member, Restart: supervisor.Temporary},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer loop.Stop(ctx)
	chat, _ := eventloop.RefTo[roomInput, int](loop, "room")
	chat.Call(ctx, join{"ann"})
	chat.Call(ctx, join{"bob"})
	chat.Call(ctx, say{"bob", "hello"})
	loop.Kill(ctx, "bob")
	n, _ := chat.Call(ctx, say{"ann", "bob?"})
	fmt.Println(n, "in the room")

	ann, _ := eventloop.RefTo[string, []string](loop, "ann")
	heard, _ := ann.Call(ctx, "")
	for _, line := range heard {
		fmt.Println(line)
	}
	// Output:
	// 1 in the room
	// ann is here
	// bob is here
	// bob: hello
	// bob has left
	// ann: bob?
}
