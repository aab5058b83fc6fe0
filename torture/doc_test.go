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
// TestKilledProgram does the same to the program kv, which is killed and stopped
// at random moments, and checks that every key is a linearizable register. The other tests are single
// scenarios. A seed decides all faults; as goroutines are scheduled freely, it
// makes a failure likely to come back, not certain.
//
//	go test ./torture -rounds=10000 -seed=1
//	go test ./torture -run TestKilledProgram -kvtime=10m
package torture_test
