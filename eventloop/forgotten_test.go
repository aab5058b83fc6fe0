package eventloop_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// The tests of this file send to children that are not there any more, after a
// checkpoint that knows of that: a replay must do as the loop did.

// afterCheckpoint runs prepare, takes a checkpoint, the last one that is kept, and
// then has a send to name and to itself, in one step. It compares what a was told
// with that of a program that is started after kill -9.
func afterCheckpoint(t *testing.T, children []supervisor.Child, name string, prepare func(t *testing.T, l *eventloop.Loop)) {
	t.Helper()
	checkpointAndCast(t, new(journal.Memory), children, name, prepare)
}

func checkpointAndCast(t *testing.T, mem *journal.Memory, children []supervisor.Child, name string, prepare func(t *testing.T, l *eventloop.Loop)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := &heldLog{Log: mem}
		program := func(log journal.Log) *stage { return &stage{t, start(t, diarists(log, children))} }
		s := program(log)
		prepare(t, s.loop)
		s.lastCheckpoint(log, "a")
		s.do("a", do{Word: "both", Name: name, Text: "told", Then: "told"})
		want := s.do("a", do{Word: "diary"})
		again := program(mem.Reopen())
		again.told("a", want)
	})
}

// afterARestart is afterCheckpoint in the program that follows the one that prepare
// was run in, and that ended in order.
func afterARestart(t *testing.T, children []supervisor.Child, name string, prepare func(t *testing.T, l *eventloop.Loop)) {
	t.Helper()
	first := new(journal.Memory)
	synctest.Test(t, func(t *testing.T) {
		l := start(t, diarists(first, children))
		prepare(t, l)
		if err := l.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	checkpointAndCast(t, first.Reopen(), children, name, func(*testing.T, *eventloop.Loop) {})
}

func diarists(log journal.Log, children []supervisor.Child) eventloop.Config {
	return eventloop.Config{Durability: eventloop.Always, Log: log, SnapshotBytes: 1,
		Machines: map[string]statemachine.Server{"diarist": theDiarist}, Root: flat(children...)}
}

func TestReplayCastsToADeletedChild(t *testing.T) {
	children := []supervisor.Child{worker("a", theDiarist), worker("d", theDiarist)}
	afterCheckpoint(t, children, "d", func(t *testing.T, l *eventloop.Loop) {
		if err := errors.Join(l.TerminateChild(t.Context(), "root", "d"), l.DeleteChild(t.Context(), "root", "d")); err != nil {
			t.Error(err)
		}
	})
}

func TestReplayCastsToADeletedChildOfAnAddedSubtree(t *testing.T) {
	children := []supervisor.Child{worker("a", theDiarist)}
	afterCheckpoint(t, children, "d", func(t *testing.T, l *eventloop.Loop) {
		add(t, l, "root", supervisor.Supervisor{Name: "s", Children: []supervisor.Child{worker("d", theDiarist)}})
		if err := errors.Join(l.TerminateChild(t.Context(), "s", "d"), l.DeleteChild(t.Context(), "s", "d")); err != nil {
			t.Error(err)
		}
	})
}

func TestReplayCastsToAForgottenChild(t *testing.T) {
	sub := supervisor.Supervisor{Name: "s"}
	children := []supervisor.Child{worker("a", theDiarist), sub}
	afterCheckpoint(t, children, "d", func(t *testing.T, l *eventloop.Loop) {
		add(t, l, "s", worker("d", theDiarist))
		if err := l.StopProcess(context.Background(), "s", statemachine.Shutdown); err != nil {
			t.Error(err)
		}
		wantTree(t, l, "root(a s())")
	})
}

// A step that keeps its caller waiting and ends its process ends it at once, live
// as in a replay: before what it has sent itself, and before what was sent to it.
func TestReplayOfAnEndWithoutAReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(journal.Memory)
		m := &statemachine.Machine[[]string, string, string]{
			Init: func(s statemachine.Start[[]string]) ([]string, error) {
				var told []string
				if s.Saved != nil {
					told = *s.Saved
				}
				return append(told[:len(told):len(told)], "init"), nil
			},
			Step: func(in string, told []string, fx *statemachine.Effects[string]) ([]string, string) {
				if in == "end" {
					fx.NoReply()
					statemachine.To[string, string]("a").Cast(fx, "sent")
					fx.Stop(statemachine.Shutdown)
				}
				return append(told[:len(told):len(told)], in), ""
			},
			Input: codec.Of[string](), Output: codec.Of[string](), State: codec.Of[[]string](),
		}
		program := func(log journal.Log) *eventloop.Loop {
			return start(t, always(log, supervisor.Worker{Name: "a", Machine: m}))
		}
		l := program(mem)
		a, err := eventloop.RefTo[string, string](l, "a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Call(t.Context(), "end"); statemachine.OutcomeOf(err) != statemachine.Applied {
			t.Errorf("the call: %v", err)
		}
		synctest.Wait()
		want, _ := eventloop.GetState[[]string](t.Context(), l, "a")
		c := always(mem.Reopen(), supervisor.Worker{Name: "a", Machine: m})
		r, err := eventloop.Replay(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		data, err := r.AppendState(nil, "a", codec.JSON)
		if got, _ := json.Marshal(want); string(data) != string(got) || err != nil {
			t.Errorf("a replay has %s, %v; live it was %s", data, err, got)
		}
	})
}

