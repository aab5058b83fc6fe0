package boltlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/lineshaft/lineshaft/journal"
)

// Defaults of Options.
const (
	DefaultLockTimeout      = time.Second
	DefaultInitialMmapBytes = 1 << (30 + 6*(^uint(0)>>63)) // 64 GiB, where addresses have 64 bits
	DefaultCompactBytes     = 64 << 20
)

const fileMode = 0o600 // journals hold what users sent

// Options of Open. The zero value means the defaults.
type Options struct {
	// LockTimeout is how long Open waits for another process to let go of the file: one that was told to stop may still
	// be at it. Zero means DefaultLockTimeout; less than zero means not to wait.
	LockTimeout time.Duration

	// InitialMmapBytes is the address space into which the file is mapped at first, in bytes. It costs no memory. When the
	// file outgrows it, one commit waits until it is mapped anew, for which it must wait until no Recover and no Backup is
	// under way. Zero means DefaultInitialMmapBytes; or, on Windows, where the file itself is made that large at once, that
	// it is mapped as it grows.
	InitialMmapBytes int

	// CompactBytes is the size in bytes from which on the Log compacts a file by itself, as Compact does: after a Save with
	// an Index, if the file is more than twice as large as it must be for the next one. That is twice what is in use then,
	// since the states are there twice while they are saved, and as many batches as since the last such Save. So it does
	// not come again before most of what is in use is given up once more. Zero means DefaultCompactBytes; less than zero
	// means never. On Windows it is never.
	CompactBytes int64

	// OnCompact is told of each time: how large the file was and is, in bytes, or why not, when the file is as it was and
	// the next Save with an Index has it tried again. It runs on a goroutine of the Log's and must not wait for the Log.
	// It may be nil.
	OnCompact func(before, after int64, err error)

	// ReadOnly opens a file to read it, which must exist: for Recover and Backup. Nothing is written, neither to the file
	// nor beside it; whoever may read it can open it, several at a time, but not while it is open to be written. Append,
	// Save and Compact return an error that wraps errors.ErrUnsupported.
	ReadOnly bool

	openFile func(string, int, os.FileMode) (*os.File, error) // in tests, to see the file; nil means os.OpenFile

	_ struct{}
}

func (o Options) withDefaults() Options {
	switch {
	case o.LockTimeout == 0:
		o.LockTimeout = DefaultLockTimeout
	case o.LockTimeout < 0:
		o.LockTimeout = 1 // to bbolt zero means to wait forever
	}
	if o.InitialMmapBytes == 0 && runtime.GOOS != "windows" {
		o.InitialMmapBytes = DefaultInitialMmapBytes
	}
	if o.CompactBytes == 0 {
		o.CompactBytes = DefaultCompactBytes
	}
	if o.openFile == nil {
		o.openFile = os.OpenFile
	}
	return o
}

// bolt returns the options under which the file is written.
func (o Options) bolt() *bolt.Options {
	return &bolt.Options{
		Timeout:         o.LockTimeout,
		InitialMmapSize: o.InitialMmapBytes,
		OpenFile:        o.openFile,
		// The list of free pages would be written with every commit. Without it Open finds them by reading the file.
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
	}
}

// Open opens the journal in the file at path, or makes one if there is no such file, unless it is only to be read. The
// directory must exist.
//
// It returns one line that names the file and wraps
//   - journal.ErrLocked if another process, or another Log of this one, holds it;
//   - journal.ErrFormat if it is no journal: a directory, empty, not a bbolt file or one of another program;
//   - journal.ErrVersion if it is a journal in another format;
//   - journal.ErrDamaged if its structure is damaged: see also Recover;
//   - the error of the operating system, such as fs.ErrNotExist or fs.ErrPermission, if it cannot be read or written.
//
// A file for which it returns an error is not changed. An empty file is refused rather than taken for a new one, since
// it may be all that a full disk left of a journal.
func Open(path string, opts Options) (*Log, error) {
	l, err := open(path, opts.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("journal file %s: %w", path, err)
	}
	return l, nil
}

