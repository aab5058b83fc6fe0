package boltlog_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// edit changes a file with bbolt itself, as another program would.
func edit(t *testing.T, path string, change func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(change); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// layer1 is the bucket where the states of a file are that has had no large Save.
const layer1 = "layer-0000000000000001"

// someLog makes a journal with a snapshot, states and batches.
func someLog(t *testing.T, path string) {
	t.Helper()
	log, err := boltlog.Open(path, boltlog.Options{InitialMmapBytes: 1 << 15}) // keeps the file small
	if err != nil {
		t.Fatal(err)
	}
	add(t, log, []byte("one"))
	add(t, log, []byte("two"))
	save(t, log, journal.Update{Index: 1, Time: 1, App: []byte("app"), States: put("p", []byte("state"))})
	add(t, log, []byte("three"))
	closeLog(t, log)
}

// files returns everything below dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What makes the files that Open refuses.

func write(content []byte) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func edited(change func(*bolt.Tx) error) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		someLog(t, path)
		edit(t, path, change)
	}
}

func cut(size int64) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		someLog(t, path)
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
}

// refusedFiles are what is no intact journal.
var refusedFiles = []struct {
	name string
	make func(t *testing.T, path string)
	want error
	text string
}{
	{"directory", func(t *testing.T, path string) {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}, journal.ErrFormat, "it is a directory"},
	{"empty", write(nil), journal.ErrFormat, "it is empty"},
	{"short text", write([]byte("hello\n")), journal.ErrFormat, "it is not a bbolt file"},
	{"garbage", write(bytes.Repeat([]byte("garbage "), 10_000)), journal.ErrFormat, "it is not a bbolt file"},
	{"zeros", write(make([]byte, 1<<15)), journal.ErrFormat, "it is not a bbolt file"},
	{"empty bbolt file", func(t *testing.T, path string) {
		edit(t, path, func(*bolt.Tx) error { return nil })
	}, journal.ErrFormat, "it is a bbolt file of another program"},
	{"bbolt file of another program", func(t *testing.T, path string) {
		edit(t, path, func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket([]byte("batches"))
			if err != nil {
				return err
			}
			return b.Put([]byte("k"), make([]byte, 10_000))
		})
	}, journal.ErrFormat, "it is a bbolt file of another program"},
	{"newer version", edited(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("lineshaft")).Put([]byte("format"), []byte{0, 0, 0, 3})
	}), journal.ErrVersion, "3 where this program reads 1 and 2"},
	{"odd version", edited(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("lineshaft")).Put([]byte("format"), []byte("one"))
	}), journal.ErrDamaged, "a format version of 3 bytes"},
	{"without states", edited(func(tx *bolt.Tx) error {
		return tx.DeleteBucket([]byte(layer1))
	}), journal.ErrDamaged, `bucket "layer-0000000000000001" is missing`},
	{"without the first batch", edited(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("batches")).Delete(binary.BigEndian.AppendUint64(nil, 2))
	}), journal.ErrDamaged, "batch 0000000000000003 where batch 2 was"},
	{"without the last batch", edited(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("batches")).Delete(binary.BigEndian.AppendUint64(nil, 3))
	}), journal.ErrDamaged, "batch 0000000000000002 where batch 3 was"},
	{"without any batch", edited(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("batches"))
		return errors.Join(b.Delete(binary.BigEndian.AppendUint64(nil, 2)), b.Delete(binary.BigEndian.AppendUint64(nil, 3)))
	}), journal.ErrDamaged, "batches 2 to 3 are missing"},
	{"changed snapshot", edited(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("lineshaft"))
		v := bytes.Clone(b.Get([]byte("snapshot")))
		v[7]++
		return b.Put([]byte("snapshot"), v)
	}), journal.ErrDamaged, "snapshot: damaged: CRC32C"},
	{"short snapshot", edited(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("lineshaft")).Put([]byte("snapshot"), make([]byte, 3))
	}), journal.ErrDamaged, "snapshot: damaged: 3 bytes are too few"},
	{"cut within the pages", cut(3 * 4096), journal.ErrDamaged, "12288 bytes are left of"},
	{"cut within the meta pages", cut(5000), journal.ErrDamaged, "too small"},
	{"cut within the first page", cut(1000), journal.ErrFormat, "it is not a bbolt file"},
	{"no directory", func(t *testing.T, path string) {
		if err := os.Remove(filepath.Dir(path)); err != nil {
			t.Fatal(err)
		}
	}, fs.ErrNotExist, "the directory "},
	{"locked", func(t *testing.T, path string) {
		log := open(t, path)
		t.Cleanup(func() { closeLog(t, log) })
	}, journal.ErrLocked, "locked by another process"},
}

