// Package journal says what a program must keep to survive its own end: the inputs that it was given, in the order in
// which it takes them, and the states that it saved.
//
//	var log journal.Memory
//	var b journal.Builder
//	b.Reset(1_700_000_000_000_000_000)
//	if err := b.Add(journal.KindInput, "counter", []byte("increment")); err != nil {
//		return err
//	}
//	log.Append(b.Seal(), func(index uint64, err error) {
//		// err == nil: the batch is durable, its inputs may be stepped and answered
//	})
//
// # Words
//
// An [Entry] is one thing that happened to the application: the program started, a process was given an input, a
// read-only input crashed. A [Batch] is a number of entries that happen at one time and become durable together or not
// at all; a [Builder] makes one. A [Log] keeps batches in order, and beside them one [Snapshot]: what the states were
// at some index, so that the batches up to there need not be kept. An [Update] changes the snapshot.
//
// # Guarantees
//
// A batch whose done was called without an error survives what the Log says that it survives: a Log in a file, kill -9
// and the loss of power. Batches are recovered in the order in which they were appended, without gaps, each whole. A
// batch that was not acknowledged may be there or not, but never in part, and never without those before it.
//
// Everything that leaves memory is covered by a CRC32C: bytes that come back changed are reported as [ErrDamaged] and
// never handed over. It finds accidents; it does not keep out somebody who means to deceive.
//
// # Limits
//
// [MaxBatchBytes], [MaxStateBytes] and [MaxNameBytes]. A Log does not bound what is handed over and not yet durable:
// who appends must.
//
// This package reads no clock, no file and no randomness. [Memory] runs one goroutine while it has work.
package journal
