package statemachine_test

import (
	"fmt"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// What a part that panics has asked for is forgotten, and only that.
func TestTry(t *testing.T) {
	var crash, fine *statemachine.CrashError
	m := &statemachine.Machine[int, string, string]{
		Step: func(_ string, n int, fx *statemachine.Effects[string]) (int, string) {
			fx.Continue("before")
			fine = fx.Try("part", func() { fx.Continue("kept") })
			crash = fx.Try("part", func() {
				fx.Continue("forgotten")
				fx.Stop(statemachine.Shutdown)
				fx.NoReply()
				panic("boom")
			})
			fx.Continue("after")
			return n + 1, "done"
		},
		Input:  codec.Of[string](),
		Output: codec.Of[string](),
	}
	moment := statemachine.NewMoment(func() int64 { return 1 }, nil)
	p := m.New("whole", moment)
	if err := p.Init(); err != nil {
		t.Fatal(err)
	}
	moment.Set(1, 1)
	moment.SetFrom(7)
	x, err := p.Decode(codec.JSON, []byte(`"go"`))
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Step(x); c != nil {
		t.Fatal(c)
	}
	if fine != nil {
		t.Errorf("the part that did not panic: %v", fine)
	}
	if crash == nil || crash.Value != "boom" || crash.In != "part" || crash.Name != "whole" || len(crash.Stack) == 0 {
		t.Errorf("the crash is %+v", crash)
	}
	if got := fmt.Sprint(moment.Effects()); got != `[continue "before" continue "kept" continue "after"]` {
		t.Errorf("the effects are %s", got)
	}
	if moment.Exit() != nil || moment.NoReply() {
		t.Error("its Stop and NoReply are kept")
	}
}
