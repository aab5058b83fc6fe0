package eventloop_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// The tests of this file kill the program and start it again: a replay must
// have decided as the loop had when it ran.

// scaling returns a machine whose Init multiplies what was saved by ten, so
// that the sum tells which inputs came before a restart.
func scaling() *machine {
	m := newMachine()
	m.Init = func(s statemachine.Start[tally]) (tally, error) {
		if s.Saved == nil {
			return tally{}, nil
		}
		t := *s.Saved
		t.Sum *= 10
		return t, nil
	}
	return m
}

// wantSum looks at the process called name after a new start from log.
func wantSum(t *testing.T, cfg eventloop.Config, name statemachine.Name, want int) {
	t.Helper()
	if got := call(t, refTo(t, start(t, cfg), name), input{Get: true}); got.Sum != want {
		t.Errorf("%s after the new start: %+v, want a sum of %d", name, got, want)
	}
}

// What a sibling steps while a Terminate runs comes before its restart.
func TestReplayHasTheInputsOfATerminate(t *testing.T) {
	release := make(chan struct{})
	program := func(log journal.Log) eventloop.Config {
		p := terminating(func(statemachine.Name, statemachine.Reason) { <-release })
		c := always(log, worker("p", p), worker("q", scaling()))
		c.Root.Strategy = supervisor.OneForAll
		return c
	}
	log := new(journal.Memory)
	l := start(t, program(log))
	p, q := refTo(t, l, "p"), refTo(t, l, "q")
	call(t, q, input{Add: 1})
	p.Call(t.Context(), input{Crash: "custom"})
	if got := call(t, q, input{Add: 1}); got.Sum != 2 {
		t.Errorf("q while p terminates: %+v", got)
	}
	close(release)
	call(t, p, input{Add: 1})
	if got := call(t, q, input{Get: true}); got.Sum != 20 {
		t.Errorf("q after its restart: %+v", got)
	}
	wantSum(t, program(log.Reopen()), "q", 200)
}

// An input that waited for the end of a Terminate and for RestartChild is
// stepped by the new life, not refused.
func TestReplayOfAnInputThatWaitedForATerminate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		release := make(chan struct{})
		p := terminating(func(statemachine.Name, statemachine.Reason) { <-release })
		l := start(t, always(log, worker("p", p)))
		r := refTo(t, l, "p")
		call(t, r, input{Add: 1})
		log.hold()
		terminated := inBackground(func() error { return l.TerminateChild(context.Background(), "root", "p") })
		called := inBackground(func() error {
			_, err := r.Call(context.Background(), input{Add: 10})
			return err
		})
		log.release()
		synctest.Wait()
		restarted := inBackground(func() error {
			_, err := l.RestartChild(context.Background(), "root", "p")
			return err
		})
		close(release)
		if err := errors.Join(<-terminated, <-called, <-restarted); err != nil {
			t.Error(err)
		}
		if got := call(t, r, input{Get: true}); got.Sum != 11 {
			t.Errorf("live: %+v", got)
		}
		again := terminating(func(statemachine.Name, statemachine.Reason) {})
		wantSum(t, always(mem.Reopen(), worker("p", again)), "p", 11)
	})
}

// poisoned returns a machine whose Init fails once the sum is 100.
func poisoned() *machine {
	m := newMachine()
	m.Init = func(s statemachine.Start[tally]) (tally, error) {
		if s.Saved != nil && s.Saved.Sum >= 100 {
			return tally{}, errors.New("poisoned")
		}
		return tally{}, nil
	}
	return m
}

// withPoisoned is a program to which a poisoned child is added, below "sub".
// That its restarts fail may end sub, and so the program.
func withPoisoned(log journal.Log, sub supervisor.Supervisor, m *machine) eventloop.Config {
	sub.Name = "sub"
	c := always(log, worker("q", newMachine()), sub)
	c.Root.Intensity = supervisor.NoRestarts
	c.Machines = map[string]statemachine.Server{"m": m}
	return c
}

// startPoisoned starts that program, adds the child p and poisons it.
func startPoisoned(t *testing.T, cfg eventloop.Config) (p, q ref) {
	t.Helper()
	l := start(t, cfg)
	if _, err := l.StartChild(t.Context(), "sub", worker("p", cfg.Machines["m"])); err != nil {
		t.Fatal(err)
	}
	p, q = refTo(t, l, "p"), refTo(t, l, "q")
	call(t, p, input{Add: 100})
	return p, q
}

// Restarts that fail count at the time at which they were tried.
func TestReplayCountsRetriesAtTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, log := poisoned(), new(journal.Memory)
		sub := supervisor.Supervisor{Intensity: 2, Period: 5 * time.Second, Backoff: supervisor.Backoff{Initial: 10 * time.Second, Factor: 1}}
		p, q := startPoisoned(t, withPoisoned(log, sub, m))
		p.Call(t.Context(), input{Crash: "custom"})
		time.Sleep(65 * time.Second) // some retries, never more than two in five seconds
		call(t, q, input{Add: 7})
		wantSum(t, withPoisoned(log.Reopen(), sub, m), "q", 7)
	})
}

// Restarts that fail are tried again behind what was queued before.
func TestReplayRetriesInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, mem := poisoned(), new(journal.Memory)
		log := &heldLog{Log: mem}
		sub := supervisor.Supervisor{Intensity: 3, Period: 5 * time.Second}
		p, q := startPoisoned(t, withPoisoned(log, sub, m))
		crashHeld(log, p)
		called := inBackground(func() error {
			_, err := q.Call(context.Background(), input{Add: 7})
			return err
		})
		log.setSaves(saveLost) // killed before the states are saved
		log.release()
		if err := <-called; err != nil {
			t.Errorf("the call that was queued before the retries: %v", err)
		}
		wantSum(t, withPoisoned(mem.Reopen(), sub, m), "q", 7)
	})
}

