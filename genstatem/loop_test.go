package genstatem_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/genstatem"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// diary is a machine whose data say what it has handled, apart from "which".
var diary = genstatem.New(genstatem.Machine[string, string, string, string]{
	Init: func(fx *effects) (string, string, error) {
		fx.NextEvent(genstatem.Internal, "begun")
		return "a", "", nil
	},
	HandleEvent: func(ev event, s, d string, fx *effects) (string, string) {
		if ev.Content == "which" {
			fx.Reply(ev.From, s+":"+d)
			return s, d
		}
		d += " " + ev.Content
		switch {
		case s == "a" && ev.Content == "later":
			fx.Postpone()
		case ev.Content == "later" && ev.Type == genstatem.Call:
			fx.Reply(ev.From, "now")
		case ev.Content == "set":
			fx.SetTimeout(genstatem.StateTimeout, 10*time.Second, "state")
			fx.SetTimeout(generic, 20*time.Second, "generic")
		case ev.Content == "go":
			return "b", d
		case ev.Content == "boom":
			panic("boom")
		case ev.Content == "insert":
			fx.NextEvent(genstatem.Internal, "boom")
			fx.NextEvent(genstatem.Internal, "rest")
		}
		return s, d
	},
	Event: codec.Of[string](), Reply: codec.Of[string](), State: codec.Of[string](), Data: codec.Of[string](),
})

// A machine on a loop that keeps states goes on over crashes and new runs of the
// program, orderly or not, with all that it had to do.
func TestOnLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := new(journal.Memory)
		start := func(log journal.Log) (*eventloop.Loop, func(in, want string)) {
			loop, err := eventloop.Start(eventloop.Config{Durability: eventloop.Always, Log: log, Root: supervisor.Supervisor{
				Name: "root", Intensity: 10, Children: []supervisor.Child{supervisor.Worker{Name: "diary", Machine: diary}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			ref, err := eventloop.RefTo[string, string](loop, "diary")
			if err != nil {
				t.Fatal(err)
			}
			return loop, func(in, want string) {
				t.Helper()
				if want == "" {
					err = ref.Cast(t.Context(), in)
				} else if out, failed := ref.Call(t.Context(), in); out != want || failed != nil {
					t.Errorf("%s: %s, %v, not %s", in, out, failed, want)
				}
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
		}
		stop := func(l *eventloop.Loop) {
			t.Helper()
			if err := l.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		loop, send := start(disk)
		send("which", "a: begun")
		send("later", "")
		send("set", "")
		send("boom", "") // undone
		send("insert", "")
		send("which", "a: begun later set insert rest")
		stop(loop)

		loop, send = start(disk)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		send("which", "a: begun later set insert rest state")

		killed, send2 := start(disk.Reopen()) // what a kill -9 leaves is replayed
		send2("go", "")
		send2("which", "b: begun later set insert rest state go later")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		send2("which", "b: begun later set insert rest state go later generic")
		stop(killed)
		stop(loop)
	})
}

// Who waits for a postponed event is told when the process ends, and is answered
// when the state changes.
func TestCallersOnLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{
			Name: "root", Children: []supervisor.Child{supervisor.Worker{Name: "diary", Machine: diary}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		ref, err := eventloop.RefTo[string, string](loop, "diary")
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			then, want string
			fails      bool
		}{{"boom", "", true}, {"go", "now", false}} {
			done := make(chan struct{})
			go func() {
				defer close(done)
				out, err := ref.Call(t.Context(), "later")
				var exit *statemachine.ExitError
				if out != test.want || errors.As(err, &exit) != test.fails {
					t.Errorf("then %s: %q, %v", test.then, out, err)
				}
			}()
			synctest.Wait()
			if err := ref.Cast(t.Context(), test.then); err != nil {
				t.Fatal(err)
			}
			<-done
		}
		if err := loop.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}
