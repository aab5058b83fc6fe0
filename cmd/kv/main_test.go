package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The tests run the program itself: this binary, told by the environment to be it.
const beTheProgram = "KV_TEST_MAIN"

func TestMain(m *testing.M) {
	if as := os.Getenv(beTheProgram); as != "" {
		if build := builds[as]; build != nil {
			newStore = build
		}
		main()
	}
	os.Exit(m.Run())
}

// program is a running kv.
type program struct {
	cmd    *exec.Cmd
	url    string // of a server
	lines  []string
	stderr *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), beTheProgram+"=1")
	return cmd
}

var address = regexp.MustCompile(`http://[^/,\s]+`)

// serving starts a server and waits until it listens.
func serving(t *testing.T, args ...string) *program {
	t.Helper()
	return servingAs(t, "1", args...)
}

// servingAs is serving, of another build.
func servingAs(t *testing.T, build string, args ...string) *program {
	t.Helper()
	p := &program{cmd: as(build, command(append([]string{"--addr=127.0.0.1:0"}, args...)...)), stderr: &lockedBuffer{}}
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	for r := bufio.NewScanner(out); r.Scan() && len(p.lines) < 4; {
		p.lines = append(p.lines, r.Text())
		if len(p.lines) == 4 {
			break
		}
	}
	if len(p.lines) < 4 {
		p.cmd.Wait()
		t.Fatalf("kv %v did not start:\n%s", args, p.stderr)
	}
	p.url = address.FindString(p.lines[0])
	return p
}

