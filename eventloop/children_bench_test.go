package eventloop_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// crowd returns a root with n children.
func crowd(n int) supervisor.Supervisor {
	m := newMachine()
	root := supervisor.Supervisor{Name: "root", Intensity: 1 << 30, Children: make([]supervisor.Child, n)}
	for i := range root.Children {
		root.Children[i] = worker(statemachine.Name(fmt.Sprint("w", i)), m)
	}
	return root
}

var crowds = []int{1, 1_000, 100_000}

// BenchmarkCrowdStartStop starts and stops a tree: time for each child.
func BenchmarkCrowdStartStop(b *testing.B) {
	for _, n := range crowds {
		root := crowd(n)
		b.Run(fmt.Sprintf("children=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i += n {
				l, err := eventloop.Start(eventloop.Config{Root: root})
				if err != nil {
					b.Fatal(err)
				}
				if err := l.Stop(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCrowdCrash crashes one child among n, until it is up again.
func BenchmarkCrowdCrash(b *testing.B) {
	for _, n := range crowds {
		b.Run(fmt.Sprintf("children=%d", n), func(b *testing.B) {
			a := refTo(b, start(b, eventloop.Config{Root: crowd(n)}), "w0")
			for b.Loop() {
				a.Call(context.Background(), input{Crash: "custom"})
			}
		})
	}
}

// BenchmarkPoolChild adds a child to a SimpleOneForOne supervisor of n, and ends it.
func BenchmarkPoolChild(b *testing.B) {
	for _, n := range crowds {
		b.Run(fmt.Sprintf("children=%d", n), func(b *testing.B) {
			l := start(b, eventloop.Config{Root: flat(supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne,
				Children: []supervisor.Child{worker("template", newMachine())}})})
			ctx := context.Background()
			for i := range n {
				if _, err := l.StartChild(ctx, "pool", supervisor.Worker{Name: statemachine.Name(fmt.Sprint("w", i))}); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if _, err := l.StartChild(ctx, "pool", supervisor.Worker{Name: "x"}); err != nil {
					b.Fatal(err)
				}
				if err := l.TerminateChild(ctx, "pool", "x"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
