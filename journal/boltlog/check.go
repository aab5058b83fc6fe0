package boltlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
)

// Damage says where a file is damaged. The zero Damage is none.
type Damage int

const (
	Intact Damage = iota

	// DamagedTail says that nothing but the last batches, or the last commit, is torn or missing. What is before it is
	// intact and was all that there was at some time.
	DamagedTail

	// DamagedMiddle says that a state is damaged, or batches before one that is intact, or the file's structure.
	DamagedMiddle
)

// String says it in words.
func (d Damage) String() string {
	switch d {
	case Intact:
		return "intact"
	case DamagedTail:
		return "damaged at its end"
	}
	return "damaged before its end"
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	Err error // one line, which says where; it wraps journal.ErrDamaged, unless reading failed
}

// Summary is what Check has found.
type Summary struct {
	Version    int   // of the file's format
	FileBytes  int64 // its size
	InUseBytes int64 // of that, what is not behind the last page that was ever used

	Snapshot   uint64 // index of the last batch that the snapshot includes; 0 if there is none
	States     int    // in the snapshot
	StateBytes int64  // of them and the application's state, encoded

	Batches    int    // intact ones behind the snapshot
	BatchBytes int64  // of them, sealed
	Entries    int    // in them
	Last       uint64 // index of the last batch, intact or not

	Damage   Damage
	Problems int // that were reported
}

// progressBytes is how much is read between two calls of a progress, in bytes.
const progressBytes = 1 << 20

// Check reads all of the journal in the file at path that is in use and verifies every page, every checksum and every
// record of every batch, that nothing is missing, and what bbolt itself checks. It changes nothing, and it is safe on
// any file, however damaged.
//
// report is given each problem as it is found. progress is told now and then how many bytes are done of how many; at the
// end all are. Both run on the caller's goroutine, and either may be nil.
//
// Returns nil if the file is intact; one line that wraps journal.ErrDamaged and says where and how many problems there
// are; or what Open would return of a file that cannot be opened or is no journal. A running Log holds its file locked:
// see Log.Backup.
func Check(path string, progress func(done, total int64), report func(Problem)) (Summary, error) {
	sum, err := checkFile(path, progress, report)
	if err != nil {
		return sum, fmt.Errorf("journal file %s: %w", path, err)
	}
	return sum, nil
}

// checkFile is Check; its errors do not name the file.
func checkFile(path string, progress func(done, total int64), report func(Problem)) (Summary, error) {
	c := &checker{progress: progress, report: report, groups: make(map[ref]group)}
	err := c.check(path)
	if err == nil && c.sum.Damage != Intact {
		err = fmt.Errorf("%w: %s, %d problems", journal.ErrDamaged, c.sum.Damage, c.sum.Problems)
	}
	return c.sum, err
}

// checker is one run of Check.
type checker struct {
	progress func(done, total int64)
	report   func(Problem)
	sum      Summary
	v        *verifier
	done     int64 // bytes
	told     int64 // bytes that progress was told

	version  uint32
	snapshot snapshotRecord

	structure bool              // something is wrong with a page
	lost      map[string]bool   // buckets of which a page is lost
	records   map[string][]byte // the values of bucketOurs
	counts    map[string]uint64 // of the values in each bucket
	batches   []span64          // of batches that are intact, ascending
	splits    []splitState
	groups    map[ref]group
}

// span64 is a range of indices of batches.
type span64 struct{ first, last uint64 }

// splitState is a content whose parts must be there.
type splitState struct {
	bucket string
	name   string
	content
}

// group is what was found of the parts of one content.
type group struct {
	next  uint32 // number of the next part
	bytes int
	torn  bool // one is missing, or too short and not the last; or damaged
}

// found tells of a problem in the middle, or at the end.
func (c *checker) found(d Damage, err error) {
	c.sum.Damage = max(c.sum.Damage, d)
	c.sum.Problems++
	if c.report != nil {
		c.report(Problem{err})
	}
}

func (c *checker) middle(format string, args ...any) {
	c.found(DamagedMiddle, fmt.Errorf("%w: "+format, append([]any{journal.ErrDamaged}, args...)...))
}

func (c *checker) check(path string) error {
	info, err := os.Stat(path)
	if err == nil {
		err = checkKind(info)
	}
	if err != nil {
		return systemError(err)
	}
	db, file, err := openReadOnly(path, Options{}.withDefaults())
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		c.sum.FileBytes, c.sum.InUseBytes = info.Size(), tx.Size()
		if err := c.identify(tx, file); err != nil {
			return err
		}
		if err := c.metas(tx, file); err != nil {
			return err
		}
		if err := c.pages(tx, file); err != nil {
			return err
		}
		c.conclude(tx)
		c.tell(tx.Size(), tx.Size())
		return nil
	})
}

