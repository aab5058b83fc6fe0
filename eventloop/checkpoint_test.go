package eventloop_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
)

// timedLog checks that a checkpoint has the time of the batch that it is of.
type timedLog struct {
	journal.Log
	t           *testing.T
	times       []int64 // of the batches; the first has index 1
	checkpoints int     // of a batch that is here
}

func (l *timedLog) Append(b journal.Batch, done func(uint64, error)) {
	l.times = append(l.times, b.Time())
	l.Log.Append(b, done)
}

func (l *timedLog) Save(u journal.Update, done func(error)) {
	if u.Index != 0 {
		l.checkpoints++
		if want := l.times[u.Index-1]; u.Time != want {
			l.t.Errorf("the checkpoint of batch %d has the time %d, the batch %d", u.Index, u.Time, want)
		}
	}
	l.Log.Save(u, done)
}

// A checkpoint has the time of the last batch that is in it, not that of one
// which is being written.
func TestCheckpointHasTheTimeOfItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timed := &timedLog{Log: new(journal.Memory), t: t}
		log := &heldLog{Log: timed}
		c := always(log, worker("q", newMachine()))
		c.SnapshotBytes = 1
		l := start(t, c)
		q := refTo(t, l, "q")
		adds := func() error {
			_, err := q.Call(context.Background(), input{Add: 1})
			return err
		}
		log.hold()
		first := inBackground(adds)
		time.Sleep(time.Second)
		second := inBackground(adds)
		log.release()
		for _, errs := range []<-chan error{first, second} {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if timed.checkpoints == 0 {
			t.Error("there was no checkpoint")
		}
	})
}

// A process that is not durable is in no checkpoint, and starts anew next to
// those that are.
func TestStartFromACheckpointWithoutAVolatileProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		program := func(log journal.Log) eventloop.Config {
			v := newMachine()
			v.State = nil
			c := always(log, worker("v", v), worker("a", newMachine()))
			c.SnapshotBytes = 1
			return c
		}
		log := new(journal.Memory)
		l := start(t, program(log))
		call(t, refTo(t, l, "v"), input{Add: 1})
		for range 10 {
			call(t, refTo(t, l, "a"), input{Add: 1})
			synctest.Wait() // for the checkpoint
		}
		again := start(t, program(log.Reopen()))
		if a, v := call(t, refTo(t, again, "a"), input{Get: true}), call(t, refTo(t, again, "v"), input{Get: true}); a.Sum != 10 || v.Sum != 0 {
			t.Errorf("after kill -9: a %+v, v %+v", a, v)
		}
	})
}

// Inputs that wait for a process that is suspended keep no journal from being
// truncated, and are there after a kill -9.
func TestCheckpointWhileInputsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(journal.Memory)
		program := func(log journal.Log) eventloop.Config {
			c := always(log, worker("a", newMachine()), worker("b", newMachine()))
			c.SnapshotBytes = 1
			return c
		}
		l := start(t, program(log))
		if err := l.Suspend(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if err := refTo(t, l, "a").Cast(t.Context(), input{Add: 7}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			call(t, refTo(t, l, "b"), input{Add: 1})
			synctest.Wait()
		}
		killed := log.Reopen()
		batches := 0
		err := killed.Recover(func(journal.Snapshot) error { return nil }, func(uint64, journal.Batch) error { batches++; return nil })
		if err != nil || batches > 0 {
			t.Errorf("%d batches are behind the checkpoint, %v", batches, err)
		}
		wantSum(t, program(killed), "a", 7)
	})
}
