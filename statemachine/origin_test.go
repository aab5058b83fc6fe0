package statemachine_test

import (
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// A step can know whether its input was made of a message, and who waits.
func TestOrigin(t *testing.T) {
	var from statemachine.From
	var message statemachine.Message
	m := &statemachine.Machine[int, string, string]{
		Step: func(in string, n int, fx *statemachine.Effects[string]) (int, string) {
			from, message = fx.From(), fx.Message()
			return n, in
		},
		Message: func(statemachine.Message) string { return "" },
		Input:   codec.Of[string](),
		Output:  codec.Of[string](),
	}
	moment := newMoment(nil)
	p := m.New("till", moment).(statemachine.Port[string, string])
	if err := p.Init(); err != nil {
		t.Fatal(err)
	}
	moment.Set(1, 1)
	moment.SetFrom(7)
	if p.StepIn(""); from != 7 || message != nil || moment.NoReply() {
		t.Errorf("a call: from %d, the message %v, no reply: %v", from, message, moment.NoReply())
	}
	x, ok, crash := p.FromMessage(statemachine.Timeout{Timer: "t"})
	if !ok || crash != nil {
		t.Fatal(ok, crash)
	}
	moment.Set(1, 1)
	if p.Step(x); from != 0 || message != (statemachine.Timeout{Timer: "t"}) {
		t.Errorf("a message: from %d, the message %v", from, message)
	}
	p.Free(x)
	moment.Set(1, 1)
	if p.StepIn(""); message != nil {
		t.Errorf("a cast: the message %v", message)
	}
	moment.Set(1, 1)
	if p.Step(p.NewExchange("")); message != nil {
		t.Errorf("an exchange used again: the message %v", message)
	}
}