// The reply of a process that is deleted before its caller is up again is lost to the
// caller, live as in a replay: there is no codec for it.
func TestReplyOfADeletedProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		s := &drama{stage: stage{t: t}, cfg: eventloop.Config{Durability: eventloop.Always, Log: new(journal.Memory)}}
		s.cfg.Root = flat(worker("a", theDiarist), worker("v", theVolatile))
		s.cfg.Root.Backoff = supervisor.Backoff{Initial: time.Minute}
		s.start()
		s.do("a", do{Word: "call", Name: "v", Text: "wait", After: time.Hour})
		synctest.Wait()
		s.do("a", do{Word: "crash"})
		s.do("v", do{Word: "answer", Text: "x"})
		if err := errors.Join(s.loop.TerminateChild(ctx, "root", "v"), s.loop.DeleteChild(ctx, "root", "v")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		want := s.do("a", do{Word: "diary"})
		if want == "" {
			t.Error("a was told nothing")
		}
		s.killed()
		s.told("a", want)
		s.loop.Stop(ctx)
	})
}

// There is nothing wrong with a journal in which a machine has added a child.
func TestVerifyAChildThatAMachineAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(journal.Memory)
		c := always(log, worker("a", theDiarist))
		c.Machines = map[string]statemachine.Server{"diarist": theDiarist}
		s := &stage{t, start(t, c)}
		s.do("a", do{Word: "start", Name: "w"})
		synctest.Wait()
		s.do("w", do{Word: "told", Text: "x"})
		c.Log = log.Reopen()
		if err := eventloop.Verify(c, func(err error) { t.Error(err) }); err != nil {
			t.Error(err)
		}
	})
}

// A process that is not journaled may unlink one that was never started.
func TestUnlinkOfAProcessThatWasNeverStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ignored := supervisor.Supervisor{Name: "s", Init: func() error { return statemachine.ErrIgnore },
			Children: []supervisor.Child{worker("d", theDiarist)}}
		s := &stage{t, start(t, always(new(journal.Memory), worker("v", theVolatile), ignored))}
		if got := s.do("v", do{Word: "unlink", Name: "d"}); got != "unlink" {
			t.Error(got)
		}
	})
}

// A child of a SimpleOneForOne supervisor whose Init ignores its start has no process,
// before a checkpoint as behind it.
func TestReplayCastsToAChildThatIgnored(t *testing.T) {
	ignores := diarist()
	ignores.Init = func(statemachine.Start[diary]) (diary, error) { return diary{}, statemachine.ErrIgnore }
	pool := supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne, Children: []supervisor.Child{worker("template", ignores)}}
	afterCheckpoint(t, []supervisor.Child{worker("a", theDiarist), pool}, "d", func(t *testing.T, l *eventloop.Loop) {
		if running, err := l.StartChild(t.Context(), "pool", supervisor.Worker{Name: "d"}); running || err != nil {
			t.Error(running, err)
		}
	})
}

