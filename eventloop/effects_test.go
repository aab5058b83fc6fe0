package eventloop_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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

// diary is the state of the effects' test machine: what it was told, in order,
// and who waits for a reply.
type diary struct {
	Told  []string            `json:"told"`
	Waits []statemachine.From `json:"waits"`
}

// do is its input: a word, and what the word is about.
type do struct {
	Word  string            `json:"word"`
	Name  string            `json:"name"`
	Text  string            `json:"text"`
	After time.Duration     `json:"after"`
	Then  string            `json:"then"`
	From  statemachine.From `json:"from"`
}

var echo = statemachine.NewTask("echo", codec.Of[string](), codec.Of[string](),
	func(ctx context.Context, id statemachine.TaskID, text string) (string, error) {
		switch text {
		case "fail":
			return "", errors.New("failed")
		case "later":
			select {
			case <-time.After(time.Minute):
			case <-ctx.Done():
			}
		case "hang":
			<-ctx.Done()
			return "", ctx.Err()
		}
		return text, nil
	})

func diarist() *statemachine.Machine[diary, do, string] {
	m := &statemachine.Machine[diary, do, string]{
		Step: obey, Message: heard, Tasks: []statemachine.AnyTask{echo},
		Input: codec.Of[do](), Output: codec.Of[string](), State: codec.Of[diary](),
	}
	m.Init = func(s statemachine.Start[diary]) (diary, error) {
		if s.Name == "exits" {
			s.Fx.Continue("exit")
		}
		if s.Saved != nil {
			return *s.Saved, nil
		}
		if strings.HasPrefix(string(s.Name), "continues") {
			s.Fx.Continue("first")
		}
		return diary{}, nil
	}
	return m
}

// heard makes words of messages.
func heard(m statemachine.Message) do {
	switch m := m.(type) {
	case statemachine.Continue:
		return do{Word: "told", Text: "continue " + m.Tag}
	case statemachine.Timeout:
		return do{Word: "told", Text: "timeout " + m.Timer}
	case statemachine.Reply:
		out, err := statemachine.To[do, string](m.Name).Output(m)
		return do{Word: "told", Text: fmt.Sprintf("reply %s %s %v", m.Tag, out, err)}
	case statemachine.MonitorDown:
		return do{Word: "told", Text: fmt.Sprintf("down %s %v", m.Name, m.Reason)}
	case statemachine.Exit:
		return do{Word: "told", Text: fmt.Sprintf("exit %s %v", m.Name, m.Reason)}
	case statemachine.Undelivered:
		return do{Word: "told", Text: fmt.Sprintf("undelivered %s %v", m.To, m.Err)}
	case statemachine.TaskDone:
		out, err := echo.Result(m)
		return do{Word: "told", Text: fmt.Sprintf("done %s %s %v", m.Tag, out, err)}
	case statemachine.ChildReply:
		return do{Word: "told", Text: fmt.Sprintf("child %s %v", m.Tag, m.Err)}
	}
	return do{Word: "told", Text: "?"}
}

func obey(in do, s diary, fx *statemachine.Effects[string]) (diary, string) {
	to := statemachine.To[do, string](in.Name)
	switch in.Word {
	case "told":
		if in.Text == "continue exit" {
			if exits++; exits == 3 {
				runtime.Goexit()
			}
		}
		s.Told = append(s.Told[:len(s.Told):len(s.Told)], in.Text)
	case "diary":
		return s, strings.Join(s.Told, "; ")
	case "cast":
		to.Cast(fx, do{Word: "told", Text: in.Text})
	case "call":
		to.Call(fx, in.Text, do{Word: in.Text, Text: in.Text}, in.After)
	case "ping": // for ever
		to.Cast(fx, do{Word: "ping", Name: string(fx.Self())})
	case "wait":
		s.Waits = append(s.Waits[:len(s.Waits):len(s.Waits)], fx.NoReply())
	case "answer":
		for _, from := range s.Waits {
			fx.Reply(from, in.Text)
		}
		s.Waits = nil
	case "timer":
		fx.SetTimer(in.Text, in.After)
	case "periodic":
		fx.SetPeriodic(in.Text, in.After)
	case "cancel":
		fx.CancelTimer(in.Text)
	case "monitor":
		fx.Monitor(statemachine.Name(in.Name))
	case "demonitor":
		fx.Demonitor(statemachine.Name(in.Name))
	case "link":
		fx.Link(statemachine.Name(in.Name))
	case "trap":
		fx.TrapExits(true)
	case "continue":
		fx.Continue(in.Text)
	case "task":
		echo.Start(fx, in.Name, in.Text, statemachine.Retry{})
	case "start":
		supervisor.StartChild(fx, "start", "root", supervisor.Worker{Name: statemachine.Name(in.Name), Machine: theDiarist})
	case "crash":
		fx.SetTimer("never", 0)
		panic("crash")
	case "stop":
		fx.Stop(statemachine.Shutdown)
	default:
		s = obeyMore(in, s, fx)
	}
	return s, in.Word
}

