package statemachine_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// A door that closes by itself: the timer's message is an input too.
func ExampleEffects() {
	door := &statemachine.Machine[bool, string, string]{
		Step: func(in string, open bool, fx *statemachine.Effects[string]) (bool, string) {
			switch in {
			case "open":
				fx.SetTimer("close", 10*time.Second)
				return true, "opened"
			case "late":
				return false, ""
			}
			return open, fmt.Sprintf("open: %v", open)
		},
		Message: func(m statemachine.Message) string {
			if m == (statemachine.Timeout{Timer: "close"}) {
				return "late"
			}
			return ""
		},
		Input:  codec.Of[string](),
		Output: codec.Of[string](),
	}
	// What a loop does:
	moment := statemachine.NewMoment(func() int64 { return 0 }, nil)
	process := door.New("door", moment).(statemachine.Port[string, string])
	process.Init()
	step := func(in string) {
		moment.Set(0, 1)
		out, _ := process.StepIn(in)
		fmt.Println(out, moment.Effects())
	}
	step("open")
	step("look")
	x, _, _ := process.FromMessage(statemachine.Timeout{Timer: "close"})
	process.Step(x)
	step("look")
	// Output:
	// opened [set_timer "close"]
	// open: true []
	// open: false []
}

// A barrier that answers its callers when three are there.
func ExampleEffects_NoReply() {
	barrier := &statemachine.Machine[[]statemachine.From, string, string]{
		Step: func(_ string, waiting []statemachine.From, fx *statemachine.Effects[string]) ([]statemachine.From, string) {
			all := append(waiting[:len(waiting):len(waiting)], fx.NoReply())
			if len(all) < 3 {
				return all, ""
			}
			for i, from := range all {
				fx.Reply(from, fmt.Sprintf("you are number %d", i+1))
			}
			return nil, ""
		},
		Input:  codec.Of[string](),
		Output: codec.Of[string](),
	}
	moment := statemachine.NewMoment(func() int64 { return 0 }, nil)
	process := barrier.New("barrier", moment).(statemachine.Port[string, string])
	process.Init()
	for caller := range statemachine.From(3) {
		moment.Set(0, 1)
		moment.SetFrom(100 + caller)
		process.StepIn("wait")
		for _, e := range moment.Effects() {
			fmt.Println(e.Kind, e.From, e.Value)
		}
	}
	// Output:
	// reply 100 you are number 1
	// reply 101 you are number 2
	// reply 102 you are number 3
}

// An order asks the stock, whose answer is an input like any other.
func ExampleTo() {
	const stock = statemachine.To[string, int]("stock")
	order := &statemachine.Machine[string, string, string]{
		Step: func(in string, said string, fx *statemachine.Effects[string]) (string, string) {
			if r, ok := fx.Message().(statemachine.Reply); ok {
				n, err := stock.Output(r)
				return fmt.Sprintf("%s: %d, %v", r.Tag, n, err), ""
			}
			if in != "look" {
				stock.Call(fx, in, "how many "+in, time.Second)
			}
			return said, said
		},
		Message: func(statemachine.Message) string { return "" },
		Input:   codec.Of[string](),
		Output:  codec.Of[string](),
	}
	moment := statemachine.NewMoment(func() int64 { return 0 }, nil)
	process := order.New("order", moment).(statemachine.Port[string, string])
	process.Init()
	moment.Set(0, 1)
	process.StepIn("belts")
	asked := moment.Effects()[0]
	fmt.Println(asked, asked.Input())
	x, _, _ := process.FromMessage(statemachine.NewReply(asked.Tag, asked.Name, 12, nil))
	process.Step(x)
	moment.Set(0, 2)
	fmt.Println(process.StepIn("look"))
	// Output:
	// call stock "belts" how many belts
	// belts: 12, <nil> <nil>
}

// Blocking work is a task's.
func ExampleTask() {
	type letter struct{ To, Text string }
	send := statemachine.NewTask("send", codec.Of[letter](), codec.Of[string](),
		func(ctx context.Context, id statemachine.TaskID, in letter) (string, error) {
			return fmt.Sprintf("%s was told %q", in.To, in.Text), nil // what may take its time
		})
	post := &statemachine.Machine[int, letter, int]{
		Step: func(in letter, sent int, fx *statemachine.Effects[int]) (int, int) {
			if done, ok := fx.Message().(statemachine.TaskDone); ok {
				fmt.Println(send.Result(done))
				return sent + 1, 0
			}
			send.Start(fx, in.To, in, statemachine.Retry{Tries: 5, Backoff: time.Second, Max: time.Minute})
			return sent, sent
		},
		Message: func(statemachine.Message) letter { return letter{} },
		Tasks:   []statemachine.AnyTask{send},
		Input:   codec.Of[letter](),
		Output:  codec.Of[int](),
	}
	// What a loop does:
	moment := statemachine.NewMoment(func() int64 { return 0 }, nil)
	process := post.New("post", moment).(statemachine.Port[letter, int])
	process.Init()
	moment.Set(0, 1)
	process.StepIn(letter{"Ada", "the shaft turns"})
	for _, e := range moment.Effects() {
		fmt.Println(e)
		process.Task(string(e.Name)).Do(context.Background(), "1", e.Value, func(result any, err error) {
			x, _, _ := process.FromMessage(statemachine.NewTaskDone(e.Tag, string(e.Name), "1", result, err))
			process.Step(x)
		})
	}
	// Output:
	// start_task send "Ada"
	// Ada was told "the shaft turns" <nil>
}

// States that an older program saved, a list of words, become a count of them.
func ExampleDecode() {
	words := &statemachine.Machine[map[string]int, string, int]{
		Step: statemachine.Pure(func(word string, counts map[string]int) (map[string]int, int) {
			return counts, counts[word]
		}),
		Input:   codec.Of[string](),
		Output:  codec.Of[int](),
		State:   codec.Of[map[string]int](),
		Version: 1,
		Migrate: func(from int, saved statemachine.Saved) (map[string]int, error) {
			old, err := statemachine.Decode(saved, codec.Of[[]string]())
			counts := map[string]int{}
			for _, word := range old {
				counts[word]++
			}
			return counts, err
		},
	}
	saved, _ := codec.Of[[]string]().Append(nil, codec.Msgpack, []string{"shaft", "belt", "shaft"})
	process := words.New("words", statemachine.NewMoment(func() int64 { return 0 }, nil)).(statemachine.Port[string, int])
	fmt.Println(process.Load(saved), process.Init())
	fmt.Println(process.StepIn("shaft"))
	// Output:
	// <nil> <nil>
	// 2 <nil>
}