// A child that was added and ignores the start of the next program can be deleted.
func TestDeleteAnAddedChildThatIgnores(t *testing.T) {
	mixed(t, func(s *drama) {
		ignored := false
		m := diarist()
		m.Init = func(statemachine.Start[diary]) (diary, error) {
			if ignored {
				return diary{}, statemachine.ErrIgnore
			}
			return diary{}, nil
		}
		s.cfg.Machines["ignores"] = m
		s.killed()
		add(s.t, s.loop, "root", supervisor.Worker{Name: "d", Machine: m, Restart: supervisor.Temporary})
		if err := s.loop.Stop(context.Background()); err != nil {
			s.t.Error(err)
		}
		ignored = true
		s.killed()
		wantTree(s.t, s.loop, "root(a)")
		if err := s.loop.DeleteChild(context.Background(), "root", "d"); err != nil {
			s.t.Error(err)
		}
		if err := s.loop.Stop(context.Background()); err != nil {
			s.t.Error(err)
		}
		ignored = false
		s.killed()
		wantTree(s.t, s.loop, "root(a)")
	}, "a")
}

// The workers of an addition whose name Config.Root's own child has, once the program
// starts again, have no processes.
func TestReplayCastsToAChildOfAnAdditionWithoutAName(t *testing.T) {
	own := supervisor.Supervisor{Name: "s", Restart: supervisor.Temporary, Children: []supervisor.Child{worker("b", theDiarist)}}
	afterARestart(t, []supervisor.Child{worker("a", theDiarist), own}, "d", func(t *testing.T, l *eventloop.Loop) {
		if err := l.StopProcess(t.Context(), "s", statemachine.Shutdown); err != nil {
			t.Error(err)
		}
		add(t, l, "root", supervisor.Supervisor{Name: "s", Children: []supervisor.Child{worker("d", theDiarist)}})
	})
}

// That a cast to a process which is not journaled was not delivered is counted live
// only: not in a replay, and not in one from a checkpoint.
func TestReplayCountsWhatWasNotDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		casts := diarist()
		casts.Init = func(s statemachine.Start[diary]) (diary, error) {
			if s.Saved == nil {
				return diary{}, nil
			}
			statemachine.To[do, string]("nobody").Cast(s.Fx, do{}) // with no room for another message
			return *s.Saved, nil
		}
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		c := always(log, worker("a", casts), worker("b", theDiarist), worker("v", theVolatile))
		c.SnapshotBytes, c.QueueLen = 1, 1
		s := &stage{t, start(t, c)}
		if err := s.loop.Suspend(ctx, "v"); err != nil {
			t.Fatal(err)
		}
		s.do("a", do{Word: "cast", Name: "v", Text: "x"})
		if err := errors.Join(s.loop.Suspend(ctx, "a"), s.loop.TerminateChild(ctx, "root", "v")); err != nil {
			t.Fatal(err)
		}
		s.lastCheckpoint(log, "b")
		if err := s.loop.Kill(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		c.SnapshotBytes = 0
		s.wantReplayed(c, mem, "a")
	})
}

