package statemachine_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// The machine of these tests is a till: it takes amounts and says what is in it.
type (
	amount int
	total  int
	till   = statemachine.Machine[int, amount, total]
	start  = statemachine.Start[int]
	port   = statemachine.Port[amount, total]
)

// Amounts that make the till misbehave.
const (
	custom      amount = -1 // panics with an error
	panicsNil   amount = -2 // panics with nil
	dereference amount = -3 // a runtime error
	exits       amount = -4 // calls runtime.Goexit
	look        amount = 0  // read-only
	lookAndDie  amount = -5 // read-only
)

var errCustom = errors.New("out of coins")

func add(in amount, n int) (int, total) {
	switch in {
	case custom, lookAndDie:
		panic(errCustom)
	case panicsNil:
		panic(any(nil))
	case dereference:
		var p *int
		return *p, 0
	case exits:
		runtime.Goexit()
	}
	return n + int(in), total(n + int(in))
}

func newTill() *till {
	return &till{
		Step:   statemachine.Pure(add),
		Input:  codec.Of[amount](),
		Output: codec.Of[total](),
		State:  codec.Of[int](),
	}
}

// process returns a process of m, and its typed side.
func process(t testing.TB, m *till) port {
	t.Helper()
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	return m.New("till", newMoment(nil)).(port)
}

func newMoment(goexit func(*statemachine.CrashError)) *statemachine.Moment {
	return statemachine.NewMoment(func() int64 { return 42 }, goexit)
}

// up is process, initialised.
func up(t testing.TB, m *till) port {
	t.Helper()
	p := process(t, m)
	if err := p.Init(); err != nil {
		t.Fatal(err)
	}
	return p
}

// holds checks what is in the till.
func holds(t testing.TB, p port, want total) {
	t.Helper()
	if got, crash := p.StepIn(look); crash != nil || got != want {
		t.Errorf("it holds %d (%v), want %d", got, crash, want)
	}
}

