package statemachine_test

import (
	"testing"

	"github.com/lineshaft/lineshaft/codec"
)

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	plain, read := up(t, newTill()), up(t, readable())
	buf := make([]byte, 0, 64)
	x := plain.NewExchange(1)
	for what, f := range map[string]func(){
		"StepIn":       func() { plain.StepIn(1) },
		"Step":         func() { plain.Step(x) },
		"ReadIn":       func() { read.ReadIn(look) },
		"an exchange":  func() { plain.Free(plain.NewExchange(1)) },
		"IsReadOnly":   func() { read.IsReadOnly(x) },
		"AppendOutput": func() { plain.AppendOutput(buf, codec.Msgpack, x) },
	} {
		n := testing.AllocsPerRun(1000, f)
		if raceDetector && what != "StepIn" && what != "Step" && what != "IsReadOnly" {
			continue // it empties pools at random
		}
		if what == "AppendOutput" && n <= codecAllocs(buf) {
			continue // none but the codec's own
		}
		if n != 0 {
			t.Errorf("%s allocates %v times", what, n)
		}
	}
}

// codecAllocs returns what encoding an output costs without a process.
func codecAllocs(buf []byte) float64 {
	c := newTill().Output
	return testing.AllocsPerRun(1000, func() { c.Append(buf, codec.Msgpack, 1) })
}
