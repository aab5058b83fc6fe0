package boltlog

import (
	"errors"
	"os"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/lineshaft/lineshaft/journal"
)

// Log is a journal.Log in one file: see there for what its methods promise. It is made by Open and runs two goroutines
// while it has work: the committer, the only one that writes to the file and calls dones, and the saver, which prepares
// what Saves have the committer write.
type Log struct {
	path string
	real string // path without symbolic links, which Compact must not replace
	opts Options
	db   *bolt.DB // whoever is neither committer nor saver must hold mu, as who replaces it: see Compact
	file *os.File // of db
	torn error    // what Open has to say of the file's end

	mu         sync.Mutex
	queue      []call
	step       *step         // what the saver waits for
	committing chan struct{} // closed when the committer that runs now ends; nil if there is none
	saves      []save
	saving     chan struct{} // as committing
	tidies     bool          // there is something to tidy, and the saver has not been told
	appended   time.Time     // when Append was called last
	batch      int           // bytes of the last batch that was appended
	closed     bool
	failed     error // what ended it; every later call gets it

	replaced sync.WaitGroup // files that Compact has replaced, and that are being read
	release  sync.Once
	closeErr error

	lost  bool   // a transaction was left as it is; see write. It belongs to the committer, and then to Close
	last  uint64 // index of the last durable batch; it belongs to the committer, as tail
	tail  int64  // bytes of batches since the last Save with an Index
	saver saver  // it belongs to the saver's goroutine
}

var _ journal.Log = (*Log)(nil)

// call is a call of Append or of Save; the other's fields are zero.
type call struct {
	batch    journal.Batch
	appended func(uint64, error)
	update   journal.Update
	saved    func(error)
	closed   bool // the Log was closed before the call
}

// save is a call of Save that has had its turn among the calls.
type save struct {
	call
	last    uint64      // index of the last batch that was appended before it
	tail    int64       // bytes of batches since the Save with an Index before it
	compact *compaction // nil, or what is to be done instead
}

// step is what the saver has the committer do.
type step struct {
	apply   func(tx *bolt.Tx) error // in one transaction, maybe with batches; nil: nothing
	err     error                   // what saved is given where apply is nil
	saved   func(error)             // nil: nobody is to be told
	replace *writable               // what takes the place of the file, beside any transaction; nil: nothing
	result  chan error              // capacity 1; what saved was given
	alone   bool                    // no longer waits for an Append to share its commit with
}

// Append implements journal.Log.
func (l *Log) Append(b journal.Batch, done func(index uint64, err error)) {
	if b.Bytes() == nil {
		panic("boltlog: Append of the zero Batch")
	}
	l.hand(call{batch: b, appended: done})
}

// Save implements journal.Log.
func (l *Log) Save(u journal.Update, done func(error)) {
	l.hand(call{update: u, saved: done})
}

// hand queues a call. The first shows that the program goes on with what it has recovered; nothing is tidied before it.
func (l *Log) hand(c call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.closed = l.closed
	l.queue = append(l.queue, c)
	if c.appended != nil {
		l.appended, l.batch = time.Now(), len(c.batch.Bytes())
	}
	l.wakeCommitter()
	if l.tidies && !l.closed {
		l.tidies = false
		l.wakeSaver()
	}
}

// wakeCommitter sees to it that one runs; the caller holds mu. So does wakeSaver.
func (l *Log) wakeCommitter() {
	if l.committing == nil {
		l.committing = make(chan struct{})
		go l.commitAll(l.committing)
	}
}

func (l *Log) wakeSaver() {
	if l.saving == nil {
		l.saving = make(chan struct{})
		go l.saveAll(l.saving)
	}
}

// What a step waits for. While callers append, one that shares a commit with them delays them less than one that has
// a commit to itself, for which they would wait and then for their own.
const (
	shareWait  = 2 * time.Millisecond   // how long a step waits for an Append
	shareAfter = 100 * time.Millisecond // how long after the last Append steps no longer wait
)

// do hands a step to the committer, waits, and returns what became of it. The saver calls it.
func (l *Log) do(s *step) error {
	s.result = make(chan error, 1)
	l.mu.Lock()
	l.step = s
	s.alone = l.closed || time.Since(l.appended) > shareAfter
	if s.alone {
		l.wakeCommitter()
	}
	l.mu.Unlock()
	if s.alone {
		return <-s.result
	}
	wait := time.NewTimer(shareWait)
	defer wait.Stop()
	select {
	case err := <-s.result:
		return err
	case <-wait.C:
	}
	l.mu.Lock()
	if l.step == s {
		s.alone = true
		l.wakeCommitter()
	}
	l.mu.Unlock()
	return <-s.result
}

// stepMax returns how many bytes a step may write: more than is appended with it,
// or a Save would not get ahead of the journal.
func (l *Log) stepMax() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return stepBytesClosing
	case time.Since(l.appended) > shareAfter:
		return stepBytesQuiet
	}
	return min(max(stepBytes, 4*l.batch), stepBytesQuiet)
}

// state returns whether the Log was closed, and what ended it.
func (l *Log) state() (closed bool, failed error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed, l.failed
}

// read makes one transaction that reads. It returns journal.ErrClosed, or what f does.
func (l *Log) read(f func(*bolt.Tx) error) error {
	for {
		l.mu.Lock()
		db, file, closed := l.db, l.file, l.closed
		l.mu.Unlock()
		if closed {
			return journal.ErrClosed
		}
		err := viewFile(db, file, f)
		if !errors.Is(err, berrors.ErrDatabaseNotOpen) { // else it was closed, or replaced
			return err
		}
	}
}

// viewFile makes one transaction that reads file, which is db's. Where bbolt begins one it panics if no meta page is whole,
// with a lock held that the next commit waits for, so that must be known before.
func viewFile(db *bolt.DB, file *os.File, f func(*bolt.Tx) error) error {
	if err := anyMeta(file); err != nil {
		return err
	}
	return db.View(f)
}

// Close implements journal.Log. What could be tidied is left to the next Log.
func (l *Log) Close() error {
	for {
		l.mu.Lock()
		l.closed = true
		committing, saving := l.committing, l.saving
		l.mu.Unlock()
		if committing == nil && saving == nil {
			break
		}
		if saving != nil {
			<-saving
		}
		if committing != nil {
			<-committing
		}
	}
	l.release.Do(func() {
		l.replaced.Wait()
		if l.lost { // db would wait for that transaction; the file stays locked until the program ends
			l.closeErr = l.file.Close()
			return
		}
		l.closeErr = l.db.Close()
	})
	return l.closeErr
}
