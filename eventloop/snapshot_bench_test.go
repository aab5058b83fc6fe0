package eventloop_test

import (
	"context"
	"flag"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
	"github.com/lineshaft/lineshaft/statemachine"
)

var (
	stateMiB = flag.Int("state", 64, "MiB of state that BenchmarkCallDuringSnapshot saves")
	spell    = flag.Duration("spell", time.Second, "for how long it calls before it saves")
)

// hoard is a large state.
type hoard struct {
	Pieces [][]byte `json:"pieces"`
	Calls  int      `json:"calls"`
}

// hoarder is a machine whose first input makes its state large.
func hoarder() *statemachine.Machine[hoard, int, int] {
	return &statemachine.Machine[hoard, int, int]{
		Step: statemachine.Pure(func(in int, s hoard) (hoard, int) {
			s.Calls++
			if in > 0 {
				s.Pieces = nil
				for range in {
					s.Pieces = append(s.Pieces, make([]byte, 1<<20))
				}
			}
			return s, s.Calls
		}),
		Input: codec.Of[int](), Output: codec.Of[int](), State: codec.Of[hoard](),
	}
}

// savedLog tells when a checkpoint begins and ends.
type savedLog struct {
	journal.Log
	began, ended chan struct{}
}

func (l *savedLog) Save(u journal.Update, done func(error)) {
	if u.Index > 0 && u.App != nil {
		select {
		case l.began <- struct{}{}:
		default:
		}
	}
	l.Log.Save(u, func(err error) {
		select {
		case l.ended <- struct{}{}:
		default:
		}
		done(err)
	})
}

// BenchmarkCallDuringSnapshot measures durable calls, one after another, without
// and with a snapshot of a large state being saved meanwhile. With -state=1024
// it is one of a GiB.
func BenchmarkCallDuringSnapshot(b *testing.B) {
	for range b.N {
		file, err := boltlog.Open(filepath.Join(b.TempDir(), "journal.db"), boltlog.Options{})
		if err != nil {
			b.Fatal(err)
		}
		log := &savedLog{Log: file, began: make(chan struct{}, 1), ended: make(chan struct{}, 1)}
		cfg := always(log, worker("hoarder", hoarder()))
		cfg.SnapshotEntries = 1 << 30
		cfg.SnapshotBytes = 1 << 20 // some seconds of calls
		loop, err := eventloop.Start(cfg)
		if err != nil {
			b.Fatal(err)
		}
		r, err := eventloop.RefTo[int, int](loop, "hoarder")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.Call(context.Background(), *stateMiB); err != nil {
			b.Fatal(err)
		}
		for len(log.ended) == 0 { // the first snapshot, which finds out how large the state is
			if _, err := r.Call(context.Background(), 0); err != nil {
				b.Fatal(err)
			}
		}
		<-log.began
		<-log.ended
		quiet := callUntil(b, r, time.After(*spell), nil)
		if len(log.began) > 0 {
			b.Fatal("a snapshot began before it should: -spell is too long")
		}
		for len(log.began) == 0 {
			if _, err := r.Call(context.Background(), 0); err != nil {
				b.Fatal(err)
			}
		}
		busy := callUntil(b, r, nil, log.ended)
		b.ReportMetric(float64(at(quiet, 50).Microseconds()), "p50-µs")
		b.ReportMetric(float64(at(quiet, 99).Microseconds()), "p99-µs")
		b.ReportMetric(float64(at(busy, 50).Microseconds()), "p50-saving-µs")
		b.ReportMetric(float64(at(busy, 99).Microseconds()), "p99-saving-µs")
		b.ReportMetric(float64(busy[len(busy)-1].Microseconds()), "max-saving-µs")
		b.ReportMetric(float64(at(busy, 99))/float64(at(quiet, 99)), "p99-ratio")
		b.ReportMetric(float64(len(busy)), "calls-saving")
		loop.Stop(context.Background())
		file.Close()
	}
}

// callUntil calls until one of the channels says so, and returns how long each
// call took, in order of length.
func callUntil(b *testing.B, r eventloop.Ref[int, int], over <-chan time.Time, ended <-chan struct{}) []time.Duration {
	b.Helper()
	var took []time.Duration
	for {
		select {
		case <-over:
			slices.Sort(took)
			return took
		case <-ended:
			slices.Sort(took)
			return took
		default:
		}
		began := time.Now()
		if _, err := r.Call(context.Background(), 0); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
}

// at returns the percentile of what is in order.
func at(took []time.Duration, percent int) time.Duration { return took[(len(took)-1)*percent/100] }
