package journal

import (
	"fmt"
	"iter"
)

// MaxStateBytes is the limit of one encoded state, and of App, in bytes. Together they may be more.
const MaxStateBytes = 1 << 30

// Snapshot is what the states were when the batches up to Index had been stepped. The zero Snapshot, with no states, is
// that of a Log into which nothing was saved.
type Snapshot struct {
	Index uint64 // the last batch that it includes; 0 if none
	Time  int64  // of that batch, in Unix nanoseconds; 0 if none
	App   []byte // what the application keeps beside the states, opaque here

	// States yields name and encoded state, ordered by the bytes of the names. It may be ranged over more than once.
	States iter.Seq2[string, []byte]
}

// Update is a change of the Snapshot, made in one transaction: all of it or nothing.
//
// With an Index it is a checkpoint: Index, Time and App are replaced, the batches up to Index dropped. States that it
// does not mention stay, so who checkpoints need only give those that changed since.
//
// Without one (Index 0) it changes the mentioned states only, and neither the batches nor Index, Time and App, which
// must be empty. This is for a program that journals nothing and saves a state when its process terminates. Recovered
// batches would be stepped from such a state as if it were that of Snapshot.Index, so a program that journals must
// checkpoint instead.
type Update struct {
	Index uint64 // the last batch that the states include, or 0
	Time  int64  // of that batch, in Unix nanoseconds
	App   []byte // at most MaxStateBytes; must not be changed until done

	// States yields name and encoder of each state to be put, of 1 to MaxNameBytes and at most MaxStateBytes; nil means
	// none. If a name comes twice the last one counts. Both the iterator and the encoders run on goroutines of the Log's,
	// one at a time and in any order, before done, so that encoding keeps nobody waiting: what they refer to must not
	// change until then. A slice that an encoder returns belongs to the Log.
	States iter.Seq2[string, Encode]

	// Delete names states to be deleted, before States are put. A name without a state is no error.
	Delete []string
}

// Check returns an error that wraps ErrRefused if u may not be applied to a Log whose snapshot is of index snapshot and
// whose last batch is last. It is for those who implement Log.
func (u Update) Check(snapshot, last uint64) error {
	switch {
	case u.Index == 0 && (u.Time != 0 || len(u.App) != 0):
		return fmt.Errorf("%w: a time or application state without an index", ErrRefused)
	case u.Index != 0 && u.Index < snapshot:
		return fmt.Errorf("%w: index %d is before the snapshot's %d", ErrRefused, u.Index, snapshot)
	case u.Index > last:
		return fmt.Errorf("%w: index %d is after the last batch's %d", ErrRefused, u.Index, last)
	case len(u.App) > MaxStateBytes:
		return fmt.Errorf("%w: %w: application state of %d bytes exceeds %d",
			ErrRefused, ErrTooLarge, len(u.App), MaxStateBytes)
	}
	return nil
}

// EncodeState runs encode for the state of a process and checks name and result. Returns an error that wraps ErrRefused,
// and the encoder's if it has one. It is for those who implement Log.
func EncodeState(name string, encode Encode, dst []byte) ([]byte, error) {
	switch {
	case name == "":
		return nil, fmt.Errorf("%w: a state without a name", ErrRefused)
	case len(name) > MaxNameBytes:
		return nil, fmt.Errorf("%w: %w: a name of %d bytes exceeds %d", ErrRefused, ErrTooLarge, len(name), MaxNameBytes)
	}
	state, err := encode(dst)
	if err != nil {
		return nil, fmt.Errorf("%w: state of %q: %w", ErrRefused, name, err)
	}
	if len(state) > MaxStateBytes {
		return nil, fmt.Errorf("%w: %w: state of %q: %d bytes exceed %d",
			ErrRefused, ErrTooLarge, name, len(state), MaxStateBytes)
	}
	return state, nil
}