var theDiarist *statemachine.Machine[diary, do, string]

func init() { theDiarist = diarist() }

// stage is an application of diarists.
type stage struct {
	t    *testing.T
	loop *eventloop.Loop
}

// perform runs f in a bubble for each durability.
func perform(t *testing.T, f func(s *stage), names ...statemachine.Name) {
	for _, d := range []eventloop.Durability{eventloop.None, eventloop.Always} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := eventloop.Config{Durability: d, Machines: map[string]statemachine.Server{"diarist": theDiarist}}
				if d != eventloop.None {
					cfg.Log = new(journal.Memory)
				}
				cfg.Root = supervisor.Supervisor{Name: "root", Intensity: 1000}
				for _, n := range names {
					cfg.Root.Children = append(cfg.Root.Children, supervisor.Worker{Name: n, Machine: theDiarist})
				}
				l, err := eventloop.Start(cfg)
				if err != nil {
					t.Fatal(err)
				}
				f(&stage{t, l})
				l.Stop(context.Background())
			})
		})
	}
}

// do has name do something and returns its answer.
func (s *stage) do(name statemachine.Name, in do) string {
	s.t.Helper()
	r, err := eventloop.RefTo[do, string](s.loop, name)
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := r.Call(context.Background(), in)
	if err != nil {
		return err.Error()
	}
	return out
}

// begin has name do something, and does not wait for it.
func (s *stage) begin(name statemachine.Name, in do) {
	s.t.Helper()
	r, err := eventloop.RefTo[do, string](s.loop, name)
	if err != nil {
		s.t.Fatal(err)
	}
	go r.Call(context.Background(), in)
}

// told checks what name was told so far.
func (s *stage) told(name statemachine.Name, want string) {
	s.t.Helper()
	synctest.Wait()
	if got := s.do(name, do{Word: "diary"}); got != want {
		s.t.Errorf("%s was told %q, want %q", name, got, want)
	}
}

func TestMachinesCast(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "cast", Name: "b", Text: "hello"})
		s.told("b", "hello")
		s.do("a", do{Word: "cast", Name: "nobody", Text: "hello"})
		s.told("a", "undelivered nobody nobody: no such process (not_applied)")
	}, "a", "b")
}

func TestMachinesCall(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("b", do{Word: "told", Text: "x"})
		s.do("a", do{Word: "call", Name: "b", Text: "diary"})
		s.do("a", do{Word: "call", Name: "b", Text: "crash"})
		s.do("a", do{Word: "call", Name: "nobody", Text: "diary"})
		s.told("a", "reply diary x <nil>; reply crash  b crashed in step: crash (not_applied); reply diary  nobody: no such process (not_applied)")
	}, "a", "b")
}

func TestMachinesCallWaits(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "call", Name: "b", Text: "wait", After: time.Second})
		s.told("a", "")
		s.do("b", do{Word: "answer", Text: "at last"})
		s.told("a", "reply wait at last <nil>")
		s.do("a", do{Word: "call", Name: "b", Text: "wait", After: time.Second})
		time.Sleep(2 * time.Second)
		s.told("a", "reply wait at last <nil>; reply wait  b: the caller's context ended: the call's time is over (applied)")
		s.do("a", do{Word: "call", Name: "b", Text: "wait"})
		s.do("b", do{Word: "crash"})
		synctest.Wait()
		if got := s.do("a", do{Word: "diary"}); !strings.HasSuffix(got, "reply wait  b: b ended: crash: b crashed in step: crash (applied)") {
			t.Errorf("a was told %q", got)
		}
	}, "a", "b")
}

