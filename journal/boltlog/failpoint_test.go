package boltlog_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const gofail = "go.etcd.io/gofail@v0.2.0"

// failpoints returns the names of the failpoints in the package's source.
func failpoints(t *testing.T) (names []string) {
	t.Helper()
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	point := regexp.MustCompile(`(?m)^\s*// gofail: var (\w+) struct\{\}$`)
	for _, file := range sources {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range point.FindAllSubmatch(src, -1) {
			if !strings.HasSuffix(file, "_test.go") {
				names = append(names, string(m[1]))
			}
		}
	}
	return names
}

// TestFailpointsNamed sees to it that the documentation names each, and no other.
func TestFailpointsNamed(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, m := range regexp.MustCompile(`(?m)^//\t(\w+) {2,}\S`).FindAllSubmatch(doc, -1) {
		named = append(named, string(m[1]))
	}
	names := failpoints(t)
	if len(names) == 0 || !slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(named))) {
		t.Errorf("the source has %q, the documentation %q", names, named)
	}
}

// TestFailpoints builds the child of TestKill with its failpoints, has it die at each, the first or a later time that it
// gets there, and looks at what is left. It needs the go command, and gofail from the module proxy or the cache.
func TestFailpoints(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	child := buildWithFailpoints(t)
	r := random(t)
	k := killed{path: filepath.Join(t.TempDir(), "journal")}
	for _, name := range failpoints(t) {
		times := r.IntN(3)
		cmd := exec.Command(child, "-test.run=^TestKillChild$")
		cmd.Env = []string{fmt.Sprintf("GOFAIL_FAILPOINTS=%s=%d*off->panic", name, times)}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		k.run(t, cmd, -1)
		if !strings.Contains(stderr.String(), "failpoint panic") {
			t.Fatalf("%s: the child has died of something else: %s", name, &stderr)
		}
		t.Logf("%s, after %d times", name, times)
		k.check(t)
	}
}

// buildWithFailpoints builds this test, with the failpoints in a copy of the module enabled, and returns its file.
func buildWithFailpoints(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "journal"} {
		if err := copyAll(filepath.Join("..", "..", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"go", "get", gofail},
		{"go", "run", gofail, "enable", "journal/boltlog"},
		{"go", "test", "-c", "-o", "child", "./journal/boltlog"},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			if args[1] == "get" {
				t.Skipf("gofail cannot be had here: %v: %s", err, out)
			}
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	return filepath.Join(dir, "child")
}

// copyAll copies a file, or the files below a directory.
func copyAll(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(dst, 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(dst, b, 0o600)
	})
}
