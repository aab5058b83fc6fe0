package bench

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
)

// server holds 1,000 keys; each has its place as value.
type server struct {
	name string
	call func(key string) int // looks a key up
	cast func(key string)     // has it looked up, and does not wait
	stop func()

	oneCaller bool // it does not survive several at once
}

// servers are those that are compared.
func servers(t testing.TB) []server {
	return []server{
		floor(),
		lineshaft(t, "lineshaft", false),
		lineshaft(t, "lineshaft-read-only", true),
		hollywood(t), protoActor(t), goakt(t),
	}
}

const keyCount = 1000

var keys = func() (keys [keyCount]string) {
	for i := range keys {
		keys[i] = "key" + strconv.Itoa(i)
	}
	return keys
}()

func table() map[string]int {
	m := make(map[string]int, keyCount)
	for i, k := range keys {
		m[k] = i
	}
	return m
}

// lookup is the step of all servers.
func lookup(key string, m map[string]int) (map[string]int, int) {
	v, ok := m[key]
	if !ok {
		panic("no such key: " + key)
	}
	return m, v
}

// floor is what a call costs at least that is safe for any goroutine, and
// survives a panic: a mutex, a deferred recover, the step.
func floor() server {
	var mu sync.Mutex
	m, step := table(), lookup
	call := func(key string) (out int) {
		mu.Lock()
		defer mu.Unlock()
		defer func() {
			if recover() != nil {
				out = -1
			}
		}()
		m, out = step(key, m)
		return out
	}
	return server{name: "floor", call: call, cast: func(key string) { call(key) }, stop: func() {}}
}

func TestServers(t *testing.T) {
	for _, s := range servers(t) {
		for range 3 {
			s.cast(keys[7])
		}
		for i, k := range keys {
			if got := s.call(k); got != i {
				t.Fatalf("%s: %s is %d", s.name, k, got)
			}
		}
		s.stop()
	}
}

func BenchmarkCall(b *testing.B) {
	for _, s := range servers(b) {
		for _, callers := range []int{1, 16, 128} {
			if callers > 1 && s.oneCaller {
				continue
			}
			b.Run(fmt.Sprintf("%s/%d", s.name, callers), func(b *testing.B) {
				spread(b, callers, func(i int) { s.call(keys[i%keyCount]) })
			})
		}
		s.stop()
	}
}

// BenchmarkCast asks after every 4,096th cast, and after the last, for an
// answer: what is measured is the work, not the length of a queue.
func BenchmarkCast(b *testing.B) {
	const between = 4096
	for _, s := range servers(b) {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				s.cast(keys[i%keyCount])
				if i%between == between-1 {
					s.call(keys[0])
				}
			}
			s.call(keys[0])
		})
		s.stop()
	}
}

// spread calls f b.N times, from so many goroutines.
func spread(b *testing.B, callers int, f func(i int)) {
	b.ReportAllocs()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := c; i < b.N; i += callers {
				f(i)
			}
		})
	}
	wg.Wait()
}