func TestDeferredReply(t *testing.T) {
	perform(t, func(s *stage) {
		answers := make(chan string, 2)
		for range 2 {
			go func() { answers <- s.do("a", do{Word: "wait"}) }()
		}
		synctest.Wait()
		s.do("a", do{Word: "answer", Text: "now"})
		if one, two := <-answers, <-answers; one != "now" || two != "now" {
			t.Errorf("%q, %q", one, two)
		}
		r, _ := eventloop.RefTo[do, string](s.loop, "a")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := r.Call(ctx, do{Word: "wait"})
		if statemachine.OutcomeOf(err) != statemachine.Applied || !errors.Is(err, statemachine.ErrDeadline) {
			t.Errorf("a caller that waited no longer: %v", err)
		}
		go func() { answers <- s.do("a", do{Word: "wait"}) }()
		synctest.Wait()
		s.do("a", do{Word: "stop"})
		if got := <-answers; got != "a: a ended: shutdown (applied)" {
			t.Errorf("whose callee ended: %q", got)
		}
	}, "a")
}

func TestTimers(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "timer", Text: "late", After: 3 * time.Second})
		s.do("a", do{Word: "timer", Text: "soon", After: time.Second})
		s.do("a", do{Word: "timer", Text: "off", After: time.Second})
		s.do("a", do{Word: "timer", Text: "moved", After: time.Second})
		s.do("a", do{Word: "timer", Text: "moved", After: 4 * time.Second})
		s.do("a", do{Word: "cancel", Text: "off"})
		time.Sleep(5 * time.Second)
		s.told("a", "timeout soon; timeout late; timeout moved")
		s.do("a", do{Word: "periodic", Text: "p", After: time.Second})
		time.Sleep(2500 * time.Millisecond)
		s.do("a", do{Word: "cancel", Text: "p"})
		time.Sleep(5 * time.Second)
		s.told("a", "timeout soon; timeout late; timeout moved; timeout p; timeout p")
		s.do("a", do{Word: "crash"}) // whose step had set a timer
		time.Sleep(time.Second)
	}, "a")
}

func TestMonitors(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "monitor", Name: "b"})
		s.do("a", do{Word: "monitor", Name: "nobody"})
		s.do("c", do{Word: "monitor", Name: "b"})
		s.do("c", do{Word: "demonitor", Name: "b"})
		s.do("b", do{Word: "crash"})
		s.do("b", do{Word: "crash"})
		s.told("a", "down nobody crash: no such process; down b crash: b crashed in step: crash")
		s.told("c", "")
	}, "a", "b", "c")
}

func TestLinks(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "trap"})
		s.do("a", do{Word: "link", Name: "b"})
		s.do("c", do{Word: "link", Name: "b"})
		s.do("b", do{Word: "crash"})
		s.told("a", "exit b crash: b crashed in step: crash")
		if i, _ := s.loop.Process("c"); i.Restarts != 1 {
			t.Errorf("c, which was linked, was restarted %d times", i.Restarts)
		}
		s.do("c", do{Word: "crash"}) // whose link is gone
		if i, _ := s.loop.Process("b"); i.Restarts != 1 {
			t.Errorf("b was restarted %d times", i.Restarts)
		}
	}, "a", "b", "c")
}

func TestContinue(t *testing.T) {
	perform(t, func(s *stage) {
		s.told("continues", "continue first")
		s.do("continues", do{Word: "continue", Text: "more"})
		s.told("continues", "continue first; continue more")
	}, "continues")
}

func TestTasks(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "task", Name: "1", Text: "hello"})
		s.told("a", "done 1 hello <nil>")
		s.do("a", do{Word: "task", Name: "2", Text: "fail"})
		s.told("a", "done 1 hello <nil>; done 2  failed")
		s.do("b", do{Word: "task", Name: "3", Text: "hang"})
		s.do("b", do{Word: "crash"})
		s.told("b", "")
	}, "a", "b")
}

func TestMachinesStartChildren(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "start", Name: "b"})
		s.told("a", "child start <nil>")
		s.told("b", "")
		s.do("a", do{Word: "start", Name: "b"})
		s.told("a", "child start <nil>; child start b: conflict: already started (not_applied)")
	}, "a")
}

// Two machines that cast to each other without end keep nobody waiting.
func TestMachinesThatNeverEnd(t *testing.T) {
	perform(t, func(s *stage) {
		s.do("a", do{Word: "ping", Name: "b"})
		for range 100 {
			s.do("c", do{Word: "told", Text: "x"})
		}
	}, "a", "b", "c")
}