func TestValidate(t *testing.T) {
	var none *till
	for _, test := range []struct {
		m    *till
		want string
	}{
		{none, "nil"},
		{&till{}, "no Step"},
		{&till{Step: newTill().Step}, "no Input"},
		{&till{Step: newTill().Step, Input: newTill().Input}, "no Output"},
	} {
		if err := test.m.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

func TestInit(t *testing.T) {
	m := newTill()
	p := up(t, m)
	holds(t, p, 0) // without Init: the zero value
	p.StepIn(3)
	p.Keep()
	p.StepIn(4)
	if err := p.Init(); err != nil {
		t.Fatal(err)
	}
	holds(t, p, 3) // or what was kept

	m.Init = func(s start) (int, error) {
		if s.Name != "till" {
			t.Errorf("it is told the name %q", s.Name)
		}
		if s.Saved != nil {
			return *s.Saved + 1000, nil
		}
		return 100, nil
	}
	p = up(t, m)
	holds(t, p, 100)
	p.Keep()
	p.StepIn(5) // too late to be kept
	if err := p.Init(); err != nil {
		t.Fatal(err)
	}
	holds(t, p, 1100)
}

func TestInitFails(t *testing.T) {
	m := newTill()
	p := up(t, m)
	p.StepIn(7)
	m.Init = func(start) (int, error) { return 1, errCustom }
	if err := p.Init(); err != errCustom {
		t.Errorf("got %v", err)
	}
	m.Init = func(start) (int, error) { panic(errCustom) }
	var crash *statemachine.CrashError
	if err := p.Init(); !errors.As(err, &crash) || crash.In != "init" || crash.Name != "till" || !errors.Is(err, errCustom) {
		t.Errorf("got %v", err)
	}
	holds(t, p, 7)
}

func TestStepCrashes(t *testing.T) {
	p := up(t, newTill())
	p.StepIn(7)
	for _, test := range []struct {
		in    amount
		want  func(*statemachine.CrashError) bool
		where string // part of the stack
	}{
		{custom, func(c *statemachine.CrashError) bool { return errors.Is(c, errCustom) }, "add("},
		{panicsNil, func(c *statemachine.CrashError) bool { _, ok := c.Value.(*runtime.PanicNilError); return ok }, "add("},
		{dereference, func(c *statemachine.CrashError) bool { var e runtime.Error; return errors.As(c, &e) }, "add("},
	} {
		out, crash := p.StepIn(test.in)
		if crash == nil || !test.want(crash) || out != 0 {
			t.Errorf("%d: got %d, %v", test.in, out, crash)
			continue
		}
		if crash.Name != "till" || crash.In != "step" || !strings.Contains(string(crash.Stack), test.where) {
			t.Errorf("%d: %s in %s: %s", test.in, crash.Name, crash.In, crash.Stack)
		}
		if crash := p.Step(p.NewExchange(test.in)); crash == nil || !test.want(crash) {
			t.Errorf("%d, erased: %v", test.in, crash)
		}
		holds(t, p, 7)
	}
}

// gone runs f on a goroutine of its own, and reports whether it did not return.
func gone(f func()) bool {
	returned := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
		returned = true
	}()
	<-done
	return !returned
}

func TestGoexitCallsTheHook(t *testing.T) {
	var crash *statemachine.CrashError
	m := newTill()
	p := m.New("till", newMoment(func(c *statemachine.CrashError) { crash = c })).(port)
	m.Init = func(start) (int, error) { runtime.Goexit(); return 1, nil }
	if !gone(func() { p.Init() }) {
		t.Error("Init returned")
	}
	if crash == nil || crash.In != "init" || !strings.Contains(crash.Error(), "runtime.Goexit") {
		t.Errorf("got %v", crash)
	}
	m.Init, crash = nil, nil
	if err := p.Init(); err != nil {
		t.Fatal(err)
	}
	p.StepIn(7)
	if !gone(func() { p.StepIn(exits) }) {
		t.Error("StepIn returned")
	}
	if crash == nil || crash.In != "step" || crash.Unwrap() == nil {
		t.Errorf("got %v", crash)
	}
	holds(t, p, 7)
}

func TestGoexitWithoutHook(t *testing.T) {
	p := up(t, newTill())
	if !gone(func() { p.StepIn(exits) }) {
		t.Error("StepIn returned")
	}
	holds(t, p, 0)
}

func TestTerminator(t *testing.T) {
	m := newTill()
	p := up(t, m)
	if p.Terminator(statemachine.Normal) != nil {
		t.Error("there is something to call")
	}
	var told []string
	m.Terminate = func(name statemachine.Name, n int, r statemachine.Reason) {
		told = append(told, fmt.Sprintf("%s %d %v", name, n, r))
		if n == 8 {
			panic(errCustom)
		}
	}
	p.StepIn(7)
	end := p.Terminator(statemachine.Shutdown)
	p.StepIn(1)
	crashes := p.Terminator(statemachine.Crash(errCustom))
	p.End()
	if crash := end(); crash != nil {
		t.Error(crash)
	}
	if crash := crashes(); crash == nil || crash.In != "terminate" || !errors.Is(crash, errCustom) {
		t.Errorf("got %v", crash)
	}
	if got, want := fmt.Sprint(told), "[till 7 shutdown till 8 crash: out of coins]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTypedAndErasedAreTheSame(t *testing.T) {
	typed, erased := up(t, newTill()), up(t, newTill())
	for _, in := range []amount{1, look, 5, custom, 10} {
		out, crash := typed.StepIn(in)
		x := erased.NewExchange(in)
		crash2 := erased.Step(x)
		if out != x.Out || (crash == nil) != (crash2 == nil) {
			t.Errorf("%d: %d %v, erased %d %v", in, out, crash, x.Out, crash2)
		}
		erased.Free(x)
	}
	holds(t, typed, 16)
	holds(t, erased, 16)
}

func TestExchangeIsBytesBothWays(t *testing.T) {
	p := up(t, newTill())
	for f, five := range []string{codec.JSON: "5", codec.Msgpack: "\x05"} {
		x, err := p.Decode(codec.Format(f), []byte(five))
		if err != nil {
			t.Fatal(err)
		}
		if in, err := p.AppendInput([]byte("<"), x); string(in) != "<\x05" || err != nil {
			t.Errorf("%q, %v", in, err)
		}
		p.Step(x)
		if out, err := p.AppendOutput([]byte("<"), codec.JSON, x); err != nil || string(out) != []string{"<5", "<10"}[f] {
			t.Errorf("%q, %v", out, err)
		}
		p.Free(x)
	}
	var refused *codec.Error
	if _, err := p.Decode(codec.JSON, []byte(`"x"`)); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	if in, out := p.Describe(); in != "statemachine_test.amount" || out != "statemachine_test.total" {
		t.Errorf("%s, %s", in, out)
	}
}
