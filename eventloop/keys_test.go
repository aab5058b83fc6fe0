package eventloop_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// onceStage is an application of diarists with a journal, or none.
func onceStage(t *testing.T, d eventloop.Durability, log journal.Log, keyBytes int64) *stage {
	t.Helper()
	l, err := eventloop.Start(eventloop.Config{Durability: d, Log: log, KeyBytes: keyBytes,
		Root: supervisor.Supervisor{Name: "root", Intensity: 1000, Children: []supervisor.Child{
			supervisor.Worker{Name: "a", Machine: theDiarist}, supervisor.Worker{Name: "b", Machine: theDiarist}}}})
	if err != nil {
		t.Fatal(err)
	}
	return &stage{t, l}
}

// once is do with a key.
func (s *stage) once(key string, name statemachine.Name, in do) (string, error) {
	s.t.Helper()
	r, err := eventloop.RefTo[do, string](s.loop, name)
	if err != nil {
		s.t.Fatal(err)
	}
	return r.Once(key).Call(context.Background(), in)
}

func (s *stage) wantOnce(key string, in do, want string) {
	s.t.Helper()
	out, err := s.once(key, "a", in)
	if err != nil {
		out = err.Error()
	}
	if out != want {
		s.t.Errorf("%v under %q: %q, want %q", in, key, out, want)
	}
}

// Every durability has keys; with a journal they survive what it survives.
func TestOnce(t *testing.T) {
	for _, d := range []eventloop.Durability{eventloop.None, eventloop.AtShutdown, eventloop.Always} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := new(journal.Memory)
				s := onceStage(t, d, log, 0)
				tell := do{Word: "told", Text: "x"}
				for range 3 {
					s.wantOnce("k1", tell, "told")
				}
				s.wantOnce("k2", tell, "told")
				s.told("a", "x; x")
				s.wantOnce("k1", do{Word: "told", Text: "y"}, "a: the idempotency key was used for another input (not_applied)")
				s.wantOnce("k3", do{Word: "crash"}, "a crashed in step: crash (not_applied)")
				s.wantOnce("k3", tell, "told") // it was not applied
				s.wantOnce("k1", tell, "told") // after a crash
				s.wantOnce("k4", do{Word: "stop"}, "stop")
				synctest.Wait()
				s.wantOnce("k4", do{Word: "stop"}, "stop")
				if out, err := s.once("k1", "b", tell); out != "told" || err != nil {
					t.Errorf("another process: %q, %v", out, err)
				}
				if d == eventloop.None {
					s.loop.Stop(context.Background())
					return
				}
				killed := log.Reopen()
				s.loop.Stop(context.Background())
				if d == eventloop.AtShutdown {
					killed = log.Reopen()
				}
				s = onceStage(t, d, killed, 0)
				s.told("a", "x; x; x")
				s.wantOnce("k1", tell, "told")
				s.wantOnce("k4", do{Word: "stop"}, "stop")
				s.wantOnce("k1", do{Word: "told", Text: "y"}, "a: the idempotency key was used for another input (not_applied)")
				s.told("a", "x; x; x")
				s.loop.Stop(context.Background())
			})
		})
	}
}

// The other ways to send have keys too.
func TestOnceByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := onceStage(t, eventloop.Always, new(journal.Memory), 0)
		ctx, body := context.Background(), []byte(`{"word":"told","name":"","text":"x","after":0}`)
		for range 2 {
			out, err := s.loop.CallOnce(ctx, "a", "k", codec.JSON, body, codec.JSON, nil)
			if err != nil || string(out) != `"told"` {
				t.Errorf("%s, %v", out, err)
			}
			if err := s.loop.CastOnce(ctx, "a", "c", codec.JSON, body); err != nil {
				t.Error(err)
			}
			r, _ := eventloop.RefTo[do, string](s.loop, "a")
			if err := r.Once("r").Cast(ctx, do{Word: "told", Text: "y"}); err != nil {
				t.Error(err)
			}
		}
		s.told("a", "x; x; y")
		_, err := s.once(strings.Repeat("k", eventloop.MaxKeyBytes+1), "a", do{Word: "told"})
		if !errors.Is(err, statemachine.ErrInput) || statemachine.OutcomeOf(err) != statemachine.NotApplied {
			t.Errorf("a long key: %v", err)
		}
		s.loop.Stop(ctx)
	})
}

