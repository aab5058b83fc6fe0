package eventloop_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
)

func adding(text string) func([]string) []string {
	return func(seen []string) []string { return append(slices.Clip(seen), text) }
}

// Y1: the state can be looked at and replaced; a function that fails changes
// nothing.
func TestY1State(t *testing.T) {
	play(t, one(echoing), func(r *rig) {
		ctx := r.t.Context()
		r.cast("a", "x")
		r.saw("a", "x")
		got, err := eventloop.ReplaceState(ctx, r.loop, "a", adding("replaced"))
		if err != nil || !slices.Equal(got, []string{"x", "replaced"}) {
			r.t.Error(got, err)
		}
		r.call("a", "y")
		for name, f := range map[string]func([]string) []string{
			"panic":  func([]string) []string { panic("boom") },
			"goexit": func([]string) []string { runtime.Goexit(); return nil },
		} {
			_, err := eventloop.ReplaceState(ctx, r.loop, "a", f)
			r.refused(err, statemachine.ErrNotChanged)
			var crash *statemachine.CrashError
			if !errors.As(err, &crash) || crash.In != "replace_state" {
				r.t.Errorf("%s: %v", name, err)
			}
		}
		r.saw("a", "x", "replaced", "y")
		_, err = eventloop.ReplaceState(ctx, r.loop, "a", func(n int) int { return n })
		r.refused(err, statemachine.ErrInput)
		_, err = eventloop.GetState[int](ctx, r.loop, "a")
		r.refused(err, statemachine.ErrInput)
		_, err = eventloop.GetState[int](ctx, r.loop, "root")
		r.refused(err, statemachine.ErrNoProcess)
		r.call("a", "crash") // the replaced state is what the next life is given, where there is durability
		r.ended("a crash [x replaced y]")
	})
}

// Y1 with bytes, in both formats.
func TestY1StateBytes(t *testing.T) {
	play(t, one(echoing), func(r *rig) {
		ctx := r.t.Context()
		r.ok(r.loop.ReplaceState(ctx, "a", codec.JSON, []byte(`["x"]`)))
		r.call("a", "y")
		data, err := r.loop.GetState(ctx, "a", codec.JSON, []byte("> "))
		if string(data) != `> ["x","y"]` || err != nil {
			r.t.Errorf("%s %v", data, err)
		}
		data, err = r.loop.GetState(ctx, "a", codec.Msgpack, nil)
		r.ok(err)
		r.ok(r.loop.ReplaceState(ctx, "a", codec.JSON, []byte(`[]`)))
		r.ok(r.loop.ReplaceState(ctx, "a", codec.Msgpack, data))
		r.saw("a", "x", "y")
		r.refused(r.loop.ReplaceState(ctx, "a", codec.JSON, []byte(`{}`)), statemachine.ErrInput)
		r.refused(r.loop.ReplaceState(ctx, "nobody", codec.JSON, []byte(`[]`)), statemachine.ErrNoProcess)
		r.saw("a", "x", "y")
	})
}

// A replacement by a function is of the state at its place in the journal, however
// much is in flight.
func TestReplaceStateInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		r := &rig{t: t, cfg: always(log, worker("a", serves(echoing)), worker("b", serves(echoing)))}
		r.loop = start(t, r.cfg)
		log.hold()
		var answers []<-chan string
		var replaced []<-chan error
		var want []string
		for i := range 5 {
			text := fmt.Sprint(i)
			want = append(want, text, "after "+text)
			answers = append(answers, r.later("a", text))
			replaced = append(replaced, inBackground(func() error {
				_, err := eventloop.ReplaceState(context.Background(), r.loop, "a", func(seen []string) []string {
					return adding("after " + seen[len(seen)-1])(seen)
				})
				return err
			}))
			answers = append(answers, r.later("b", text))
		}
		log.release()
		for _, a := range answers {
			<-a
		}
		for _, err := range replaced {
			r.ok(<-err)
		}
		r.saw("a", want...)
		r.saw("b", "0", "1", "2", "3", "4")
		r.sameAfterKill(mem)
	})
}