// metas checks the two meta pages, of which bbolt needs one.
func (c *checker) metas(tx *bolt.Tx, file *os.File) error {
	metas, err := readMetas(file, tx.DB().Info().PageSize)
	for _, m := range metas {
		if _, problem := m.problem(tx); err == nil && problem != nil {
			c.found(DamagedTail, problem)
		}
	}
	return err
}

// identify reads bucketOurs, and returns an error if this is no journal, or one of another version.
func (c *checker) identify(tx *bolt.Tx, file *os.File) error {
	c.records = make(map[string][]byte)
	v := newVerifier(file, tx, min(c.sum.FileBytes, tx.Size()))
	lost := false
	v.damage = func(error, []byte, []byte) error { lost = true; return nil } // c.pages will tell
	v.visit = func(key []byte, s span, e element) error {
		value, err := s.bytes(e.value, e.size)
		if v.bucket == string(bucketOurs) {
			c.records[string(key)] = bytes.Clone(value)
		}
		return err
	}
	if err := v.tree(uint64(tx.Cursor().Bucket().RootPage()), nil, nil, 0); err != nil {
		return err
	}
	ours, there := v.subtree(string(bucketOurs))
	switch {
	case !there && !lost:
		return errForeign
	case there && ours.root != 0:
		v.bucket = ours.name
		if err := v.tree(ours.root, nil, nil, 0); err != nil {
			return err
		}
	}
	version, err := decodeVersion(c.records[string(keyFormat)])
	if errors.Is(err, journal.ErrVersion) {
		return err
	}
	c.version = version
	s, err := decodeSnapshot(version, c.records[string(keySnapshot)])
	if err == nil {
		c.snapshot = s
	}
	return nil
}

// pages walks all pages, verifies what is in them, and gathers what contents needs.
func (c *checker) pages(tx *bolt.Tx, file *os.File) error {
	c.lost, c.counts = make(map[string]bool), make(map[string]uint64)
	size := c.sum.FileBytes
	if size < tx.Size() {
		c.structure = true
		c.found(Intact, cutShort(size, tx.Size())) // what that means, the pages say that are lost
	}
	c.v = newVerifier(file, tx, min(size, tx.Size()))
	c.v.damage = func(err error, least, limit []byte) error {
		c.structure, c.lost[c.v.bucket] = true, true
		if c.v.bucket == string(bucketBatches) {
			c.found(Intact, err) // c.missing says what that means
		} else {
			c.found(DamagedMiddle, err)
		}
		return nil
	}
	c.v.visit = c.visit
	c.v.read = func(n int64) {
		c.done += n
		if c.done-c.told >= progressBytes {
			c.tell(c.done, tx.Size())
		}
	}
	return c.v.walk(tx)
}

func (c *checker) tell(done, total int64) {
	c.told = done
	if c.progress != nil {
		c.progress(done, total)
	}
}

// visit verifies one value.
func (c *checker) visit(key []byte, s span, e element) error {
	value, err := s.bytes(e.value, e.size)
	if err != nil {
		return err
	}
	c.counts[c.v.bucket]++
	switch c.v.bucket {
	case string(bucketOurs): // c.identify has read it
	case string(bucketBatches):
		c.batch(key, value)
	case string(bucketParts):
		c.part(key, value)
	default:
		c.entry(key, value)
	}
	return nil
}

func (c *checker) batch(key, value []byte) {
	if len(key) != indexBytes {
		c.middle("batch %x", key)
		return
	}
	index := binary.BigEndian.Uint64(key)
	if index <= c.snapshot.index {
		return // on its way out
	}
	b, err := journal.Decode(value)
	if err != nil {
		c.found(Intact, fmt.Errorf("batch %d: %w", index, err)) // c.missing says what that means
		return
	}
	for range b.Entries() { // record by record
		c.sum.Entries++
	}
	c.sum.BatchBytes += int64(len(value))
	c.sum.Batches++
	if n := len(c.batches); n > 0 && c.batches[n-1].last+1 == index {
		c.batches[n-1].last = index
	} else {
		c.batches = append(c.batches, span64{index, index})
	}
}

func (c *checker) part(key, value []byte) {
	r, n, err := refOf(key)
	if err != nil {
		c.found(DamagedMiddle, err)
		return
	}
	g := c.groups[r]
	b, err := unseal(key, value)
	if err != nil {
		c.found(DamagedMiddle, fmt.Errorf("part %x: %w", key, err))
		g.torn = true
	}
	g.torn = g.torn || n != g.next || g.bytes != int(n)*partBytes
	g.next, g.bytes = n+1, g.bytes+len(b)
	c.groups[r] = g
}

// entry verifies what a layer says of a name.
func (c *checker) entry(name, value []byte) {
	number, ok := layerNumber(c.v.bucket)
	if !ok {
		return // not one of ours
	}
	content, err := decodeEntry(number, name, value)
	if err != nil {
		c.found(DamagedMiddle, err)
	} else if content.kind == contentSplit {
		c.splits = append(c.splits, splitState{c.v.bucket, string(name), content})
	}
}
