package statemachine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// seen is what a step sees of the world.
type seen struct {
	Self  statemachine.Name
	Times []time.Time
	Rand  []uint64
}

// observer returns a process that says what its steps see, asking n times.
func observer(m *statemachine.Moment) statemachine.Port[int, seen] {
	machine := &statemachine.Machine[struct{}, int, seen]{
		Step: func(n int, _ struct{}, fx *statemachine.Effects[seen]) (struct{}, seen) {
			out := seen{Self: fx.Self()}
			for range n {
				out.Times = append(out.Times, fx.Now())
				out.Rand = append(out.Rand, fx.Rand())
			}
			return struct{}{}, out
		},
		Input:  codec.Of[int](),
		Output: codec.Of[seen](),
	}
	p := machine.New("observer", m)
	if err := p.Init(); err != nil {
		panic(err)
	}
	return p.(statemachine.Port[int, seen])
}

func TestTimeIsThatOfTheEntry(t *testing.T) {
	clock := int64(1000)
	asked := 0
	m := statemachine.NewMoment(func() int64 { asked++; clock += 1000; return clock }, nil)
	p := observer(m)

	m.Set(0, 1)
	p.StepIn(0)
	if asked != 0 {
		t.Error("the clock is read for a step that does not ask")
	}
	out, _ := p.StepIn(3)
	if out.Self != "observer" || asked != 1 || out.Times[0].UnixNano() != 2000 || out.Times[2] != out.Times[0] {
		t.Errorf("the clock was read %d times: %+v", asked, out)
	}
	if out.Times[0].Location() != time.UTC {
		t.Errorf("the location is %s", out.Times[0].Location())
	}
	m.Set(7, 1)
	if out, _ := p.StepIn(1); asked != 1 || out.Times[0].UnixNano() != 7 {
		t.Errorf("the clock was read %d times: %+v", asked, out)
	}
	m.Set(0, 1)
	if out, _ := p.StepIn(1); asked != 2 || out.Times[0].UnixNano() != 3000 {
		t.Errorf("the clock was read %d times: %+v", asked, out)
	}
}

// The sequences are those of splitmix64; journals that were written with them
// must replay the same for ever.
func TestSeedDecidesRand(t *testing.T) {
	m := newMoment(nil)
	p := observer(m)
	for seed, want := range map[uint64][]uint64{
		0:          {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f},
		1234567:    {6457827717110365317, 3203168211198807973, 9817491932198370423},
		^uint64(0): {0xe4d971771b652c20, 0xe99ff867dbf682c9, 0x382ff84cb27281e9},
	} {
		for range 2 {
			m.Set(0, seed)
			if out, _ := p.StepIn(3); !slices.Equal(out.Rand, want) {
				t.Errorf("seed %d: got %#x, want %#x", seed, out.Rand, want)
			}
		}
	}
}

func TestOneMomentForAllProcesses(t *testing.T) {
	m := newMoment(nil)
	a, b := observer(m), observer(m)
	m.Set(5, 0)
	fromA, _ := a.StepIn(1)
	fromB, _ := b.StepIn(1)
	if fromA.Times[0] != fromB.Times[0] || fromA.Rand[0] == fromB.Rand[0] {
		t.Errorf("%+v, %+v", fromA, fromB)
	}
}
