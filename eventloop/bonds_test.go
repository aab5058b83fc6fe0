package eventloop_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// same kills the program and checks that what the processes were told is what
// they find told afterwards.
func (s *drama) same(names ...statemachine.Name) {
	s.t.Helper()
	synctest.Wait()
	before := map[statemachine.Name]string{}
	for _, n := range names {
		before[n] = s.do(n, do{Word: "diary"})
	}
	s.killed()
	for _, n := range names {
		if got := s.do(n, do{Word: "diary"}); got != before[n] {
			s.t.Errorf("%s was told %q, and after a kill -9 it was %q", n, before[n], got)
		}
	}
}

func (s *drama) restarts(name statemachine.Name, want int) {
	s.t.Helper()
	synctest.Wait()
	if i, _ := s.loop.Process(name); i.Restarts != want {
		s.t.Errorf("%s was restarted %d times, want %d", name, i.Restarts, want)
	}
}

// A link that a volatile process has made is known to a replay.
func TestVolatileLinks(t *testing.T) {
	mixed(t, func(s *drama) {
		s.do("a", do{Word: "trap"})
		s.do("v", do{Word: "link", Name: "a"})
		s.do("v", do{Word: "link", Name: "b"})
		s.do("v", do{Word: "crash"})
		s.told("a", "exit v crash: v crashed in step: crash")
		s.restarts("b", 1)
		s.do("v", do{Word: "link", Name: "a"})
		s.do("v", do{Word: "unlink", Name: "a"})
		s.do("v", do{Word: "crash"})
		s.told("a", "exit v crash: v crashed in step: crash")
		s.same("a")
	}, "a", "b", "v")
}

// The end of a volatile process because of a link is an entry of the journal;
// and so is that it was only told.
func TestVolatileIsLinked(t *testing.T) {
	mixed(t, func(s *drama) {
		s.do("v1", do{Word: "trap"})
		for _, v := range []string{"v1", "v2"} {
			s.do("a", do{Word: "link", Name: v})
			s.do("b", do{Word: "monitor", Name: v})
		}
		s.do("a", do{Word: "crash"})
		s.told("v1", "exit a crash: a crashed in step: crash")
		s.restarts("v1", 0)
		s.restarts("v2", 1)
		s.told("b", "down v2 crash: a crashed in step: crash")
		s.same("a", "b")
	}, "a", "b", "v1", "v2")
}

// What ends because of a link to a process that is not there ends by the journal too.
func TestVolatileLinksNobody(t *testing.T) {
	mixed(t, func(s *drama) {
		s.do("b", do{Word: "monitor", Name: "v"})
		s.do("v", do{Word: "link", Name: "nobody"})
		s.restarts("v", 1)
		s.told("b", "down v crash: no such process")
		s.same("b")
	}, "b", "v")
}

// Unlink takes back an exit that is on its way.
func TestUnlinkOnItsWay(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "link", Name: "b"})
		s.do("a", do{Word: "both", Name: "b", Text: "crash", Then: "unlink"})
		s.do("c", do{Word: "trap"})
		s.do("c", do{Word: "link", Name: "b"})
		s.do("c", do{Word: "both", Name: "b", Text: "crash", Then: "unlink"})
		s.told("c", "")
		if i, _ := s.loop.Process("a"); i.Restarts != 0 {
			t.Errorf("a was restarted %d times", i.Restarts)
		}
	}, "a", "b", "c")
}

// So does it take back what is on its way from a process that was added, and is
// forgotten by the time; or from one that never was.
func TestUnlinkOfForgotten(t *testing.T) {
	perform(t, func(s *stage) {
		for _, name := range []statemachine.Name{"a", "c"} {
			temp := supervisor.Worker{Name: "temp", Machine: theDiarist, Restart: supervisor.Temporary}
			if _, err := s.loop.StartChild(context.Background(), "root", temp); err != nil {
				t.Fatal(err)
			}
			if name == "c" {
				s.do("c", do{Word: "trap"})
			}
			s.do(name, do{Word: "link", Name: "temp"})
			s.do(name, do{Word: "both", Name: "temp", Text: "crash", Then: "unlink"})
			s.do(name, do{Word: "link then unlink", Name: "nobody"})
			s.told(name, "")
			if i, _ := s.loop.Process(name); i.Restarts != 0 {
				t.Errorf("%s was restarted %d times", name, i.Restarts)
			}
		}
	}, "a", "c")
}

// What one life of a process was to be told comes to no other.
func TestToldToOneLife(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "monitor", Name: "b"})
		s.do("c", do{Word: "send2", Name: "b", Then: "a", Text: "crash"})
		s.told("a", "")
	}, "a", "b", "c")
}

