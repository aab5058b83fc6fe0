package torture_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// flat is a root that never gives up.
func flat(children ...supervisor.Child) supervisor.Supervisor {
	return supervisor.Supervisor{Intensity: 1 << 30, Children: children}
}

func worker(name statemachine.Name, m *machine) supervisor.Worker {
	return supervisor.Worker{Name: name, Machine: m}
}

// An input that was journaled while its process was being deleted must not
// keep the program from starting.
func TestInputBehindDeletion(t *testing.T) {
	m := newMachine(nil)
	play(t, m, flat(worker("b", m), supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne, Children: []supervisor.Child{worker("template", m)}}),
		func(s *scene) {
			if _, err := s.loop.StartChild(context.Background(), "pool", supervisor.Worker{Name: "q"}); err != nil {
				t.Fatal(err)
			}
			s.log.hold = true
			s.call("b", input{Seq: 1}) // what follows shares a batch
			gone := begin(func() error { return s.loop.TerminateChild(context.Background(), "pool", "q") })
			late := s.call("q", input{Seq: 1})
			s.log.release(false)
			s.log.release(false)
			if err := gone(); err != nil {
				t.Error(err)
			}
			if err := late(); fateOf(err) != absent {
				t.Errorf("the call: %v", err)
			}
			s.want("q", "none")
		})
}

// One that is refused because its process has been replaced under the same name
// must not reach the new one in a replay.
func TestInputBehindReplacement(t *testing.T) {
	m := newMachine(nil)
	play(t, m, flat(worker("b", m), supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne, Children: []supervisor.Child{worker("template", m)}}),
		func(s *scene) {
			ctx, q := context.Background(), supervisor.Worker{Name: "q"}
			if _, err := s.loop.StartChild(ctx, "pool", q); err != nil {
				t.Fatal(err)
			}
			s.log.hold = true
			s.call("b", input{Seq: 1}) // what follows shares a batch
			gone := begin(func() error { return s.loop.TerminateChild(ctx, "pool", "q") })
			again := begin(func() error { _, err := s.loop.StartChild(ctx, "pool", q); return err })
			late := s.call("q", input{Seq: 1})
			s.log.release(false)
			s.log.release(false)
			err := errors.Join(gone(), again())
			if err != nil {
				t.Error(err)
			}
			want := "[]"
			if err := late(); fateOf(err) == present {
				want = "[1]"
			}
			s.want("q", want)
		})
}

// A request to a supervisor whose commit fails has not succeeded.
func TestRequestOnBrokenLog(t *testing.T) {
	m := newMachine(nil)
	play(t, m, flat(worker("a", m)), func(s *scene) {
		s.log.hold = true
		added := begin(func() error {
			_, err := s.loop.StartChild(context.Background(), "root", worker("e", m))
			return err
		})
		s.log.release(true)
		if err := added(); fateOf(err) != unknown || !errors.Is(err, statemachine.ErrJournal) {
			t.Errorf("StartChild: %v; want ErrJournal, and that it is unknown whether it was applied", err)
		}
	})
}

// Nothing is stepped any more once a commit has failed, not even by a process
// that a crash of before would restart.
func TestCrashBehindBrokenLog(t *testing.T) {
	m := newMachine(nil)
	play(t, m, flat(worker("a", m), worker("b", m)), func(s *scene) {
		s.log.hold = true
		s.call("b", input{Seq: 0}) // what follows shares a batch
		first := s.call("b", input{Seq: 1})
		crashed := s.call("a", input{Do: doCrashGet})
		second := s.call("a", input{Seq: 2})
		s.log.release(false)
		s.log.release(true)
		if err := first(); fateOf(err) != unknown {
			t.Errorf("the call being committed: %v", err)
		}
		crashed()
		if err := second(); fateOf(err) == present {
			t.Errorf("a call behind it was acknowledged: %v", err)
		}
	})
}

