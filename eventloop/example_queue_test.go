package eventloop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// A work queue sends letters by a server that is not always there. What blocks
// is a task; the queue starts one at a time, and a failed one is tried again by
// the loop. With a journal nothing that was accepted is forgotten.

var busy atomic.Int32 // how often the server refuses

var deliver = statemachine.NewTask("deliver", codec.Of[string](), codec.Of[string](),
	func(ctx context.Context, id statemachine.TaskID, letter string) (string, error) {
		if busy.Add(-1) >= 0 {
			return "", errors.New("busy")
		}
		return "delivered " + letter, nil // id would tell the server that it had this one already
	})

type queueInput interface{ queueInput() } // post, finished or wait
type post struct {
	Letter string `json:"letter"`
}
type finished struct {
	Result string `json:"result"`
}
type wait struct{} // until the queue is empty

func (post) queueInput()     {}
func (finished) queueInput() {}
func (wait) queueInput()     {}

type backlog struct {
	Letters []string            `json:"letters"` // the first one is being delivered
	Done    []string            `json:"done"`
	Waiting []statemachine.From `json:"waiting"`
}

func workQueue(in queueInput, s backlog, fx *statemachine.Effects[[]string]) (backlog, []string) {
	switch in := in.(type) {
	case post:
		s.Letters = append(slices.Clip(s.Letters), in.Letter)
		if len(s.Letters) > 1 {
			return s, nil // its turn comes
		}
	case finished:
		s.Done = append(slices.Clip(s.Done), in.Result)
		s.Letters = s.Letters[1:]
	case wait:
		if len(s.Letters) == 0 {
			return s, s.Done
		}
		s.Waiting = append(slices.Clip(s.Waiting), fx.NoReply())
		return s, nil
	}
	if len(s.Letters) > 0 {
		deliver.Start(fx, "letter", s.Letters[0], statemachine.Retry{Tries: 10, Backoff: time.Millisecond, Max: time.Second})
		return s, nil
	}
	for _, from := range s.Waiting {
		fx.Reply(from, s.Done)
	}
	s.Waiting = nil
	return s, nil
}

var letterQueue = &statemachine.Machine[backlog, queueInput, []string]{
	Step: workQueue,
	Message: func(m statemachine.Message) queueInput {
		done, _ := m.(statemachine.TaskDone)
		result, err := deliver.Result(done)
		if err != nil {
			result = "given up: " + err.Error()
		}
		return finished{result}
	},
	Tasks:  []statemachine.AnyTask{deliver},
	Input:  codec.Union[queueInput](codec.Case[post]("post"), codec.Case[finished]("finished"), codec.Case[wait]("wait")),
	Output: codec.Of[[]string](), State: codec.Of[backlog](),
}

// Blocking work, tried again with a growing delay: a work queue, which answers
// those who wait for it when it is empty.
func Example_workQueue() {
	ctx := context.Background()
	loop, err := eventloop.Start(eventloop.Config{
		Root: supervisor.Supervisor{Name: "root", Children: []supervisor.Child{
			supervisor.Worker{Name: "letters", Machine: letterQueue}}},
		Durability: eventloop.Always,
		Log:        new(journal.Memory),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer loop.Stop(ctx)
	letters, _ := eventloop.RefTo[queueInput, []string](loop, "letters")
	busy.Store(3)
	letters.Cast(ctx, post{"to Ann"})
	letters.Cast(ctx, post{"to Bob"})
	done, err := letters.Call(ctx, wait{})
	fmt.Println(done, err)
	// Output:
	// [delivered to Ann delivered to Bob] <nil>
}
