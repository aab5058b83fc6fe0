package boltlog_test

import (
	"bytes"
	"flag"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

var (
	latencyBytes = flag.Int("latency", 0, "bytes of the states that TestLatency saves, such as 1073741824; 0 to skip it")
	latencyPause = flag.Duration("pause", 0, "pause between the appends of a caller in TestLatency")
)

// TestLatency measures how long an Append takes while nothing else is done, while a large Save is written, and while
// what it has replaced is removed: one caller who waits for each, and many. There is no limit that it must keep.
func TestLatency(t *testing.T) {
	if *latencyBytes == 0 {
		t.Skip("it takes minutes: -latency=1073741824")
	}
	for _, states := range []int{1, *latencyBytes / (10 << 10)} {
		for _, callers := range []int{1, 64} {
			t.Run(fmt.Sprintf("states=%d/callers=%d", states, callers), func(t *testing.T) {
				measureLatency(t, states, callers)
			})
		}
	}
}

func measureLatency(t *testing.T, states, callers int) {
	path := filepath.Join(t.TempDir(), "journal")
	log := open(t, path)
	size := *latencyBytes / states
	piece := bytes.Repeat([]byte("0123456789abcdef"), 64)
	encode := func(dst []byte) ([]byte, error) { // little by little, as encoders do
		for n := size; n > 0; n -= len(piece) {
			dst = append(dst, piece[:min(n, len(piece))]...)
		}
		return dst, nil
	}
	all := func(yield func(string, journal.Encode) bool) {
		for i := range states {
			if !yield(fmt.Sprint("state ", i), encode) {
				return
			}
		}
	}
	for round := range 3 { // in the first the file grows
		add(t, log, nil)
		quiet := appendFor(t, log, callers, func() bool { return false }, 3*time.Second)
		index := add(t, log, nil)
		var saved atomic.Bool
		started := time.Now()
		var took time.Duration
		log.Save(journal.Update{Index: index, States: all}, func(err error) {
			if err != nil {
				t.Error(err)
			}
			took = time.Since(started)
			saved.Store(true)
		})
		during := appendFor(t, log, callers, saved.Load, time.Hour)
		after := appendFor(t, log, callers, func() bool { return false }, 3*time.Second)
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		t.Logf("round %d, quiet:     %v", round, quiet)
		t.Logf("round %d, saving:    %v in %v, p99 × %.2f", round, during, took.Round(time.Millisecond), during.p99.Seconds()/quiet.p99.Seconds())
		t.Logf("round %d, afterwards: %v, p99 × %.2f; %d MiB of the system", round, after, after.p99.Seconds()/quiet.p99.Seconds(), mem.Sys>>20)
	}
	closeLog(t, log)
}

type latencies struct {
	n             int
	p50, p99, max time.Duration
}

func (l latencies) String() string {
	return fmt.Sprintf("%d appends, p50 %v, p99 %v, max %v", l.n, l.p50, l.p99, l.max)
}

// appendFor appends from a number of callers until end says so, or for a time.
func appendFor(t *testing.T, log *boltlog.Log, callers int, end func() bool, most time.Duration) latencies {
	t.Helper()
	var b journal.Builder
	if err := b.Add(journal.KindInput, "p", make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
	batch := b.Seal()
	begin := time.Now()
	all := make(chan []time.Duration)
	for range callers {
		go func() {
			var ds []time.Duration
			done := make(chan error, 1)
			for !end() && time.Since(begin) < most {
				start := time.Now()
				log.Append(batch, func(_ uint64, err error) { done <- err })
				if err := <-done; err != nil {
					t.Error(err)
				}
				ds = append(ds, time.Since(start))
				if *latencyPause > 0 {
					time.Sleep(*latencyPause)
				}
			}
			all <- ds
		}()
	}
	var ds []time.Duration
	for range callers {
		ds = append(ds, <-all...)
	}
	slices.Sort(ds)
	if len(ds) == 0 {
		return latencies{}
	}
	return latencies{len(ds), ds[len(ds)/2], ds[len(ds)*99/100], ds[len(ds)-1]}
}