// Y2: while a process is suspended nothing of it runs; what was sent is stepped
// in order when it is resumed.
func TestY2Suspend(t *testing.T) {
	play(t, one(echoing), func(r *rig) {
		ctx := r.t.Context()
		r.ok(r.loop.Suspend(ctx, "a"))
		r.ok(r.loop.Suspend(ctx, "a"))
		call := r.later("a", "call")
		late, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		_, err := r.ref("a").Call(late, "late")
		if !errors.Is(err, statemachine.ErrDeadline) || statemachine.OutcomeOf(err) != statemachine.Unknown {
			r.t.Errorf("a call that timed out: %v", err)
		}
		r.cast("a", "cast")
		r.saw("a") // system requests work
		_, err = eventloop.ReplaceState(ctx, r.loop, "a", adding("replaced"))
		r.ok(err)
		if s, err := r.loop.GetStatus(ctx, "a"); err != nil || !s.Suspended {
			r.t.Error(s, err)
		}
		r.ok(r.loop.Resume(ctx, "a"))
		r.ok(r.loop.Resume(ctx, "a"))
		r.is(<-call, "call")
		r.saw("a", "replaced", "call", "late", "cast")
		if s, err := r.loop.GetStatus(ctx, "a"); err != nil || s.Suspended {
			r.t.Error(s, err)
		}
		r.refused(r.loop.Suspend(ctx, "nobody"), statemachine.ErrNoProcess)
	})
}

// Y2: read-only inputs wait too, and see the state of their turn.
func TestY2Reads(t *testing.T) {
	for _, d := range []eventloop.Durability{eventloop.None, eventloop.Always} {
		synctest.Test(t, func(t *testing.T) {
			l := start(t, eventloop.Config{Durability: d, Log: new(journal.Memory), Root: flat(worker("a", newMachine()))})
			a := refTo(t, l, "a")
			call(t, a, input{Add: 1})
			if err := l.Suspend(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			var read tally
			done := inBackground(func() error {
				out, err := a.Call(context.Background(), input{Get: true})
				read = out.Tally
				return err
			})
			select {
			case err := <-done:
				t.Error("a suspended process was read", err)
			default:
			}
			_, err := eventloop.ReplaceState(t.Context(), l, "a", func(s tally) tally { s.Sum = 10; return s })
			if err != nil {
				t.Error(err)
			}
			if err := l.Resume(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil || read.Sum != 10 {
				t.Error(read, err)
			}
			if got := call(t, a, input{Get: true}); got.Sum != 10 {
				t.Errorf("after that: %+v", got)
			}
			if _, err := eventloop.ReplaceState(t.Context(), l, "a", func(s tally) tally { s.Sum = 20; return s }); err != nil {
				t.Error(err)
			}
			if got := call(t, a, input{Get: true}); got.Sum != 20 {
				t.Errorf("readers do not see what was replaced: %+v", got)
			}
		})
	}
}

// Y2: stop works while suspended, and Terminate runs. What waits is stepped by the
// next life here (in OTP it is lost), or refused if there is none.
func TestY2Stop(t *testing.T) {
	play(t, one(echoing), func(r *rig) {
		ctx := r.t.Context()
		r.call("a", "x")
		r.ok(r.loop.Suspend(ctx, "a"))
		call := r.later("a", "call")
		r.ok(r.loop.StopProcess(ctx, "a", statemachine.Normal))
		r.ended("a normal [x]")
		r.is(<-call, "call")

		r.ok(r.loop.Suspend(ctx, "a"))
		call = r.later("a", "call")
		r.ok(r.loop.TerminateChild(ctx, "root", "a"))
		r.is(<-call, "a: no such process (not_applied)")
		r.ends.all()
		running, err := r.loop.RestartChild(ctx, "root", "a")
		if err != nil || !running {
			r.t.Error(running, err)
		}
		r.is(r.call("a", "up"), "up") // and not suspended
	})
}

// A life that ends is suspended no more: who calls its successor is as any caller.
func TestY2StopEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := serves(echoing)
		m.Terminate = func(statemachine.Name, []string, statemachine.Reason) { time.Sleep(time.Second) }
		l := start(t, eventloop.Config{Root: flat(worker("a", m))})
		r := &rig{t: t, loop: l}
		r.ok(l.Suspend(t.Context(), "a"))
		stopped := inBackground(func() error { return l.StopProcess(context.Background(), "a", statemachine.Normal) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		_, err := r.ref("a").Call(ctx, "x")
		r.refused(err, statemachine.ErrDeadline)
		r.ok(<-stopped)
		r.is(r.call("a", "y"), "y")
	})
}

// What waits for a suspended process when the program ends is there at the next
// start, if it is in the journal; it does not start suspended.
func TestY2AcrossStarts(t *testing.T) {
	for _, orderly := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			mem := new(journal.Memory)
			r := &rig{t: t, cfg: always(mem, worker("a", serves(echoing)))}
			r.loop = start(t, r.cfg)
			r.call("a", "x")
			r.ok(r.loop.Suspend(t.Context(), "a"))
			r.cast("a", "cast")
			call := r.later("a", "call")
			if orderly {
				r.ok(r.loop.Stop(context.Background()))
				r.is(<-call, "a: the application is stopping (unknown)")
			}
			r.cfg.Log = mem.Reopen()
			r.loop = start(t, r.cfg)
			r.saw("a", "x", "cast", "call")
			r.is(r.call("a", "y"), "y")
		})
	}
}

