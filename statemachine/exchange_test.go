package statemachine_test

import (
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// sends returns the effect that a step records which sends by send.
func sends(t testing.TB, send func(fx *statemachine.Effects[string])) statemachine.Effect {
	t.Helper()
	p, m := ordered(t, newOrders())
	m.Set(1, 1)
	if _, crash := p.StepIn(send); crash != nil {
		t.Fatal(crash)
	}
	return m.Effects()[0]
}

// What is sent gets there as the input that it is, however its sender has
// addressed it: of the output's type the sender need know nothing to cast.
func TestAcceptsWhatIsSent(t *testing.T) {
	for what, e := range map[string]statemachine.Effect{
		"rightly":           sends(t, func(fx *statemachine.Effects[string]) { statemachine.To[amount, total]("till").Cast(fx, 300) }),
		"for another reply": sends(t, func(fx *statemachine.Effects[string]) { statemachine.To[amount, string]("till").Cast(fx, 300) }),
		"as anything":       sends(t, func(fx *statemachine.Effects[string]) { statemachine.To[any, total]("till").Cast(fx, amount(300)) }),
		"in a call":         sends(t, func(fx *statemachine.Effects[string]) { statemachine.To[amount, total]("till").Call(fx, "", 300, 0) }),
		"as it is":          {Kind: statemachine.EffectCast, Name: "till", Value: amount(300)},
	} {
		if e.Input() != any(amount(300)) {
			t.Errorf("%s: %v is sent", what, e.Input())
		}
		p := up(t, newTill())
		x, ok := p.Accept(e.Value)
		if !ok || p.Step(x) != nil || p.Output(x) != any(total(300)) {
			t.Errorf("%s: %v, %+v", what, ok, x)
		}
	}
	for what, e := range map[string]statemachine.Effect{
		"an int":  sends(t, func(fx *statemachine.Effects[string]) { statemachine.To[int, total]("till").Cast(fx, 300) }),
		"nothing": sends(t, func(fx *statemachine.Effects[string]) { statemachine.To[any, total]("till").Cast(fx, nil) }),
	} {
		if x, ok := up(t, newTill()).Accept(e.Value); ok {
			t.Errorf("%s is taken for an amount: %+v", what, x)
		}
	}
	hears := &statemachine.Machine[int, error, int]{
		Step:  statemachine.Pure(func(err error, n int) (int, int) { return n, 1 }),
		Input: heard{}, Output: codec.Of[int](),
	}
	p := hears.New("hears", newMoment(nil))
	if e := sends(t, func(fx *statemachine.Effects[string]) { statemachine.To[error, string]("hears").Cast(fx, nil) }); e.Input() != nil {
		t.Error("a nil interface is", e.Input())
	} else if _, ok := p.Accept(e.Value); !ok {
		t.Error("a nil interface is no input")
	}
}

// heard is a codec of what is never encoded.
type heard struct{ codec.Codec[error] }

// From a machine to another of the same loop an input goes without allocation,
// and leaves nothing behind for the next one, whatever types take turns.
func TestSendingAllocatesNothing(t *testing.T) {
	moment := newMoment(nil)
	tills := newTill().New("till", moment)
	words := &statemachine.Machine[int, string, int]{
		Step:    statemachine.Pure(func(in string, n int) (int, int) { return n, len(in) }),
		Message: func(statemachine.Message) string { return "" },
		Input:   codec.Of[string](), Output: codec.Of[int](),
	}
	word := words.New("word", moment)
	sender := newOrders().New("sender", moment).(statemachine.Port[order, string])
	send := order(func(fx *statemachine.Effects[string]) {
		for range 3 {
			statemachine.To[amount, total]("till").Cast(fx, 300)
			statemachine.To[string, int]("word").Cast(fx, "a word")
		}
	})
	tick := statemachine.Message(statemachine.Timeout{Timer: "t"})
	var accepted []any
	receivers := []statemachine.Process{tills, word}
	n := testing.AllocsPerRun(100, func() {
		told, _, _ := word.FromMessage(tick)
		if statemachine.MessageOf(told) != tick {
			t.Fatalf("%+v", told)
		}
		word.Reuse(told)
		moment.Set(1, 1)
		if _, crash := sender.StepIn(send); crash != nil {
			t.Fatal(crash)
		}
		for i, e := range moment.Effects() {
			x, ok := receivers[i%2].Accept(e.Value)
			if !ok {
				t.Fatal("not accepted")
			}
			accepted = append(accepted, x)
		}
		for i, x := range accepted {
			moment.Set(1, 1)
			if receivers[i%2].Step(x) != nil || i%2 == 1 && word.Output(x) != any(len("a word")) || statemachine.MessageOf(x) != nil {
				t.Fatalf("%d: %+v", i, x)
			}
			receivers[i%2].Reuse(x)
		}
		accepted = accepted[:0]
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
