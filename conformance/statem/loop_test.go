package statem_test

import (
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/conformance/otp"
	"github.com/lineshaft/lineshaft/conformance/statem"
)

// onLoop is the comparison with machines that a loop runs.
func onLoop() otp.Suite[statem.Scenario] {
	s := machines
	s.Play = playOnLoop
	return s
}

// playOnLoop plays a scenario on a loop, in virtual time, if it can be.
func playOnLoop(t *testing.T, s statem.Scenario) (trace string) {
	t.Helper()
	if !s.FitsLoop() {
		return statem.Play(&s, false)
	}
	synctest.Test(t, func(*testing.T) { trace = statem.PlayOnLoop(&s, synctest.Wait) })
	return trace
}

func TestExamplesOnLoop(t *testing.T) { onLoop().Recorded(t, "examples") }

func TestCorpusOnLoop(t *testing.T) { onLoop().Recorded(t, "corpus") }

func TestRandomOnLoop(t *testing.T) { onLoop().Random(t) }

func TestSameTraceEveryTimeOnLoop(t *testing.T) { onLoop().SameEveryTime(t, 20) }

// TestFitsLoop: almost all scenarios do.
func TestFitsLoop(t *testing.T) {
	n := 0
	for seed := range uint64(100) {
		if statem.Generate(seed).FitsLoop() {
			n++
		}
	}
	if n < 95 {
		t.Errorf("%d of 100", n)
	}
}
