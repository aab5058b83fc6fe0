// Package boltlog keeps a journal and its snapshot in one bbolt file.
//
//	log, err := boltlog.Open("kv.journal", boltlog.Options{})
//	if err != nil {
//		return err // one line that names the file and says what is wrong with it
//	}
//	defer log.Close()
//
// The file holds the batches that are not yet part of the snapshot, each as one value, and the saved states. While one
// commit waits for the disk, further batches gather, and the next commit takes all of them: a caller who waits for each
// batch pays two syncs for it, many callers share them.
//
// A Save holds up no Append, however large it is. What is small is written at once; anything else in steps of 256 KiB,
// which share their commits with batches, to a place where nobody looks for it, and the last, small step makes it the
// snapshot. What that replaces, batches and states, is removed in steps afterwards.
//
// # Guarantees
//
// A batch or an update whose done was called without an error survives kill -9 and the loss of power, as far as the
// disk keeps its word that what was synced is stored. After either, Open finds the last transaction that was complete;
// nothing is repaired and nothing needs to be.
//
// An update takes effect in one transaction: after a crash all of it is there, states, index and the dropping of batches,
// or nothing. What an update that was cut short has left in the file is removed by the next Log, after its first Append
// or Save.
//
// Open changes no file that it refuses, and Recover hands over nothing that is damaged. Before bbolt may follow the
// pages of a file, Open checks each of them, since bbolt itself ends the program when it meets a damaged one.
//
// Files of the first format are read as they are, and become files of this one with the first Save; a program that knows
// the first format only refuses them from then on.
//
// # Limits
//
// A file belongs to one process at a time, or to several that only read it, and to a machine's own disk: bbolt locks it
// and maps it into memory.
//
// A Save holds one state at a time in memory, encoded, and somewhat more; outside of Go's heap, where the encoder appends
// to what it is given.
//
// While a large update is written the file holds the states before and after, so that it is about twice as large as the
// states were at most, and the tail: TestSoak. Room that is free in it is used again, and when most of it is no longer
// needed the Log makes it small, while it is open: see Options.CompactBytes. Open reads the inner pages of all of it,
// which takes longer the more small batches there are; see BenchmarkOpen.
//
// If the page that the very last commit wrote last is damaged, bbolt takes it for a commit that the loss of power cut
// short, and the file is what it was one commit earlier. Where that is one byte of it the page was whole once, and Open
// says that it is damaged; otherwise one cannot be told from the other, and Log.Torn says so.
//
// # Failpoints
//
// For programs that test what a crash leaves, there are comments that gofail (go.etcd.io/gofail) makes failpoints of, in
// a copy of the source: "gofail enable journal/boltlog". Without that they are comments. With it, a program that is
// started with GOFAIL_FAILPOINTS=commitAfter='100*off->panic' dies when
// it gets to commitAfter the 101st time. TestFailpoints does it with each:
//
//	commitBetweenBatches  a batch of several has been put
//	commitBefore          all is put, of batches and of a step; nothing is in the file
//	commitAfter           all is durable; no done has been called
//	saveInPlace           a small update has been put, and not committed
//	saveBeforeFirstPart   a large update is about to be staged
//	saveBetweenParts      some of it is durable, where nobody looks for it
//	saveInSwitch          the rest is put, and it is about to take effect
//	saveAfterSwitch       it has taken effect, and its done has been called
//	dropBetweenBatches    a batch before the snapshot has been deleted, and that is not committed
//	tidyStep              some of what a Save has replaced is about to be removed
//	tidyFinish            all of it is removed, and that is about to be recorded
//	compactBetweenCopies  Compact has copied some
//	compactBeforeSwap     the new file is complete, and about to take the place of the old
//	compactAfterSwap      it has its name, which may not be durable
//
// What happens within a commit is bbolt's, which has failpoints of its own.
package boltlog