// A cast under the key of another input is refused, and dropped by nobody.
func TestOnceCastOfAnotherInput(t *testing.T) {
	for _, d := range []eventloop.Durability{eventloop.None, eventloop.AtShutdown, eventloop.Always} {
		synctest.Test(t, func(t *testing.T) {
			s := onceStage(t, d, new(journal.Memory), 0)
			r, _ := eventloop.RefTo[do, string](s.loop, "a")
			ctx := context.Background()
			for range 2 {
				if err := r.Once("c").Cast(ctx, do{Word: "told", Text: "x"}); err != nil {
					t.Errorf("%v: %v", d, err)
				}
				err := r.Once("c").Cast(ctx, do{Word: "told", Text: "y"})
				if !errors.Is(err, statemachine.ErrKeyReused) || statemachine.OutcomeOf(err) != statemachine.NotApplied {
					t.Errorf("%v: another input: %v", d, err)
				}
			}
			s.told("a", "x")
			if err := r.Once("crash").Cast(ctx, do{Word: "crash"}); err != nil {
				t.Errorf("%v: a cast tells nothing of its step: %v", d, err)
			}
			s.loop.Stop(ctx)
		})
	}
}

// Who sends again what waits for a later step's reply gets that reply.
func TestOnceDeferred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(journal.Memory)
		s := onceStage(t, eventloop.Always, log, 0)
		answers := make(chan string, 2)
		for range 2 {
			a, err := eventloop.RefTo[do, string](s.loop, "a")
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				out, _ := a.Once("k").Call(context.Background(), do{Word: "wait"})
				answers <- out
			}()
			synctest.Wait()
		}
		s.do("a", do{Word: "answer", Text: "now"})
		if one, two := <-answers, <-answers; one != "now" || two != "now" {
			t.Errorf("%q, %q", one, two)
		}
		s.wantOnce("k", do{Word: "wait"}, "now")
		a, err := eventloop.RefTo[do, string](s.loop, "a")
		if err != nil {
			t.Fatal(err)
		}
		go a.Once("lost").Call(context.Background(), do{Word: "wait"})
		synctest.Wait()
		again := onceStage(t, eventloop.Always, log.Reopen(), 0)
		again.wantOnce("k", do{Word: "wait"}, "now")
		again.wantOnce("lost", do{Word: "wait"}, "a: a ended: killed (applied)")
		again.loop.Stop(context.Background())
		s.loop.Stop(context.Background())
	})
}

// The window is bounded, and a snapshot has all of it.
func TestOnceWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(journal.Memory)
		s := onceStage(t, eventloop.Always, log, 10*(1+3+5+64))
		for i := range 20 {
			s.wantOnce(fmt.Sprintf("k%02d", i), do{Word: "told", Text: fmt.Sprint(i)}, "told")
		}
		s.wantOnce("k19", do{Word: "told", Text: "19"}, "told")
		s.wantOnce("k11", do{Word: "told", Text: "11"}, "told")
		s.wantOnce("k09", do{Word: "told", Text: "again"}, "told") // it was forgotten
		s.loop.Stop(context.Background())
		again := onceStage(t, eventloop.Always, log.Reopen(), 10*(1+3+5+64))
		want := again.do("a", do{Word: "diary"})
		again.wantOnce("k19", do{Word: "told", Text: "19"}, "told")
		again.told("a", want)
		again.wantOnce("k00", do{Word: "told", Text: "again"}, "told")
		again.told("a", want+"; again")
		again.loop.Stop(context.Background())
	})
}