// What waits for a process to be up again, and is in the journal, is not "not
// applied" when the log fails meanwhile.
func TestWaitingOnBrokenLog(t *testing.T) {
	m := newMachine(func() time.Duration { return time.Second })
	play(t, m, flat(worker("a", m), worker("b", m)), func(s *scene) {
		s.log.hold = true
		s.call("b", input{Seq: 1})              // what follows shares a batch
		s.call("a", input{Seq: 1, Do: doCrash}) // whose Terminate takes a second
		waiting := s.call("a", input{Seq: 3})
		s.log.release(false)
		s.log.release(false)
		s.call("b", input{Seq: 2})
		s.log.release(true)
		if err := waiting(); fateOf(err) == absent && s.find("a") != "[]" {
			t.Errorf("%v, and it is there after a new start", err)
		}
	})
}

// An accepted cast that waits for its process to be up again is stepped before
// the application stops.
func TestStopWhileCastWaits(t *testing.T) {
	m := newMachine(func() time.Duration { return time.Second })
	play(t, m, flat(worker("a", m), worker("b", m)), func(s *scene) {
		s.log.hold = true
		s.call("b", input{Seq: 1}) // what follows shares a batch
		s.call("a", input{Seq: 1, Do: doCrash})
		cast := s.cast("a", input{Seq: 2})
		s.log.release(false)
		s.log.release(false)
		if err := cast(); err != nil {
			t.Fatal(err)
		}
		s.log.hold = false
		if err := s.loop.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.want("a", "[2]")
	})
}

// How a Terminate ends decides whether a transient process is restarted, in a
// replay as it did live.
func TestTerminatePanics(t *testing.T) {
	m := newMachine(nil)
	m.Terminate = func(statemachine.Name, account, statemachine.Reason) { panic("in terminate") }
	w := worker("a", m)
	w.Restart = supervisor.Transient
	play(t, m, flat(w), func(s *scene) {
		s.call("a", input{Seq: 1, Do: doQuit})
		if err := s.call("a", input{Seq: 2})(); err != nil {
			t.Fatal(err) // Terminate's panic is no clean exit
		}
		s.want("a", "[1 2]")
	})
}

// An input that was applied before a sibling's slow end restarted its process
// is applied before that in a replay.
func TestSlowTerminate(t *testing.T) {
	m := newMachine(nil)
	m.Terminate = func(n statemachine.Name, _ account, _ statemachine.Reason) {
		if n == "a" {
			<-time.After(time.Second)
		}
	}
	root := flat(worker("a", m), worker("b", m))
	root.Strategy = supervisor.OneForAll
	play(t, m, root, func(s *scene) {
		s.call("a", input{Seq: 1, Do: doCrash})
		out, err := s.target("b").Call(context.Background(), input{Seq: 2})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Second)
		again, err := s.start(s.log.Memory.Reopen())
		if err != nil {
			t.Fatal(err)
		}
		defer again.Stop(context.Background())
		got, err := targetIn(t, again, "b").Call(context.Background(), input{Do: doGet})
		if err != nil || len(got.Account.Applied) != 1 || got.Account.Applied[0] != out.Applied {
			t.Errorf("%v %v, want what the caller was told, %v", got.Account.Applied, err, out.Applied)
		}
	})
}

