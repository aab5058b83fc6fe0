package eventloop_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
)

// Y3: statistics.
func TestY3Statistics(t *testing.T) {
	play(t, func(*rig) map[string]*server {
		m := serves(func(in string, _ []string, fx *serverFx) string {
			if in == "send" {
				statemachine.To[string, string]("b").Cast(fx, "x")
			}
			return in
		})
		return map[string]*server{"a": m, "b": serves(echoing)}
	}, func(r *rig) {
		ctx := r.t.Context()
		stats := func() string {
			s, err := r.loop.GetStatus(ctx, "a")
			if err != nil || s.Statistics == nil {
				return fmt.Sprint("none ", err)
			}
			return fmt.Sprint(s.Statistics.Now.Sub(s.Statistics.Start), " ", s.Statistics.In, " ", s.Statistics.Out)
		}
		r.call("a", "before")
		r.is(stats(), "none <nil>")
		r.ok(r.loop.SetStatistics(ctx, "a", true))
		r.is(stats(), "0s 0 0")
		r.call("a", "1")
		r.cast("a", "2")
		r.call("a", "send")
		time.Sleep(time.Second)
		r.is(stats(), "1s 3 3") // two replies and a cast went out
		r.ok(r.loop.SetStatistics(ctx, "a", true))
		r.is(stats(), "0s 0 0")
		r.ok(r.loop.SetStatistics(ctx, "a", false))
		r.is(stats(), "none <nil>")
	})
}

// Y3: reads count, though they go on without the loop.
func TestY3Reads(t *testing.T) {
	l := start(t, eventloop.Config{Root: flat(worker("a", newMachine()))})
	a := refTo(t, l, "a")
	call(t, a, input{Get: true})
	if err := l.SetStatistics(t.Context(), "a", true); err != nil {
		t.Fatal(err)
	}
	call(t, a, input{Get: true})
	call(t, a, input{Add: 1})
	call(t, a, input{Get: true})
	if s, err := l.GetStatus(t.Context(), "a"); err != nil || s.Statistics.In != 3 || s.Statistics.Out != 3 {
		t.Errorf("%+v %v", s.Statistics, err)
	}
}

// Y4 and Y6: a function that is installed sees each event, until it is done.
func TestY6Install(t *testing.T) {
	play(t, one(func(in string, _ []string, fx *serverFx) string {
		switch in {
		case "go":
			fx.Continue("1")
		case "wait":
			fx.Reply(fx.NoReply(), "later")
		}
		return in + "!"
	}), func(r *rig) {
		var saw []string
		r.ok(r.loop.Install(r.t.Context(), "a", func(ev statemachine.SysEvent) bool {
			from := "nobody"
			if ev.From != 0 {
				from = "somebody"
			}
			saw = append(saw, fmt.Sprint(ev.Name, " ", ev.Kind, " ", ev.Value, " ", from))
			return ev.Value == "done"
		}))
		r.ok(r.loop.Install(r.t.Context(), "a", func(statemachine.SysEvent) bool { panic("boom") })) // which ends it
		r.call("a", "go")
		r.cast("a", "cast")
		r.call("a", "wait")
		r.call("a", "done")
		r.call("a", "unseen")
		want := []string{
			"a in go somebody", "a out go! somebody", "a in continue 1 nobody", "a noreply <nil> nobody",
			"a in cast nobody", "a noreply <nil> nobody",
			"a in wait somebody", "a out later somebody", "a noreply <nil> nobody",
			"a in done somebody",
		}
		if !slices.Equal(saw, want) {
			r.t.Errorf("%q\nwant\n%q", saw, want)
		}
	})
}

// Y6: one that traces sees read-only inputs too, and readers are on their own
// again when it is done.
func TestY6Reads(t *testing.T) {
	l := start(t, eventloop.Config{Root: flat(worker("a", newMachine()))})
	a := refTo(t, l, "a")
	n := 0
	if err := l.Install(t.Context(), "a", func(ev statemachine.SysEvent) bool { n++; return n == 6 }); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		call(t, a, input{Get: true})
	}
	if n != 6 {
		t.Errorf("%d events", n)
	}
}

// Y4: the last events are kept.
func TestY4Log(t *testing.T) {
	play(t, func(*rig) map[string]*server {
		m := serves(func(in string, _ []string, fx *serverFx) string {
			if in == "send" {
				statemachine.To[string, string]("b").Cast(fx, "x")
				statemachine.To[string, string]("nobody").Cast(fx, "x")
			}
			return in + "!"
		})
		return map[string]*server{"a": m, "b": serves(echoing)}
	}, func(r *rig) {
		ctx := r.t.Context()
		r.ok(r.loop.SetLog(ctx, "a", 8))
		for range 3 {
			r.call("a", "forgotten")
		}
		r.call("a", "x")
		r.call("a", "send")
		synctest.Wait()
		log, err := r.loop.GetLog(ctx, "a")
		r.ok(err)
		var got []string
		for _, l := range log {
			value := ""
			if l.Value != nil {
				value = l.Value.String()
			}
			got = append(got, strings.Join([]string{l.Event, string(l.To), l.Message, value, l.Error}, ","))
		}
		want := []string{`in,,,"x",`, `out,,,"x!",`, `in,,,"send",`, `out,b,,"x",`, `out,nobody,,,no such process`, `out,,,"send!",`,
			`in,,Undelivered,"undelivered nobody",`, `noreply,,,,`}
		if !slices.Equal(got, want) {
			r.t.Errorf("%q\nwant\n%q", got, want)
		}
		if s, _ := r.loop.GetStatus(ctx, "a"); s.Log != 8 {
			r.t.Errorf("%+v", s)
		}
		r.refused(r.loop.SetLog(ctx, "a", eventloop.SysLogMax+1), statemachine.ErrInput)
		r.ok(r.loop.SetLog(ctx, "a", 0))
		r.call("a", "x")
		if log, err := r.loop.GetLog(ctx, "a"); len(log) != 0 || err != nil {
			r.t.Error(log, err)
		}
	})
}
