package machinetest

import (
	"container/list"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// task is one that the machines of these tests may start.
var task = statemachine.NewTask("task", codec.Of[int](), codec.Of[int](),
	func(_ context.Context, _ statemachine.TaskID, n int) (int, error) { return n, nil })

const another = statemachine.To[input, output]("another")

// asks returns a machine whose steps ask for what ask says.
func asks(ask func(in input, n int, fx fx)) *machine[int] {
	m := of(func(in input, n int, fx fx) (int, output) {
		ask(in, n, fx)
		return n + 1, output{N: n}
	})
	m.Tasks = []statemachine.AnyTask{task}
	return m
}

func named(key string) func(statemachine.Message) input {
	return func(m statemachine.Message) input { return input{Key: key, N: len(fmt.Sprint(m))} }
}

// messages returns a machine that makes inputs of messages so.
func messages(f func(statemachine.Message) input) *machine[int] {
	m := asks(func(_ input, _ int, fx fx) { fx.Continue("more") })
	m.Message = f
	return m
}

func TestCatchesWhatEffectsShow(t *testing.T) {
	reused := &input{}
	steps := 0
	askingInit := of(counter)
	askingInit.Init = func(start statemachine.Start[int]) (int, error) {
		start.Fx.SetTimer("timer", time.Duration(rand.Int64N(1<<40)))
		return 0, nil
	}
	stoppingInit := of(counter)
	stoppingInit.Init = func(start statemachine.Start[int]) (int, error) {
		start.Fx.Stop(statemachine.Shutdown)
		return 0, nil
	}
	reads := of(func(in input, n int, fx fx) (int, output) {
		fx.NoReply()
		return n, output{}
	})
	reads.ReadOnly = func(in input) bool { return in.Ask }
	for _, test := range []struct {
		name string
		find func(*testing.T) []Problem
		rule Rule
		text string
	}{
		{"random timer", find(asks(func(_ input, _ int, fx fx) { fx.SetTimer("timer", time.Duration(rand.Int64N(1<<40))) })), Deterministic, "other effects"},
		{"random reply", find(asks(func(_ input, _ int, fx fx) { fx.Reply(1, output{N: rand.Int()}) })), Deterministic, "other effects"},
		{"random stop", find(asks(func(_ input, _ int, fx fx) {
			if rand.IntN(2) == 0 {
				fx.Stop(statemachine.Shutdown)
			}
		})), Deterministic, "other effects"},
		{"order of a map", find(asks(func(_ input, _ int, fx fx) {
			for tag := range map[string]bool{"a": true, "b": true, "c": true} {
				fx.Continue(tag)
			}
		})), Deterministic, "other effects"},
		{"timer of the clock", find(asks(func(_ input, _ int, fx fx) { fx.SetTimer("timer", time.Duration(time.Now().Year())) })), NoClock, "other effects"},
		{"effects of reads", find(reads), ReadOnly, "asks for effects"},
		{"input sent on and changed", find(asks(func(in input, n int, fx fx) {
			reused.N = n
			statemachine.To[*input, output]("another").Cast(fx, reused)
		})), Pure, "asked for has changed"},
		{"lost in the encoding", find(forgets()), Restored, "other effects"},
		{"random Init", find(askingInit), Init, "other effects"},
		{"Init that stops", find(stoppingInit), Init, "asked its process to stop"},
		{"panicking Message", find(messages(func(m statemachine.Message) input {
			return input{Key: m.(statemachine.Continue).Tag}
		})), Message, "a panic"},
		{"Message that panics of what was asked for", find(messages(func(m statemachine.Message) input {
			if m == (statemachine.Continue{Tag: "more"}) {
				panic("more")
			}
			return input{}
		})), Message, "a panic: more"},
		{"random Message", find(messages(func(statemachine.Message) input { return input{N: rand.Int()} })), Deterministic, "makes another input"},
		{"steps of messages", find(messagesStepped(&steps)), Deterministic, "another output"},
	} {
		t.Run(test.name, func(t *testing.T) { assertFound(t, test.find(t), test.rule, test.text) })
	}
}

// forgets returns a machine whose state's codec puts a queue in order, and which
// asks in the queue's order.
func forgets() *machine[*list.List] {
	return saved(of(func(in input, s *list.List, fx fx) (*list.List, output) {
		next, _ := queues(in, s, fx)
		for e := next.Front(); e != nil; e = e.Next() {
			fx.Continue(fmt.Sprint(e.Value))
		}
		return next, output{}
	}), codec.Convert(codec.Of[[]int](), sorted, queue))
}

// messagesStepped returns a machine that misbehaves only in the step of a message.
func messagesStepped(steps *int) *machine[int] {
	m := of(func(in input, n int, fx fx) (int, output) {
		if in.Key == "timeout" {
			*steps++
			return n, output{N: *steps}
		}
		fx.SetTimer("timer", time.Second)
		return n, output{}
	})
	m.Message = named("timeout")
	return m
}

func TestPassesWithEffects(t *testing.T) {
	m := saved(asks(func(in input, n int, fx fx) {
		from := fx.NoReply()
		fx.Reply(from, output{N: n})
		fx.SetTimer(in.Key, time.Duration(fx.Rand()>>1))
		fx.SetPeriodic("tick", time.Second)
		fx.CancelTimer("tick")
		fx.Monitor("another")
		fx.Link("another")
		another.Cast(fx, in)
		another.Call(fx, "tag", in, 0)
		another.Answer(fx, from, output{N: n})
		task.Start(fx, "tag", n, statemachine.Retry{})
		task.Cancel(fx, "tag")
	}), codec.Of[int]())
	m.Message = named("message")
	m.Init = func(start statemachine.Start[int]) (int, error) {
		start.Fx.TrapExits(true)
		return int(start.Fx.Rand() % 7), nil
	}
	for _, p := range find(m)(t) {
		t.Error(p)
	}
}

// What a machine asks for comes: all kinds that there are.
func TestMessagesAreTried(t *testing.T) {
	tried := map[string]bool{}
	kinds := map[string]bool{}
	for _, m := range everyMessage() {
		kinds[fmt.Sprintf("%T", m)] = true
	}
	m := asks(func(in input, n int, fx fx) {
		if m := fx.Message(); m != nil {
			tried[fmt.Sprintf("%T", m)] = in.Key == fmt.Sprintf("%T", m)
			return
		}
		fx.Continue("asked")
		fx.SetTimer("asked", 0)
		fx.Monitor("asked")
		fx.Link("asked")
		another.Cast(fx, in)
		another.Call(fx, "asked", in, 0)
		task.Start(fx, "asked", n, statemachine.Retry{})
		fx.Record(statemachine.Effect{Kind: statemachine.EffectChild, Name: "asked", Tag: "asked"})
	})
	m.Message = func(m statemachine.Message) input { return input{Key: fmt.Sprintf("%T", m)} }
	find(m)(t)
	if len(kinds) != 8 || !maps.Equal(tried, kinds) {
		t.Errorf("tried %v\nof    %v", tried, kinds)
	}
}
