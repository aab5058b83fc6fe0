package eventloop_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal/boltlog"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// table is a machine that answers from 1,000 keys: a step of a few nanoseconds,
// so that what is measured is the loop. All its inputs leave the state alone,
// but only with readOnly does it say so.
func table(readOnly bool) *statemachine.Machine[map[int]int, int, int] {
	keys := map[int]int{}
	for i := range 1000 {
		keys[i] = i
	}
	m := &statemachine.Machine[map[int]int, int, int]{
		Init:   func(statemachine.Start[map[int]int]) (map[int]int, error) { return keys, nil },
		Step:   statemachine.Pure(func(in int, s map[int]int) (map[int]int, int) { return s, s[in] }),
		Input:  codec.Of[int](),
		Output: codec.Of[int](),
	}
	if readOnly {
		m.ReadOnly = func(int) bool { return true }
	}
	return m
}

// spread runs f b.N times on n goroutines.
func spread(b *testing.B, n int, f func(i int)) {
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for g := range n {
		wg.Go(func() {
			for i := g; i < b.N; i += n {
				f(i % 1000)
			}
		})
	}
	wg.Wait()
}

// floor is what nothing can undercut: a mutex, a deferred recover, the step.
func floor(keys map[int]int) func(int) int {
	var mu sync.Mutex
	step := func(in int, s map[int]int) (map[int]int, int) { return s, s[in] }
	return func(in int) (out int) {
		mu.Lock()
		defer mu.Unlock()
		defer func() {
			if recover() != nil {
				out = -1
			}
		}()
		keys, out = step(in, keys)
		return out
	}
}

func BenchmarkFloor(b *testing.B) {
	keys := map[int]int{}
	for i := range 1000 {
		keys[i] = i
	}
	for _, n := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			f := floor(keys)
			spread(b, n, func(i int) { f(i) })
		})
	}
}

func benchmarkTable(b *testing.B, readOnly bool, f func(eventloop.Ref[int, int], int)) {
	for _, n := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			l := start(b, eventloop.Config{Root: flat(worker("t", table(readOnly)))})
			r, err := eventloop.RefTo[int, int](l, "t")
			if err != nil {
				b.Fatal(err)
			}
			spread(b, n, func(i int) { f(r, i) })
		})
	}
}

func BenchmarkCall(b *testing.B) {
	benchmarkTable(b, false, func(r eventloop.Ref[int, int], i int) { r.Call(context.Background(), i) })
}

func BenchmarkReadOnlyCall(b *testing.B) {
	benchmarkTable(b, true, func(r eventloop.Ref[int, int], i int) { r.Call(context.Background(), i) })
}

func BenchmarkCast(b *testing.B) {
	benchmarkTable(b, false, func(r eventloop.Ref[int, int], i int) { r.Cast(context.Background(), i) })
}

// BenchmarkDurableCall is a call whose input is fsynced before its reply.
func BenchmarkDurableCall(b *testing.B) {
	for _, n := range []int{1, 128, 1024} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			log, err := boltlog.Open(filepath.Join(b.TempDir(), "bench.db"), boltlog.Options{})
			if err != nil {
				b.Fatal(err)
			}
			l := start(b, always(log, worker("a", newMachine())))
			a := refTo(b, l, "a")
			spread(b, n, func(int) { call(b, a, input{Add: 1}) })
			b.StopTimer()
			if err := l.Stop(context.Background()); err != nil {
				b.Error(err)
			}
			if err := log.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

// BenchmarkCrash is a call that crashes its process, until it is up again.
func BenchmarkCrash(b *testing.B) {
	root := supervisor.Supervisor{Name: "root", Intensity: 1 << 60, Children: []supervisor.Child{worker("a", newMachine())}}
	a := refTo(b, start(b, eventloop.Config{Root: root}), "a")
	for b.Loop() {
		if _, err := a.Call(context.Background(), input{Crash: "custom"}); err == nil {
			b.Fatal("it did not crash")
		}
	}
}