// The inputs that wait for a suspended process are bounded: those of casts by
// making callers wait, those of machines by refusing them.
func TestY2Bounded(t *testing.T) {
	play(t, func(r *rig) map[string]*server {
		r.cfg.QueueLen = 3
		sender := serves(func(in string, _ []string, fx *serverFx) string {
			if in == "send" {
				for i := range 5 {
					statemachine.To[string, string]("a").Cast(fx, fmt.Sprint("sent ", i))
				}
			}
			return in
		})
		return map[string]*server{"a": serves(echoing), "b": sender}
	}, func(r *rig) {
		r.ok(r.loop.Suspend(r.t.Context(), "a"))
		var want []string
		for i := 0; ; i++ {
			ctx, cancel := context.WithTimeout(r.t.Context(), patience)
			err := r.ref("a").Cast(ctx, fmt.Sprint(i))
			cancel()
			if statemachine.OutcomeOf(err) == statemachine.NotApplied && errors.Is(err, statemachine.ErrOverloaded) {
				break
			}
			if want = append(want, fmt.Sprint(i)); len(want) > 10 {
				r.t.Fatal("no bound")
			}
		}
		if len(want) < 3 {
			r.t.Errorf("%d waited", len(want))
		}
		r.call("b", "send")
		synctest.Wait()
		if !slices.Contains(r.seen("b"), "undelivered a") {
			r.t.Error("a machine's cast was not refused")
		}
		r.ok(r.loop.Resume(r.t.Context(), "a"))
		r.saw("a", want...)
	})
}

// Who is suspended, and what was replaced, is in a checkpoint.
func TestSuspendedInACheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		r := &rig{t: t, cfg: always(log, worker("a", serves(echoing)), worker("b", serves(echoing)))}
		r.cfg.SnapshotBytes = 1
		r.loop = start(t, r.cfg)
		r.call("a", "x")
		r.ok(r.loop.Suspend(t.Context(), "a"))
		_, err := eventloop.ReplaceState(t.Context(), r.loop, "a", adding("replaced"))
		r.ok(err)
		r.call("b", "1")
		synctest.Wait() // for the checkpoint
		log.setSaves(saveLost)
		r.cast("a", "cast")
		_, err = eventloop.ReplaceState(t.Context(), r.loop, "a", adding("again"))
		r.ok(err)
		r.ok(r.loop.Resume(t.Context(), "a"))
		r.saw("a", "x", "replaced", "again", "cast")
		r.sameAfterKill(mem)
	})
}

// What is watched ends with the life.
func TestSysEndsWithTheLife(t *testing.T) {
	play(t, one(echoing), func(r *rig) {
		ctx := r.t.Context()
		r.ok(r.loop.SetStatistics(ctx, "a", true))
		r.ok(r.loop.SetLog(ctx, "a", 3))
		r.call("a", "crash")
		r.ends.all()
		if s, err := r.loop.GetStatus(ctx, "a"); err != nil || s.Statistics != nil || s.Log != 0 {
			r.t.Error(s, err)
		}
	})
}

// A supervisor is suspended by the same methods.
func TestSuspendSupervisor(t *testing.T) {
	play(t, one(echoing), func(r *rig) {
		r.ok(r.loop.Suspend(r.t.Context(), "root"))
		r.is(r.call("a", "x"), "x")
		stopped := inBackground(func() error { return r.loop.TerminateChild(context.Background(), "root", "a") })
		r.is(r.call("a", "y"), "y")
		r.ok(r.loop.Resume(r.t.Context(), "root"))
		r.ok(<-stopped)
		r.ends.all()
	})
}
