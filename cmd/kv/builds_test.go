package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/examples/kvstore"
	"github.com/lineshaft/lineshaft/statemachine"
)

type (
	state   = kvstore.State[codec.Raw]
	machine = statemachine.Machine[state, kvstore.Input, kvstore.Output]
)

// builds are other versions of the program, by what beTheProgram is set to.
var builds = map[string]func(bool) statemachine.Server{
	"version 2": other(func(m *machine) { m.Version = 2 }),
	"version 3, migrating": other(func(m *machine) {
		m.Version = 3
		m.Migrate = func(from int, saved statemachine.Saved) (state, error) {
			s, err := statemachine.Decode(saved, m.State)
			if err != nil {
				return s, err
			}
			return s.Set("migrated", raw("true")), nil
		}
	}),
	"doubling": other(func(m *machine) { // what is stored under "double" is stored twice
		step := m.Step
		m.Step = func(in kvstore.Input, s state, fx *statemachine.Effects[kvstore.Output]) (state, kvstore.Output) {
			s, out := step(in, s, fx)
			if in, ok := in.(kvstore.Store[codec.Raw]); ok && in.Key == "double" {
				s = s.Set("doubled", in.Value)
			}
			return s, out
		}
	}),
	"denying": other(func(m *machine) { // that there was what is deleted
		step := m.Step
		m.Step = func(in kvstore.Input, s state, fx *statemachine.Effects[kvstore.Output]) (state, kvstore.Output) {
			s, out := step(in, s, fx)
			if _, ok := out.(kvstore.Deleted); ok {
				out = kvstore.Deleted{}
			}
			return s, out
		}
	}),
	"not storing": other(func(m *machine) {
		m.Input = codec.Union[kvstore.Input](codec.Case[kvstore.Lookup]("lookup"), codec.Case[kvstore.Delete]("delete"))
	}),
}

func other(change func(*machine)) func(bool) statemachine.Server {
	return func(deliberateBug bool) statemachine.Server {
		m := kvstore.New[codec.Raw](kvstore.Options{DeliberateBug: deliberateBug})
		change(m)
		return m
	}
}

func raw(text string) codec.Raw {
	r, err := codec.ParseRaw([]byte(text))
	if err != nil {
		panic(err)
	}
	return r
}

// as has a command be another build.
func as(build string, cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(cmd.Env, beTheProgram+"="+build)
	return cmd
}

// result is how a command has ended.
type result struct {
	status      int
	out, errors string
}

func run(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errors.String()}
}

// fails checks that a command has failed, with one line that says all of these.
func (r result) fails(t *testing.T, status int, says ...string) {
	t.Helper()
	ok := r.status == status && strings.HasPrefix(r.errors, "kv: ") && strings.Count(r.errors, "\n") == 1
	for _, text := range says {
		ok = ok && strings.Contains(r.errors, text)
	}
	if !ok {
		t.Errorf("status %d, stdout %q, stderr %q; want %d and one line with %q", r.status, r.out, r.errors, status, says)
	}
}

// succeeds checks that a command has succeeded, and what it has printed.
func (r result) succeeds(t *testing.T, says ...string) {
	t.Helper()
	ok := r.status == 0 && r.errors == ""
	for _, text := range says {
		ok = ok && strings.Contains(r.out, text)
	}
	if !ok {
		t.Errorf("status %d, stdout %q, stderr %q; want 0 and %q", r.status, r.out, r.errors, says)
	}
}

// unchanged returns a function that checks that the file at path is as it was, and that
// nothing else is beside it.
func unchanged(t *testing.T, path string) func() {
	t.Helper()
	look := func() (all string) {
		t.Helper()
		content, err := os.ReadFile(path)
		info, failed := os.Stat(path)
		entries, unread := os.ReadDir(filepath.Dir(path))
		if err := errors.Join(err, failed, unread); err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all += e.Name() + " "
		}
		return fmt.Sprintf("%x %v %v", sha256.Sum256(content), info.ModTime(), all)
	}
	before := look()
	return func() {
		t.Helper()
		if after := look(); after != before {
			t.Errorf("%s has changed: %s\nwas %s", path, after, before)
		}
	}
}

// stored kills a server that has stored what the tests of a file look for, and
// returns its file. It has inputs behind the snapshot of what was saved before.
func stored(t *testing.T) string {
	t.Helper()
	path := t.TempDir() + "/kv.db"
	c := client(t)
	p := serving(t, "--data="+path)
	wantAnswer(t, c, p.url, "kv1", `{"store":{"key":"old","value":"saved whole"}}`, `{"ok":{}}`)
	if status := p.end(t); status != 0 {
		t.Fatalf("status %d\n%s", status, p.stderr)
	}
	p = serving(t, "--data="+path)
	for _, in := range [][3]string{
		{"kv1", `{"store":{"key":"x","value":[1,{"a":"ü<&>"}]}}`, `{"ok":{}}`},
		{"kv2", `{"store":{"key":"double","value":12345678901234567890}}`, `{"ok":{}}`},
		{"kv2", `{"store":{"key":"gone","value":null}}`, `{"ok":{}}`},
		{"kv2", `{"delete":{"key":"gone"}}`, `{"deleted":{"found":true}}`},
		{"kv1", `{"store":{"key":"x","value":2}}`, `{"ok":{}}`},
	} {
		wantAnswer(t, c, p.url, in[0], in[1], in[2])
	}
	p.kill()
	return path
}
