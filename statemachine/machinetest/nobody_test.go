package machinetest

import (
	"fmt"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// seen is the one variant of a Union, whose nil cannot be encoded.
type seen struct {
	N int `json:"n"`
}

// An output that nobody gets need not be one that can be encoded: that of a step
// that keeps its caller waiting, or is of a message.
func TestOutputsForNobody(t *testing.T) {
	m := &statemachine.Machine[int, input, any]{
		Input:  codec.Of[input](),
		Output: codec.Union[any](codec.Case[seen]("answer")),
		State:  codec.Of[int](),
		Message: func(m statemachine.Message) input {
			return input{Key: fmt.Sprintf("%T", m)}
		},
	}
	m.Step = func(in input, n int, fx *statemachine.Effects[any]) (int, any) {
		if fx.Message() != nil {
			return n + 1, nil
		}
		fx.SetTimer("timer", 1)
		fx.Reply(fx.NoReply(), seen{n})
		return n, nil
	}
	problems, err := Problems(Config{Seed: 1}, m, samples())
	if err != nil || len(problems) > 0 {
		t.Errorf("outputs that nobody gets: %v, %v", problems, err)
	}
	m.Step = func(_ input, n int, fx *statemachine.Effects[any]) (int, any) { return n, nil }
	problems, err = Problems(Config{Seed: 1}, m, samples())
	if err != nil || len(problems) != 1 || problems[0].Rule != RoundTrip {
		t.Errorf("an output that a caller gets: %v, %v", problems, err)
	}
}
