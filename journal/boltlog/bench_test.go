package boltlog_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// benchBatch seals a batch of small inputs.
func benchBatch(b *testing.B, entries int) journal.Batch {
	b.Helper()
	var batch journal.Builder
	for range entries {
		if err := batch.Add(journal.KindInput, "counter", bytes.Repeat([]byte("x"), 32)); err != nil {
			b.Fatal(err)
		}
	}
	return batch.Seal()
}

// entriesPerBatch is what the next two compare.
var entriesPerBatch = []int{1, 64, 1024}

// BenchmarkAppend is one caller who waits for each batch.
func BenchmarkAppend(b *testing.B) {
	for _, entries := range entriesPerBatch {
		b.Run(fmt.Sprint("entries=", entries), func(b *testing.B) {
			log := open(b, filepath.Join(b.TempDir(), "journal"))
			batch := benchBatch(b, entries)
			done := make(chan error)
			appended := func(_ uint64, err error) { done <- err }
			b.ReportAllocs()
			for b.Loop() {
				log.Append(batch, appended)
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			closeLog(b, log)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
		})
	}
}

// BenchmarkBareCommit puts the same bytes under the same keys with bbolt and nothing else: the floor.
func BenchmarkBareCommit(b *testing.B) {
	for _, entries := range entriesPerBatch {
		b.Run(fmt.Sprint("entries=", entries), func(b *testing.B) {
			db, err := bolt.Open(filepath.Join(b.TempDir(), "bare"), 0o600, &bolt.Options{
				NoFreelistSync: true, FreelistType: bolt.FreelistMapType, InitialMmapSize: 1 << 30, NoStatistics: true,
			})
			if err != nil {
				b.Fatal(err)
			}
			sealed := benchBatch(b, entries).Bytes()
			name := []byte("batches")
			var index uint64
			b.ReportAllocs()
			for b.Loop() {
				index++
				err := db.Update(func(tx *bolt.Tx) error {
					bucket, err := tx.CreateBucketIfNotExists(name)
					if err != nil {
						return err
					}
					bucket.FillPercent = 1
					return bucket.Put(binary.BigEndian.AppendUint64(nil, index), sealed)
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
		})
	}
}

// BenchmarkAppendUnderWay keeps a number of batches of one entry under way: they share commits.
func BenchmarkAppendUnderWay(b *testing.B) {
	for _, underWay := range []int{1, 8, 64, 512} {
		b.Run(fmt.Sprint("batches=", underWay), func(b *testing.B) {
			log := open(b, filepath.Join(b.TempDir(), "journal"))
			batch := benchBatch(b, 1)
			done := make(chan error, underWay)
			appended := func(_ uint64, err error) { done <- err }
			for range underWay - 1 {
				log.Append(batch, appended)
			}
			b.ReportAllocs()
			for b.Loop() {
				log.Append(batch, appended)
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			closeLog(b, log)
		})
	}
}

// BenchmarkSave checkpoints one state of a size, which is encoded by copying it.
func BenchmarkSave(b *testing.B) {
	for _, mib := range []int{1, 64} {
		b.Run(fmt.Sprint("MiB=", mib), func(b *testing.B) {
			log := open(b, filepath.Join(b.TempDir(), "journal"))
			state := bytes.Repeat([]byte("x"), mib<<20)
			b.SetBytes(int64(len(state)))
			for b.Loop() {
				save(b, log, journal.Update{Index: add(b, log, nil), States: put("p", state)})
			}
			closeLog(b, log)
		})
	}
}

// BenchmarkDrop checkpoints after many batches, of which all go, nearly all, or few.
func BenchmarkDrop(b *testing.B) {
	const batches = 10_000
	for _, stay := range []uint64{0, 10, batches - 100} {
		b.Run(fmt.Sprint("stay=", stay), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				log := filled(b, filepath.Join(b.TempDir(), "journal"), batches)
				b.StartTimer()
				save(b, log, journal.Update{Index: batches - stay})
				b.StopTimer()
				closeLog(b, log)
				b.StartTimer()
			}
		})
	}
}

// BenchmarkRecover opens a file of a million small inputs, a thousand in a batch, and reads each.
func BenchmarkRecover(b *testing.B) {
	const batches, entries = 1000, 1000
	path := filepath.Join(b.TempDir(), "journal")
	var builder journal.Builder
	for range entries {
		if err := builder.Add(journal.KindInput, "counter", make([]byte, 13)); err != nil {
			b.Fatal(err)
		}
	}
	closeLog(b, appended(b, path, builder.Seal(), batches))
	for b.Loop() {
		log := open(b, path)
		n := 0
		err := log.Recover(func(journal.Snapshot) error { return nil }, func(_ uint64, batch journal.Batch) error {
			for e := range batch.Entries() {
				n += min(1, len(e.Data))
			}
			return nil
		})
		if err != nil || n != batches*entries {
			b.Fatalf("%d inputs, error %v", n, err)
		}
		closeLog(b, log)
	}
	b.ReportMetric(float64(b.N)*batches*entries/b.Elapsed().Seconds(), "inputs/s")
}

// BenchmarkOpen opens a file of many small batches, and recovers them.
func BenchmarkOpen(b *testing.B) {
	const batches = 100_000
	path := filepath.Join(b.TempDir(), "journal")
	closeLog(b, filled(b, path, batches))
	for _, recovers := range []bool{false, true} {
		b.Run(fmt.Sprint("batches=", batches, "/recover=", recovers), func(b *testing.B) {
			for b.Loop() {
				log := open(b, path)
				if recovers {
					n := 0
					err := log.Recover(func(journal.Snapshot) error { return nil },
						func(uint64, journal.Batch) error { n++; return nil })
					if err != nil || n != batches {
						b.Fatalf("%d batches, error %v", n, err)
					}
				}
				closeLog(b, log)
			}
		})
	}
}

// filled makes a journal of many batches of 10 entries.
func filled(b *testing.B, path string, batches int) *boltlog.Log {
	b.Helper()
	return appended(b, path, benchBatch(b, 10), batches)
}

// appended makes a journal of a batch a number of times.
func appended(b *testing.B, path string, batch journal.Batch, batches int) *boltlog.Log {
	b.Helper()
	log := open(b, path)
	done := make(chan struct{})
	for i := range batches {
		log.Append(batch, func(_ uint64, err error) {
			if err != nil {
				b.Error(err)
			}
			if i == batches-1 {
				close(done)
			}
		})
	}
	<-done
	return log
}
