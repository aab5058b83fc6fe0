package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

const exported = `{"process":"kv1","state":{"old":"saved whole","x":2}}
{"process":"kv2","state":{"double":12345678901234567890}}
{"process":"kv3","state":{}}
`

// damage returns a copy of the file at path, changed.
func damage(t *testing.T, path string, change func([]byte) []byte) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(t.TempDir(), "damaged.db")
	if err := os.WriteFile(damaged, change(bytes.Clone(data)), 0o600); err != nil {
		t.Fatal(err)
	}
	return damaged
}

// What a file is, whatever it is, is one line and a status; nothing changes it.
func TestCheck(t *testing.T) {
	t.Parallel()
	path := stored(t)
	same := unchanged(t, path)
	run(t, command("check", path)).succeeds(t, path+" is intact", "3 states", "6 batches of 6 entries")
	same()

	flip := func(text string) func([]byte) []byte {
		return func(b []byte) []byte {
			changed := bytes.ReplaceAll(b, []byte(text), append([]byte{text[0] ^ 4}, text[1:]...)) // also in pages that are free
			if bytes.Equal(changed, b) {
				t.Fatalf("%q is not in the file", text)
			}
			return changed
		}
	}
	for name, tt := range map[string]struct {
		file, line, says string
	}{
		"a batch":       {damage(t, path, flip("ü<&>")), "batch 5: damaged", "damaged before its end, 2 problems"},
		"a state":       {damage(t, path, flip("saved whole")), `state of "kv1"`, "damaged before its end, 1 problem"},
		"truncated":     {damage(t, path, func(b []byte) []byte { return b[:len(b)/2] }), "damaged: ", "damaged"},
		"of half pages": {damage(t, path, func(b []byte) []byte { return b[:len(b)/2-100] }), "damaged: ", "damaged"},
	} {
		same := unchanged(t, tt.file)
		r := run(t, command("check", tt.file))
		r.fails(t, 1, tt.file, tt.says)
		if !strings.Contains(r.out, tt.line) {
			t.Errorf("%s: stdout %q, want %q", name, r.out, tt.line)
		}
		for _, tool := range []string{"export", "replay"} {
			if r := run(t, command(tool, tt.file)); r.status != 1 && r.status != 2 || !strings.Contains(r.errors, "damaged") || strings.Count(r.errors, "\n") != 1 {
				t.Errorf("%s, kv %s: %+v", name, tool, r)
			}
		}
		same()
	}
}

// Not even the first pages of a file are read for a journal's where it is none.
func TestCheckOfNoJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	foreign := filepath.Join(dir, "foreign.db")
	db, err := bolt.Open(foreign, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	locked := filepath.Join(dir, "locked.db")
	serving(t, "--data="+locked)
	for path, says := range map[string]string{
		file("garbage.db", bytes.Repeat([]byte("garbage "), 2000)): "not a journal",
		file("empty.db", nil):         "it is empty",
		file("short.db", []byte("x")): "",
		foreign:                       "of another program",
		dir:                           "it is a directory",
		locked:                        "locked by another process",
		filepath.Join(dir, "none.db"): "no such file",
	} {
		for _, tool := range []string{"check", "export", "replay"} {
			r := run(t, command(tool, path))
			if path == file("short.db", []byte("x")) && r.status == 1 { // too short for a page: damaged, or none
				continue
			}
			r.fails(t, 2, path, says)
		}
		r := run(t, command("backup", "--data="+path, filepath.Join(dir, "copy.db")))
		r.fails(t, 1, path, says)
	}
	for _, made := range []string{"none.db", "copy.db"} {
		if _, err := os.Stat(filepath.Join(dir, made)); err == nil {
			t.Errorf("%s was made", made)
		}
	}
}

