package eventloop_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// ear is attached to a life, and hears how it ended.
type ear struct {
	life  *eventloop.Life
	heard []string
}

func (e *ear) Ended(r statemachine.Reason) { e.heard = append(e.heard, r.String()) }

// attach returns the ear of the present life.
func attach(t *testing.T, l *eventloop.Loop, name statemachine.Name) *ear {
	t.Helper()
	e, err := l.Attach(name, func(life *eventloop.Life) eventloop.Attached { return &ear{life: life} })
	if err != nil {
		t.Fatal(err)
	}
	return e.(*ear)
}

func (e *ear) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := strings.Join(e.heard, "; "); got != strings.Join(want, "; ") {
		t.Errorf("heard %q of %s, want %q", got, e.life.Name, want)
	}
}

func noProcess(t *testing.T, l *eventloop.Loop, name statemachine.Name) {
	t.Helper()
	if a, err := l.Attach(name, func(*eventloop.Life) eventloop.Attached { panic("asked") }); a != nil || !errors.Is(err, statemachine.ErrNoProcess) {
		t.Errorf("attached to %s: %v, %v", name, a, err)
	}
}

func TestAttachToLives(t *testing.T) {
	perform(t, func(s *stage) {
		ctx := context.Background()
		noProcess(s.t, s.loop, "nobody")
		first := attach(s.t, s.loop, "a")
		if attach(s.t, s.loop, "a") != first || first.life.Name != "a" || first.life.Loop != s.loop {
			s.t.Errorf("attached twice, or to another: %+v", first.life)
		}
		root := attach(s.t, s.loop, "root")
		s.do("a", do{Word: "crash"})
		first.want(s.t, "crash: a crashed in step: crash")
		second := attach(s.t, s.loop, "a")
		if second == first {
			s.t.Error("the second life is the first")
		}
		s.loop.TerminateChild(ctx, "root", "a")
		second.want(s.t, "shutdown")
		noProcess(s.t, s.loop, "a")
		s.loop.RestartChild(ctx, "root", "a")
		third := attach(s.t, s.loop, "a")
		s.loop.Kill(ctx, "a")
		third.want(s.t, "killed")
		root.want(s.t)
		fourth := attach(s.t, s.loop, "a")
		s.loop.Stop(ctx)
		fourth.want(s.t, "shutdown")
		root.want(s.t, "shutdown")
		noProcess(s.t, s.loop, "a")
		noProcess(s.t, s.loop, "root")
		first.want(s.t, "crash: a crashed in step: crash")
	}, "a")
}

func TestExitSignals(t *testing.T) {
	boom := statemachine.Crash(errors.New("boom"))
	for _, c := range []struct {
		reason statemachine.Reason
		ended  []string // one that does not trap exits
	}{
		{statemachine.Normal, nil},
		{statemachine.Shutdown, []string{"shutdown"}},
		{statemachine.ShutdownWith(errors.New("enough")), []string{"shutdown_t: enough"}},
		{statemachine.Killed, []string{"killed"}},
		{boom, []string{"crash: boom"}},
	} {
		t.Run(c.reason.String(), func(t *testing.T) {
			perform(t, func(s *stage) {
				s.do("trapper", do{Word: "trap"})
				plain, trapper := attach(s.t, s.loop, "plain"), attach(s.t, s.loop, "trapper")
				plain.life.Exit("outside", c.reason)
				trapper.life.Exit("outside", c.reason)
				plain.want(s.t, c.ended...)
				s.told("trapper", "exit outside "+c.reason.String())
				trapper.want(s.t)
				if c.ended != nil { // and the next life is not concerned
					plain.life.Exit("outside", boom)
					attach(s.t, s.loop, "plain").want(s.t)
				}
			}, "plain", "trapper")
		})
	}
}

func TestExitSignalOfASupervisor(t *testing.T) {
	for _, r := range []statemachine.Reason{statemachine.Shutdown, statemachine.Killed} {
		synctest.Test(t, func(t *testing.T) {
			sub := supervisor.Supervisor{Name: "sub", Children: []supervisor.Child{worker("a", newMachine())}}
			l := start(t, eventloop.Config{Root: flat(sub)})
			defer l.Stop(context.Background())
			e, below := attach(t, l, "sub"), attach(t, l, "a")
			e.life.Exit("outside", statemachine.Normal)
			e.want(t)
			e.life.Exit("outside", r)
			e.want(t, r.String())
			below.want(t, map[bool]string{true: "killed", false: "shutdown"}[r == statemachine.Killed])
			again := attach(t, l, "sub") // it was restarted
			l.TerminateChild(context.Background(), "root", "sub")
			again.want(t, "shutdown")
			noProcess(t, l, "sub")
		})
	}
}

