package bench

import (
	"context"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// lineshaft serves through a Ref. That a lookup is read-only is what other
// systems cannot know: without it the comparison is the fair one.
func lineshaft(t testing.TB, name string, readOnly bool) server {
	m := &statemachine.Machine[map[string]int, string, int]{
		Init:   func(statemachine.Start[map[string]int]) (map[string]int, error) { return table(), nil },
		Step:   statemachine.Pure(lookup),
		Input:  codec.Of[string](),
		Output: codec.Of[int](),
	}
	if readOnly {
		m.ReadOnly = func(string) bool { return true }
	}
	loop, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{
		Name:     "root",
		Children: []supervisor.Child{supervisor.Worker{Name: "kv", Machine: m}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	kv, err := eventloop.RefTo[string, int](loop, "kv")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	return server{
		name: name,
		call: func(key string) int {
			out, err := kv.Call(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			return out
		},
		cast: func(key string) {
			if err := kv.Cast(ctx, key); err != nil {
				t.Fatal(err)
			}
		},
		stop: func() {
			if err := loop.Stop(ctx); err != nil {
				t.Fatal(err)
			}
		},
	}
}
