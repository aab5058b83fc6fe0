package boltlog_test

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// compacting is a Log that compacts by itself, and what it has told.
type compacting struct {
	*boltlog.Log
	t     *testing.T
	times int
	after int64 // bytes, the last time
	err   error // the last time
}

func openCompacting(t *testing.T, path string, bytes int64) *compacting {
	t.Helper()
	c := &compacting{t: t}
	log, err := boltlog.Open(path, boltlog.Options{CompactBytes: bytes, OnCompact: func(before, after int64, err error) {
		c.times, c.after, c.err = c.times+1, after, err
		if before < bytes || err == nil && (after >= before/2 || after != fileSize(t, path)) || err != nil && after != before {
			t.Errorf("told that %d bytes became %d (error %v)", before, after, err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.Log = log
	return c
}

// checkpoint appends some MiB, and saves states of so many MiB, all that there is.
func (c *compacting) checkpoint(tail, state int) {
	c.t.Helper()
	var index uint64
	for range tail {
		index = add(c.t, c, make([]byte, 1<<20))
	}
	u := journal.Update{Index: index, States: put("state", make([]byte, state<<20))}
	save(c.t, c, u)
	c.Idle()
}

// want wants that it has compacted so many times in all.
func (c *compacting) want(times int) {
	c.t.Helper()
	if c.times != times {
		c.t.Fatalf("compacted %d times; want %d (the last: %d bytes, error %v)", c.times, times, c.after, c.err)
	}
}

// TestCompactsByItself saves large states, then small ones: the file becomes small, once, and what is usual does not have
// it compact, neither states that are saved whole again and again nor a long tail before small ones.
func TestCompactsByItself(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is in use cannot be replaced there")
	}
	const compactBytes = 20 << 20
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	log := openCompacting(t, path, compactBytes)
	for range 4 {
		log.checkpoint(1, 24)
	}
	log.want(0)
	large := fileSize(t, path)
	save(t, log, journal.Update{States: put("state", nil)}) // as of a process that has ended
	log.Idle()
	log.want(0)

	blocked := filepath.Join(path+".compact", "x")
	if err := os.MkdirAll(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	log.checkpoint(1, 1)
	log.want(1)
	if log.err == nil || !strings.HasPrefix(log.err.Error(), "journal file "+path+": compact: ") || strings.Contains(log.err.Error(), "\n") {
		t.Errorf("while it cannot write: %v", log.err)
	}
	if now := fileSize(t, path); now != large {
		t.Errorf("%d bytes were %d", now, large)
	}
	if err := os.RemoveAll(path + ".compact"); err != nil {
		t.Fatal(err)
	}
	log.checkpoint(1, 1)
	log.want(2)
	if log.err != nil || log.after > 4<<20 {
		t.Errorf("compacted to %d bytes (error %v)", log.after, log.err)
	}
	for range 4 {
		log.checkpoint(25, 1) // it needs the room each time
	}
	log.want(2)
	for range 25 {
		add(t, log, make([]byte, 1<<20))
	}
	want := read(t, log)
	closeLog(t, log.Log)
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("%d files are there", len(left))
	}

	log = openCompacting(t, path, compactBytes)
	log.checkpoint(1, 1) // as much as was in use when it was opened may be needed again
	log.want(0)
	closeLog(t, log.Log)
	log = openCompacting(t, path, -1)
	log.checkpoint(1, 1)
	log.checkpoint(1, 1)
	log.want(0)
	closeLog(t, log.Log)
	log = openCompacting(t, path, compactBytes)
	log.checkpoint(1, 1)
	log.want(1)
	if got := read(t, log); !reflect.DeepEqual(got.states, want.states) {
		t.Error("the states are not what they were")
	}
	closeLog(t, log.Log)
	if sum, problems, err := check(path); err != nil || len(problems) > 0 || sum.FileBytes > 20<<20 {
		t.Errorf("%+v, %v, %v", sum, problems, err)
	}
}

// TestCompactsUntilClosed closes while it compacts by itself: nobody is told of a failure.
func TestCompactsUntilClosed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is in use cannot be replaced there")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	log := openCompacting(t, path, 1)
	log.checkpoint(1, 60)
	save(t, log, journal.Update{Index: add(t, log, nil), States: put("state", make([]byte, 10<<20))})
	for {
		if _, err := os.Stat(path + ".compact"); err == nil || !log.Busy() {
			break
		}
	}
	closeLog(t, log.Log)
	if log.err != nil {
		t.Error(log.err)
	}
	t.Logf("compacted %d times", log.times)
	mustBeIntact(t, path)
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("%d files are there", len(left))
	}
}
