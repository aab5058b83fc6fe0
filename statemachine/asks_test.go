package statemachine_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// The machine of these tests does what a function says that it is sent.
type (
	order  = func(fx *statemachine.Effects[string])
	orders = statemachine.Machine[int, order, string]
)

// orderly is a codec of what is never encoded.
type orderly struct{ codec.Codec[order] }

var double = statemachine.NewTask("double", codec.Of[int](), codec.Of[string](),
	func(_ context.Context, id statemachine.TaskID, n int) (string, error) {
		return fmt.Sprint(id, 2*n), nil
	})

func newOrders() *orders {
	return &orders{
		Step: func(do order, n int, fx *statemachine.Effects[string]) (int, string) {
			do(fx)
			return n + 1, "done"
		},
		Input:  orderly{},
		Output: codec.Of[string](),
		Tasks:  []statemachine.AnyTask{double},
	}
}

// ordered returns a process, up, and its moment.
func ordered(t testing.TB, m *orders) (statemachine.Port[order, string], *statemachine.Moment) {
	t.Helper()
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	moment := newMoment(nil)
	p := m.New("waiter", moment).(statemachine.Port[order, string])
	moment.Set(1, 1)
	if err := p.Init(); err != nil {
		t.Fatal(err)
	}
	return p, moment
}

var everything = []statemachine.Effect{
	{Kind: statemachine.EffectContinue, Tag: "more"},
	{Kind: statemachine.EffectSetTimer, Tag: "", After: time.Second},
	{Kind: statemachine.EffectSetTimer, Tag: "past"},
	{Kind: statemachine.EffectSetPeriodic, Tag: "tick", After: 1},
	{Kind: statemachine.EffectCancelTimer, Tag: "tick"},
	{Kind: statemachine.EffectMonitor, Name: "kitchen"},
	{Kind: statemachine.EffectDemonitor, Name: "kitchen"},
	{Kind: statemachine.EffectLink, Name: "bar"},
	{Kind: statemachine.EffectUnlink, Name: "bar"},
	{Kind: statemachine.EffectTrapExits, On: true},
	{Kind: statemachine.EffectTrapExits},
	{Kind: statemachine.EffectReply, Name: "waiter", From: 7, Value: "soup"},
	{Kind: statemachine.EffectReply, Name: "kitchen", From: 8, Value: 4},
	{Kind: statemachine.EffectCast, Name: "kitchen", Value: "soup"},
	{Kind: statemachine.EffectCall, Name: "kitchen", Tag: "soup", Value: "soup", After: time.Minute},
	{Kind: statemachine.EffectCall, Name: "kitchen", Tag: "fish", Value: "fish", After: statemachine.DefaultCallTimeout},
	{Kind: statemachine.EffectStartTask, Name: "double", Tag: "bill", Value: 21, Retry: statemachine.Retry{Tries: 3}},
	{Kind: statemachine.EffectCancelTask, Name: "double", Tag: "bill"},
	{Kind: statemachine.EffectReport, Value: dropped},
}

var dropped = &statemachine.CrashError{Name: "waiter", In: "carry", Value: "a plate"}

const kitchen = statemachine.To[string, int]("kitchen")

func askEverything(fx *statemachine.Effects[string]) {
	fx.Continue("more")
	fx.SetTimer("", time.Second)
	fx.SetTimer("past", -time.Second)
	fx.SetPeriodic("tick", 1)
	fx.CancelTimer("tick")
	fx.Monitor("kitchen")
	fx.Demonitor("kitchen")
	fx.Link("bar")
	fx.Unlink("bar")
	fx.TrapExits(true)
	fx.TrapExits(false)
	fx.Reply(7, "soup")
	fx.Reply(0, "nobody")
	kitchen.Answer(fx, 8, 4)
	kitchen.Answer(fx, 0, 4)
	kitchen.Cast(fx, "soup")
	kitchen.Call(fx, "soup", "soup", time.Minute)
	kitchen.Call(fx, "fish", "fish", -1)
	double.Start(fx, "bill", 21, statemachine.Retry{Tries: 3})
	double.Cancel(&fx.Fx, "bill")
	fx.Report(dropped)
}

func TestEffectsAreRecordedInOrder(t *testing.T) {
	p, m := ordered(t, newOrders())
	for range 2 { // what Set drops does not come again
		m.Set(1, 1)
		if _, crash := p.StepIn(askEverything); crash != nil {
			t.Fatal(crash)
		}
		for i, e := range m.Effects() {
			e.Value = e.Input()
			if i >= len(everything) || e != everything[i] {
				t.Errorf("%d: got %+v", i, e)
			}
		}
		if len(m.Effects()) != len(everything) || m.NoReply() || m.Exit() != nil {
			t.Errorf("%d effects, %v, %v", len(m.Effects()), m.NoReply(), m.Exit())
		}
	}
	if m.Set(1, 1); len(m.Effects()) > 0 {
		t.Error("effects of no step")
	}
}