// A signal that is in the journal behind the input that crashes the process is
// not for the next life.
func TestExitSignalBehindACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &heldLog{Log: new(journal.Memory)}
		l := start(t, always(log, worker("a", newMachine())))
		first := attach(t, l, "a")
		log.hold()
		crashed := inBackground(func() error {
			_, err := refTo(t, l, "a").Call(context.Background(), input{Crash: "custom"})
			return err
		})
		synctest.Wait()
		first.life.Exit("outside", statemachine.Killed)
		log.release()
		<-crashed
		second := attach(t, l, "a")
		first.want(t, "crash: a crashed in step: custom")
		second.want(t)
		if info, _ := l.Process("a"); info.Restarts != 1 {
			t.Errorf("restarted %d times", info.Restarts)
		}
		l.Stop(context.Background())
	})
}

// What lived in the journal and does not live now cannot be attached to.
func TestAttachAfterReplay(t *testing.T) {
	log := new(journal.Memory)
	m := newMachine()
	call(t, refTo(t, start(t, always(log, worker("a", m))), "a"), input{Add: 1})
	m = newMachine()
	init := m.Init
	m.Init = func(s statemachine.Start[tally]) (tally, error) {
		if s.Saved != nil && s.Saved.Sum == 1 {
			return tally{}, statemachine.ErrIgnore
		}
		return init(s)
	}
	noProcess(t, start(t, always(log.Reopen(), worker("a", m))), "a")
}

// A process that took the name of one that was deleted is not ended for what was
// linked with that, though both are in their first life.
func TestExitSignalForAnotherOfTheSameName(t *testing.T) {
	perform(t, func(s *stage) {
		ctx := context.Background()
		start := func() *ear {
			w := supervisor.Worker{Name: "late", Machine: theDiarist, Restart: supervisor.Temporary}
			if _, err := s.loop.StartChild(ctx, "root", w); err != nil {
				s.t.Fatal(err)
			}
			return attach(s.t, s.loop, "late")
		}
		first := start()
		if err := s.loop.TerminateChild(ctx, "root", "late"); err != nil {
			s.t.Fatal(err)
		}
		second := start()
		first.life.Exit("outside", statemachine.Killed)
		second.want(s.t)
	})
}

// An exit signal is an entry of the journal: a replay restarts the process, and
// tells the one that traps exits, at the same place.
func TestReplayOfExitSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(journal.Memory)
		program := func(log journal.Log) eventloop.Config {
			return always(log, worker("q", scaling()), worker("trapper", theDiarist))
		}
		l := start(t, program(log))
		q, trapper := refTo(t, l, "q"), &stage{t, l}
		trapper.do("trapper", do{Word: "trap"})
		call(t, q, input{Add: 1})
		long := statemachine.Crash(errors.New(strings.Repeat("é", 1<<10) + "\xff"))
		attach(t, l, "q").life.Exit("outside", long)
		attach(t, l, "trapper").life.Exit("\xffoutside", long)
		call(t, q, input{Add: 1})
		heard := trapper.do("trapper", do{Word: "diary"})
		if want := "exit outside crash: éé"; !strings.HasPrefix(heard, want) {
			t.Errorf("told %.40q, want %q", heard, want)
		}
		if got := call(t, q, input{Get: true}); got.Sum != 11 {
			t.Errorf("live: %+v", got)
		}
		again := program(log.Reopen())
		l2 := start(t, again)
		if got := (&stage{t, l2}).do("trapper", do{Word: "diary"}); got != heard {
			t.Errorf("told in the replay: %.40q, live: %.40q", got, heard)
		}
		if got := call(t, refTo(t, l2, "q"), input{Get: true}); got.Sum != 110 {
			t.Errorf("q after the new start: %+v, want a sum of 110", got)
		}
		l2.Stop(context.Background())
		l.Stop(context.Background())
	})
}

// All lives end with the application, also if nothing terminates.
func TestAttachedWhenTheJournalFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &heldLog{Log: new(journal.Memory)}
		l := start(t, always(log, worker("a", newMachine()), worker("b", newMachine())))
		a, b := attach(t, l, "a"), attach(t, l, "b")
		log.fail()
		refTo(t, l, "a").Call(t.Context(), input{Add: 1})
		<-l.Done()
		for _, e := range []*ear{a, b} {
			synctest.Wait()
			if len(e.heard) != 1 || !strings.HasPrefix(e.heard[0], "crash: the journal failed") {
				t.Errorf("heard %q", e.heard)
			}
		}
		noProcess(t, l, "a")
		noProcess(t, l, "root")
		a.life.Exit("outside", statemachine.Killed) // nothing happens
	})
}
