package boltlog_test

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

var damagesFlag = flag.Int("damages", 5000, "damages that TestDamage does; 0 for one to every byte")

// TestDamage changes a byte of a file, or zeroes a sector. Wherever it is, the program goes on, and either the damage is
// reported or nothing is lost; but for a sector of the newest meta page, without which the file is what it was one commit
// earlier, and Torn.
func TestDamage(t *testing.T) {
	const pageSize, sectorSize = 4096, 512
	r := random(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	previous, want := branchingLog(t, path)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var pages uint64 // in use at most; bbolt's meta pages say how many
	for meta := range 2 {
		pages = max(pages, binary.NativeEndian.Uint64(sound[meta*pageSize+56:]))
	}
	size := min(len(sound), int(pages)*pageSize)
	n := *damagesFlag
	if n == 0 {
		n = size
	}
	outcomes := map[string]int{}
	for i := range n {
		at := i
		if *damagesFlag != 0 {
			at = r.IntN(size)
			if r.IntN(2) == 0 {
				at = at/pageSize*pageSize + r.IntN(256) // where the structure of a page is
			}
		}
		bad := []byte{sound[at] ^ byte(1+r.IntN(255))}
		if *damagesFlag != 0 && r.IntN(10) == 0 {
			at, bad = at/sectorSize*sectorSize, make([]byte, sectorSize)
		}
		outcome := damageAt(t, path, sound, at, bad, previous, want)
		if outcome == "previous commit" && at >= 2*pageSize || strings.HasPrefix(outcome, "lost") {
			t.Fatalf("at byte %d %x became %x: %s", at, sound[at:at+len(bad)], bad, outcome)
		}
		outcome, _, _ = strings.Cut(outcome, ":")
		outcomes[outcome]++
	}
	t.Logf("%d damages to %d bytes: %v", n, size, outcomes)
	if n >= 5000 && (outcomes["refused"] == 0 || outcomes["harmless"] == 0 || outcomes["previous commit"] == 0) {
		t.Error("not every outcome was seen")
	}
}

// TestDamagedPages damages the head of each page in a way that leaves the rest of it intact.
func TestDamagedPages(t *testing.T) {
	const pageSize = 4096
	path := filepath.Join(t.TempDir(), "journal")
	previous, want := branchingLog(t, path)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		at   int // within the page
		bad  []byte
		text string
	}{
		{"another number", 0, []byte{77}, "it says that it is page 77"},
		{"flags of a meta page", 8, []byte{4}, "flags 0x4"},
		{"flags of both kinds", 8, []byte{3}, "flags 0x3"},
		{"no elements", 10, []byte{0, 0}, "a branch without a page"},
		{"many elements", 10, []byte{0xff, 0xff}, "exceed its 4096"},
		{"a further page", 12, []byte{1}, "has a place already"},
		{"many further pages", 12, []byte{0xff, 0xff, 0xff, 0xff}, "further pages exceed the file's"},
		{"a position far off", 20, []byte{0xff, 0xff, 0xff, 0x7f}, "exceeds its 4096"},
		{"a page that is none", 24, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "it is not one of the pages"},
		{"a meta page", 24, make([]byte, 8), "page 0: it is not one of the pages"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var seen []string
			for at := 2 * pageSize; at < len(sound); at += pageSize {
				outcome := damageAt(t, path, sound, at+test.at, test.bad, previous, want)
				if strings.HasPrefix(outcome, "lost") {
					t.Fatalf("page %d: %s", at/pageSize, outcome)
				}
				seen = append(seen, outcome)
			}
			if !slices.ContainsFunc(seen, func(s string) bool { return strings.Contains(s, test.text) }) {
				t.Errorf("no page's error has %q: %q", test.text, seen)
			}
		})
	}
}

func damageAt(t *testing.T, path string, sound []byte, at int, bad []byte, previous, want content) string {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := file.WriteAt(sound[at:at+len(bad)], int64(at)); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	if _, err := file.WriteAt(bad, int64(at)); err != nil {
		t.Fatal(err)
	}
	log, err := boltlog.Open(path, boltlog.Options{InitialMmapBytes: 1 << 15})
	var got content
	if err == nil {
		got, err = tryRead(log)
		closeLog(t, log)
	}
	problems := 0
	sum, checked := boltlog.Check(path, nil, func(boltlog.Problem) { problems++ })
	switch inMeta := at < 2*4096; { // an older meta page is of no use to Open, and checked all the same
	case checked != nil && !strings.HasPrefix(checked.Error(), "journal file "+path+": "):
		return fmt.Sprint("lost, or not: Check does not name the file: ", checked)
	case err != nil && checked == nil:
		return fmt.Sprint("lost: Check finds nothing where Open or Recover says: ", err)
	case err == nil && checked != nil && !inMeta:
		return fmt.Sprint("lost, or not: Check says what Open and Recover do not: ", checked)
	case errors.Is(checked, journal.ErrDamaged) && (sum.Damage == boltlog.Intact || sum.Problems != problems) && problems > 0:
		return fmt.Sprintf("lost, or not: Check says %v and %+v", checked, sum)
	}
	switch {
	case errors.Is(err, journal.ErrDamaged), errors.Is(err, journal.ErrFormat), errors.Is(err, journal.ErrVersion):
		return fmt.Sprint("refused: ", err)
	case err != nil:
		return fmt.Sprint("lost, with an error of another kind: ", err)
	case reflect.DeepEqual(got, want):
		return "harmless"
	case reflect.DeepEqual(got, previous):
		return "previous commit"
	}
	return "lost without an error"
}

// branchingLog makes a file with all that a file can have: trees of several levels, pages of several pages' size, buckets
// within a page and of their own. It returns what it held before and after its last commit.
func branchingLog(t *testing.T, path string) (previous, want content) {
	t.Helper()
	log, err := boltlog.Open(path, boltlog.Options{InitialMmapBytes: 1 << 15})
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{"large": strings.Repeat("large", 2000)}
	for i := range 100 {
		states[fmt.Sprintf("%0100d", i)] = strings.Repeat("s", 30)
	}
	for i := range 20 {
		add(t, log, fmt.Append(nil, i))
	}
	save(t, log, journal.Update{
		Index: 10, Time: 1, App: []byte("application"),
		States: func(yield func(string, journal.Encode) bool) {
			for name, state := range states {
				if !yield(name, func(dst []byte) ([]byte, error) { return append(dst, state...), nil }) {
					return
				}
			}
		},
	})
	add(t, log, make([]byte, 10_000))
	for i := range 8 {
		add(t, log, make([]byte, 1000+i))
	}
	previous = read(t, log)
	add(t, log, []byte("last"))
	want = read(t, log)
	closeLog(t, log)
	if !maps.Equal(want.states, states) || len(want.batches) != 20 {
		t.Fatalf("%d states, %d batches; want %d and 20", len(want.states), len(want.batches), len(states))
	}
	return previous, want
}
