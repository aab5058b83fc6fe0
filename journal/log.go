package journal

// Log keeps batches in order, and a snapshot. It is where a program waits until something cannot be lost any more, be
// it for a disk or for other machines, without standing still: it hands over and is called back.
//
// All methods may be called from any goroutine. Append and Save take effect in the order of their calls, with one
// exception: a Save that takes long holds up no Append that comes later, and may take effect after it. It keeps that
// batch, as it keeps all after Update.Index, so that once both are done nobody can tell. Until then a Recover, or a crash,
// may find the later batches and the snapshot before.
//
// The dones of Append are called in the order of their calls, those of Save likewise. Each done is called exactly once,
// one at a time, on a goroutine of the Log's and never on the caller's: a caller may hold a lock that done takes. A done
// must return soon, since the next ones wait for it; it may call Append and Save, but not Close.
//
// Append and Save do not wait for the disk. What is handed over and not yet done is not bounded here: the caller must.
//
// The error that a done is given is
//   - nil: durable;
//   - ErrClosed or ErrRefused: nothing happened;
//   - ErrFailed, wrapping the cause: writing failed. This batch, and what was handed over with it, is there or not;
//     every later call gets the same error and changes nothing. The program should end, and recover on its next start.
type Log interface {
	// Recover calls snapshot once, with the newest, and then batch for every durable batch after it, in order:
	// Snapshot.Index+1, and so on without a gap. An error of theirs ends it and is returned as it is. What they are
	// given is a view that lives until they return and must not be changed.
	//
	// It sees what is durable when it is called, whatever is done meanwhile. They must not wait for a done or for
	// Close, and must not call Recover.
	//
	// Returns ErrClosed after Close, or an error that wraps ErrDamaged or ErrVersion: what was handed over until then is
	// intact, but not all there is.
	Recover(snapshot func(Snapshot) error, batch func(index uint64, b Batch) error) error

	// Append makes b durable as the batch with the next index: one more than the last, the first is 1. done is given that
	// index, or 0 with an error.
	//
	// b must not change until done is called; then it is the caller's again. It panics if b is the zero Batch.
	Append(b Batch, done func(index uint64, err error))

	// Save makes a change of the snapshot durable: see Update. Batches that were appended before it are durable before
	// it, those after u.Index stay, and u.Index must be one that was appended before it.
	//
	// Nothing that u refers to must change until done is called.
	Save(u Update, done func(error))

	// Close waits until everything that was handed over is done, then releases what the Log holds. Calls of Append, Save
	// and Recover after it get ErrClosed. To call Close again waits likewise and returns the same.
	//
	// A program that ends without Close loses nothing that was done.
	Close() error
}