// A child that was deleted in a program before stays so when its supervisor is deleted
// and the restart of that one's own supervisor brings it back; in a like subtree that is
// added it is there.
func TestDeletedBelowADeletedSupervisor(t *testing.T) {
	mixed(t, func(s *drama) {
		ctx := context.Background()
		sub := supervisor.Supervisor{Name: "s", Children: []supervisor.Child{worker("d", theDiarist), worker("e", theDiarist)}}
		s.cfg.Root.Children = append(s.cfg.Root.Children, supervisor.Supervisor{Name: "p", Children: []supervisor.Child{sub}})
		s.killed()
		remove := func(sup, child statemachine.Name) {
			if err := errors.Join(s.loop.TerminateChild(ctx, sup, child), s.loop.DeleteChild(ctx, sup, child)); err != nil {
				s.t.Error(err)
			}
		}
		remove("s", "d")
		s.killed()
		remove("p", "s")
		if err := s.loop.StopProcess(ctx, "p", statemachine.Crash(errDisk)); err != nil {
			s.t.Error(err)
		}
		wantTree(s.t, s.loop, "root(a p(s(e)))")
		s.killed()
		wantTree(s.t, s.loop, "root(a p(s(e)))")
		remove("p", "s")
		add(s.t, s.loop, "root", sub)
		s.killed()
		wantTree(s.t, s.loop, "root(a p() s(d e))")
	}, "a")
}

func TestReplayCastsToAnAddedWorkerWithTheNameOfASupervisor(t *testing.T) {
	own := supervisor.Supervisor{Name: "d", Restart: supervisor.Temporary}
	afterARestart(t, []supervisor.Child{worker("a", theDiarist), own}, "d", func(t *testing.T, l *eventloop.Loop) {
		if err := l.StopProcess(t.Context(), "d", statemachine.Shutdown); err != nil {
			t.Error(err)
		}
		add(t, l, "root", worker("d", theDiarist))
	})
}

func TestReplayCastsToAChildOfAnAdditionWhoseNameIsAnothers(t *testing.T) {
	afterCheckpoint(t, []supervisor.Child{worker("a", theDiarist)}, "d", func(t *testing.T, l *eventloop.Loop) {
		add(t, l, "root", supervisor.Supervisor{Name: "s", Restart: supervisor.Temporary, Children: []supervisor.Child{worker("d", theDiarist)}})
		if err := l.StopProcess(t.Context(), "s", statemachine.Shutdown); err != nil {
			t.Error(err)
		}
		add(t, l, "root", worker("s", theDiarist))
	})
}

// The same when that addition is deleted, by its own name or by the name of the other.
func TestDeletionOfTheNamesakesAddition(t *testing.T) {
	for _, name := range []statemachine.Name{"s", "x"} {
		mixed(t, func(s *drama) {
			ctx := context.Background()
			s.cfg.Root.Children = append(s.cfg.Root.Children, supervisor.Supervisor{Name: "t"}, supervisor.Supervisor{Name: "s", Restart: supervisor.Temporary})
			s.killed()
			if err := s.loop.StopProcess(ctx, "s", statemachine.Shutdown); err != nil {
				s.t.Error(err)
			}
			spec := supervisor.Supervisor{Name: "s"}
			if name == "x" {
				spec = supervisor.Supervisor{Name: "x", Children: []supervisor.Child{spec}}
			}
			add(s.t, s.loop, "t", spec)
			s.killed()
			wantTree(s.t, s.loop, "root(a t() s())")
			add(s.t, s.loop, "s", worker("d", theDiarist))
			if err := s.loop.DeleteChild(ctx, "t", name); err != nil {
				s.t.Error(err)
			}
			s.killed()
			wantTree(s.t, s.loop, "root(a t() s(d))")
		}, "a")
	}
}

// A reply that was written while the callee was there, in the batch in which it is
// deleted, is in a replay what it was live.
func TestReplayOfAReplyBehindADeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		program := func(log journal.Log) *stage {
			return &stage{t, start(t, always(log, worker("a", theDiarist), worker("v", theVolatile)))}
		}
		s := program(log)
		log.hold()
		s.begin("a", do{Word: "call", Name: "v", Text: "diary"})
		synctest.Wait()
		terminated := inBackground(func() error { return s.loop.TerminateChild(context.Background(), "root", "v") })
		synctest.Wait()
		deleted := inBackground(func() error { return s.loop.DeleteChild(context.Background(), "root", "v") })
		log.release()
		if err := errors.Join(<-terminated, <-deleted); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		want := s.do("a", do{Word: "diary"})
		program(mem.Reopen()).told("a", want)
	})
}