// An input that waits for a later step's reply does not keep the window from being bounded.
func TestOnceWindowBehindOneThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(journal.Memory)
		const room = 10 * (1 + 3 + 5 + 64)
		s := onceStage(t, eventloop.Always, log, room)
		a, err := eventloop.RefTo[do, string](s.loop, "b")
		if err != nil {
			t.Fatal(err)
		}
		waited := make(chan string, 1)
		go func() {
			out, _ := a.Once("waits").Call(context.Background(), do{Word: "wait"})
			waited <- out
		}()
		synctest.Wait()
		for i := range 20 {
			s.wantOnce(fmt.Sprintf("k%02d", i), do{Word: "told", Text: fmt.Sprint(i)}, "told")
		}
		s.wantOnce("k19", do{Word: "told", Text: "19"}, "told")
		s.wantOnce("k00", do{Word: "told", Text: "again"}, "told") // it was forgotten
		s.do("b", do{Word: "answer", Text: "now"})
		if out := <-waited; out != "now" {
			t.Errorf("%q", out)
		}
		if out, err := s.once("waits", "b", do{Word: "wait"}); out != "now" || err != nil {
			t.Errorf("%q, %v", out, err)
		}
		want := s.do("a", do{Word: "diary"})
		again := onceStage(t, eventloop.Always, log.Reopen(), room)
		again.told("a", want)
		again.wantOnce("k19", do{Word: "told", Text: "19"}, "told")
		again.told("a", want)
		again.loop.Stop(context.Background())
		s.loop.Stop(context.Background())
	})
}

// The keys of a process are kept as long as its state is, also by a program that does not have it in its tree.
func TestOnceUnclaimed(t *testing.T) {
	for _, d := range []eventloop.Durability{eventloop.AtShutdown, eventloop.Always} {
		synctest.Test(t, func(t *testing.T) {
			log, m := new(journal.Memory), newMachine()
			program := func(names ...statemachine.Name) *eventloop.Loop {
				c := always(log)
				c.Durability = d
				for _, n := range names {
					c.Root.Children = append(c.Root.Children, worker(n, m))
				}
				return start(t, c)
			}
			for _, names := range [][]statemachine.Name{{"a", "b"}, {"b"}, {"b"}, {"a", "b"}} {
				l := program(names...)
				if len(names) == 2 {
					out, err := refTo(t, l, "a").Once("k").Call(t.Context(), input{Add: 5})
					if got := call(t, refTo(t, l, "a"), input{Get: true}); err != nil || out.Tally.Sum != 5 || got.Sum != 5 {
						t.Errorf("%v: %v, %v; the sum is %d, want 5", d, out, err, got.Sum)
					}
				}
				if err := l.Stop(t.Context()); err != nil {
					t.Fatal(err)
				}
				log = log.Reopen()
			}
		})
	}
}

// A keyed call whose context ends while it is being journaled returns no output: the loop may be writing it.
func TestOnceAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &heldLog{Log: new(journal.Memory)}
		m := newMachine()
		l := start(t, always(log, worker("a", m)))
		a := refTo(t, l, "a")
		for i := range 3 { // the race detector looks
			log.hold()
			ctx, cancel := context.WithCancel(t.Context())
			called := inBackground(func() error {
				out, err := a.Once(fmt.Sprint(i)).Call(ctx, input{Add: 1})
				if err != nil && out != (output{}) {
					t.Errorf("%+v, with an error", out)
				}
				return err
			})
			cancel()
			log.release()
			if err := <-called; err != nil && statemachine.OutcomeOf(err) != statemachine.Unknown { // or it was in time
				t.Errorf("%v; want unknown", err)
			}
			synctest.Wait()
		}
		if got := call(t, a, input{Get: true}); got.Sum != 3 {
			t.Errorf("%+v, want a sum of 3", got)
		}
	})
}