// A journal is replayed by the times in it, whatever the level it is read at.
func TestReplayAtAnotherLevelGoesByTheJournalsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		program := func(log journal.Log) eventloop.Config {
			c := always(log, worker("p", newMachine()), worker("q", newMachine()))
			c.Root.Intensity = 1
			return c
		}
		log := new(journal.Memory)
		l := start(t, program(log))
		p, q := refTo(t, l, "p"), refTo(t, l, "q")
		for range 5 {
			p.Call(t.Context(), input{Crash: "custom"})
			time.Sleep(10 * time.Second)
		}
		call(t, q, input{Add: 7})
		c := program(log.Reopen())
		c.Durability = eventloop.AtShutdown
		wantSum(t, c, "q", 7)
	})
}

// A retry may be the first thing in the journal after a checkpoint.
func TestReplayBeginsWithARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		program := func(log journal.Log) eventloop.Config {
			c := always(log, worker("p", newMachine()), worker("q", newMachine()))
			c.Root.Backoff = supervisor.Backoff{Initial: 10 * time.Second}
			c.SnapshotBytes = 1
			return c
		}
		l := start(t, program(log))
		p, q := refTo(t, l, "p"), refTo(t, l, "q")
		call(t, p, input{Add: 1})
		p.Call(t.Context(), input{Crash: "custom"})
		call(t, q, input{Add: 1})
		synctest.Wait()
		log.setSaves(saveLost) // that was the last checkpoint
		time.Sleep(11 * time.Second)
		want := call(t, p, input{Add: 1})
		want.Inits++ // of the new start
		if got := call(t, refTo(t, start(t, program(mem.Reopen())), "p"), input{Get: true}); got != want {
			t.Errorf("after kill -9: %+v, want %+v", got, want)
		}
	})
}

// What happened while a supervisor was suspended comes before what it then did.
func TestReplaySuspends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		program := func(log journal.Log) eventloop.Config {
			c := always(log, worker("p", newMachine()), worker("q", scaling()))
			c.Root.Strategy = supervisor.OneForAll
			return c
		}
		log := new(journal.Memory)
		l := start(t, program(log))
		p, q := refTo(t, l, "p"), refTo(t, l, "q")
		if err := l.Suspend(t.Context(), "root"); err != nil {
			t.Fatal(err)
		}
		p.Call(t.Context(), input{Crash: "custom"})
		call(t, q, input{Add: 1})
		if err := l.Resume(t.Context(), "root"); err != nil {
			t.Fatal(err)
		}
		if got := call(t, q, input{Get: true}); got.Sum != 10 {
			t.Errorf("live: %+v", got)
		}
		wantSum(t, program(log.Reopen()), "q", 100)
	})
}

// Earlier versions wrote a batch before the one before it was applied, and said so
// by a record in front: then an input in it is for who had the name before.
func TestReplayOfABatchOfAnEarlierVersion(t *testing.T) {
	const behind = `{"op":13}`
	for _, front := range []string{"", behind} {
		synctest.Test(t, func(t *testing.T) {
			log, m := new(journal.Memory), newMachine()
			l := start(t, withAdded(log, m))
			w := supervisor.Worker{Name: "w", Machine: m, Restart: supervisor.Temporary}
			add(t, l, "root", w)
			call(t, refTo(t, l, "w"), input{Add: 5})
			if err := l.TerminateChild(t.Context(), "root", "w"); err != nil {
				t.Fatal(err)
			}
			add(t, l, "root", w)
			killed := log.Reopen()
			var b journal.Builder
			b.Reset(time.Now().UnixNano())
			if front != "" {
				b.Add(journal.KindChild, "root", []byte(front))
			}
			b.Add(journal.KindInput, "w", inputRecord(t, log))
			appended := make(chan error)
			killed.Append(b.Seal(), func(_ uint64, err error) { appended <- err })
			if err := <-appended; err != nil {
				t.Fatal(err)
			}
			want := 5
			if front == behind {
				want = 0
			}
			wantSum(t, withAdded(killed, m), "w", want)
		})
	}
}

// inputRecord returns the data of the only input in a journal.
func inputRecord(t *testing.T, log *journal.Memory) (data []byte) {
	t.Helper()
	err := log.Reopen().Recover(func(journal.Snapshot) error { return nil }, func(_ uint64, b journal.Batch) error {
		for e := range b.Entries() {
			if e.Kind == journal.KindInput {
				data = bytes.Clone(e.Data)
			}
		}
		return nil
	})
	if err != nil || data == nil {
		t.Fatalf("no input in the journal, %v", err)
	}
	return data
}

// A timer that was cancelled when its turn came has letters stepped all the same, live
// as in a replay.
func TestReplayOfATimerThatWasCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		s := &stage{t, start(t, always(log, worker("a", theDiarist), worker("b", theDiarist)))}
		s.do("a", do{Word: "timer", Text: "x", After: time.Second})
		begin := func(name statemachine.Name, in do) {
			s.begin(name, in)
			synctest.Wait()
		}
		log.hold()
		begin("b", do{Word: "told", Text: "first"}) // what follows is one batch
		begin("a", do{Word: "casts-then", Name: "b", After: 200})
		begin("a", do{Word: "cancel", Text: "x"})
		time.Sleep(2 * time.Second)
		begin("b", do{Word: "told", Text: "in between"})
		log.release()
		synctest.Wait()
		want := s.do("b", do{Word: "diary"})
		again := &stage{t, start(t, always(mem.Reopen(), worker("a", theDiarist), worker("b", theDiarist)))}
		again.told("b", want)
	})
}
