package genevent_test

import (
	"fmt"
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

// A handler that crashes is reported as a process that does, once, whether
// Exited is there or not; the manager goes on. A replay reports nothing again.
func TestCrashIsReported(t *testing.T) {
	for _, exited := range []func(genevent.Exit, *statemachine.Fx){nil, func(genevent.Exit, *statemachine.Fx) {}} {
		synctest.Test(t, func(t *testing.T) {
			var events []string
			disk := new(journal.Memory)
			c := config()
			c.Exited = exited
			start := func(log journal.Log) *application {
				loop, err := eventloop.Start(eventloop.Config{
					Durability: eventloop.Always, Log: log,
					OnEvent: func(e eventloop.Event) {
						switch e := e.(type) {
						case eventloop.Crashed:
							events = append(events, fmt.Sprint(e.Name, ": ", e.Crash, " ", len(e.Crash.Stack) > 0))
						case eventloop.Exited:
							events = append(events, fmt.Sprint(e.Name, " exited"))
						}
					},
					Root: supervisor.Supervisor{Name: "root", Children: []supervisor.Child{
						supervisor.Worker{Name: "m", Machine: genevent.New(c)},
						supervisor.Worker{Name: "log", Machine: deaf},
					}},
				})
				if err != nil {
					t.Fatal(err)
				}
				return &application{T: t, log: log, loop: loop}
			}
			a := start(disk)
			a.call("m", `{"add_handler":{"kind":"t","id":"a","args":""}}`, `{"ok":{}}`)
			a.call("m", `{"add_handler":{"kind":"t","id":"b","args":""}}`, `{"ok":{}}`)
			a.call("m", `{"add_handler":{"kind":"t","id":"c","args":"crash"}}`, `{"error":{"reason":"exit","detail":"boom"}}`)
			a.call("m", `{"sync_notify":"crash b"}`, `{"ok":{}}`)
			a.call("m", `{"sync_notify":"swapfail a"}`, `{"ok":{}}`)
			want := []string{"m: m crashed in event of t/b: boom true", "m: m crashed in init of t/n: not today true"}
			if !slices.Equal(events, want) {
				t.Errorf("%q, want %q", events, want)
			}
			events = nil
			again := start(disk.Reopen())
			again.call("m", `{"which_handlers":{}}`, `{"handlers":{"handlers":[]}}`)
			if len(events) > 0 {
				t.Errorf("the replay: %q", events)
			}
			again.stop()
			a.stop()
		})
	}
}

// deaf does nothing with what it is told.
var deaf = &statemachine.Machine[struct{}, string, bool]{
	Step:   statemachine.Pure(func(string, struct{}) (struct{}, bool) { return struct{}{}, true }),
	Input:  codec.Of[string](),
	Output: codec.Of[bool](),
}