// TestOpenRefuses opens them: each error is one line that names the file and says what is wrong, and nothing in the
// directory has changed.
func TestOpenRefuses(t *testing.T) {
	for _, test := range refusedFiles {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "dir")
			path := filepath.Join(dir, "kv.journal")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			test.make(t, path)
			var before map[string]string
			if test.want != fs.ErrNotExist {
				before = files(t, dir)
			}
			log, err := boltlog.Open(path, boltlog.Options{LockTimeout: -1})
			if log != nil || !errors.Is(err, test.want) {
				t.Fatalf("%v; want %v", err, test.want)
			}
			text := err.Error()
			if !strings.HasPrefix(text, "journal file "+path+": ") || !strings.Contains(text, test.text) {
				t.Errorf("%q does not name the file and %q", text, test.text)
			}
			if strings.Contains(text, "\n") || strings.Count(text, path) != 1 {
				t.Errorf("%q is not one line that names the file once", text)
			}
			if test.want != fs.ErrNotExist && !maps.Equal(files(t, dir), before) {
				t.Error("Open changed what it refused")
			}
		})
	}
}

// TestRecoverRefuses opens files whose pages are intact and whose content is not.
func TestRecoverRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*bolt.Tx) error
		text   string
	}{
		{"changed state", func(tx *bolt.Tx) error {
			return tx.Bucket([]byte(layer1)).Put([]byte("p"), []byte("state\x00CRC!"))
		}, `state of "p": damaged: CRC32C`},
		{"short state", func(tx *bolt.Tx) error {
			return tx.Bucket([]byte(layer1)).Put([]byte("p"), []byte("CRC"))
		}, `state of "p": damaged: 3 bytes are too few`},
		{"renamed state", func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(layer1))
			return errors.Join(b.Put([]byte("q"), bytes.Clone(b.Get([]byte("p")))), b.Delete([]byte("p")))
		}, `state of "q": damaged: CRC32C`},
		{"lost state", func(tx *bolt.Tx) error {
			return tx.Bucket([]byte(layer1)).Delete([]byte("p"))
		}, "0 states where there were 1"},
		{"changed batch", func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("batches"))
			key := binary.BigEndian.AppendUint64(nil, 3)
			sealed := bytes.Clone(b.Get(key))
			sealed[len(sealed)-1]++
			return b.Put(key, sealed)
		}, "; no batch behind it is intact"},
		{"changed batch in the middle", func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("batches"))
			sealed := bytes.Clone(b.Get(binary.BigEndian.AppendUint64(nil, 2)))
			sealed[len(sealed)-1]++
			return b.Put(binary.BigEndian.AppendUint64(nil, 2), sealed)
		}, "; batches behind it are intact"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kv.journal")
			someLog(t, path)
			edit(t, path, test.change)
			log := open(t, path)
			defer closeLog(t, log)
			_, err := tryRead(log)
			if !errors.Is(err, journal.ErrDamaged) || !strings.Contains(err.Error(), test.text) {
				t.Fatalf("%v; want ErrDamaged with %q", err, test.text)
			}
			if strings.Contains(test.name, "batch") && !strings.Contains(err.Error(), ": damaged: at byte 0: CRC32C") {
				t.Errorf("%q does not say what is damaged", err)
			}
			if !strings.HasPrefix(err.Error(), "journal file "+path+": ") {
				t.Errorf("%q does not name the file", err)
			}
		})
	}
}

// TestOpenWaits opens while another Log holds the file: once that is closed, Open has it.
func TestOpenWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.journal")
	first := open(t, path)
	opened := make(chan *boltlog.Log)
	go func() {
		log, err := boltlog.Open(path, boltlog.Options{LockTimeout: 1 << 40})
		if err != nil {
			t.Error(err)
		}
		opened <- log
	}()
	add(t, first, []byte("x"))
	closeLog(t, first)
	second := <-opened
	if got := read(t, second); len(got.batches) != 1 {
		t.Errorf("%d batches; want 1", len(got.batches))
	}
	closeLog(t, second)
}

// TestOpenConcurrently makes the same new file from several goroutines: each gets it in turn, and finds what those before
// have appended.
func TestOpenConcurrently(t *testing.T) {
	const openers = 4
	dir := t.TempDir()
	path := filepath.Join(dir, "kv.journal")
	indices := make(chan uint64, openers)
	for range openers {
		go func() {
			log, err := boltlog.Open(path, boltlog.Options{LockTimeout: 1 << 40})
			if err != nil {
				t.Error(err)
				indices <- 0
				return
			}
			indices <- add(t, log, []byte("x"))
			if err := log.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	var got []uint64
	for range openers {
		got = append(got, <-indices)
	}
	if slices.Sort(got); !slices.Equal(got, []uint64{1, 2, 3, 4}) {
		t.Errorf("indices %v; want 1 to 4", got)
	}
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("files are left over: %q", slices.Collect(maps.Keys(left)))
	}
}
