package eventloop_test

import (
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

// A child whose name another had that did not start with the program is no child of
// that one's supervisor, and stays when it ends.
func TestAddedUnderTheNameOfOneThatDidNotStart(t *testing.T) {
	mixed(t, func(s *drama) {
		fails := false
		m := diarist()
		m.Init = func(statemachine.Start[diary]) (diary, error) {
			if fails {
				return diary{}, errDisk
			}
			return diary{}, nil
		}
		s.cfg.Machines["fails"] = m
		s.cfg.Root.Children = append(s.cfg.Root.Children, supervisor.Supervisor{Name: "s"})
		s.killed()
		add(s.t, s.loop, "s", worker("d", m))
		if err := s.loop.Stop(context.Background()); err != nil {
			s.t.Error(err)
		}
		fails = true
		s.killed()
		wantTree(s.t, s.loop, "root(a s())")
		add(s.t, s.loop, "root", worker("d", theDiarist))
		if err := s.loop.StopProcess(context.Background(), "s", statemachine.Shutdown); err != nil {
			s.t.Error(err)
		}
		wantTree(s.t, s.loop, "root(a s() d)")
		if err := s.loop.Stop(context.Background()); err != nil {
			s.t.Error(err)
		}
		s.killed()
		wantTree(s.t, s.loop, "root(a s() d)")
	}, "a")
}

// When the root gives up the program ends: what was added is there in the next one, to
// whichever supervisor, and works go on.
func TestGivingUpForgetsNothing(t *testing.T) {
	for _, killed := range []bool{false, true} {
		mixed(t, func(s *drama) {
			s.cfg.Root.Intensity = supervisor.NoRestarts
			s.cfg.Root.Children = append(s.cfg.Root.Children, supervisor.Supervisor{Name: "s"})
			s.loop.Stop(context.Background())
			mem := new(journal.Memory)
			log := &heldLog{Log: mem}
			s.cfg.Log = log
			s.start()
			add(s.t, s.loop, "root", worker("c", theDiarist))
			add(s.t, s.loop, "s", worker("d", theDiarist))
			add(s.t, s.loop, "s", supervisor.Worker{Name: "e", Machine: theDiarist, Restart: supervisor.Temporary})
			add(s.t, s.loop, "s", supervisor.Worker{Name: "f", Machine: theDiarist, Restart: supervisor.Temporary})
			s.do("d", do{Word: "task", Name: "1", Text: "later"})
			s.do("f", do{Word: "stop"}) // by itself, for good
			if killed {                 // before the last save
				log.setSaves(saveLost)
			}
			s.do("a", do{Word: "crash"})
			if <-s.loop.Done(); !errors.Is(s.loop.Err(), eventloop.ErrGaveUp) {
				s.t.Error(s.loop.Err())
			}
			s.cfg.Log = mem.Reopen()
			s.start()
			wantTree(s.t, s.loop, "root(a s(d e) c)")
			time.Sleep(2 * time.Minute)
			s.told("d", "done 1 later <nil>")
		}, "a")
	}
}

// A reply that waits for its caller is whole after a replay from a checkpoint too, also
// if who gave it has been deleted meanwhile.
func TestReplayOfAReplyOfADeletedProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		c := always(log, worker("a", theDiarist), worker("b", theDiarist), worker("w", theDiarist))
		c.SnapshotBytes = 1
		s := &stage{t, start(t, c)}
		s.do("a", do{Word: "call", Name: "w", Text: "wait"})
		synctest.Wait()
		if err := s.loop.Suspend(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		s.do("w", do{Word: "answer", Text: "x"})
		if err := errors.Join(s.loop.TerminateChild(ctx, "root", "w"), s.loop.DeleteChild(ctx, "root", "w")); err != nil {
			t.Fatal(err)
		}
		s.lastCheckpoint(log, "b")
		if err := s.loop.Resume(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		c.SnapshotBytes = 0
		s.wantReplayed(c, mem, "a")
	})
}

// What was added to a supervisor stays when the name of an addition is taken that has one
// of the same name below it, and did not start because of that.
func TestAdditionsBelowTheNamesake(t *testing.T) {
	mixed(t, func(s *drama) {
		ctx := context.Background()
		s.cfg.Root.Children = append(s.cfg.Root.Children, supervisor.Supervisor{Name: "s", Restart: supervisor.Temporary})
		s.killed()
		if err := s.loop.StopProcess(ctx, "s", statemachine.Shutdown); err != nil {
			s.t.Error(err)
		}
		add(s.t, s.loop, "root", supervisor.Supervisor{Name: "x", Children: []supervisor.Child{supervisor.Supervisor{Name: "s"}}})
		s.killed()
		wantTree(s.t, s.loop, "root(a s())")
		add(s.t, s.loop, "s", worker("d", theDiarist))
		add(s.t, s.loop, "root", worker("x", theDiarist))
		s.killed()
		wantTree(s.t, s.loop, "root(a s(d) x)")
	}, "a")
}

// A checkpoint has the children of a pool with the pool's machine, not with that of an
// addition of the same name that did not start.
func TestReplayOfThePoolThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := func(m statemachine.Server) supervisor.Supervisor {
			return supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne, Restart: supervisor.Temporary,
				Children: []supervisor.Child{worker("template", m)}}
		}
		config := func(log journal.Log) eventloop.Config {
			c := diarists(log, []supervisor.Child{worker("a", theDiarist), pool(theDiarist)})
			c.Machines["volatile"] = theVolatile
			return c
		}
		mem := new(journal.Memory)
		l := start(t, config(mem))
		if err := l.StopProcess(t.Context(), "pool", statemachine.Shutdown); err != nil {
			t.Error(err)
		}
		add(t, l, "root", pool(theVolatile))
		if err := l.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		mem = mem.Reopen()
		log := &heldLog{Log: mem}
		s := &stage{t, start(t, config(log))}
		add(t, s.loop, "pool", supervisor.Worker{Name: "d"})
		s.do("d", do{Word: "monitor", Name: "a"})
		s.lastCheckpoint(log, "a")
		s.do("a", do{Word: "crash"})
		s.wantReplayed(config(nil), mem, "d")
	})
}
