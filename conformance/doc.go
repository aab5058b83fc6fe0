// Package conformance holds an application's supervision against that of
// Erlang/OTP: both play the same scenarios, and the traces must be identical.
//
//	synctest.Test(t, func(t *testing.T) {
//		ours := conformance.Play(&s, synctest.Wait)
//		...
//	})
//	theirs, err := conformance.OTP(ctx, []scenario.Scenario{s})
//
// Package scenario says what a scenario and a trace are. Ours are played on a
// real eventloop.Loop in virtual time, and the trace is written from the events
// of the loop. Theirs are played by testdata/otp_oracle.escript, on OTP's own
// supervisor and gen_server; it needs Erlang. The tests compare
//
//   - the examples of testdata, and 1,400 random scenarios, with what OTP did
//     when they were recorded, so that they mean something without Erlang;
//   - the cases of OTP's own supervisor_SUITE, by name, likewise;
//   - where Erlang is installed, new random scenarios in every run.
//
// A difference is made as small as possible before it is shown; its seed makes
// it again; see package otp for the flags:
//
//	go test ./conformance -run Random -seed=1 -scenarios=1
//
// # Differences from OTP
//
// Those of package supervisor. Moreover
//
//   - a wrong spec anywhere in a tree is found before anything of it is started
//     (scenario.CheckedEarlier lists the examples);
//   - a call waits for a process that is restarting. The player does not make
//     such calls: OTP answers noproc;
//   - who calls a process that ends without a reply is told so before its
//     Terminate runs, and Loop.StopProcess says that a process ended because of
//     something else if the class of that is another. Where Terminate crashes
//     OTP's caller learns of it; the player then asks the events;
//   - Loop.TerminateChild goes by name, also for a child of a pool, where OTP
//     has a call by pid, and refuses one by id. The player plays the second as
//     a RestartChild, which a pool refuses in the same way.
package conformance
