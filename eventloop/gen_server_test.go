package eventloop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// OTP's rules for gen_server and sys, one test each, called after the rule. Those
// that have none, and why:
//
//   - G13, a timeout in a return: there is none. A timer is an effect, which no
//     message cancels; gen_statem's event timeouts are genstatem's.
//   - G17, multi_call and abcast: there are no nodes.
//   - G18, enter_loop: a process is no goroutine that could become a server.
//   - G19 does not exist.
//
// In others something differs on purpose, as the test's comment says.

// G1: a start returns once Init has: the state is there.
func TestG1StartReturnsAfterInit(t *testing.T) {
	play(t, func(*rig) map[string]*server {
		m := serves(echoing)
		m.Init = func(s statemachine.Start[[]string]) ([]string, error) {
			if s.Saved != nil {
				return *s.Saved, nil
			}
			s.Fx.Continue("1")
			return []string{"init"}, nil
		}
		return map[string]*server{"later": m}
	}, func(r *rig) {
		running, err := r.loop.StartChild(r.t.Context(), "root", worker("later", r.cfg.Machines["later"]))
		if err != nil || !running {
			r.t.Error(running, err)
		}
		r.saw("later", "init", "continue 1")
	})
}

// G2: an Init that fails, ignores or panics is no process, and no Terminate.
func TestG2InitFails(t *testing.T) {
	var how error
	play(t, func(r *rig) map[string]*server {
		m := serves(echoing)
		m.Terminate = r.ends.terminate
		m.Init = func(statemachine.Start[[]string]) ([]string, error) {
			if how == nil {
				panic("boom")
			}
			return nil, how
		}
		return map[string]*server{"later": m}
	}, func(r *rig) {
		start := func() (bool, error) {
			return r.loop.StartChild(r.t.Context(), "root", worker("later", r.cfg.Machines["later"]))
		}
		how = errDisk
		_, err := start()
		r.refused(err, statemachine.ErrNotStarted)
		r.refused(err, errDisk)
		how = nil
		_, err = start()
		var crash *statemachine.CrashError
		if !errors.As(err, &crash) || crash.In != "init" {
			r.t.Error(err)
		}
		how = statemachine.ErrIgnore
		if running, err := start(); err != nil || running {
			r.t.Error(running, err)
		}
		_, err = r.loop.GetStatus(r.t.Context(), "later")
		r.refused(err, statemachine.ErrNoProcess)
		r.ended()
	})
}

// G3: a name that is taken: Init is not run.
func TestG3NameTaken(t *testing.T) {
	inits := 0
	play(t, func(*rig) map[string]*server {
		m := serves(echoing)
		m.Init = func(statemachine.Start[[]string]) ([]string, error) {
			inits++
			return nil, nil
		}
		return map[string]*server{"a": serves(echoing), "later": m}
	}, func(r *rig) {
		_, err := r.loop.StartChild(r.t.Context(), "root", worker("a", r.cfg.Machines["later"]))
		r.refused(err, supervisor.ErrAlreadyStarted)
		if inits != 0 {
			r.t.Error("Init was run")
		}
	})
}

// G4: a continue comes before any message, also those in the queue; it may chain.
func TestG4Continue(t *testing.T) {
	play(t, one(func(in string, _ []string, fx *serverFx) string {
		switch in {
		case "go":
			fx.Continue("1")
			fx.Continue("2")
		case "continue 1":
			fx.Continue("3")
		}
		return in
	}), func(r *rig) {
		r.ok(r.loop.Suspend(r.t.Context(), "a")) // so that all three are there at once
		first := r.later("a", "go")
		second := r.later("a", "x")
		r.ok(r.loop.Resume(r.t.Context(), "a"))
		r.is(<-first, "go")
		r.is(<-second, "x")
		r.saw("a", "go", "continue 1", "continue 2", "continue 3", "x")
	})
}

// G5: the reply does not depend on the continue.
func TestG5ReplyThenContinue(t *testing.T) {
	play(t, one(func(in string, _ []string, fx *serverFx) string {
		switch in {
		case "go":
			fx.Continue("crash")
		case "continue crash":
			panic("crash")
		}
		return in
	}), func(r *rig) {
		r.is(r.call("a", "go"), "go")
		r.ended("a crash [go]")
	})
}

// G6: a reply later, from any process; the first one wins.
func TestG6ReplyLater(t *testing.T) {
	asker := func(in string, seen []string, fx *serverFx) string {
		switch in {
		case "wait":
			statemachine.To[string, string]("b").Cast(fx, fmt.Sprintf("answer %d", fx.NoReply()))
		case "wait twice":
			from := fx.NoReply()
			fx.Reply(from, "first")
			fx.Reply(from, "second")
		}
		return "not this"
	}
	play(t, func(*rig) map[string]*server {
		other := serves(func(in string, _ []string, fx *serverFx) string {
			var from uint64
			if n, _ := fmt.Sscanf(in, "answer %d", &from); n == 1 {
				statemachine.To[string, string]("a").Answer(fx, statemachine.From(from), "from b")
			}
			return in
		})
		return map[string]*server{"a": serves(asker), "b": other}
	}, func(r *rig) {
		r.is(r.call("a", "wait twice"), "first")
		r.is(r.call("a", "wait"), "from b")
	})
}

