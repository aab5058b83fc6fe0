package boltlog_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// check checks, and returns the problems beside what Check returns.
func check(path string) (boltlog.Summary, []string, error) {
	var problems []string
	sum, err := boltlog.Check(path, nil, func(p boltlog.Problem) { problems = append(problems, p.Err.Error()) })
	return sum, problems, err
}

// variedLog makes a file with split states and application state, small states, and 12 batches behind the snapshot, the
// content of each of which begins with "<batch N>".
func variedLog(t *testing.T, path string) {
	t.Helper()
	log, err := boltlog.Open(path, boltlog.Options{InitialMmapBytes: 1 << 15})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		add(t, log, fmt.Appendf(nil, "<batch %d>%s", i+1, strings.Repeat("b", 3000)))
	}
	states := map[string]string{"large": "<large>" + strings.Repeat("l", 300_000), "other": strings.Repeat("o", 20_000)}
	for i := range 400 {
		states[fmt.Sprintf("small %03d", i)] = fmt.Sprintf("<small %d>", i)
	}
	save(t, log, journal.Update{Index: 8, Time: 1, App: []byte("<app>" + strings.Repeat("a", 200_000)), States: putAll(states)})
	closeLog(t, log)
	mustBeTidy(t, path)
}

func TestCheckIntact(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	variedLog(t, path)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	calls, last, most := 0, int64(0), int64(0)
	sum, err := boltlog.Check(path, func(done, total int64) {
		if done < last || done > total || total != most && most != 0 {
			t.Errorf("progress %d of %d after %d of %d", done, total, last, most)
		}
		calls, last, most = calls+1, done, total
	}, func(p boltlog.Problem) { t.Error(p.Err) })
	if err != nil || last != most || last == 0 {
		t.Errorf("error %v, %d of %d bytes", err, last, most)
	}
	stateBytes := int64(7 + 300_000 + 20_000 + 5 + 200_000)
	for i := range 400 {
		stateBytes += int64(len(fmt.Sprintf("<small %d>", i)))
	}
	want := boltlog.Summary{Version: 2, FileBytes: int64(len(before)), InUseBytes: sum.InUseBytes, Snapshot: 8, States: 402,
		StateBytes: stateBytes, Batches: 12, BatchBytes: sum.BatchBytes, Entries: 12, Last: 20}
	if sum != want || sum.InUseBytes == 0 || sum.BatchBytes < 12*3000 {
		t.Errorf("%+v; want %+v", sum, want)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("Check has changed the file (error %v)", err)
	}
}

// TestCheckDamage damages what can be told where it is, and checks that Check tells.
func TestCheckDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	variedLog(t, path)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tail, middle := boltlog.DamagedTail, boltlog.DamagedMiddle
	for _, test := range []struct {
		texts   []string // damaged each at its end, where it is in use last
		damage  boltlog.Damage
		problem []string
	}{
		{[]string{"<batch 9>"}, middle, []string{"batch 9: damaged: at byte 0: CRC32C", "batch 9 cannot be read, and later ones are there"}},
		{[]string{"<batch 19>"}, middle, []string{"batch 19 cannot be read, and later ones are there"}},
		{[]string{"<batch 20>"}, tail, []string{"batch 20: damaged", "the last batch 20 cannot be read"}},
		{[]string{"<batch 18>", "<batch 19>", "<batch 20>"}, tail, []string{"the last batches 18 to 20 cannot be read"}},
		{[]string{"<batch 12>", "<batch 20>"}, middle, []string{"batch 12 cannot be read, and later", "the last batch 20 cannot be read"}},
		{[]string{"<small 77>"}, middle, []string{`state of "small 077": damaged: CRC32C`}},
		{[]string{"<large>"}, middle, []string{"part 0000000000000002000000010000", `state of "large": its parts are not what they were`}},
		{[]string{"<app>"}, middle, []string{"application state: its parts are not"}},
		{[]string{"<batch 20>", "<small 1>"}, middle, []string{"the last batch 20", `state of "small 001"`}},
	} {
		t.Run(strings.Join(test.texts, ""), func(t *testing.T) {
			bad := bytes.Clone(sound)
			for _, text := range test.texts {
				for rest := bad; ; { // older copies may lie in free pages
					i := bytes.Index(rest, []byte(text))
					if i < 0 {
						break
					}
					rest[i+1] ^= 0x10
					rest = rest[i+1:]
				}
			}
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			sum, problems, err := check(path)
			if !errors.Is(err, journal.ErrDamaged) || sum.Damage != test.damage || sum.Problems != len(problems) {
				t.Errorf("%v, %+v; want %v", err, sum, test.damage)
			}
			if !strings.Contains(err.Error(), test.damage.String()) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is not one line with %q", err, test.damage)
			}
			for _, want := range test.problem {
				if !strings.Contains(strings.Join(problems, "\n"), want) {
					t.Errorf("no problem has %q: %q", want, problems)
				}
			}
		})
	}
}

