package eventloop_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
)

// theIdler is the diarist without tasks.
var theIdler = func() *statemachine.Machine[diary, do, string] {
	m := diarist()
	m.Tasks = nil
	return m
}()

// A work that was under way when the program ended is done for the machine that has
// taken the place of the one which started it.
func TestWorkGoesOnForAnotherMachine(t *testing.T) {
	mixed(t, func(s *drama) {
		ctx := context.Background()
		another := diarist()
		s.cfg.Machines["another"] = another
		s.killed()
		if err := s.loop.ChangeSupervisor(ctx, "root", flat(worker("a", another))); err != nil { // until the program ends
			s.t.Fatal(err)
		}
		s.do("a", do{Word: "crash"})
		s.do("a", do{Word: "task", Name: "1", Text: "later"})
		s.killed()
		time.Sleep(2 * time.Minute)
		s.told("a", "done 1 later <nil>")
		s.killed()
		s.told("a", "done 1 later <nil>")
	}, "a")
}

// A work ends with the life of its process, and only with that.
func TestWorkEndsWithItsLife(t *testing.T) {
	mixed(t, func(s *drama) {
		s.do("a", do{Word: "task", Name: "1", Text: "later"})
		s.do("a", do{Word: "crash"})
		s.do("a", do{Word: "task", Name: "2", Text: "later"})
		s.killed()
		time.Sleep(2 * time.Minute)
		s.told("a", "done 2 later <nil>")
	}, "a")
}

// A work that was under way when the program ended waits for its process, if that
// does not start with the program.
func TestWorkWaitsForItsProcess(t *testing.T) {
	mixed(t, func(s *drama) {
		down := false
		m := diarist()
		init := m.Init
		m.Init = func(from statemachine.Start[diary]) (diary, error) {
			if down {
				return diary{}, statemachine.ErrIgnore
			}
			return init(from)
		}
		s.cfg.Root.Children = append(s.cfg.Root.Children, worker("b", m))
		s.killed()
		s.do("b", do{Word: "task", Name: "1", Text: "hello"})
		s.do("b", do{Word: "task", Name: "2", Text: "later"})
		synctest.Wait()
		down = true
		if err := s.loop.Stop(context.Background()); err != nil {
			s.t.Error(err)
		}
		s.killed()
		time.Sleep(2 * time.Minute)
		down = false
		if running, err := s.loop.RestartChild(context.Background(), "root", "b"); !running || err != nil {
			s.t.Error(running, err)
		}
		time.Sleep(2 * time.Minute)
		s.told("b", "done 1 hello <nil>; done 2 later <nil>")
	}, "a")
}

// A work whose task the new code has not any more is finished by the old one, and
// resumed by none: its process is told so, the same live and in a replay, from the
// beginning and from a checkpoint.
func TestWorkWithoutItsTask(t *testing.T) {
	for _, checkpoint := range []bool{false, true} {
		for _, killed := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				mem := new(journal.Memory)
				log := &heldLog{Log: mem}
				c := always(log, worker("a", theDiarist))
				c.Machines = map[string]statemachine.Server{"diarist": theDiarist, "idler": theIdler}
				if checkpoint {
					c.SnapshotBytes = 1
				}
				s := &stage{t, start(t, c)}
				s.do("a", do{Word: "task", Name: "1", Text: "later"})
				ctx := context.Background()
				if err := errors.Join(s.loop.Suspend(ctx, "a"), s.loop.ChangeCode(ctx, "a", theIdler), s.loop.Resume(ctx, "a")); err != nil {
					t.Fatal(err)
				}
				s.lastCheckpoint(log, "a")
				again := func() {
					mem = mem.Reopen()
					c.Log = mem
					s = &stage{t, start(t, c)}
				}
				if killed {
					again()
				}
				time.Sleep(2 * time.Minute)
				want := s.do("a", do{Word: "diary"})
				if !strings.Contains(want, `done 1`) || !strings.Contains(want, `the machine has no task "echo" any more`) {
					t.Errorf("checkpoint %v, killed %v: a was told %q", checkpoint, killed, want)
				}
				again()
				time.Sleep(2 * time.Minute)
				s.told("a", want)
			})
		}
	}
}

// The result of a work that waits for its process is whole after a replay from a
// checkpoint too, also if the new code of that has no such task.
func TestReplayOfAResultWithoutItsTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		c := always(log, worker("a", theDiarist), worker("b", theDiarist))
		c.Machines = map[string]statemachine.Server{"diarist": theDiarist, "idler": theIdler}
		c.SnapshotBytes = 1
		s := &stage{t, start(t, c)}
		s.do("a", do{Word: "task", Name: "1", Text: "hello"})
		if err := s.loop.Suspend(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := s.loop.ChangeCode(ctx, "a", theIdler); err != nil {
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
