package torture_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buildKV builds the program kv in dir, with flags for go build, and returns its path.
func buildKV(t *testing.T, dir string, flags ...string) string {
	t.Helper()
	binary := filepath.Join(dir, "kv")
	args := append([]string{"build", "-o", binary}, flags...)
	if out, err := exec.Command("go", append(args, "../cmd/kv")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// child is the program, running.
type child struct {
	cmd     *exec.Cmd
	url     chan string   // closed without one if it does not listen
	reached chan struct{} // closed when a failpoint says that it was passed
	stderr  bytes.Buffer
	ended   chan struct{}
}

// spawn starts the command as the program kv, with env beside the test's own.
func spawn(t *testing.T, command []string, env ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(command[0], command[1:]...), url: make(chan string, 1), reached: make(chan struct{}), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.Stderr = &c.stderr
	out := &childOutput{child: c}
	c.cmd.Stdout = out
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.cmd.Wait()
		out.close()
		close(c.ended)
	}()
	return c
}

// serving starts the program and waits until it listens.
func serving(t *testing.T, command []string, env ...string) (c *child, url string) {
	t.Helper()
	c = spawn(t, command, env...)
	url, ok := <-c.url
	if !ok {
		<-c.ended
		t.Fatalf("it did not start:\n%s", &c.stderr)
	}
	return c, url
}

func (c *child) signal(s syscall.Signal) { c.cmd.Process.Signal(s) }

// kill is kill -9.
func (c *child) kill() {
	c.cmd.Process.Kill()
	<-c.ended
}

// wait waits until the program has ended, and returns its exit status.
func (c *child) wait(t *testing.T, most time.Duration) int {
	t.Helper()
	select {
	case <-c.ended:
	case <-time.After(most):
		c.signal(syscall.SIGQUIT) // it says what it is at
		<-c.ended
		t.Errorf("it has not ended in %v:\n%s", most, &c.stderr)
	}
	return c.cmd.ProcessState.ExitCode()
}

// complaint returns what the program that has ended said of its failure: one
// line behind its log. An error if there is anything else.
func (c *child) complaint() (line string, err error) {
	for l := range strings.Lines(c.stderr.String()) {
		switch {
		case line != "":
			return line, fmt.Errorf("more follows on its last line:\n%s", &c.stderr)
		case strings.HasPrefix(l, "kv: "):
			line = l
		case !strings.HasPrefix(l, "time="):
			return line, fmt.Errorf("it said more than one clear line:\n%s", &c.stderr)
		}
	}
	return line, nil
}

// childOutput reads what a child writes.
type childOutput struct {
	*child
	mu        sync.Mutex
	text      string
	listens   bool
	hasPassed bool
}

func (o *childOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text += string(p)
	if _, rest, ok := strings.Cut(o.text, "http://"); ok && !o.listens {
		if host, _, ok := strings.Cut(rest, ","); ok {
			o.listens = true
			o.url <- "http://" + host
		}
	}
	if strings.Contains(o.text, "failpoint print") && !o.hasPassed {
		o.hasPassed = true
		close(o.reached)
	}
	return len(p), nil
}

func (o *childOutput) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.url)
}