func open(path string, opts Options) (*Log, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && !opts.ReadOnly {
		err = create(path)
	} else if err == nil {
		err = checkKind(info)
	}
	if err != nil {
		return nil, systemError(err)
	}
	db, file, torn, err := inspect(path, opts)
	if err != nil {
		return nil, err
	}
	if opts.ReadOnly {
		l := readOnly(path, opts, db, file)
		l.torn = torn
		return l, nil
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	db, file, err = openWritable(path, opts)
	if err != nil {
		return nil, boltError(err, opts)
	}
	l := &Log{path: path, opts: opts, db: db, file: file, torn: torn}
	if l.real, err = filepath.EvalSymlinks(path); err == nil {
		err = stillThere(l.real, file)
	}
	if err != nil {
		_ = db.Close()
		return nil, systemError(err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		v, err := viewOf(tx)
		if err == nil {
			l.saver, l.last, err = newSaver(v)
			l.tail = inUse(tx) // at most
		}
		return err
	})
	if err != nil {
		_ = db.Close() // err says what is wrong
		return nil, err
	}
	l.saver.log, l.tidies = l, l.saver.untidy
	if err := removeIfThere(l.real + compactSuffix); err != nil {
		_ = db.Close()
		return nil, systemError(err)
	}
	return l, nil
}

// Torn returns nil, or one line that wraps journal.ErrDamaged: when the file was opened, one of the two pages with which
// commits end was damaged. A loss of power in the middle of a commit may leave that; then nothing is lost that was
// acknowledged. If the page was damaged later, the file may be what it was one commit earlier: one cannot be told from the
// other. (Where a byte was changed in it, it can: then Open fails, or the page is the older one, of which nothing is lost.)
func (l *Log) Torn() error {
	if l.torn == nil {
		return nil
	}
	return fmt.Errorf("journal file %s: %w", l.path, l.torn)
}

// readOnly makes the Log of a file that was opened for reading only: one that has come to its end, but for what reads.
func readOnly(path string, opts Options, db *bolt.DB, file *os.File) *Log {
	l := &Log{path: path, opts: opts, db: db, file: file}
	l.saver.log = l
	l.failed = fmt.Errorf("journal file %s: opened for reading only: %w", path, errors.ErrUnsupported)
	return l
}

// openWritable opens a file, or makes it, for reading and writing.
func openWritable(path string, opts Options) (db *bolt.DB, file *os.File, err error) {
	o := opts.bolt()
	o.OpenFile = func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
		file, err = opts.openFile(name, flag, mode)
		return file, err
	}
	db, err = bolt.Open(path, fileMode, o)
	return db, file, err
}

// stillThere sees to it that the locked file is the one at path: Compact may have replaced it while this program waited.
func stillThere(path string, locked *os.File) error {
	same, err := isAt(path, locked)
	if err == nil && !same {
		err = fmt.Errorf("%w: it was replaced meanwhile", journal.ErrLocked)
	}
	return err
}

// isAt returns whether file is the one at path.
func isAt(path string, file *os.File) (bool, error) {
	ours, err := file.Stat()
	if err != nil {
		return false, systemError(err)
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(ours, there), nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func checkKind(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return fmt.Errorf("%w: it is a directory", journal.ErrFormat)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is not a regular file", journal.ErrFormat)
	case info.Size() == 0:
		return fmt.Errorf("%w: it is empty; delete it to start anew", journal.ErrFormat)
	}
	return nil
}

// inspect opens the file for reading only, and refuses what is not an intact journal of a format that this program reads.
// torn is nil, or says that its end may be lost.
func inspect(path string, opts Options) (db *bolt.DB, file *os.File, torn, err error) {
	db, file, err = openReadOnly(path, opts)
	if err != nil {
		return nil, nil, nil, err
	}
	err = db.View(func(tx *bolt.Tx) (err error) {
		if torn, err = verifyMetas(file, tx); err != nil {
			return err
		}
		if err := verifyPages(file, tx); err != nil {
			return err
		}
		v, err := viewOf(tx)
		if err == nil {
			_, _, err = newSaver(v)
		}
		return err
	})
	if err != nil {
		_ = db.Close() // err says what is wrong
		return nil, nil, nil, err
	}
	return db, file, torn, nil
}

// openReadOnly opens the file for reading only, beside other readers, and says what it means if that fails.
func openReadOnly(path string, opts Options) (db *bolt.DB, file *os.File, err error) {
	db, err = bolt.Open(path, fileMode, &bolt.Options{
		Timeout:  opts.LockTimeout,
		ReadOnly: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	})
	if err != nil {
		return nil, nil, boltError(err, opts)
	}
	if err := stillThere(path, file); err != nil {
		_ = db.Close()
		return nil, nil, err
	}
	return db, file, nil
}

var errForeign = fmt.Errorf("%w: it is a bbolt file of another program, not a data file of Lineshaft", journal.ErrFormat)

// boltError says what an error of bbolt's Open means.
func boltError(err error, opts Options) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w (waited %v)", journal.ErrLocked, opts.LockTimeout)
	case errors.Is(err, berrors.ErrInvalid):
		return fmt.Errorf("%w: it is not a bbolt file", journal.ErrFormat)
	case errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("%w: another format of bbolt's", journal.ErrVersion)
	case errors.Is(err, berrors.ErrChecksum):
		return fmt.Errorf("%w: both meta pages", journal.ErrDamaged)
	case errors.As(err, &errno):
		return systemError(err)
	}
	return fmt.Errorf("%w: %w", journal.ErrDamaged, err) // such as a file of less than two pages
}

// systemError strips the file's name off an error of the operating system, since ours names it already.
func systemError(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return fmt.Errorf("cannot %s: %w", pe.Op, pe.Err)
	}
	return err
}
