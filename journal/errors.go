package journal

import "errors"

// Errors when what was stored is opened or read. Each is wrapped by a text that says where and what.
var (
	// ErrLocked says that another process holds the file.
	ErrLocked = errors.New("locked by another process")

	// ErrFormat says that what lies there is no journal of ours. It was left as it was.
	ErrFormat = errors.New("not a journal")

	// ErrVersion says that it is a journal of ours, in a format that this program does not read. It was left as it was.
	ErrVersion = errors.New("a journal of another format version")

	// ErrDamaged says that bytes came back other than they were written.
	ErrDamaged = errors.New("damaged")
)

// Errors when something is to be stored. The first three leave everything as it was.
var (
	// ErrClosed says that the Log was closed before the call.
	ErrClosed = errors.New("journal is closed")

	// ErrTooLarge says that something exceeds one of the limits of this package.
	ErrTooLarge = errors.New("too large")

	// ErrRefused says that an Update broke a rule, or that a state could not be encoded. The Log goes on.
	ErrRefused = errors.New("update refused")

	// ErrFailed says that writing or syncing failed; the cause is wrapped beside it. It is final: every later call fails
	// with the same error, since a sync that is tried again may succeed without having stored what the first one lost.
	// Whether what was being stored is there is unknown until the next Recover.
	ErrFailed = errors.New("journal failed")
)