// A crash leaves nothing of what was asked for before.
func TestCrashedStepAsksForNothing(t *testing.T) {
	p, m := ordered(t, newOrders())
	left := func(how string) {
		t.Helper()
		if len(m.Effects()) > 0 || m.NoReply() || m.Exit() != nil {
			t.Errorf("%s leaves %v, %v, %v", how, m.Effects(), m.NoReply(), m.Exit())
		}
	}
	askAll := func(fx *statemachine.Effects[string]) {
		askEverything(fx)
		fx.NoReply()
		fx.Stop(statemachine.Shutdown)
	}
	m.Set(1, 1)
	p.StepIn(func(fx *statemachine.Effects[string]) { askAll(fx); panic(errCustom) })
	left("a panic")
	m.Set(1, 1)
	gone(func() { p.StepIn(func(fx *statemachine.Effects[string]) { askAll(fx); runtime.Goexit() }) })
	left("an exit")
}

func TestGoexitAsksForNothing(t *testing.T) {
	var m *statemachine.Moment
	told := 0
	m = newMoment(func(crash *statemachine.CrashError) {
		if told++; len(m.Effects()) > 0 || crash == nil {
			t.Errorf("%v asks for %v", crash, m.Effects())
		}
	})
	machine := newOrders()
	machine.Init = func(s start) (int, error) {
		s.Fx.Continue("more")
		runtime.Goexit()
		return 0, nil
	}
	machine.Message = func(statemachine.Message) order { runtime.Goexit(); return nil }
	p := machine.New("waiter", m).(statemachine.Port[order, string])
	m.Set(1, 1)
	gone(func() { p.Init() })
	m.Set(1, 1)
	gone(func() { p.StepIn(func(fx *statemachine.Effects[string]) { askEverything(fx); runtime.Goexit() }) })
	gone(func() { p.FromMessage(statemachine.Continue{}) })
	if told != 3 {
		t.Errorf("told %d times", told)
	}
}

func TestInitAsks(t *testing.T) {
	m := newOrders()
	asked := 0
	var fail func(fx *statemachine.Fx) error
	m.Init = func(s start) (int, error) {
		asked++
		if s.Fx.Self() != "waiter" || s.Fx.Now().UnixNano() != 5 || s.Fx.Message() != nil {
			t.Errorf("%s, %s, %v", s.Fx.Self(), s.Fx.Now(), s.Fx.Message())
		}
		s.Fx.SetTimer("open", time.Hour)
		kitchen.Cast(s.Fx, "light the stove")
		return 0, fail(s.Fx)
	}
	moment := newMoment(nil)
	p := m.New("waiter", moment)
	for what, f := range map[string]func(*statemachine.Fx) error{
		"an error":    func(*statemachine.Fx) error { return errCustom },
		"a panic":     func(*statemachine.Fx) error { panic(errCustom) },
		"a stop":      func(fx *statemachine.Fx) error { fx.Stop(statemachine.Normal); return nil },
		"a bad timer": func(fx *statemachine.Fx) error { fx.SetPeriodic("tick", 0); return nil },
	} {
		fail = f
		moment.Set(5, 1)
		if err := p.Init(); err == nil || len(moment.Effects()) > 0 || moment.Exit() != nil {
			t.Errorf("%s: %v, %v, %v", what, err, moment.Effects(), moment.Exit())
		}
	}
	fail = func(*statemachine.Fx) error { return nil }
	moment.Set(5, 1)
	for range 2 { // Init drops what another left
		if err := p.Init(); err != nil || len(moment.Effects()) != 2 {
			t.Errorf("%v, %v", err, moment.Effects())
		}
	}
	if asked != 6 {
		t.Errorf("Init ran %d times", asked)
	}
}

func TestNoReply(t *testing.T) {
	p, m := ordered(t, newOrders())
	for _, from := range []statemachine.From{7, 0} {
		m.Set(1, 1)
		m.SetFrom(from)
		p.StepIn(func(fx *statemachine.Effects[string]) {
			if a, b, c := fx.From(), fx.NoReply(), fx.NoReply(); a != from || b != from || c != from {
				t.Errorf("from %d: %d, %d, %d", from, a, b, c)
			}
		})
		if !m.NoReply() || len(m.Effects()) > 0 {
			t.Error("NoReply is no effect, but it is told")
		}
		if m.Set(1, 1); m.NoReply() {
			t.Error("NoReply of no step")
		}
		p.StepIn(func(fx *statemachine.Effects[string]) {
			if fx.From() != 0 {
				t.Error("the caller of the step before")
			}
		})
	}
}