// G7: a stop with a reply: Terminate is told the reason and the new state.
// Without: the caller is told the reason. The reply does not wait for a Terminate,
// which runs beside the loop.
func TestG7Stop(t *testing.T) {
	play(t, one(func(in string, _ []string, fx *serverFx) string {
		switch in {
		case "stop":
			fx.Stop(statemachine.Shutdown)
		case "stop silently":
			fx.StopNoReply(statemachine.Crash(errDisk))
		}
		return in
	}), func(r *rig) {
		r.is(r.call("a", "stop"), "stop")
		r.ended("a shutdown [stop]")
		_, err := r.ref("a").Call(r.t.Context(), "stop silently")
		var exit *statemachine.ExitError
		if !errors.As(err, &exit) || exit.Reason.Class != statemachine.ClassCrash || statemachine.OutcomeOf(err) != statemachine.Applied {
			r.t.Error(err)
		}
		r.ends.all()
	})
}

// G8: after a crash Terminate is told the state before it.
func TestG8Crash(t *testing.T) {
	play(t, one(echoing), func(r *rig) {
		r.call("a", "x")
		r.is(r.call("a", "crash"), "a crashed in step: crash (not_applied)")
		r.ended("a crash [x]")
	})
}

// G9: a panic in Terminate takes the place of the reason.
func TestG9CrashInTerminate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := serves(func(in string, _ []string, fx *serverFx) string {
			fx.Stop(statemachine.Normal)
			return in
		})
		m.Terminate = func(statemachine.Name, []string, statemachine.Reason) { panic("late") }
		var e events
		l := start(t, eventloop.Config{Root: flat(worker("a", m)), OnEvent: e.add})
		e.take()
		r := &rig{t: t, loop: l}
		r.is(r.call("a", "x"), "x")
		synctest.Wait()
		want := []string{"terminating a normal", "crashed a in terminate: late", "exited a crash", "started a"}
		if got := e.take(); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// G10: a caller that waits no longer: what was stepped stays, a late reply is
// nobody's. An input that was not stepped yet is taken back, and the error says
// so, where OTP's server handles it all the same (but see Y2).
func TestG10CallTimesOut(t *testing.T) {
	play(t, one(func(in string, _ []string, fx *serverFx) string {
		var from uint64
		if n, _ := fmt.Sscanf(in, "answer %d", &from); n == 1 {
			fx.Reply(statemachine.From(from), "late")
		}
		if in == "wait" {
			return fmt.Sprint(fx.NoReply())
		}
		return in
	}), func(r *rig) {
		ctx, cancel := context.WithTimeout(r.t.Context(), patience)
		defer cancel()
		_, err := r.ref("a").Call(ctx, "wait")
		if !errors.Is(err, statemachine.ErrDeadline) || statemachine.OutcomeOf(err) != statemachine.Applied {
			r.t.Error(err)
		}
		for from := range 5 { // whichever it was
			r.is(r.call("a", fmt.Sprintf("answer %d", from)), fmt.Sprintf("answer %d", from))
		}
	})
}

// G11: a call to nobody, and to one that ends meanwhile. One to itself is answered
// here: a machine's call does not block it.
func TestG11CallNobody(t *testing.T) {
	play(t, one(func(in string, _ []string, fx *serverFx) string {
		if in == "call self" {
			statemachine.To[string, string]("a").Call(fx, "", "x", 0)
		}
		if in == "wait" {
			fx.NoReply()
		}
		return in
	}), func(r *rig) {
		_, err := r.loop.Call(r.t.Context(), "nobody", codec.JSON, []byte(`"x"`), codec.JSON, nil)
		r.refused(err, statemachine.ErrNoProcess)
		r.call("a", "call self")
		r.saw("a", "call self", "x", "reply x <nil>")
		waiting := r.later("a", "wait")
		r.call("a", "crash")
		r.is(<-waiting, "a: a ended: crash: a crashed in step: crash (applied)")
		r.ends.all()
	})
}