// A reason is the same to who is told of it live and in a replay.
func TestReasonsInReplay(t *testing.T) {
	kind := func(err error) string {
		var crash *statemachine.CrashError
		if c, ok := err.(*statemachine.CrashError); ok {
			crash = c
			return fmt.Sprint("crash in ", crash.In)
		}
		return fmt.Sprintf("%T", err)
	}
	watcher := &statemachine.Machine[diary, do, string]{
		Message: func(m statemachine.Message) do {
			down, _ := m.(statemachine.MonitorDown)
			return do{Word: "told", Text: kind(down.Reason.Detail)}
		},
		Step: obey, Input: codec.Of[do](), Output: codec.Of[string](), State: codec.Of[diary](),
	}
	mixed(t, func(s *drama) {
		s.cfg.Root.Children = append(s.cfg.Root.Children, supervisor.Worker{Name: "w", Machine: watcher})
		s.killed()
		s.do("w", do{Word: "monitor", Name: "v"})
		s.do("v", do{Word: "crash"})
		synctest.Wait()
		s.do("w", do{Word: "monitor", Name: "a"})
		if err := s.loop.StopProcess(context.Background(), "a", statemachine.Crash(&statemachine.CrashError{Name: "x", In: "outside"})); err != nil {
			t.Fatal(err)
		}
		s.told("w", "crash in step; crash in outside")
		s.same("w")
	}, "v", "a")
}

// A child that is nil, and a request that is none, are refused.
func TestNilChild(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "nil child"})
		synctest.Wait()
		if got := s.do("a", do{Word: "diary"}); strings.Count(got, "input refused") != 2 {
			t.Errorf("it was told %q", got)
		}
	}, "a")
}

// A machine that asks ten times for each answer ends, and does not fill the memory.
func TestAsksWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := diarist()
		m.Message = func(statemachine.Message) do { return do{Word: "calls-nobody"} }
		l, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{Name: "root", Children: []supervisor.Child{
			supervisor.Worker{Name: "a", Machine: m, Restart: supervisor.Temporary}}}})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Stop(context.Background())
		s := &stage{t, l}
		s.do("a", do{Word: "calls-nobody"})
		synctest.Wait()
		if _, there := l.Process("a"); there {
			t.Error("it goes on")
		}
	})
}

// Machines that never stop sending across the journal keep nobody from stopping.
func TestStopWithBackAndForth(t *testing.T) {
	mixed(t, func(s *drama) {
		s.do("v", do{Word: "back and forth", Name: "a"})
		s.do("v2", do{Word: "back and forth", Name: "a"})
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.loop.Stop(ctx); err != nil || ctx.Err() != nil {
			t.Errorf("Stop: %v, %v", err, ctx.Err())
		}
	}, "a", "v", "v2")
}

// What waits for one process is bounded too, not only what is on its way.
func TestCastsToRestarting(t *testing.T) {
	mixed(t, func(s *drama) {
		s.loop.Stop(context.Background())
		s.cfg.QueueLen = 100
		s.cfg.Root.Backoff = supervisor.Backoff{Initial: time.Hour}
		s.start()
		for _, to := range []string{"b", "v"} {
			s.do(statemachine.Name(to), do{Word: "crash"})
			for range 10 {
				s.do("a", do{Word: "casts-then", Name: to, After: 90})
				synctest.Wait()
			}
			if got := s.do("a", do{Word: "diary"}); !strings.Contains(got, "undelivered "+to+" "+to+": overloaded") {
				t.Errorf("nobody was told of casts to %s: %.200s", to, got)
			}
		}
		s.same("a")
	}, "a", "b", "v")
}

// An AtShutdown program goes on with the journal of one with Always, as that
// would have.
func TestJournalOfAlways(t *testing.T) {
	mixed(t, func(s *drama) {
		s.do("a", do{Word: "cast", Name: "b", Text: "hello"})
		s.do("a", do{Word: "timer", Text: "x", After: time.Hour})
		s.cfg.Durability = eventloop.AtShutdown
		s.same("b")
		time.Sleep(2 * time.Hour)
		s.told("a", "timeout x")
	}, "a", "b")
}

