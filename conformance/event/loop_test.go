package event_test

import (
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/conformance/event"
	"github.com/lineshaft/lineshaft/conformance/otp"
)

// onLoop is the comparison with managers that a loop runs.
func onLoop() otp.Suite[event.Scenario] {
	s := managers
	s.Play = playOnLoop
	return s
}

// playOnLoop plays a scenario on a loop, in virtual time.
func playOnLoop(t *testing.T, s event.Scenario) (trace string) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { trace = event.PlayOnLoop(s, synctest.Wait) })
	return trace
}

func TestExamplesOnLoop(t *testing.T) { onLoop().Recorded(t, "examples") }

func TestCorpusOnLoop(t *testing.T) { onLoop().Recorded(t, "corpus") }

func TestRandomOnLoop(t *testing.T) { onLoop().Random(t) }

func TestSameTraceEveryTimeOnLoop(t *testing.T) { onLoop().SameEveryTime(t, 20) }