// What cannot be carried out crashes the step that asks for it.
func TestEffectsThatAreRefused(t *testing.T) {
	stranger := statemachine.NewTask("stranger", codec.Of[int](), codec.Of[int](), func(context.Context, statemachine.TaskID, int) (int, error) { return 0, nil })
	namesake := statemachine.NewTask("double", codec.Of[string](), codec.Of[int](), func(context.Context, statemachine.TaskID, string) (int, error) { return 0, nil })
	var none *statemachine.Task[int, int]
	p, m := ordered(t, newOrders())
	for want, do := range map[string]order{
		`not positive: set_periodic "tick"`:    func(fx *statemachine.Effects[string]) { fx.SetPeriodic("tick", -1) },
		`lacks what is started: start_task`:    func(fx *statemachine.Effects[string]) { stranger.Start(fx, "a", 1, statemachine.Retry{}) },
		`not of the task's type: start_task`:   func(fx *statemachine.Effects[string]) { namesake.Start(fx, "a", "b", statemachine.Retry{}) },
		`nil pointer`:                          func(fx *statemachine.Effects[string]) { none.Start(fx, "a", 1, statemachine.Retry{}) },
		`no known kind: effect(0) kitchen "a"`: func(fx *statemachine.Effects[string]) { fx.Record(statemachine.Effect{Name: "kitchen", Tag: "a"}) },
		`what is reported is no crash: report`: func(fx *statemachine.Effects[string]) { fx.Report(nil) },
		`no known kind: effect(99)`:            func(fx *statemachine.Effects[string]) { fx.Record(statemachine.Effect{Kind: 99}) },
		`no known kind: effect(17)`: func(fx *statemachine.Effects[string]) {
			fx.Record(statemachine.Effect{Kind: statemachine.EffectReport + 1})
		},
	} {
		m.Set(1, 1)
		if _, crash := p.StepIn(do); crash == nil || !strings.Contains(crash.Error(), want) {
			t.Errorf("want %s, got %v", want, crash)
		}
	}
}

// A read-only input asks for nothing, neither in the loop nor beside it.
func TestReadOnlyInputsAskForNothing(t *testing.T) {
	m := newOrders()
	m.ReadOnly = func(order) bool { return true }
	p, moment := ordered(t, m)
	for want, do := range map[string]order{
		`cast kitchen`:          func(fx *statemachine.Effects[string]) { kitchen.Cast(fx, "soup") },
		`set_timer "a\nb"`:      func(fx *statemachine.Effects[string]) { fx.SetTimer("a\nb", 0) },
		`asked its process to`:  func(fx *statemachine.Effects[string]) { fx.Stop(statemachine.Normal) },
		`keeps its caller wait`: func(fx *statemachine.Effects[string]) { fx.NoReply() },
		`start_task double`:     func(fx *statemachine.Effects[string]) { double.Start(fx, "", 1, statemachine.Retry{}) },
	} {
		moment.Set(1, 1)
		if _, crash := p.StepIn(do); crash == nil || crash.In != "step" || !strings.Contains(crash.Error(), want) || len(moment.Effects()) > 0 {
			t.Errorf("want %s, got %v and %v", want, crash, moment.Effects())
		}
		if _, ok, crash := p.ReadIn(do); !ok || crash == nil || crash.In != "read_only" || !strings.Contains(crash.Error(), want) {
			t.Errorf("want %s, got %v", want, crash)
		}
		if _, ok, crash := p.ReadIn(func(*statemachine.Effects[string]) {}); !ok || crash != nil {
			t.Errorf("the next read: %v", crash)
		}
	}
	if _, _, crash := p.ReadIn(func(fx *statemachine.Effects[string]) { fx.Reply(0, "nobody") }); crash != nil {
		t.Errorf("what is dropped is asked for: %v", crash)
	}
}

func TestEffectWords(t *testing.T) {
	seen := map[string]bool{}
	for k := statemachine.EffectContinue; k <= statemachine.EffectReport; k++ {
		word := k.String()
		if word == "" || strings.Contains(word, "(") || seen[word] {
			t.Errorf("%d is %q", k, word)
		}
		seen[word] = true
	}
	long := strings.Repeat("n", 1<<20)
	if text := (statemachine.Effect{Kind: statemachine.EffectCast, Name: statemachine.Name(long), Tag: long}).String(); len(text) > 1000 {
		t.Errorf("%d bytes", len(text))
	}
}

