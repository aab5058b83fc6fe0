package statem_test

import (
	_ "embed"
	"testing"

	"github.com/lineshaft/lineshaft/conformance/otp"
	"github.com/lineshaft/lineshaft/conformance/statem"
)

//go:embed testdata/statem_oracle.escript
var oracle []byte

// machines is the comparison with OTP's gen_statem.
var machines = otp.Suite[statem.Scenario]{
	Oracle:   oracle,
	Read:     statem.Read,
	Generate: statem.Generate,
	Play:     play,
	Shrink:   statem.Shrink,
}

// play plays a scenario, twice, and once with its state saved and restored
// after every operation.
func play(t *testing.T, s statem.Scenario) string {
	t.Helper()
	trace := statem.Play(&s, false)
	if restored := statem.Play(&s, true); restored != trace {
		t.Errorf("what is saved is not all of the state:\n%s\nsaved and restored after each operation:\n%s", trace, restored)
	}
	return trace
}

// TestExamples plays scenarios that were thought of.
func TestExamples(t *testing.T) { machines.Recorded(t, "examples") }

// TestCorpus plays random scenarios that OTP has played once.
func TestCorpus(t *testing.T) { machines.Recorded(t, "corpus") }

// TestRecordedStillHolds has OTP play again what it played when the traces were
// recorded. With -record it writes them.
func TestRecordedStillHolds(t *testing.T) { machines.StillHolds(t, "examples", "corpus") }

// TestRandom plays new random scenarios on both sides.
func TestRandom(t *testing.T) { machines.Random(t) }

// TestSameTraceEveryTime plays scenarios again and again.
func TestSameTraceEveryTime(t *testing.T) { machines.SameEveryTime(t, 60) }
