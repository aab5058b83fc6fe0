package torture_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var failTime = flag.Duration("failtime", 0, "how long TestFailpoints goes on; 0: until each failpoint had its turn")

// failpoint is one in the source, as gofail finds it.
type failpoint struct {
	name  string
	fails bool // an error can be returned there
}

var failpointComment = regexp.MustCompile(`(?m)^\s*// gofail: var (\w+) (struct\{\}|string)$`)

// Of bbolt's those that a commit passes; it has others, for what we never do.
var boltFailpoints = []string{"beforeBucketPut", "beforeSyncDataPages", "beforeSyncMetaPage", "lackOfDiskSpace", "beforeWriteMetaError"}

// buildFailing builds the program kv with the failpoints of the journal, and of
// bbolt below it, and returns its path.
func buildFailing(t *testing.T, dir string) (binary string, points []failpoint) {
	t.Helper()
	run := func(args ...string) string {
		cmd := exec.Command("go", args...)
		cmd.Dir = ".."
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, &stderr)
		}
		return strings.TrimSpace(string(out))
	}
	if err := exec.Command("go", "tool", "gofail", "--version").Run(); err != nil && os.Getenv("LINESHAFT_CI") == "" {
		t.Skipf("go tool gofail cannot be had: %v", err)
	}
	boltDir := run("list", "-m", "-f={{.Dir}}", "go.etcd.io/bbolt")
	journalDir := run("list", "-f={{.Dir}}", "./journal/boltlog")
	// gofail changes files in place, and takes a folder's name for the package's.
	bolt, journal := filepath.Join(dir, "bbolt"), filepath.Join(dir, "boltlog")
	if err := errors.Join(os.CopyFS(bolt, os.DirFS(boltDir)), os.CopyFS(journal, os.DirFS(journalDir))); err != nil {
		t.Fatal(err)
	}
	points = findFailpoints(t, journal)
	for _, p := range findFailpoints(t, bolt) {
		if slices.Contains(boltFailpoints, p.name) {
			points = append(points, p)
		}
	}
	run("tool", "gofail", "enable", bolt, journal)
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	files, err := filepath.Glob(filepath.Join(journal, "*.go"))
	for _, f := range files {
		overlay.Replace[filepath.Join(journalDir, filepath.Base(f))] = f
	}
	list, _ := json.Marshal(overlay)
	root := filepath.Dir(filepath.Dir(journalDir))
	err = errors.Join(err, os.WriteFile(filepath.Join(dir, "overlay.json"), list, 0o600),
		copyFile(filepath.Join(dir, "go.mod"), filepath.Join(root, "go.mod")),
		copyFile(filepath.Join(dir, "go.sum"), filepath.Join(root, "go.sum")))
	if err != nil {
		t.Fatal(err)
	}
	mod := filepath.Join(dir, "go.mod")
	run("mod", "edit", "-replace=go.etcd.io/bbolt="+bolt, mod)
	return buildKV(t, dir, "-modfile="+mod, "-overlay="+filepath.Join(dir, "overlay.json")), points
}

func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	return errors.Join(err, os.WriteFile(to, b, 0o600))
}

func findFailpoints(t *testing.T, dir string) (points []failpoint) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range failpointComment.FindAllStringSubmatch(string(b), -1) {
			points = append(points, failpoint{m[1], m[2] == "string"})
		}
	}
	return points
}

// TestFailpoints: see the package comment.
func TestFailpoints(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	binary, points := buildFailing(t, dir)
	if len(points) < 10+len(boltFailpoints) {
		t.Fatalf("only %v", points)
	}
	t.Logf("failpoints: %v", points)
	for round, begun := 0, time.Now(); !t.Failed() && (round == 0 || time.Since(begun) < *failTime); round++ {
		k := newKilled(t, filepath.Join(dir, fmt.Sprintf("kv%d.db", round)), binary, "--snapshot-bytes=30000", "--compact-bytes=1")
		k.rand.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		slices.SortStableFunc(points, func(a, b failpoint) int {
			return cmp.Compare(slices.Index(earlyFailpoints, b.name), slices.Index(earlyFailpoints, a.name))
		})
		for _, p := range points {
			if !t.Failed() {
				k.failAt(p)
			}
		}
		k.check()
		k.report()
	}
}

// earlyFailpoints are passed while the stores are small, or grow, and hardly later.
var earlyFailpoints = []string{"lackOfDiskSpace", "saveInPlace"}

// reachTime is how long a loaded program may take to reach a failpoint.
const reachTime = time.Minute

// failAt has the program die, or an error returned, at a failpoint.
func (k *killed) failAt(p failpoint) {
	k.lives++
	passes := k.rand.IntN(8) // how often it is passed before
	if slices.Contains(earlyFailpoints, p.name) {
		passes = 0
	}
	held := !p.fails && k.rand.IntN(2) == 0 // who gets there stands still; who is answered meanwhile, was promised something
	action := fmt.Sprintf(`panic("at %s")`, p.name)
	switch {
	case p.fails:
		action = `return("the disk is on fire")`
	case held:
		action = "1*print->sleep(600000)"
	}
	env := fmt.Sprintf("GOFAIL_FAILPOINTS=%s=%d*off->%s", p.name, passes, action)
	c := spawn(k.t, k.command, env)
	defer c.kill()
	if held {
		go func() {
			<-c.reached
			time.Sleep(50 * time.Millisecond)
			c.kill()
		}()
	}
	if url, ok := <-c.url; ok {
		k.h.settle() // nothing else: it may be over at any moment
		k.load(url, func() {
			select {
			case <-c.ended:
			case <-time.After(reachTime):
				k.t.Errorf("%s was not passed %d times", p.name, passes)
				c.kill()
			}
		})
	}
	<-c.ended
	k.wantDeath(c, p, held, env)
	k.mustBeIntact()
	if _, err := os.Stat(k.data); errors.Is(err, fs.ErrNotExist) {
		return // the first start got no further
	}
	c, url := serving(k.t, k.command)
	defer c.kill()
	k.inspect(url)
}

// wantDeath wants that the program has died of the failpoint, not of anything else.
func (k *killed) wantDeath(c *child, p failpoint, held bool, env string) {
	line, err := c.complaint()
	ok := strings.Contains(c.stderr.String(), "failpoint panic: at "+p.name)
	switch {
	case p.fails:
		ok = err == nil && strings.Contains(line, "the disk is on fire") && c.cmd.ProcessState.ExitCode() == 1
	case held:
		ok = err == nil && line == "" && !c.cmd.ProcessState.Exited()
	}
	if !ok {
		k.t.Errorf("%s: %v, it said %q: %v\n%s", env, c.cmd.ProcessState, line, err, &c.stderr)
	}
}
