package bench

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal/boltlog"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// BenchmarkDurableCalls is a call whose input is on disk before its reply, beside
// what bbolt does with the same bytes: one put and one commit for one caller; for
// 1,024 of them, 1,024 puts and one commit, and its own Batch, which gathers them.
//
//	cd bench && GOLANG_PROTOBUF_REGISTRATION_CONFLICT=warn go test -run '^$' -bench DurableCalls -count 5 .
func BenchmarkDurableCalls(b *testing.B) {
	b.Run("lineshaft/callers=1", func(b *testing.B) { durableCalls(b, 1) })
	b.Run("bbolt.Update/entries=1", func(b *testing.B) { boltUpdates(b, 1) })
	b.Run("lineshaft/callers=1024", func(b *testing.B) { durableCalls(b, 1024) })
	b.Run("bbolt.Update/entries=1024", func(b *testing.B) { boltUpdates(b, 1024) })
	b.Run("bbolt.Batch/callers=1024", func(b *testing.B) { boltBatches(b, 1024) })
}

// shared shares b.N things to do out among goroutines.
func shared(b *testing.B, goroutines int, do func(n int) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range goroutines {
		wg.Go(func() {
			for n := int(next.Add(1)); n <= b.N; n = int(next.Add(1)) {
				if err := do(n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}

func durableCalls(b *testing.B, callers int) {
	log, err := boltlog.Open(filepath.Join(b.TempDir(), "calls.db"), boltlog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	sum := &statemachine.Machine[int, int, int]{
		Step:  statemachine.Pure(func(in, s int) (int, int) { return s + in, s }),
		Input: codec.Of[int](), Output: codec.Of[int](), State: codec.Of[int](),
	}
	loop, err := eventloop.Start(eventloop.Config{Durability: eventloop.Always, Log: log, Root: supervisor.Supervisor{
		Name: "root", Children: []supervisor.Child{supervisor.Worker{Name: "sum", Machine: sum}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer loop.Stop(context.Background())
	r, err := eventloop.RefTo[int, int](loop, "sum")
	if err != nil {
		b.Fatal(err)
	}
	shared(b, callers, func(n int) error {
		_, err := r.Call(context.Background(), n)
		return err
	})
}

// openBolt opens a bbolt file as package boltlog does, with a bucket.
func openBolt(b *testing.B) *bolt.DB {
	db, err := bolt.Open(filepath.Join(b.TempDir(), "bolt.db"), 0o600, &bolt.Options{
		NoFreelistSync: true, FreelistType: bolt.FreelistMapType, NoStatistics: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	err = db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket(inputs)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return db
}

var inputs = []byte("inputs")

// putInput puts the bytes that a call is in a journal, or about as many.
func putInput(tx *bolt.Tx, n int) error {
	bucket := tx.Bucket(inputs)
	bucket.FillPercent = 1
	return bucket.Put(binary.BigEndian.AppendUint64(nil, uint64(n)), binary.BigEndian.AppendUint64([]byte("\x00\x03sum"), uint64(n)))
}

func boltUpdates(b *testing.B, entries int) {
	db := openBolt(b)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		err := db.Update(func(tx *bolt.Tx) error {
			for end := min(n+entries, b.N); n < end; n++ {
				if err := putInput(tx, n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
}

func boltBatches(b *testing.B, callers int) {
	db := openBolt(b)
	db.MaxBatchSize = callers
	shared(b, callers, func(n int) error {
		return db.Batch(func(tx *bolt.Tx) error { return putInput(tx, n) })
	})
}
