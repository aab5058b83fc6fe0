package eventloop_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/journal"
)

// busyLog is a Log whose commits take a millisecond, one after the other, and
// are counted.
type busyLog struct {
	journal.Log
	commits atomic.Int64
}

func (s *busyLog) Append(b journal.Batch, done func(uint64, error)) {
	s.commits.Add(1)
	s.Log.Append(b, func(index uint64, err error) {
		time.Sleep(time.Millisecond)
		done(index, err)
	})
}

// Callers that call again as soon as they have their answers share commits: they
// do not fall apart into those who wait for one and those who wait for the next.
func TestCallersShareCommits(t *testing.T) {
	const callers, calls = 4, 100
	synctest.Test(t, func(t *testing.T) {
		log := &busyLog{Log: new(journal.Memory)}
		l := start(t, always(log, worker("p", newMachine())))
		p := refTo(t, l, "p")
		before := log.commits.Load()
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for range calls {
					if _, err := p.Call(context.Background(), input{Add: 1}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := log.commits.Load() - before; n > calls*3/2 {
			t.Errorf("%d calls each of %d callers took %d commits", calls, callers, n)
		}
	})
}
