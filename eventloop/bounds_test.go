package eventloop_test

import (
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
)

// What was applied again under a key that had been forgotten is there in a replay,
// however much that one remembers.
func TestReplayForgetsTheKeysThatWereForgotten(t *testing.T) {
	for _, snapshotBytes := range []int64{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			log, m := new(journal.Memory), newMachine()
			c := always(log, worker("a", m))
			c.KeyBytes, c.SnapshotBytes = 1, snapshotBytes
			a := refTo(t, start(t, c), "a")
			for i := range 3 {
				if got := call(t, a.Once("k"), input{Add: 1}); got.Sum != i+1 {
					t.Fatalf("%+v, want a sum of %d", got, i+1)
				}
				synctest.Wait()
			}
			wantSum(t, always(log.Reopen(), worker("a", m)), "a", 3)
		})
	}
}

// What a machine was refused for want of room is refused in a replay, whatever room there is.
func TestReplayHasTheRoomThatThereWas(t *testing.T) {
	for _, snapshotBytes := range []int64{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine()
			m.Step = func(in input, s tally, fx *statemachine.Effects[output]) (tally, output) {
				for range in.Add / 10 {
					statemachine.To[input, output]("b").Cast(fx, input{Add: 1})
				}
				s.Sum += in.Add
				return s, output{s}
			}
			log := new(journal.Memory)
			program := func(log journal.Log, queue int) eventloop.Config {
				c := always(log, worker("a", m), worker("b", newMachine()))
				c.QueueLen, c.SnapshotBytes = queue, snapshotBytes
				return c
			}
			l := start(t, program(log, 2))
			call(t, refTo(t, l, "a"), input{Add: 10})
			synctest.Wait()
			call(t, refTo(t, l, "a"), input{Add: 50})
			was := call(t, refTo(t, l, "b"), input{Add: 1})
			synctest.Wait()
			for _, queue := range []int{2, 0, 1} {
				wantSum(t, program(log.Reopen(), queue), "b", was.Sum)
			}
		})
	}
}