// G12: a cast to nobody. OTP says ok; here the sender learns of it: a goroutine by
// the error, a machine by a message.
func TestG12CastNobody(t *testing.T) {
	play(t, one(func(in string, _ []string, fx *serverFx) string {
		if in == "cast" {
			statemachine.To[string, string]("nobody").Cast(fx, "x")
		}
		return in
	}), func(r *rig) {
		r.refused(r.loop.Cast(r.t.Context(), "nobody", codec.JSON, []byte(`"x"`)), statemachine.ErrNoProcess)
		r.is(r.call("a", "cast"), "cast")
		r.saw("a", "cast", "undelivered nobody")
	})
}

// G14: one mailbox for calls, casts and messages.
func TestG14OneMailbox(t *testing.T) {
	play(t, func(*rig) map[string]*server {
		b := serves(func(in string, _ []string, fx *serverFx) string {
			statemachine.To[string, string]("a").Cast(fx, in+" of b")
			return in
		})
		a := serves(func(in string, _ []string, fx *serverFx) string {
			if in == "timer" {
				fx.SetTimer("t", patience)
			}
			return in
		})
		return map[string]*server{"a": a, "b": b}
	}, func(r *rig) {
		r.call("a", "timer")
		r.ok(r.loop.Suspend(r.t.Context(), "a"))
		cast := inBackground(func() error { return r.ref("a").Cast(context.Background(), "cast") })
		call := r.later("a", "call")
		r.call("b", "cast")
		time.Sleep(2 * patience)
		last := r.later("a", "last")
		r.ok(r.loop.Resume(r.t.Context(), "a"))
		r.ok(<-cast)
		r.is(<-call, "call")
		r.is(<-last, "last")
		r.saw("a", "timer", "cast", "call", "cast of b", "timeout t", "last")
	})
}

// G15: the parent's exit is told to Terminate alone, others' exits to who traps
// them.
func TestG15Exits(t *testing.T) {
	play(t, func(r *rig) map[string]*server {
		linked := serves(func(in string, _ []string, fx *serverFx) string {
			switch in {
			case "trap":
				fx.TrapExits(true)
				fx.Link("b")
			case "link":
				fx.Link("b")
			}
			return in
		})
		linked.Terminate = r.ends.terminate
		return map[string]*server{"a": linked, "b": serves(echoing), "c": linked}
	}, func(r *rig) {
		r.call("a", "trap")
		r.call("c", "link")
		r.call("b", "crash")
		r.ended("c crash [link]")
		r.saw("a", "trap", "exit b crash")
		r.ok(r.loop.TerminateChild(r.t.Context(), "root", "a"))
		r.ended("a shutdown [trap exit b crash]")
	})
}

// G16: stop ends the process, and returns when it has ended.
func TestG16Stop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := serves(echoing)
		m.Terminate = func(statemachine.Name, []string, statemachine.Reason) { time.Sleep(time.Second) }
		l := start(t, eventloop.Config{Root: flat(
			supervisor.Worker{Name: "a", Machine: m, Restart: supervisor.Temporary},
			supervisor.Worker{Name: "b", Machine: m, Restart: supervisor.Temporary})})
		r := &rig{t: t, loop: l}
		begun := time.Now()
		r.ok(l.StopProcess(t.Context(), "a", statemachine.Normal))
		if d := time.Since(begun); d != time.Second {
			t.Errorf("it returned after %v", d)
		}
		r.refused(l.StopProcess(t.Context(), "a", statemachine.Normal), statemachine.ErrNoProcess)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := l.StopProcess(ctx, "b", statemachine.Normal); !errors.Is(err, statemachine.ErrDeadline) {
			t.Errorf("a stop that is late: %v", err)
		}
		time.Sleep(time.Second)
	})
}

// G20: a request whose answer is received later: a machine's call. Its end is the
// reply, a timeout, or noproc.
func TestG20Requests(t *testing.T) {
	play(t, func(*rig) map[string]*server {
		a := serves(func(in string, _ []string, fx *serverFx) string {
			if to, what, ok := strings.Cut(in, "<-"); ok {
				statemachine.To[string, string](to).Call(fx, "", what, time.Second)
			}
			return in
		})
		b := serves(func(in string, _ []string, fx *serverFx) string {
			if in == "wait" {
				fx.NoReply()
			}
			return "b's " + in
		})
		return map[string]*server{"a": a, "b": b}
	}, func(r *rig) {
		for _, in := range []string{"b<-x", "nobody<-x", "b<-wait"} {
			r.call("a", in)
			time.Sleep(2 * time.Second)
		}
		r.saw("a", "b<-x", "reply b's x <nil>", "nobody<-x", "reply  nobody: no such process (not_applied)",
			"b<-wait", "reply  b: the caller's context ended: the call's time is over (applied)")
	})
}

// When Terminate is not called: a kill, and a failed Init (G2).
func TestGKillHasNoTerminate(t *testing.T) {
	play(t, one(echoing), func(r *rig) {
		r.call("a", "x")
		r.ok(r.loop.Kill(r.t.Context(), "a"))
		r.ended()
	})
}
