package conformance_test

import (
	_ "embed"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/conformance"
	"github.com/lineshaft/lineshaft/conformance/otp"
	"github.com/lineshaft/lineshaft/conformance/scenario"
)

//go:embed testdata/otp_oracle.escript
var oracle []byte

// supervisors is the comparison with OTP's supervisor.
var supervisors = otp.Suite[scenario.Scenario]{
	Oracle:   oracle,
	Read:     scenario.Read,
	Generate: scenario.Generate,
	Play:     play,
	Shrink:   scenario.Shrink,
	Expected: expected,
}

// play plays a scenario in virtual time.
func play(t *testing.T, s scenario.Scenario) (trace string) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { trace = conformance.Play(&s, synctest.Wait) })
	return trace
}

// expected returns what OTP's trace says that ours should be.
func expected(s scenario.Scenario, otp string) string {
	if slices.Contains(scenario.CheckedEarlier, s.Name) {
		return scenario.OnlyError(otp)
	}
	return otp
}

// TestExamples plays scenarios that were thought of.
func TestExamples(t *testing.T) { supervisors.Recorded(t, "examples") }

// TestCorpus plays random scenarios that OTP has played once.
func TestCorpus(t *testing.T) { supervisors.Recorded(t, "corpus") }

// TestRecordedStillHolds has OTP play again what it played when the traces were
// recorded. With -record it writes them.
func TestRecordedStillHolds(t *testing.T) { supervisors.StillHolds(t, "examples", "suite", "corpus") }

// TestRandom plays new random scenarios on both sides.
func TestRandom(t *testing.T) { supervisors.Random(t) }

// TestSameTraceEveryTime plays scenarios again and again.
func TestSameTraceEveryTime(t *testing.T) { supervisors.SameEveryTime(t, 60) }

// TestShrink: what is left of a scenario in which a worker is killed, if that
// were a difference, is a worker that is killed.
func TestShrink(t *testing.T) {
	killed := func(s scenario.Scenario) bool { return strings.Contains(play(t, s), " killed\n") }
	tried := 0
	for i := uint64(1); tried < 5; i++ {
		s := scenario.Generate(i)
		if !killed(s) {
			continue
		}
		tried++
		s = scenario.Shrink(s, func(all []scenario.Scenario) []bool {
			yes := make([]bool, len(all))
			for j := range all {
				yes[j] = killed(all[j])
			}
			return yes
		})
		if !killed(s) || len(s.Defs) > 2 || len(s.Ops) > 3 {
			t.Errorf("this is left of scenario %d:\n%s", i, s)
		}
	}
}
