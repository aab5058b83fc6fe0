// Package otp compares what is played here with what Erlang/OTP does: it runs an
// oracle, a script that plays scenarios on OTP itself, and has the tests that
// every comparison consists of.
//
//	var suite = otp.Suite[event.Scenario]{Oracle: event.Oracle, Read: event.Read, Generate: event.Generate, ...}
//
//	func TestExamples(t *testing.T)           { suite.Recorded(t, "examples") }
//	func TestRecordedStillHolds(t *testing.T) { suite.StillHolds(t, "examples") }
//	func TestRandom(t *testing.T)             { suite.Random(t) }
//
// A scenario is a text that begins with "scenario NAME" and ends with "end", a
// trace likewise; see package scenario. Scenarios are kept in folders of
// testdata, in files NAME.scn, beside what OTP made of them, NAME.out (either
// with .gz, too), and testdata/OTP_VERSION says which OTP that was.
//
// The tests have flags:
//
//	-seed=1         the first of the seeds of the random scenarios
//	-scenarios=100  how many of them
//	-record         write what OTP does into testdata
//
// Where the environment variable LINESHAFT_CI is set, a test that needs Erlang
// and does not find it fails.
package otp
