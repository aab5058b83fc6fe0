package eventloop_test

import (
	"context"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
)

// BenchmarkRecover replays journals of small inputs: the time is that of one
// input.
func BenchmarkRecover(b *testing.B) {
	m := &statemachine.Machine[int, int, int]{
		Step:  statemachine.Pure(func(in, s int) (int, int) { return s + in, s }),
		Input: codec.Of[int](), Output: codec.Of[int](), State: codec.Of[int](),
	}
	const perBatch = 1000
	log := new(journal.Memory)
	var batch journal.Builder
	batch.Reset(1)
	if err := batch.Add(journal.KindStart, "", nil); err != nil {
		b.Fatal(err)
	}
	appendTo(b, log, &batch)
	for i := 0; i < b.N; i += perBatch {
		batch.Reset(int64(i + 2))
		for range perBatch {
			if err := batch.Add(journal.KindInput, "adder", []byte{7}); err != nil {
				b.Fatal(err)
			}
		}
		appendTo(b, log, &batch)
	}
	b.ReportAllocs()
	b.ResetTimer()
	l, err := eventloop.Start(always(log, worker("adder", m)))
	if err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	l.Stop(context.Background())
}

func appendTo(b *testing.B, log journal.Log, batch *journal.Builder) {
	b.Helper()
	done := make(chan error, 1)
	log.Append(batch.Seal(), func(_ uint64, err error) { done <- err })
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
