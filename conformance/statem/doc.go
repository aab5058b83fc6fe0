// Package statem holds package genstatem against Erlang/OTP's gen_statem: both
// play the same scenarios, and the traces must be identical.
//
//	all, err := statem.Read(file)
//	ours := statem.Play(&all[0], false)
//	theirs, err := otp.Play(ctx, oracle, []string{all[0].String()})
//
// A scenario is a state machine given as tables, and what is done with it:
//
//	scenario NAME
//	machine [key=value ...]
//	init ...
//	on    STATE TYPE CONTENT [if COND] -> RESULT [; ACTION ...]
//	enter STATE OLD          [if COND] -> RESULT [; ACTION ...]
//	OP ...
//	end
//
// Of an event the first "on" line counts whose STATE, TYPE, CONTENT (* is any)
// and condition (d<N, d>=N, d=N) hold, of an enter call likewise the first
// "enter" line; none: keep. The machine's data is a number d and the callers
// that it holds.
//
//	keys       mode=state_functions, enter=true, trap=false, term=crash|throw, fuel=N
//	init       ok STATE [d=N] [; ACTION ...], stop REASON, ignore, crash, badret
//	results    keep, next STATE, repeat, stop [REASON], stop_reply REASON, each with a change of
//	           the number, d+ or d=N; crash, exit REASON, badret; throw RESULT
//	reasons    normal, shutdown, shutdown_t, crash
//	actions    reply R, hold, free R, event TYPE CONTENT, postpone [true|false], hibernate, badaction;
//	           state_timeout, timeout, timeout:NAME with MS CONTENT, infinity CONTENT, update CONTENT
//	           or cancel; bare MS
//	operations start, call E, cast E, info E, advance MS, batch OP ; OP ..., replace STATE [d=N],
//	           stop REASON, parent_exit REASON, stranger_exit REASON, kill
//
// A trace has a line for each callback and its arguments, for each reply where
// the machine asked for it, and for its end:
//
//	> OP                           the operations, each followed by what it made happen
//	init STATE d=N                 or init stop|ignore|crash|badret
//	event STATE TYPE CONTENT d=N   a call's type is call:CALLER
//	enter STATE OLD d=N
//	reply CALLER R
//	terminate WHY STATE d=N
//	exit WHY
//	lost CALLER WHY                no reply
//	result ...
//	state STATE d=N [held=...]     at rest, or dead
//
// Theirs are played by testdata/statem_oracle.escript on OTP's own gen_statem
// with a virtual clock; it needs Erlang. Ours are played by a [Virtual], which
// does for one process what a loop does, and on a real eventloop.Loop in virtual
// time. The tests compare
//
//   - the examples of testdata, and random scenarios, with what OTP did when they
//     were recorded, so that they mean something without Erlang;
//   - where Erlang is installed, new random scenarios in every run;
//   - each scenario with itself, when the machine's state is encoded and
//     decoded after every operation.
//
// A difference is made as small as possible before it is shown; its seed makes
// it again:
//
//	go test ./conformance/statem -run Random -seed=1 -scenarios=1
//
// # Differences from OTP
//
// None in the traces. What Go's types exclude, a callback that returns no
// result, or another state from an enter call, is played by a Stop with OTP's
// reason, which must tell Terminate the same; a false postpone is left out.
// What is not a term of OTP but an error in Go, the reason of an Init that
// stops, is told apart by its text. On a loop, where a panic in Terminate ends
// only that, the player takes the reason from the loop's events.
package statem
