// Package torture_test looks for ways to lose what was acknowledged.
//
// TestPowerCuts runs an event loop with durability Always on a log that is
// slow, fails and loses its power, while clients send numbered inputs to
// processes of their own. After each end the application is started again on
// what survived, and every client compares what is there with what it was told:
//
//   - acknowledged: applied once, in order, with the time, the randomness and
//     the restarts that the caller saw;
//   - unknown: applied once at its place in the order, or not at all;
//   - not applied: not there, and never will be.
//
// TestActors does the same to machines that do everything that machines can ask
// for, at random: casts and calls to each other, timers, tasks, monitors, links,
// continues, children, replies later. Each notes what is to come of it, and that
// it comes, once, and nothing else. A shadow sees every step: what a replay steps
// is what was stepped live, in that order, from the snapshot on, and then what
// the journal has beyond that.
//
// TestLinearizable has many clients on the same registers, over such lives and
// clocks that jump between them, and checks with porcupine that what they were
// told is linearizable. What is left unknown they send again under its
// idempotency key; what was answered is answered the same again.
//
// TestKilledProgram does both to the program kv, over HTTP. It is killed, stood
// still and stopped at random moments; after each its file must be intact. So it
// must after TestFailpoints, in which the program dies at each failpoint of the
// journal and of bbolt, and after TestFilledDisk, in which there is no room.
//
// TestClockJumps has the clock jump between two lives, by years. The other tests
// are single scenarios. A seed decides all faults; as goroutines are scheduled
// freely, it makes a failure likely to come back, not certain.
//
//	make torture TORTURE=1h
//	go test ./torture -rounds=10000 -seed=1
//	go test ./torture -run TestActors -actors=10000
//	go test ./torture -run TestKilledProgram -kvtime=10m
package torture_test
