package eventloop_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// theVolatile is the diarist without a State codec: where inputs are journaled
// its are not.
var theVolatile = func() *statemachine.Machine[diary, do, string] {
	m := diarist()
	m.State = nil
	return m
}()

// obeyMore is the rest of the words.
func obeyMore(in do, s diary, fx *statemachine.Effects[string]) diary {
	to := statemachine.To[do, string](in.Name)
	switch in.Word {
	case "casts":
		for range 10 {
			to.Cast(fx, do{Word: "told", Text: in.Text})
		}
	case "send":
		to.Cast(fx, do{Word: in.Text})
	case "send2":
		to.Cast(fx, do{Word: in.Text})
		statemachine.To[do, string](in.Then).Cast(fx, do{Word: in.Text})
	case "both": // what another does, and then this one
		to.Cast(fx, do{Word: in.Text})
		statemachine.To[do, string](fx.Self()).Cast(fx, do{Word: in.Then, Name: in.Name})
	case "relay":
		if next := map[string]string{"a": "b", "b": "v", "v": "v2"}[string(fx.Self())]; next != "" {
			statemachine.To[do, string](next).Cast(fx, do{Word: "relay"})
		} else {
			s.Told = append(s.Told[:len(s.Told):len(s.Told)], "x")
		}
	case "casts-then":
		for range int(in.After) {
			to.Cast(fx, do{Word: "told", Text: "x"})
		}
	case "calls-nobody":
		for range 10 {
			statemachine.To[do, string]("nobody").Call(fx, "more", do{}, 0)
		}
	case "unlink":
		fx.Unlink(statemachine.Name(in.Name))
	case "link then unlink":
		fx.Link(statemachine.Name(in.Name))
		fx.Unlink(statemachine.Name(in.Name))
	case "nil child":
		supervisor.StartChild(fx, "nil", "root", nil)
		fx.Record(statemachine.Effect{Kind: statemachine.EffectChild, Name: "root", Tag: "odd", Value: supervisor.ChildEffect{Op: 77}})
	case "back and forth":
		to.Cast(fx, do{Word: in.Word, Name: string(fx.Self())})
	case "wait-for-b":
		statemachine.To[do, string]("b").Cast(fx, do{Word: "keep", From: fx.NoReply()})
	case "monitors":
		for range 3 {
			fx.Monitor(statemachine.Name(in.Name))
		}
	case "start and crash":
		supervisor.StartChild(fx, "start", "root", supervisor.Worker{Name: statemachine.Name(in.Name), Machine: theDiarist})
		statemachine.To[do, string](fx.Self()).Cast(fx, do{Word: "crash"})
	case "random":
		s.Told = append(s.Told[:len(s.Told):len(s.Told)], fmt.Sprintf("%x", fx.Rand()))
	case "wait-for":
		to.Cast(fx, do{Word: "keep", From: fx.NoReply()})
	case "keep":
		s.Waits = append(s.Waits[:len(s.Waits):len(s.Waits)], in.From)
	case "answer-for":
		for _, from := range s.Waits {
			to.Answer(fx, from, in.Text)
		}
	}
	return s
}

// mixed runs f in a bubble with durability Always. Names that begin with "v" are
// volatile processes; "t…" and "vt…" are transient.
func mixed(t *testing.T, f func(s *drama), names ...statemachine.Name) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &drama{stage: stage{t: t}}
		s.cfg = eventloop.Config{Durability: eventloop.Always, Log: new(journal.Memory),
			Machines: map[string]statemachine.Server{"diarist": theDiarist, "volatile": theVolatile}}
		s.cfg.Root = supervisor.Supervisor{Name: "root", Intensity: 1 << 20}
		for _, n := range names {
			w := supervisor.Worker{Name: n, Machine: theDiarist}
			if rest, volatile := strings.CutPrefix(string(n), "v"); volatile {
				w.Machine = theVolatile
				n = statemachine.Name(rest)
			}
			if strings.HasPrefix(string(n), "t") {
				w.Restart = supervisor.Transient
			}
			s.cfg.Root.Children = append(s.cfg.Root.Children, w)
		}
		s.start()
		f(s)
		s.loop.Stop(context.Background())
	})
}

// drama is a stage that is left and entered again.
type drama struct {
	stage
	cfg eventloop.Config
}

