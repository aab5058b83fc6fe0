package statemachine_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// readable is a till that can be looked into.
func readable() *till {
	m := newTill()
	m.ReadOnly = func(in amount) bool {
		if in == custom {
			panic(errCustom)
		}
		return in == look || in == lookAndDie
	}
	return m
}

func TestReadsReadOnlyInputsOnly(t *testing.T) {
	p := up(t, readable())
	p.StepIn(7)
	if out, ok, crash := p.ReadIn(look); out != 7 || !ok || crash != nil {
		t.Error(out, ok, crash)
	}
	if out, ok, crash := p.ReadIn(5); out != 0 || ok || crash != nil {
		t.Error(out, ok, crash)
	}
	x := p.NewExchange(look)
	if ok, crash := p.Read(x); x.Out != 7 || !ok || crash != nil {
		t.Error(x.Out, ok, crash)
	}
	for in, want := range map[amount]bool{look: true, 5: false, custom: false} {
		if got := p.IsReadOnly(p.NewExchange(in)); got != want {
			t.Errorf("%d: %v", in, got)
		}
	}
	plain := up(t, newTill())
	if _, ok, _ := plain.ReadIn(look); ok || plain.IsReadOnly(plain.NewExchange(look)) {
		t.Error("a machine without ReadOnly has a read-only input")
	}
	holds(t, p, 7)
}

func TestReadCrashes(t *testing.T) {
	p := up(t, readable())
	p.StepIn(7)
	for _, in := range []amount{lookAndDie, custom} {
		if _, ok, crash := p.ReadIn(in); !ok || crash == nil || crash.In != "read_only" || !errors.Is(crash, errCustom) {
			t.Errorf("%d: %v, %v", in, ok, crash)
		}
	}
	if _, crash := p.StepIn(lookAndDie); crash == nil || crash.In != "step" {
		t.Errorf("got %v", crash)
	}
	if !gone(func() { up(t, exitsWhenRead()).ReadIn(look) }) {
		t.Error("ReadIn returned")
	}
	holds(t, p, 7)
}

func exitsWhenRead() *till {
	m := readable()
	m.Step = statemachine.Pure(func(_ amount, n int) (int, total) { return add(exits, n) })
	return m
}

func TestNobodyReadsWhatIsNotUp(t *testing.T) {
	p := process(t, readable())
	unread := func(when string) {
		t.Helper()
		if _, ok, _ := p.ReadIn(look); ok {
			t.Errorf("it is read %s", when)
		}
	}
	unread("before Init")
	p.Init()
	p.Keep()
	p.Hide()
	unread("when hidden")
	p.Resume()
	if _, ok, _ := p.ReadIn(look); !ok {
		t.Error("it is not read when resumed")
	}
	p.End()
	unread("after its end")
}

func TestReadOnlyStepLeavesTheState(t *testing.T) {
	m := readable()
	m.Step = statemachine.Pure(func(in amount, n int) (int, total) { return n + 1, total(n) })
	p := up(t, m)
	p.StepIn(look)
	p.Step(p.NewExchange(look))
	p.StepIn(5)
	holds(t, p, 1)
}

func TestEffectsOfReaders(t *testing.T) {
	m := &statemachine.Machine[int, uint64, uint64]{
		Step: func(_ uint64, n int, fx *statemachine.Effects[uint64]) (int, uint64) {
			if fx.Self() != "dice" || fx.Now().UnixNano() != 42 {
				t.Errorf("%s, %s", fx.Self(), fx.Now())
			}
			return n, fx.Rand()
		},
		ReadOnly: func(uint64) bool { return true },
		Input:    codec.Of[uint64](),
		Output:   codec.Of[uint64](),
	}
	p := m.New("dice", newMoment(nil)).(statemachine.Port[uint64, uint64])
	p.Init()
	var mu sync.Mutex
	var wg sync.WaitGroup
	thrown := map[uint64]bool{}
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				n, _, _ := p.ReadIn(0)
				mu.Lock()
				thrown[n] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(thrown) < 7990 {
		t.Errorf("of 8000 throws %d differ", len(thrown))
	}
}

func TestReadersSeeStatesInOrder(t *testing.T) {
	p := up(t, readable())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for last := total(0); last < 1000; {
				out, ok, crash := p.ReadIn(look)
				if !ok || crash != nil || out < last {
					t.Errorf("%d after %d, %v, %v", out, last, ok, crash)
					return
				}
				last = out
			}
		})
	}
	for range 1000 {
		if out, crash := p.StepIn(1); crash != nil || out < 1 {
			t.Error(out, crash)
		}
	}
	wg.Wait()
}