func TestRecordingAllocatesNothing(t *testing.T) {
	p, m := ordered(t, newOrders())
	var in any = "soup" // boxed already
	do := order(func(fx *statemachine.Effects[string]) {
		for range 10 {
			fx.Record(statemachine.Effect{Kind: statemachine.EffectCast, Name: "kitchen", Value: in})
			fx.SetTimer("tick", time.Second)
			fx.NoReply()
		}
	})
	if n := testing.AllocsPerRun(100, func() { m.Set(1, 1); m.SetFrom(1); p.StepIn(do) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The memory of a step that asked for much is not kept for ever.
func TestMuchIsNotKept(t *testing.T) {
	p, m := ordered(t, newOrders())
	m.Set(1, 1)
	p.StepIn(func(fx *statemachine.Effects[string]) {
		for range 1 << 12 {
			fx.Continue("more")
		}
	})
	if n := len(m.Effects()); n != 1<<12 {
		t.Errorf("%d effects", n)
	}
	if m.Set(1, 1); cap(m.Effects()) != 0 {
		t.Errorf("memory of %d effects is kept", cap(m.Effects()))
	}
}

func TestAddressedOutputs(t *testing.T) {
	r := statemachine.NewReply("soup", "kitchen", 4, nil)
	if out, err := kitchen.Output(r); out != 4 || err != nil {
		t.Error(out, err)
	}
	failed := statemachine.NewReply("soup", "kitchen", 4, errCustom)
	if out, err := kitchen.Output(failed); out != 0 || err != errCustom {
		t.Error(out, err)
	}
	other := statemachine.To[string, []string]("kitchen")
	var call *statemachine.CallError
	if _, err := other.Output(r); !errors.As(err, &call) || call.Name != "kitchen" || call.Outcome != statemachine.Applied || !strings.Contains(err.Error(), "int, not a []string") {
		t.Error(err)
	}
	anything := statemachine.To[string, error]("kitchen")
	if out, err := anything.Output(statemachine.NewReply("soup", "kitchen", nil, nil)); out != nil || err != nil {
		t.Error("a nil interface is an output", err)
	}
	if _, err := kitchen.Output(statemachine.NewReply("soup", "kitchen", nil, nil)); err == nil {
		t.Error("nothing is no number")
	}
}

func TestValuesOfOthers(t *testing.T) {
	p := up(t, newTill())
	x, ok := p.Accept(amount(3))
	if !ok || p.Step(x) != nil || p.Output(x) != any(total(3)) {
		t.Errorf("%v, %+v", ok, x)
	}
	if _, ok := p.Accept(3); ok {
		t.Error("an int is taken for an amount")
	}
	if p.SetOutput(x, 9) || !p.SetOutput(x, total(8)) {
		t.Error("of outputs the type decides")
	}
	if out, err := p.AppendOutput(nil, codec.JSON, x); string(out) != "8" || err != nil {
		t.Errorf("%s, %v", out, err)
	}
	data, err := p.AppendOutputValue([]byte("<"), codec.Msgpack, total(7))
	if string(data) != "<\x07" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if out, err := p.DecodeOutput(data[1:]); out != any(total(7)) || err != nil {
		t.Error(out, err)
	}
	if data, err := p.AppendOutputValue([]byte("<"), codec.JSON, 7); string(data) != "<" || err == nil {
		t.Errorf("%q, %v", data, err)
	}
	if out, err := p.DecodeOutput([]byte{0xc1}); out != nil || err == nil {
		t.Error(out, err)
	}
	if w, _ := ordered(t, newOrders()); w.Task("double") != statemachine.AnyTask(double) || w.Task("other") != nil {
		t.Error("tasks are found by their name")
	}
}

func TestFromMessage(t *testing.T) {
	m := newOrders()
	if p, _ := ordered(t, m); func() bool { _, ok, _ := p.FromMessage(statemachine.Continue{}); return ok }() {
		t.Error("a machine without Message takes one")
	}
	var got []statemachine.Message
	m.Message = func(m statemachine.Message) order {
		if got = append(got, m); m == (statemachine.Continue{Tag: "panic"}) {
			panic(errCustom)
		}
		return func(fx *statemachine.Effects[string]) { got = append(got, fx.Message()) }
	}
	p, moment := ordered(t, m)
	moment.Set(1, 1)
	x, ok, crash := p.FromMessage(statemachine.Timeout{Timer: "tick"})
	if !ok || crash != nil || p.Step(x) != nil || !slices.Equal(got, []statemachine.Message{statemachine.Timeout{Timer: "tick"}, statemachine.Timeout{Timer: "tick"}}) {
		t.Error(ok, crash, got)
	}
	if x, ok, crash = p.FromMessage(statemachine.Continue{Tag: "panic"}); x != nil || ok || crash == nil || crash.In != "message" || !errors.Is(crash, errCustom) {
		t.Error(x, ok, crash)
	}
}
