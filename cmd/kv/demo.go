package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/examples/kvstore"
)

// demo prints the transcript of the program that Lineshaft descends from, in
// that program's words.
type demo struct{}

// Run calls kv2 until it crashes, and then again.
func (demo) Run(ctx context.Context, std *streams) error {
	out := std.out
	fmt.Fprintln(out, `Calling kv2: Store "x" 1`)
	loop, err := eventloop.Start(eventloop.Config{
		Root:    tree(kvstore.New[int](kvstore.Options{DeliberateBug: true})),
		OnEvent: func(e eventloop.Event) { transcribe(out, e) },
	})
	if err != nil {
		return err
	}
	kv2, err := eventloop.RefTo[kvstore.Input, kvstore.Output](loop, "kv2")
	if err != nil {
		return err
	}
	if _, err := kv2.Call(ctx, kvstore.Store[int]{Key: "x", Value: 1}); err != nil {
		return err
	}
	for _, key := range []string{"x", "crash", "x", "y"} {
		fmt.Fprintf(out, "Calling kv2: Lookup %q\n", key)
		switch answer, err := kv2.Call(ctx, kvstore.Lookup{Key: key}); {
		case err == nil:
			fmt.Fprintf(out, "Right %q\n", show(answer))
		case key != "crash":
			return err
		}
	}
	out = io.Discard // the transcript has no end of the program
	return loop.Stop(ctx)
}

// transcribe prints an event as the ancestor would.
func transcribe(out io.Writer, e eventloop.Event) {
	switch e := e.(type) {
	case eventloop.Started:
		if !e.Supervisor {
			fmt.Fprintf(out, "KV store starting: %s\n", e.Name)
		}
	case eventloop.Crashed:
		why := strings.TrimPrefix(fmt.Sprint(e.Crash.Value), "runtime error: integer ")
		fmt.Fprintf(out, "%s threw: %s\n", e.Name, why)
	case eventloop.Terminating:
		fmt.Fprintf(out, "KV store terminating: %s\n", e.Name)
	}
}

// show prints an output in the ancestor's notation.
func show(o kvstore.Output) string {
	switch o := o.(type) {
	case kvstore.Result[int]:
		if o.Found {
			return fmt.Sprintf("Result (Just %d)", o.Value)
		}
		return "Result Nothing"
	}
	return fmt.Sprint(o)
}