// TestMetas damages either meta page: a byte of it, or more. What of that means that the last commit is lost is refused;
// what may mean so is told.
func TestMetas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	variedLog(t, path)
	log := open(t, path)
	want := read(t, log)
	if log.Torn() != nil {
		t.Errorf("an intact file is torn: %v", log.Torn())
	}
	closeLog(t, log)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const pageSize, txid, sum = 4096, 16 + 48, 16 + 56
	newer := 0
	if binary.NativeEndian.Uint64(sound[pageSize+txid:]) > binary.NativeEndian.Uint64(sound[txid:]) {
		newer = 1
	}
	for _, test := range []struct {
		page, at int // in the page
		bad      []byte
		problem  string
		refused  bool
		torn     bool
	}{
		{newer, txid - 8, []byte{0xaa}, "meta page %d: a byte of it was changed since the last commit, which is lost", true, false},
		{newer, sum + 7, []byte{0xaa}, "meta page %d: a byte of it was changed since the last commit, which is lost", true, false},
		{newer, 16, []byte{0xaa}, "meta page %d: a byte of it was changed since the last commit, which is lost", true, false},
		{1 - newer, txid - 8, []byte{0xaa}, "meta page %d: a byte of it was changed; the other one is newer", false, false},
		{newer, sum, []byte{0xaa, 0xaa}, "meta page %d: a commit was cut short, or is lost", false, true},
		{newer, 16, make([]byte, 496), "meta page %d: a commit was cut short, or is lost", false, true},
		{1 - newer, 16, make([]byte, 496), "meta page %d: a commit was cut short, or is lost", false, true},
	} {
		bad := bytes.Clone(sound)
		copy(bad[test.page*pageSize+test.at:], test.bad)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("byte %d of meta page %d", test.at, test.page)
		sum, problems, err := check(path)
		problem := fmt.Sprintf(test.problem, test.page)
		if err == nil || sum.Damage != boltlog.DamagedTail || len(problems) != 1 || !strings.Contains(problems[0], problem) {
			t.Errorf("%s: %v, %v, %q; want %q", what, err, sum.Damage, problems, problem)
		}
		for _, readOnly := range []bool{true, false} {
			log, err := boltlog.Open(path, boltlog.Options{ReadOnly: readOnly})
			if test.refused {
				if !errors.Is(err, journal.ErrDamaged) || !strings.Contains(err.Error(), problem) {
					t.Errorf("%s: Open: %v; want %q", what, err, problem)
				}
				if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, bad) {
					t.Errorf("%s: the file was changed (error %v)", what, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			if torn := log.Torn(); test.torn != (torn != nil) || torn != nil &&
				(!errors.Is(torn, journal.ErrDamaged) || !strings.HasPrefix(torn.Error(), "journal file "+path+": ") || !strings.Contains(torn.Error(), problem)) {
				t.Errorf("%s: torn: %v", what, torn)
			}
			if got := read(t, log); test.page != newer && !reflect.DeepEqual(got, want) {
				t.Errorf("%s: it holds index %d, %d batches", what, got.index, len(got.batches))
			}
			closeLog(t, log)
		}
	}
}

// TestCheckEveryPage flips a bit in every page, at its head and somewhere, and cuts the file before it: whatever that
// does, Check tells, or the file holds what it held.
func TestCheckEveryPage(t *testing.T) {
	const pageSize = 4096
	r := random(t)
	path := filepath.Join(t.TempDir(), "journal")
	variedLog(t, path)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	log := open(t, path)
	want := read(t, log)
	closeLog(t, log)
	for page := range len(sound) / pageSize {
		for _, at := range []int{r.IntN(16), r.IntN(256), r.IntN(pageSize)} {
			at += page * pageSize
			outcome := damageAt(t, path, sound, at, []byte{sound[at] ^ 1<<r.IntN(8)}, want, want)
			if strings.HasPrefix(outcome, "lost") {
				t.Fatalf("byte %d: %s", at, outcome)
			}
		}
		if page < 2 {
			continue // no bbolt file
		}
		if err := os.WriteFile(path, sound[:page*pageSize], 0o600); err != nil {
			t.Fatal(err)
		}
		sum, problems, err := check(path)
		_, opened := boltlog.Open(path, boltlog.Options{})
		if (opened == nil) != (err == nil) || err != nil && (len(problems) == 0 || sum.Damage == boltlog.Intact) {
			t.Errorf("cut to %d pages: Open says %v, Check %v, %q", page, opened, err, problems)
		}
		if opened == nil { // all that was in use is there: Open has changed nothing
			break
		}
		if err := os.WriteFile(path, sound, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCheckRefuses checks what is no journal, or in use.
func TestCheckRefuses(t *testing.T) {
	for _, test := range refusedFiles {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "dir")
			path := filepath.Join(dir, "kv.journal")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			test.make(t, path)
			sum, problems, err := check(path)
			if !errors.Is(err, test.want) || !strings.HasPrefix(err.Error(), "journal file "+path+": ") {
				t.Fatalf("%v; want %v", err, test.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is not one line", err)
			}
			if sum.Damage != boltlog.Intact && len(problems) == 0 || sum.Damage == boltlog.Intact && len(problems) > 0 {
				t.Errorf("%v and %q", sum.Damage, problems)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "nothing")
	if _, _, err := check(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v; want ErrNotExist", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("Check has made a file")
	}
}