// kill is kill -9.
func (p *program) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// end interrupts the program and returns its exit status.
func (p *program) end(t *testing.T) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// client closes its connections with the test.
func client(t testing.TB) *http.Client {
	tr := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// post sends an input and returns status and body.
func post(c *http.Client, url, name, input string) (int, string, error) {
	res, err := c.Post(url+"/v1/call/"+name, "application/json", strings.NewReader(input))
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, string(body), err
}

func wantAnswer(t *testing.T, c *http.Client, url, name, input, want string) {
	t.Helper()
	status, body, err := post(c, url, name, input)
	if err != nil || status != http.StatusOK || body != want {
		t.Errorf("%s %s: %d %s %v, want %s", name, input, status, body, err, want)
	}
}

func TestDemo(t *testing.T) {
	want, err := os.ReadFile("testdata/transcript.txt")
	if err != nil {
		t.Fatal(err)
	}
	got, err := command("demo").Output()
	if err != nil || string(got) != string(want) {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

// The printed lines work as they are pasted into a shell.
func TestPrintedLines(t *testing.T) {
	p := serving(t, "--durability=none")
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("LINESHAFT_CI") != "" {
			t.Fatal(err)
		}
		t.Skip("curl is not installed")
	}
	for i, want := range []string{`{"ok":{}}`, `{"result":{"found":true,"value":1}}`} {
		line := p.lines[2+i]
		out, err := exec.Command("sh", "-c", strings.Replace(line, "curl", "curl -s", 1)).Output()
		if err != nil || string(out) != want {
			t.Errorf("%s\n%s %v, want %s", line, out, err, want)
		}
	}
}

func TestDurabilities(t *testing.T) {
	const x = `{"lookup":{"key":"x"}}`
	found, lost := `{"result":{"found":true,"value":{"n":12345678901234567890}}}`, `{"result":{"found":false,"value":null}}`
	tests := []struct {
		durability           string
		afterEnd, afterKill9 string
	}{
		{"none", lost, lost},
		{"shutdown", found, lost},
		{"always", found, found},
	}
	for _, tt := range tests {
		for _, orderly := range []bool{true, false} {
			c := client(t)
			args := []string{"--durability=" + tt.durability, "--data=" + filepath.Join(t.TempDir(), "kv.db")}
			p := serving(t, args...)
			wantAnswer(t, c, p.url, "kv2", `{"store":{"key":"x","value":{"n":12345678901234567890}}}`, `{"ok":{}}`)
			wantAnswer(t, c, p.url, "kv2", x, found)
			want := tt.afterKill9
			if orderly {
				want = tt.afterEnd
				if status := p.end(t); status != 0 {
					t.Errorf("%s: exit status %d\n%s", tt.durability, status, p.stderr)
				}
			} else {
				p.kill()
			}
			wantAnswer(t, c, serving(t, args...).url, "kv2", x, want)
		}
	}
}

// With --sys a store can be looked into and changed; what was changed is on disk.
// Without it nobody can.
func TestSys(t *testing.T) {
	c := client(t)
	args := []string{"--data=" + filepath.Join(t.TempDir(), "kv.db")}
	state := func(p *program, method, body string) (int, string) {
		req, err := http.NewRequest(method, p.url+"/v1/sys/kv1/state", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	p := serving(t, append(args, "--sys")...)
	wantAnswer(t, c, p.url, "kv1", `{"store":{"key":"x","value":1}}`, `{"ok":{}}`)
	status, one := state(p, "GET", "")
	if status != http.StatusOK || !strings.Contains(one, "x") {
		t.Errorf("the state: %d %s", status, one)
	}
	wantAnswer(t, c, p.url, "kv1", `{"delete":{"key":"x"}}`, `{"deleted":{"found":true}}`)
	if status, body := state(p, "PUT", one); status != http.StatusNoContent {
		t.Errorf("the state is put back: %d %s", status, body)
	}
	p.kill()
	p = serving(t, args...)
	wantAnswer(t, c, p.url, "kv1", `{"lookup":{"key":"x"}}`, `{"result":{"found":true,"value":1}}`)
	if status, body := state(p, "GET", ""); status != http.StatusForbidden {
		t.Errorf("without --sys: %d %s", status, body)
	}
}

// The deliberate bug restarts kv2 and kv3, and costs neither its data.
func TestDeliberateBug(t *testing.T) {
	c := client(t)
	p := serving(t, "--deliberate-bug", "--data="+filepath.Join(t.TempDir(), "kv.db"))
	for _, name := range []string{"kv1", "kv2", "kv3"} {
		wantAnswer(t, c, p.url, name, `{"store":{"key":"x","value":"`+name+`"}}`, `{"ok":{}}`)
	}
	status, body, err := post(c, p.url, "kv2", `{"lookup":{"key":"crash"}}`)
	if err != nil || status != http.StatusInternalServerError || !strings.Contains(body, `"outcome":"not_applied"`) ||
		!strings.Contains(body, "divide by zero") {
		t.Errorf("the crash: %d %s %v", status, body, err)
	}
	for _, name := range []string{"kv1", "kv2", "kv3"} {
		wantAnswer(t, c, p.url, name, `{"lookup":{"key":"x"}}`, `{"result":{"found":true,"value":"`+name+`"}}`)
	}
	res, err := c.Get(p.url + "/v1/tree")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	type node struct {
		Name     string
		Restarts int
		Children []node
	}
	var root node
	if err := json.NewDecoder(res.Body).Decode(&root); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%+v", root); got != "{Name:root Restarts:0 Children:[{Name:kv1 Restarts:0 Children:[]} {Name:pair Restarts:0 "+
		"Children:[{Name:kv2 Restarts:1 Children:[]} {Name:kv3 Restarts:1 Children:[]}]}]}" {
		t.Errorf("the tree: %s", got)
	}
}

// Too many crashes: the root gives up, and so does the program, but the data stay.
func TestRootGivesUp(t *testing.T) {
	c := client(t)
	data := "--data=" + filepath.Join(t.TempDir(), "kv.db")
	p := serving(t, "--deliberate-bug", data)
	wantAnswer(t, c, p.url, "kv2", `{"store":{"key":"x","value":1}}`, `{"ok":{}}`)
	for range 20 {
		if _, _, err := post(c, p.url, "kv2", `{"lookup":{"key":"crash"}}`); err != nil {
			break // the program has ended
		}
	}
	p.cmd.Wait()
	lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	if last := lines[len(lines)-1]; p.cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(last, "kv: ") || !strings.Contains(last, "the root supervisor gave up") {
		t.Errorf("%v, last line %q", p.cmd.ProcessState, last)
	}
	wantAnswer(t, c, serving(t, data).url, "kv2", `{"lookup":{"key":"x"}}`, `{"result":{"found":true,"value":1}}`)
}

// What cannot be is told in one line on stderr.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	p := serving(t, "--data="+filepath.Join(dir, "locked.db"))
	busy := "--addr=" + strings.TrimPrefix(p.url, "http://")
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("garbage "), 2000), 0o644); err != nil {
		t.Fatal(err)
	}
	free := "--addr=127.0.0.1:0"
	tests := []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{busy, "--data=" + filepath.Join(dir, "other.db")}, 1, "address already in use"},
		{[]string{free, "--data=" + filepath.Join(dir, "locked.db")}, 1, "locked by another process"},
		{[]string{free, "--data=" + filepath.Join(dir, "no", "kv.db")}, 1, "does not exist"},
		{[]string{free, "--data=" + dir}, 1, "directory"},
		{[]string{free, "--data=" + garbage}, 1, "not a journal"},
		{[]string{"--addr=nonsense"}, 1, "missing port"},
		{[]string{"--durability=often"}, 2, "must be none, shutdown or always"},
		{[]string{"--queue=0"}, 2, "at least 1"},
		{[]string{"--queue=many"}, 2, "many"},
		{[]string{"--snapshot-bytes=0"}, 2, "at least 1"},
		{[]string{"--data="}, 2, "--data"},
		{[]string{"call", "--timeout=0s", "kv2", "{}"}, 2, "--timeout"},
		{[]string{"call", busy, "../tree", "{}"}, 1, "no such process"},
		{[]string{"--nonsense"}, 2, "unknown flag --nonsense"},
		{[]string{"nonsense"}, 2, "nonsense"},
		{[]string{"call"}, 2, "name"},
		{[]string{"call", busy, "nobody", "{}"}, 1, "nobody"},
		{[]string{"call", busy, "kv2", "{"}, 1, "not_applied"},
		{[]string{"call", "--addr=127.0.0.1:1", "kv2", "{}"}, 1, "connection refused"},
	}
	for _, tt := range tests {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		cmd := command(tt.args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
		cmd.Run()
		stop()
		cancel()
		text := stderr.String()
		if cmd.ProcessState.ExitCode() != tt.status || !strings.Contains(text, tt.want) || !strings.HasPrefix(text, "kv: ") || strings.Count(text, "\n") != 1 {
			t.Errorf("kv %v: status %d, stderr %q; want %d and one line with %q", tt.args, cmd.ProcessState.ExitCode(), text, tt.status, tt.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "other.db")); err == nil {
		t.Error("a server that could not listen has made a file")
	}
}

// TestHelp asks for help in each way that people try.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}} {
		run(t, command(args...)).succeeds(t, "Usage: kv", "restore")
	}
	for _, args := range [][]string{{"help", "serve"}, {"serve", "--help"}} {
		run(t, command(args...)).succeeds(t, "Usage: kv serve", "--durability")
	}
	run(t, command("help", "nonsense")).fails(t, 2, "nonsense")
}

func TestCall(t *testing.T) {
	p := serving(t, "--durability=none")
	addr := "--addr=" + strings.TrimPrefix(p.url, "http://")
	if _, _, err := net.SplitHostPort(addr); err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string]string{
		`{"store":{"key":"a b","value":[1,{"c":"ü"}]}}`: `{"ok":{}}`,
		`{"list":{"prefix":"nothing"}}`:                 `{"keys":{"keys":[],"more":false}}`,
	} {
		out, err := command("call", addr, "kv1", input).CombinedOutput()
		if err != nil || string(out) != want+"\n" {
			t.Errorf("kv call kv1 %s: %s %v, want %s", input, out, err, want)
		}
	}
}