// What another program keeps in a bbolt file is refused by whatever is given it,
// and stays as it is.
func TestForeignFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 { // with free pages, and a list of them
		err := db.Update(func(tx *bolt.Tx) error {
			users, err := tx.CreateBucketIfNotExists([]byte("users"))
			if err != nil {
				return err
			}
			one, err := users.CreateBucket(fmt.Append(nil, "user ", i))
			if err != nil {
				return err
			}
			return errors.Join(one.Put([]byte("name"), bytes.Repeat([]byte("x"), 100*i)), tx.Bucket([]byte("users")).Put([]byte("last"), one.Get([]byte("name"))))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	const says = "not a journal: it is a bbolt file of another program, not a data file of Lineshaft"
	made := filepath.Join(t.TempDir(), "made.db")
	same := unchanged(t, path)
	for _, args := range [][]string{{"check", path}, {"export", path}, {"replay", path}, {"replay", path, "--record=" + made}} {
		run(t, command(args...)).fails(t, 2, path, says)
	}
	for _, args := range [][]string{{"serve", "--addr=127.0.0.1:0", "--data=" + path}, {"backup", "--data=" + path, made}} {
		run(t, command(args...)).fails(t, 1, path, says)
	}
	run(t, command("restore", path, made)).fails(t, 1, made, "not restored: the copy: "+says)
	same()
	if entries, err := os.ReadDir(filepath.Dir(made)); err != nil || len(entries) > 0 {
		t.Errorf("made: %v, %v", entries, err)
	}
}

// What is intact and means nothing to this program is told, record by record.
func TestCheckOfRecords(t *testing.T) {
	t.Parallel()
	path := stored(t)
	file, err := boltlog.Open(path, boltlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b journal.Builder
	b.Reset(1)
	for i := range problemsMax + 10 {
		if err := b.Add(journal.KindInput, fmt.Sprintf("kv%d", 1+i%9), []byte("\xc1")); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error)
	file.Append(b.Seal(), func(_ uint64, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	same := unchanged(t, path)
	r := run(t, command("check", path))
	r.fails(t, 1, path, "intact, but 110 things in it cannot be read by this program")
	if !strings.Contains(r.out, "entry 1: the input of kv1: ") || !strings.Contains(r.out, "entry 4: kv4 is no durable process") ||
		!strings.HasSuffix(r.out, "\nand 10 more\n") || strings.Count(r.out, "\n") != problemsMax+1 {
		t.Errorf("stdout %s", r.out)
	}
	run(t, command("replay", path)).fails(t, 1, path, "entry 1: the input of kv1: ")
	run(t, command("export", path)).fails(t, 1, path, "entry 1: the input of kv1: ")
	run(t, command("--addr=127.0.0.1:0", "--data="+path)).fails(t, 1, "entry 1: the input of kv1: ")
	same()
	r = run(t, as("not storing", command("check", stored(t))))
	r.fails(t, 1, "intact, but 4 things")
}

// The tools read what nobody may write, beside each other; a server is told so.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	path := stored(t)
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := errors.Join(os.Chmod(path, 0o444), os.Chmod(filepath.Dir(path), 0o555)); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Dir(path), 0o700)
	same := unchanged(t, path)
	reader, err := boltlog.Open(path, boltlog.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	run(t, command("check", path)).succeeds(t, "is intact")
	run(t, command("export", path)).succeeds(t, exported)
	run(t, command("replay", path)).succeeds(t, "8 steps replayed")
	run(t, command("backup", "--data="+path, copied)).succeeds(t, "bytes, intact")
	if os.Geteuid() == 0 { // who may write it nevertheless
		run(t, command("--addr=127.0.0.1:0", "--data="+path)).fails(t, 1, path, "locked by another process")
	} else {
		run(t, command("--addr=127.0.0.1:0", "--data="+path)).fails(t, 1, path, "permission denied")
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	same()
}

func TestExport(t *testing.T) {
	t.Parallel()
	path := stored(t)
	same := unchanged(t, path)
	if r := run(t, command("export", path)); r.status != 0 || r.out != exported || r.errors != "" {
		t.Errorf("%+v", r)
	}
	same()
}

// A copy of a running server is a file like any other.
func TestBackup(t *testing.T) {
	t.Parallel()
	path := stored(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	run(t, command("backup", "--data="+path, at("offline.db"))).succeeds(t, at("offline.db"), "bytes, intact")

	p := serving(t, "--data="+path)
	addr := "--addr=" + strings.TrimPrefix(p.url, "http://")
	run(t, command("backup", addr, at("copy.db"))).succeeds(t, at("copy.db"), "bytes, intact")
	wantAnswer(t, client(t), p.url, "kv3", `{"store":{"key":"later","value":1}}`, `{"ok":{}}`)
	run(t, command("backup", addr, at("copy.db"))).fails(t, 1, at("copy.db"), "already exists")
	run(t, command("backup", "--data="+path, at("locked.db"))).fails(t, 1, path, "locked by another process")
	run(t, command("restore", path, at("locked.db"))).fails(t, 1, path, "locked by another process")
	run(t, command("backup", "--addr=127.0.0.1:1", at("none.db"))).fails(t, 1, "127.0.0.1:1", "connection refused")

	run(t, command("restore", at("copy.db"), at("restored.db"))).succeeds(t, at("restored.db"), "bytes, intact")
	for _, name := range []string{"offline.db", "copy.db", "restored.db"} {
		run(t, command("check", at(name))).succeeds(t, "is intact")
		if r := run(t, command("export", at(name))); r.out != exported {
			t.Errorf("%s: %+v", name, r)
		}
	}
	wantAnswer(t, client(t), serving(t, "--data="+at("restored.db")).url, "kv1", `{"lookup":{"key":"x"}}`, `{"result":{"found":true,"value":2}}`)

	same := unchanged(t, at("offline.db"))
	run(t, command("restore", at("copy.db"), at("offline.db"))).fails(t, 1, at("offline.db"), "already exists")
	same()
	half := damage(t, at("copy.db"), func(b []byte) []byte { return b[:len(b)/2] })
	run(t, command("restore", half, at("half.db"))).fails(t, 1, at("half.db"), "not restored")
	run(t, command("restore", at("no.db"), at("half.db"))).fails(t, 1, at("no.db"), "no such file")
	run(t, command("restore", dir, at("half.db"))).fails(t, 1, dir, "not a regular file")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("%v, %v: want the three copies", entries, err)
	}
}

// Where there is no backup a server says so.
func TestBackupOff(t *testing.T) {
	t.Parallel()
	copied := filepath.Join(t.TempDir(), "copy.db")
	for _, args := range [][]string{{"--durability=none"}, {"--backup=off"}} {
		p := serving(t, append(args, "--data="+filepath.Join(t.TempDir(), "kv.db"))...)
		run(t, command("backup", "--addr="+strings.TrimPrefix(p.url, "http://"), copied)).fails(t, 1, "this server gives no backup")
	}
	p := serving(t, "--addr=0.0.0.0:0", "--data="+filepath.Join(t.TempDir(), "kv.db"))
	addr := "--addr=127.0.0.1" + p.url[strings.LastIndex(p.url, ":"):]
	run(t, command("backup", addr, copied)).fails(t, 1, "this server gives no backup")
	p = serving(t, "--addr=0.0.0.0:0", "--backup=on", "--data="+filepath.Join(t.TempDir(), "kv.db"))
	addr = "--addr=127.0.0.1" + p.url[strings.LastIndex(p.url, ":"):]
	run(t, command("backup", addr, copied)).succeeds(t, copied)
	run(t, command("--backup=perhaps")).fails(t, 2, "--backup")
}

// A trace of one build says where another one parts from it.
func TestReplay(t *testing.T) {
	t.Parallel()
	path := stored(t)
	same := unchanged(t, path)
	recorded := filepath.Join(t.TempDir(), "trace")
	run(t, command("replay", path)).succeeds(t, path+": 8 steps replayed, in ")
	run(t, command("replay", path, "--record="+recorded)).succeeds(t, "8 steps recorded in "+recorded)
	run(t, command("replay", path, "--record="+recorded)).fails(t, 2, recorded, "file exists")
	run(t, command("replay", path, "--against="+recorded)).succeeds(t, "8 steps are as recorded in "+recorded)
	run(t, command("replay", path, "--against="+recorded, "--record=x")).fails(t, 2, "--against")

	r := run(t, as("doubling", command("replay", path, "--against="+recorded)))
	r.fails(t, 1, path, "this build differs from the one that has recorded "+recorded)
	for _, want := range []string{
		`the states differ first at batch `, `: kv2 ← {"store":{"key":"double","value":12345678901234567890}}` + "\n",
		"  recorded  nothing else\n", "  now       /doubled: new: 12345678901234567890\n",
	} {
		if !strings.Contains(r.out, want) || strings.Contains(r.out, "outputs") {
			t.Errorf("stdout %s, want %q", r.out, want)
		}
	}
	r = run(t, as("denying", command("replay", path, "--against="+recorded)))
	r.fails(t, 1, "this build differs")
	for _, want := range []string{
		`the outputs differ first at batch `, `: kv2 ← {"delete":{"key":"gone"}}` + "\n",
		`  recorded  {"deleted":{"found":true}}` + "\n", `  now       {"deleted":{"found":false}}` + "\n",
	} {
		if !strings.Contains(r.out, want) || strings.Contains(r.out, "states") {
			t.Errorf("stdout %s, want %q", r.out, want)
		}
	}
	for _, args := range [][]string{{}, {"--against=" + recorded}, {"--record=" + recorded + "2"}} {
		run(t, as("not storing", command(append([]string{"replay", path}, args...)...))).fails(t, 1, path, "the input of kv1: ", `"store"`)
	}
	if _, err := os.Stat(recorded + "2"); err == nil {
		t.Error("half a trace was left")
	}
	run(t, command("replay", path, "--against="+path)).fails(t, 2, path, "not a trace")
	run(t, command("replay", path, "--against="+recorded+"3")).fails(t, 2, recorded+"3", "no such file")
	run(t, command("replay", path, "--against="+filepath.Dir(path))).fails(t, 2, filepath.Dir(path))
	same()
}

// A state of another version is refused, and the file stays as it is, by a server
// and by the tools; one that can be migrated is.
func TestVersions(t *testing.T) {
	t.Parallel()
	path := stored(t)
	same := unchanged(t, path)
	trace := filepath.Join(t.TempDir(), "trace")
	run(t, command("replay", path, "--record="+trace)).succeeds(t)
	const refusal = "the saved state of kv1: the saved state is of another version: 0, and the machine, at 2, has no Migrate"
	for _, args := range [][]string{{"--addr=127.0.0.1:0", "--data=" + path}, {"--addr=127.0.0.1:0", "--data=" + path, "--durability=shutdown"},
		{"export", path}, {"replay", path}, {"replay", path, "--against=" + trace}} {
		run(t, as("version 2", command(args...))).fails(t, 1, refusal)
	}
	r := run(t, as("version 2", command("check", path)))
	r.fails(t, 1, "intact, but 3 things")
	if !strings.Contains(r.out, refusal) {
		t.Errorf("stdout %q", r.out)
	}
	same()

	run(t, as("version 3, migrating", command("check", path))).succeeds(t, "is intact")
	r = run(t, as("version 3, migrating", command("replay", path, "--against="+trace)))
	r.fails(t, 1, "this build differs")
	if !strings.Contains(r.out, "  now       /migrated: new: true\n") {
		t.Errorf("stdout %s", r.out)
	}
	same()
	p := servingAs(t, "version 3, migrating", "--data="+path)
	for _, key := range []string{"x", "old", "migrated"} {
		if _, body, err := post(client(t), p.url, "kv1", `{"lookup":{"key":"`+key+`"}}`); err != nil || !strings.Contains(body, `"found":true`) {
			t.Errorf("%s: %s, %v", key, body, err)
		}
	}
	if status := p.end(t); status != 0 {
		t.Errorf("status %d\n%s", status, p.stderr)
	}
	same = unchanged(t, path)
	run(t, command("--addr=127.0.0.1:0", "--data="+path)).fails(t, 1,
		"the saved state of kv1: the saved state is of another version: 3, newer than the machine's 0")
	same()
}

func TestProgress(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, "checking")
	p.next = time.Time{}
	p.tell(1, 2)
	p.clear()
	if b.Len() > 0 {
		t.Errorf("drawn on no terminal: %q", b.String())
	}
	p.to = &b
	p.tell(1<<20, 4<<20)
	p.tell(2<<20, 4<<20) // too soon
	p.next = time.Time{}
	p.tell(9<<20, 4<<20)
	p.next = time.Time{}
	p.tell(3<<19, 0)
	p.clear()
	p.clear()
	const want = "\r\x1b[Kchecking [#######.......................]  25% of 4.0 MiB" +
		"\r\x1b[Kchecking [##############################] 100% of 4.0 MiB" +
		"\r\x1b[Kchecking 1.5 MiB\r\x1b[K"
	if b.String() != want {
		t.Errorf("drawn: %q", b.String())
	}
}