// What belongs to a state that is saved at a shutdown is saved with it.
func TestEffectsAtShutdown(t *testing.T) {
	mixed(t, func(s *drama) {
		s.loop.Stop(context.Background())
		s.cfg.Durability, s.cfg.Log = eventloop.AtShutdown, new(journal.Memory)
		s.start()
		s.do("a", do{Word: "timer", Text: "x", After: time.Hour})
		s.do("a", do{Word: "call", Name: "b", Text: "wait", After: time.Hour})
		s.do("c", do{Word: "task", Name: "1", Text: "hang"})
		synctest.Wait()
		s.loop.Stop(context.Background())
		s.cfg.Log = s.cfg.Log.(*journal.Memory).Reopen()
		s.start()
		time.Sleep(2 * time.Hour)
		s.told("a", "reply wait  b: b ended: shutdown (applied); timeout x")
		s.told("v", "")
		s.do("c", do{Word: "crash"})
	}, "a", "b", "c", "v")
}

// With durability None a state ends with its life, and so do its timers.
func TestTimersEndWithState(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "timer", Text: "x", After: time.Hour})
		s.do("a", do{Word: "crash"})
		time.Sleep(2 * time.Hour)
		want := ""
		if strings.HasSuffix(s.t.Name(), "always") {
			want = "timeout x"
		}
		s.told("a", want)
	}, "a")
}

// A timer that is due while its process is down fires when it is up again.
func TestTimerOfDown(t *testing.T) {
	mixed(t, func(s *drama) {
		s.do("a", do{Word: "timer", Text: "x", After: time.Hour})
		s.loop.TerminateChild(context.Background(), "root", "a")
		time.Sleep(2 * time.Hour)
		s.loop.RestartChild(context.Background(), "root", "a")
		s.told("a", "timeout x")
	}, "a")
}

// A reply that a journaled process gives to a volatile one's caller is not known
// to a replay but by the journal.
func TestAnswerForVolatile(t *testing.T) {
	mixed(t, func(s *drama) {
		s.do("a", do{Word: "call", Name: "v", Text: "wait-for-b", After: time.Hour})
		synctest.Wait()
		s.do("b", do{Word: "answer-for", Name: "v", Text: "from b"})
		s.do("a", do{Word: "cast", Name: "c", Text: "x"})
		s.told("a", "reply wait-for-b from b <nil>")
		s.same("a", "b", "c")
	}, "a", "b", "c", "v")
}

// A process that is terminating is there: it is watched, and once.
func TestMonitorTerminating(t *testing.T) {
	slow := diarist()
	slow.Terminate = func(statemachine.Name, diary, statemachine.Reason) { time.Sleep(time.Second) }
	mixed(t, func(s *drama) {
		s.cfg.Root.Children = append(s.cfg.Root.Children, supervisor.Worker{Name: "slow", Machine: slow})
		s.killed()
		s.do("a", do{Word: "monitor", Name: "slow"})
		s.begin("slow", do{Word: "crash"})
		synctest.Wait()
		s.do("a", do{Word: "monitor", Name: "slow"})
		s.do("b", do{Word: "monitor", Name: "slow"})
		time.Sleep(2 * time.Second)
		for _, n := range []statemachine.Name{"a", "b"} {
			s.told(n, "down slow crash: slow crashed in step: crash")
		}
	}, "a", "b")
}

// Each name is watched by one monitor, until its end has been told.
func TestMonitorTwice(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "monitors", Name: "nobody"})
		s.told("a", "down nobody crash: no such process")
		s.do("a", do{Word: "monitors", Name: "nobody"})
		s.told("a", "down nobody crash: no such process; down nobody crash: no such process")
	}, "a")
}

// What a volatile life has asked a supervisor for is answered to no other life.
func TestChildReplyToOneLife(t *testing.T) {
	mixed(t, func(s *drama) {
		s.do("v", do{Word: "start and crash", Name: "later"})
		s.told("v", "")
		s.told("later", "")
	}, "v")
}

// The randomness of processes without a journal is not that of the last program.
func TestRandomnessOfNextProgram(t *testing.T) {
	mixed(t, func(s *drama) {
		s.do("v", do{Word: "random"})
		first := s.do("v", do{Word: "diary"})
		s.killed()
		s.do("v", do{Word: "random"})
		if again := s.do("v", do{Word: "diary"}); strings.Contains(again, first) {
			t.Errorf("%s again", again)
		}
	}, "v")
}

var exits int // how often the machine called exits has continued

// What was under way when the program ended goes on in the next one, also if a
// machine ends the goroutine that starts it.
func TestGoexitAtStart(t *testing.T) {
	exits = 0 // counted: by the first program, by the replay, and by the second one, in whose start it is
	mixed(t, func(s *drama) {
		s.do("a", do{Word: "timer", Text: "x", After: time.Hour})
		s.do("b", do{Word: "task", Name: "1", Text: "later"})
		s.killed()
		time.Sleep(2 * time.Hour)
		s.told("a", "timeout x")
		s.told("b", "done 1 later <nil>")
	}, "a", "b", "exits")
}
