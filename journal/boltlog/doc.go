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
// batch pays two syncs for it, many callers share them. No timer is involved.
//
// # Guarantees
//
// A batch or an update whose done was called without an error survives kill -9 and the loss of power, as far as the
// disk keeps its word that what was synced is stored. After either, Open finds the last transaction that was complete;
// nothing is repaired and nothing needs to be.
//
// An update is one transaction: after a crash all of it is there, states, index and the dropping of batches, or nothing.
//
// Open changes no file that it refuses, and Recover hands over nothing that is damaged. Before bbolt may follow the
// pages of a file, Open checks each of them, since bbolt itself ends the program when it meets a damaged one.
//
// # Limits
//
// A file belongs to one process at a time and to a machine's own disk: bbolt locks it and maps it into memory.
//
// An update is held in memory, encoded, until it is committed, and bbolt copies it once more: one of 1 GiB takes some
// 3 to 5 GiB for a moment, and seconds, in which batches that are appended wait. Updates of what has changed keep it small.
//
// The file does not shrink; room that is free in it is used again. Open reads the inner pages of all of it, which takes
// longer the more small batches there are; see BenchmarkOpen.
//
// If the page that the very last commit wrote last is damaged, bbolt takes it for a commit that the loss of power cut
// short, and the file is what it was one commit earlier. One cannot be told from the other.
package boltlog
