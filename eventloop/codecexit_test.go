package eventloop_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
)

// A codec that ends the goroutine which journals its input costs that input
// only; and, if that was another caller's goroutine, that one its answer.
func TestGoexitWhileJournaling(t *testing.T) {
	m := newMachine()
	m.Input = unlucky()
	log := new(journal.Memory)
	l := start(t, always(log, worker("a", m)))
	a := refTo(t, l, "a")
	results := make(chan error, 20)
	for i := range 20 {
		go func() {
			err := errors.New("the caller's goroutine was ended") // where it journals its input itself
			defer func() { results <- err }()
			_, err = a.Call(context.Background(), input{Add: 10 + i})
		}()
	}
	failed := 0
	for range 20 {
		if err := <-results; err != nil {
			failed++
		}
	}
	// What is still queued for a caller that was ended comes before this.
	if got := call(t, a, input{Add: 1}); got.Sum != 20*10+190-13+1 || failed < 1 || failed > 2 {
		t.Errorf("%+v, and %d calls failed; want a sum of %d, and one or two", got, failed, 20*10+190-13+1)
	}
}

// unlucky is a codec that ends the goroutine which encodes an input of 13.
func unlucky() codec.Codec[input] {
	return codec.Convert(codec.Of[input](), func(in input) input {
		if in.Add == 13 {
			runtime.Goexit()
		}
		return in
	}, func(in input) (input, error) { return in, nil })
}

// explosive is a codec that ends the goroutine which encodes, as long as armed.
func explosive[T any](armed *atomic.Bool) codec.Codec[T] {
	return codec.Convert(codec.Of[T](), func(v T) T {
		if armed.Load() {
			runtime.Goexit()
		}
		return v
	}, func(v T) (T, error) { return v, nil })
}

// A State codec that ends the goroutine which saves, the Log's, is a save that
// failed; the Log and the application go on.
func TestGoexitWhileSaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var armed atomic.Bool
		m := newMachine()
		m.State = explosive[tally](&armed)
		log, failed := new(journal.Memory), 0
		c := always(log, worker("a", m))
		c.SnapshotBytes = 1
		c.OnEvent = func(e eventloop.Event) {
			if e, ok := e.(eventloop.SaveFailed); ok && errors.Is(e.Err, journal.ErrRefused) {
				failed++
			}
		}
		l := start(t, c)
		armed.Store(true)
		for range 3 {
			call(t, refTo(t, l, "a"), input{Add: 1})
			synctest.Wait()
		}
		armed.Store(false)
		if err := errors.Join(l.Stop(t.Context()), log.Close()); err != nil || failed == 0 {
			t.Errorf("%v, and %d saves failed", err, failed)
		}
		c.Log = log.Reopen()
		wantSum(t, c, "a", 3)
	})
}

// An Output codec that ends the goroutine which remembers an answer costs that
// answer only.
func TestGoexitWhileRemembering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var armed atomic.Bool
		m := newMachine()
		m.Output = explosive[output](&armed)
		l := start(t, always(new(journal.Memory), worker("a", m)))
		armed.Store(true)
		for range 2 {
			refTo(t, l, "a").Once("k").Call(t.Context(), input{Add: 1})
		}
		armed.Store(false)
		if got := call(t, refTo(t, l, "a"), input{Add: 1}); got.Sum != 2 {
			t.Errorf("%+v, want a sum of 2", got)
		}
	})
}

// A result whose codec ends the goroutine that journals it is an error that the machine is told.
func TestGoexitInAResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var armed atomic.Bool
		armed.Store(true)
		task := statemachine.NewTask("task", codec.Of[int](), explosive[int](&armed),
			func(context.Context, statemachine.TaskID, int) (int, error) { return 1, nil })
		m := newMachine()
		m.Tasks = []statemachine.AnyTask{task}
		m.Step = func(in input, s tally, fx *statemachine.Effects[output]) (tally, output) {
			if in.Add == 1 {
				task.Start(fx, "tag", 1, statemachine.Retry{})
			}
			s.Sum += in.Add
			return s, output{s}
		}
		m.Message = func(msg statemachine.Message) input {
			if done, ok := msg.(statemachine.TaskDone); ok && errors.Is(done.Err, statemachine.ErrOutput) {
				return input{Add: 10}
			}
			return input{Add: 100}
		}
		log := new(journal.Memory)
		l := start(t, always(log, worker("a", m)))
		call(t, refTo(t, l, "a"), input{Add: 1})
		synctest.Wait()
		if got := call(t, refTo(t, l, "a"), input{Get: true}); got.Sum != 11 {
			t.Errorf("the sum is %d, want 11", got.Sum)
		}
		wantSum(t, always(log.Reopen(), worker("a", m)), "a", 11)
	})
}