func (s *drama) start() {
	s.t.Helper()
	l, err := eventloop.Start(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.loop = l
}

// killed ends the program as kill -9 would, and starts it again.
func (s *drama) killed() {
	s.t.Helper()
	synctest.Wait()
	next := s.cfg.Log.(*journal.Memory).Reopen()
	s.loop.Stop(context.Background())
	time.Sleep(time.Millisecond)
	s.cfg.Log = next
	s.start()
}

// A replay's messages leave nothing behind that a caller would wait on for ever.
func TestCallsAfterReplayedMessages(t *testing.T) {
	mixed(t, func(s *drama) {
		for range 20 {
			s.do("a", do{Word: "timer", Text: "x", After: time.Second})
			time.Sleep(2 * time.Second)
		}
		s.killed()
		for range 40 {
			s.begin("a", do{Word: "told", Text: "y"})
		}
	}, "a")
}

// What a process is told of a volatile one that cannot be delivered goes through
// the journal.
func TestUndeliveredToVolatile(t *testing.T) {
	mixed(t, func(s *drama) {
		s.do("vt", do{Word: "stop"}) // for good
		s.do("a", do{Word: "cast", Name: "vt", Text: "x"})
		s.told("a", "undelivered vt vt: no such process (not_applied)")
		s.killed()
		s.told("a", "undelivered vt vt: no such process (not_applied)")
	}, "a", "vt")
}

func TestUndeliveredByVolatile(t *testing.T) {
	mixed(t, func(s *drama) {
		s.do("t", do{Word: "stop"}) // for good
		s.do("v", do{Word: "cast", Name: "t", Text: "x"})
		s.told("v", "undelivered t t: no such process (not_applied)")
	}, "v", "t")
}

// Each cast that is not delivered is told, and one that crashes its process was
// delivered.
func TestUndeliveredEach(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "casts", Name: "nobody", Text: "x"})
		s.told("a", strings.TrimSuffix(strings.Repeat("undelivered nobody nobody: no such process (not_applied); ", 10), "; "))
		s.do("b", do{Word: "send", Name: "c", Text: "crash"})
		s.do("b", do{Word: "send", Name: "c", Text: "stop"})
		s.told("b", "")
	}, "a", "b", "c")
}

// Demonitor takes back a message that is on its way.
func TestDemonitorOnItsWay(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "monitor", Name: "b"})
		s.do("a", do{Word: "both", Name: "b", Text: "crash", Then: "demonitor"})
		s.told("a", "")
	}, "a", "b")
}

// What a journaled step sends on to a volatile process, and that to another,
// waits for nothing else.
func TestVolatileChain(t *testing.T) {
	mixed(t, func(s *drama) {
		s.do("a", do{Word: "relay", Name: "b"})
		synctest.Wait()
		s.told("v2", "x")
		s.killed()
	}, "a", "b", "v", "v2")
}

// Timers that are due again and again do not keep the application from ending.
func TestStopWithBusyTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &drama{stage: stage{t: t}}
		log := &lateLog{Memory: new(journal.Memory), d: 3 * time.Millisecond}
		s.cfg = eventloop.Config{Durability: eventloop.Always, Log: log, Root: supervisor.Supervisor{Name: "root"}}
		for i := range 5 {
			s.cfg.Root.Children = append(s.cfg.Root.Children, supervisor.Worker{Name: statemachine.Name(fmt.Sprint("p", i)), Machine: theDiarist})
		}
		s.start()
		for i := range 5 {
			s.do(statemachine.Name(fmt.Sprint("p", i)), do{Word: "periodic", Text: "tick", After: time.Millisecond + time.Duration(i)*100*time.Microsecond})
		}
		time.Sleep(20 * time.Millisecond)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := s.loop.Stop(ctx); err != nil || ctx.Err() != nil {
			t.Errorf("Stop: %v, %v", err, ctx.Err())
		}
	})
}

// lateLog takes d for each Append.
type lateLog struct {
	*journal.Memory
	d time.Duration
}

func (l *lateLog) Append(b journal.Batch, done func(uint64, error)) {
	l.Memory.Append(b, func(i uint64, err error) { time.Sleep(l.d); done(i, err) })
}

// Who was called by a From of before a restart of the program is not mixed up
// with who is called now.
func TestFromOfBefore(t *testing.T) {
	mixed(t, func(s *drama) {
		s.begin("v", do{Word: "wait-for", Name: "a"}) // a keeps v's From
		synctest.Wait()
		s.killed()
		answers := make(chan string, 1)
		go func() { answers <- s.do("v", do{Word: "wait"}) }()
		synctest.Wait()
		s.do("a", do{Word: "answer-for", Name: "v", Text: "wrong"})
		s.do("v", do{Word: "answer", Text: "right"})
		if got := <-answers; got != "right" {
			t.Errorf("got the answer %q to another's call", got)
		}
	}, "a", "v")
}

// An application whose root gives up ends, also if letters are still to be stepped.
func TestGivingUpWithLetters(t *testing.T) {
	for _, d := range []eventloop.Durability{eventloop.None, eventloop.Always} {
		synctest.Test(t, func(t *testing.T) {
			s := &drama{stage: stage{t: t}}
			s.cfg = eventloop.Config{Durability: d, Log: new(journal.Memory), Root: supervisor.Supervisor{Name: "root", Intensity: supervisor.NoRestarts}}
			for _, n := range []statemachine.Name{"a", "b", "c"} {
				s.cfg.Root.Children = append(s.cfg.Root.Children, supervisor.Worker{Name: n, Machine: theDiarist})
			}
			s.start()
			s.do("a", do{Word: "ping", Name: "b"})
			s.do("c", do{Word: "crash"})
			<-s.loop.Done()
		})
	}
}
