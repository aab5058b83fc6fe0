package event_test

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/conformance/event"
	"github.com/lineshaft/lineshaft/conformance/otp"
)

//go:embed testdata/event_oracle.escript
var oracle []byte

// managers is the comparison with OTP's gen_event.
var managers = otp.Suite[event.Scenario]{
	Oracle:   oracle,
	Read:     event.Read,
	Generate: event.Generate,
	Play:     func(_ *testing.T, s event.Scenario) string { return event.Play(s) },
	Shrink:   event.Shrink,
	Expected: func(_ event.Scenario, otp string) string { return event.Expected(otp) },
}

// TestExamples plays scenarios that were thought of.
func TestExamples(t *testing.T) { managers.Recorded(t, "examples") }

// TestCorpus plays random scenarios that OTP has played once.
func TestCorpus(t *testing.T) { managers.Recorded(t, "corpus") }

// TestRecordedStillHolds has OTP play again what it played when the traces were
// recorded. With -record it writes them.
func TestRecordedStillHolds(t *testing.T) { managers.StillHolds(t, "examples", "corpus") }

// TestRandom plays new random scenarios on both sides.
func TestRandom(t *testing.T) { managers.Random(t) }

// TestSameTraceEveryTime plays scenarios again and again.
func TestSameTraceEveryTime(t *testing.T) { managers.SameEveryTime(t, 60) }

// TestGeneratedIsValid: what is generated passes Check, and comes back from its
// text.
func TestGeneratedIsValid(t *testing.T) {
	for seed := range uint64(300) {
		s := event.Generate(seed)
		if err := s.Check(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		again, err := event.Read(strings.NewReader(s.String()))
		if err != nil || len(again) != 1 || again[0].String() != s.String() {
			t.Errorf("seed %d is read as %v, %v", seed, again, err)
		}
	}
}

// TestCheck: what is not valid is found.
func TestCheck(t *testing.T) {
	for name, text := range map[string]string{
		"exits twice":    "start\nbatch client_exit p1 crash ; client_exit p1 crash",
		"links":          "start\nbatch client_exit p1 crash ; swap h1 a h2 b",
		"hibernates":     "on event h1 x -> swap a h2 b\nstart\nplan h2 hibernate\nadd h1 a\nnotify x",
		"fails":          "on event h1 x -> swap a h2 b\nstart\nplan h2 other\nadd_sup p1 h1 a\nnotify x",
		"fails in calls": "on call h1 x -> swap r a h2 b\nstart\nplan h2 crash\nadd_sup p1 h1 a\ncall h1 x",
	} {
		all, err := event.Read(strings.NewReader("scenario s\n" + text + "\nend"))
		if err != nil {
			t.Fatal(err)
		}
		if all[0].Check() == nil {
			t.Errorf("%s: nothing is found", name)
		}
	}
}

// TestShrink: what is left of a scenario in which a Terminate crashes, if that
// were a difference, is one that does.
func TestShrink(t *testing.T) {
	crashes := func(s event.Scenario) bool { return strings.Contains(event.Play(s), "result EXIT term_boom\n") }
	tried := 0
	for i := uint64(1); tried < 3; i++ {
		s := event.Generate(i)
		if !crashes(s) {
			continue
		}
		tried++
		s = event.Shrink(s, func(all []event.Scenario) []bool {
			yes := make([]bool, len(all))
			for j := range all {
				yes[j] = crashes(all[j])
			}
			return yes
		})
		if !crashes(s) || len(s.Defs) > 1 || len(s.Rules) > 1 || len(s.Ops) > 5 {
			t.Errorf("this is left of scenario %d:\n%s", i, s)
		}
	}
}
