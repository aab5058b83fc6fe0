// Package event holds package genevent against Erlang/OTP's gen_event: both play
// the same scenarios, and the traces must be identical.
//
//	ours := event.Play(s) // without a loop
//	synctest.Test(t, func(t *testing.T) { ours = event.PlayOnLoop(s, synctest.Wait) })
//	theirs, err := otp.Play(ctx, oracle, []string{s.String()})
//
// Theirs are played by testdata/event_oracle.escript; see package otp, and
// package conformance, which does the same for supervisors. The tests compare
// the examples of testdata and 800 random scenarios with what OTP did when they
// were recorded, and where Erlang is installed, new random ones in every run:
//
//	go test ./conformance/event -run Random -seed=1 -scenarios=1
//
// # Scenarios
//
// One item a line, words separated by blanks, # begins a comment.
//
//	scenario NAME
//	handler H term=ok|crash|throw              what its Terminate does
//	on event H CONTENT [if COND] -> RESULT     what its HandleEvent does
//	on info  H CONTENT [if COND] -> RESULT     HandleInfo
//	on call  H QUERY   [if COND] -> RESULT     HandleCall
//	OP...
//	end
//
// The state of a handler is a number d, 0 at first. The first rule that fits
// counts; "*" fits anything; COND is d<N, d>=N or d=N. Without a rule nothing
// changes, and the reply is none. A RESULT is one of
//
//	ok [D], reply R [D]                    D: d+ adds one, d=N sets
//	hibernate [D], hibernate R [D]         the same
//	remove, remove R
//	swap A1 H2 A2 [D], swap R A1 H2 A2 [D]
//	crash, exit REASON, badret             all three are panics here
//	throw RESULT                           the same as RESULT
//
// The operations:
//
//	plan H o,o,...           the next Inits of H: ok, hibernate, throw (all
//	                         succeed), error, other (both fail), crash
//	start                    start the manager
//	add H ARG, add_sup P H ARG, delete H ARG, swap H1 A1 H2 A2,
//	swap_sup P H1 A1 H2 A2, notify E, sync_notify E, call H Q, which
//	info E                   some other message
//	client_exit P REASON     the client P exits; named again, it is a new one
//	batch op ; op ; ...      all is in the mailbox before the first is handled
//	stop REASON, parent_exit REASON, kill
//
// # Traces
//
// A trace has of each operation its echo, then what happened, then the results
// and the handlers, newest first, or "dead":
//
//	> OP
//	init H ARG [from VALUE] [OUTCOME]
//	event|info|call H CONTENT d=N
//	terminate H WHY d=N
//	told P H WHY             the client P is told that the handler has gone
//	exit WHY                 the manager has ended
//	result ...
//	handlers h3=0 h1=2
//
// # Differences from OTP
//
// That of package genevent which shows in a trace: a client is not told of the
// end of a manager that is ended from outside, as by parent_exit. See Expected.
package event
