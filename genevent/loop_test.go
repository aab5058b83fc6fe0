package genevent_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/genevent"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// ended is the input of a client: a handler of its has gone, or it is to crash.
type ended struct {
	Exit  genevent.Exit `json:"exit"`
	Crash bool          `json:"crash"`
}

// client keeps which of its handlers have gone.
var client = &statemachine.Machine[[]string, ended, []string]{
	Step: func(in ended, gone []string, fx *statemachine.Effects[[]string]) ([]string, []string) {
		if in.Crash {
			fx.Stop(statemachine.Crash(errors.New("asked to")))
		}
		if in.Exit.Handler.Kind != "" {
			gone = append(slices.Clone(gone), in.Exit.Handler.String()+" "+string(in.Exit.Why.Cause))
		}
		return gone, gone
	},
	Input:  codec.Of[ended](),
	Output: codec.Of[[]string](),
	State:  codec.Of[[]string](),
}

// counters is a manager whose handlers count events; "stop" ends it, "crash" a handler.
func counters() statemachine.Server {
	count := &genevent.Kind[string, int, none, none, int]{
		Name: "count",
		HandleEvent: func(e string, n int, fx *genevent.Fx[string]) int {
			switch {
			case e == "stop":
				fx.Stop(statemachine.Crash(errors.New("asked to")))
			case e == "crash "+fx.Handler.ID:
				panic(e)
			}
			return n + 1
		},
		HandleCall: func(_ none, n int, _ *genevent.Fx[string]) (int, int) { return n, n },
	}
	c := genevent.Config[string]{Event: codec.Of[string](), Kinds: []genevent.AnyKind[string]{count}}
	c.Exited = func(x genevent.Exit, fx *statemachine.Fx) {
		if x.Client != "" {
			statemachine.To[ended, []string](x.Client).Cast(fx, ended{Exit: x})
		}
	}
	return genevent.New(c)
}

// application is a manager and two clients on a durable loop.
type application struct {
	*testing.T
	log   journal.Log
	loop  *eventloop.Loop
	first bool // the manager is started before its clients
}

func (a *application) start() {
	a.Helper()
	children := []supervisor.Child{
		supervisor.Worker{Name: "p", Machine: client}, supervisor.Worker{Name: "q", Machine: client},
		supervisor.Worker{Name: "m", Machine: counters()},
	}
	if a.first {
		slices.Reverse(children)
	}
	loop, err := eventloop.Start(eventloop.Config{Durability: eventloop.Always, Log: a.log, Root: supervisor.Supervisor{
		Name: "root", Intensity: 10, Children: children}})
	if err != nil {
		a.Fatal(err)
	}
	a.loop = loop
}

func (a *application) stop() {
	a.Helper()
	if err := a.loop.Stop(context.Background()); err != nil {
		a.Fatal(err)
	}
}

// call sends a JSON input, as over HTTP, and checks the output, once nothing
// goes on any more.
func (a *application) call(name statemachine.Name, in, want string) {
	a.Helper()
	synctest.Wait()
	out, err := a.loop.Call(a.Context(), name, codec.JSON, []byte(in), codec.JSON, nil)
	if err != nil || string(out) != want {
		a.Errorf("%s: %s, %v, not %s", in, out, err, want)
	}
	synctest.Wait()
}

// Handlers, what they have counted, and who supervises them, survive restarts
// of the manager and of the program, orderly or not.
func TestRestartsKeepHandlers(t *testing.T) {
	t.Run("clients first", func(t *testing.T) { restartsKeepHandlers(t, false) })
	t.Run("manager first", func(t *testing.T) { restartsKeepHandlers(t, true) }) // OTP's order
}

func restartsKeepHandlers(t *testing.T, first bool) {
	synctest.Test(t, func(t *testing.T) {
		const ok, which = `{"ok":{}}`, `{"which_handlers":{}}`
		disk := new(journal.Memory)
		a := &application{T: t, log: disk, first: first}
		a.start()
		a.call("m", `{"add_handler":{"kind":"count","id":"a","args":{},"client":"p"}}`, ok)
		a.call("m", `{"add_handler":{"kind":"count","id":"b","args":{}}}`, ok)
		a.call("m", `{"add_handler":{"kind":"count","id":"c","args":{},"client":"q"}}`, ok)
		a.call("m", `{"sync_notify":"x"}`, ok)
		a.call("m", `{"sync_notify":"crash c"}`, ok)
		a.call("q", `{}`, `["count/c error"]`)

		a.call("m", `{"sync_notify":"stop"}`, ok) // the supervisor starts it again
		a.call("m", which, `{"handlers":{"handlers":[{"kind":"count","id":"b"},{"kind":"count","id":"a"}]}}`)
		a.stop()
		a.start()
		a.call("m", `{"call":{"kind":"count","id":"a","query":{}}}`, `{"reply":{"kind":"count","value":3}}`)
		a.call("p", `{"crash":true}`, `null`)
		a.call("m", which, `{"handlers":{"handlers":[{"kind":"count","id":"b"}]}}`)
		a.call("q", `{}`, `["count/c error"]`)

		killed := &application{T: t, log: disk.Reopen(), first: first} // what a kill -9 leaves is replayed
		killed.start()
		killed.call("m", which, `{"handlers":{"handlers":[{"kind":"count","id":"b"}]}}`)
		killed.call("q", `{}`, `["count/c error"]`)
		killed.call("m", `{"call":{"kind":"count","id":"b","query":{}}}`, `{"reply":{"kind":"count","value":3}}`)
		killed.stop()
		a.stop()
	})
}