// A start that is retried while other inputs are journaled is retried at the
// same times in a replay: it must not exceed an intensity that it kept live.
func TestRetriesOnSlowLog(t *testing.T) {
	m := newMachine(nil)
	sick := newMachine(nil)
	sick.Init = func(s statemachine.Start[account]) (account, error) {
		if s.Saved != nil && len(s.Saved.Applied) == 1 {
			return account{}, errors.New("sick")
		}
		return account{}, nil
	}
	sick.State = codec.Of[account]()
	root := supervisor.Supervisor{Intensity: 1, Period: time.Second, Children: []supervisor.Child{worker("b", m)}}
	play(t, sick, root, func(s *scene) {
		if _, err := s.loop.StartChild(context.Background(), "root", worker("a", sick)); err != nil {
			t.Fatal(err)
		}
		s.log.hold = true
		s.call("a", input{Seq: 1, Do: doFail}) // from here on its Init fails
		var calls []func() error
		for seq := int64(2); seq < 8; seq++ {
			calls = append(calls, s.call("b", input{Seq: seq})) // each retry shares a batch with one of them
			<-time.After(3 * time.Second)
			s.log.release(false)
		}
		for _, c := range calls[:4] {
			if err := c(); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.find("b"); got != "[2 3 4 5 6]" && got != "[2 3 4 5 6 7]" {
			t.Errorf("after a new start b has applied %s", got)
		}
	})
}

// A call whose commit is under way when the application is cut short, and whose
// last save fails, may be in the journal.
func TestCutShortOnBrokenLog(t *testing.T) {
	m := newMachine(nil)
	play(t, m, flat(worker("a", m)), func(s *scene) {
		s.log.hold = true
		late := s.call("a", input{Seq: 1})
		s.log.failSave = true
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		stopped := begin(func() error { return s.loop.Stop(ctx) })
		for len(s.log.held) > 0 {
			s.log.release(false)
		}
		stopped()
		if err := late(); fateOf(err) == absent && s.find("a") != "[]" {
			t.Errorf("%v, and it is there after a new start", err)
		}
	})
}

// A cast that is being committed when the root gives up is not accepted, or is
// there afterwards.
func TestCastWhileGivingUp(t *testing.T) {
	m := newMachine(nil)
	root := supervisor.Supervisor{Intensity: supervisor.NoRestarts, Children: []supervisor.Child{worker("a", m), worker("b", m)}}
	play(t, m, root, func(s *scene) {
		s.log.hold = true
		s.call("a", input{Seq: 1, Do: doCrash})
		cast := s.cast("b", input{Seq: 2})
		for len(s.log.held) > 0 {
			s.log.release(false)
		}
		<-s.loop.Done()
		if err := cast(); fateOf(err) == present {
			s.want("b", "[2]")
		}
	})
}

// A runtime.Goexit in a step costs that input and nothing else.
func TestGoexitInBatch(t *testing.T) {
	m := newMachine(nil)
	play(t, m, flat(worker("a", m), worker("b", m)), func(s *scene) {
		s.log.hold = true
		for seq := int64(10); seq < 18; seq++ { // batches of some length, before
			s.call("b", input{Seq: seq})
		}
		s.log.release(false)
		results := []func() error{s.call("a", input{Seq: 1, Do: doGoexit})}
		s.log.release(false)
		for seq := int64(2); seq < 8; seq++ {
			results = append(results, s.call("b", input{Seq: seq}), s.call("b", input{Seq: seq + 100}))
			s.log.release(false)
		}
		for s.log.hold = false; len(s.log.held) > 0; {
			s.log.release(false)
		}
		for i, result := range results {
			if err := result(); (err != nil) != (i == 0) {
				t.Errorf("call %d: %v", i, err)
			}
		}
		s.want("b", "[10 11 12 13 14 15 16 17 2 102 3 103 4 104 5 105 6 106 7 107]")
	})
}

// A runtime.Goexit in an Init is a failed start, in a replay too.
func TestGoexitInInit(t *testing.T) {
	m, sick := newMachine(nil), newMachine(nil)
	sick.Init = func(s statemachine.Start[account]) (account, error) {
		if s.Saved != nil {
			runtime.Goexit()
		}
		return account{}, nil
	}
	given := supervisor.Supervisor{Name: "given", Restart: supervisor.Temporary}
	play(t, sick, flat(worker("b", m), given), func(s *scene) {
		if _, err := s.loop.StartChild(context.Background(), "given", worker("a", sick)); err != nil {
			t.Fatal(err)
		}
		s.call("b", input{Seq: 1})
		s.call("a", input{Seq: 1, Do: doFail}) // from here on its Init fails, and given gives up
		if err := s.call("b", input{Seq: 2})(); err != nil {
			t.Fatal(err)
		}
		s.want("b", "[1 2]")
		s.want("a", "none")
	})
}

// What was accepted behind the input that made the root give up is stepped by
// the next start of the program.
func TestCastBehindGivingUp(t *testing.T) {
	m := newMachine(nil)
	root := supervisor.Supervisor{Intensity: supervisor.NoRestarts, Children: []supervisor.Child{worker("a", m), worker("b", m)}}
	play(t, m, root, func(s *scene) {
		s.log.hold = true
		s.call("b", input{Seq: 1})
		s.call("a", input{Seq: 1, Do: doCrash}) // these two share a batch
		cast := s.cast("b", input{Seq: 2})
		for len(s.log.held) > 0 {
			s.log.release(false)
		}
		if err := cast(); err != nil {
			t.Fatal(err)
		}
		<-s.loop.Done()
		s.want("b", "[1 2]")
	})
}
