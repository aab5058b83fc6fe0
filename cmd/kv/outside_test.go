package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Whoever reads what the server prints may go: it goes on, and stops in order.
func TestReadersGo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kv.db")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := command("--addr=127.0.0.1:0", "--data="+file, "--durability=shutdown", "--deliberate-bug")
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	w.Close()
	var url string
	for lines := bufio.NewScanner(r); url == "" && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "Serving") {
			url = address.FindString(lines.Text())
		}
	}
	r.Close()
	c := client(t)
	wantAnswer(t, c, url, "kv1", `{"store":{"key":"x","value":1}}`, `{"ok":{}}`)
	if status, answer, err := post(c, url, "kv2", `{"lookup":{"key":"crash"}}`); err != nil || status != 500 {
		t.Fatalf("a crash that nobody reads of: %d, %s, %v", status, answer, err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end of a server whose log nobody reads: %v", err)
	}
	out, err := command("export", file).Output()
	if want := `{"process":"kv1","state":{"x":1}}`; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("saved: %q, %v; want %s", out, err, want)
	}
}

// Whoever should read what the server logs may never do so: it serves all the same,
// and stops in order.
func TestStuckLog(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err == nil { // until it is full
		_, err = w.Write(make([]byte, 1024))
	}
	w.SetWriteDeadline(time.Time{})
	for err = nil; err == nil; {
		w.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		_, err = w.Write([]byte{0})
	}
	cmd := command("--addr=127.0.0.1:0", "--data="+filepath.Join(t.TempDir(), "kv.db"))
	cmd.Stderr = w
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ends := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer ends.Stop()
	text, _ := bufio.NewReader(out).ReadString('\n')
	wantAnswer(t, client(t), address.FindString(text), "kv1", `{"store":{"key":"x","value":1}}`, `{"ok":{}}`)
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end of a server whose log is full: %v", err)
	}
}

// blocked is a Writer that waits to be allowed each Write.
type blocked struct {
	allowed chan struct{}
	lockedBuffer
}

func (b *blocked) Write(p []byte) (int, error) {
	<-b.allowed
	return b.lockedBuffer.Write(p)
}

func TestPatient(t *testing.T) {
	b := &blocked{allowed: make(chan struct{})}
	p := newPatient(b)
	const more = 10
	wait := func(until func() bool) {
		for ends := time.Now().Add(30 * time.Second); !until() && time.Now().Before(ends); {
			time.Sleep(time.Millisecond)
		}
	}
	for i := range 1 + logLines + more {
		fmt.Fprintf(p, "%d\n", i)
		if i == 0 {
			wait(func() bool { return len(p.lines) == 0 }) // it is being written
		}
	}
	close(b.allowed)
	wait(func() bool { return !p.stuck.Load() && len(p.lines) == 0 })
	fmt.Fprintln(p, "end")
	wait(func() bool { return strings.HasSuffix(b.String(), "end\n") })
	text := b.String()
	want := fmt.Sprintf("0\nkv: %d lines of the log were lost here, since nobody read it\n1\n", more)
	if !strings.HasPrefix(text, want) || !strings.HasSuffix(text, fmt.Sprintf("\n%d\nend\n", logLines)) {
		t.Errorf("%.200q … %q", text, text[max(0, len(text)-50):])
	}
}

// A signal that was ignored when the program began, as by nohup, is ignored.
func TestIgnoredSignals(t *testing.T) {
	for _, name := range []string{"HUP", "INT"} {
		cmd := command()
		shell := exec.Command("sh", "-c", `trap "" `+name+`; exec "$0" "$@"`, cmd.Args[0],
			"--addr=127.0.0.1:0", "--data="+filepath.Join(t.TempDir(), "kv.db"))
		shell.Env = cmd.Env
		out, err := shell.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := shell.Start(); err != nil {
			t.Fatal(err)
		}
		defer shell.Process.Kill()
		line, _ := bufio.NewReader(out).ReadString('\n')
		url := address.FindString(line)
		shell.Process.Signal(map[string]os.Signal{"HUP": syscall.SIGHUP, "INT": syscall.SIGINT}[name])
		time.Sleep(200 * time.Millisecond) // for what should not happen
		wantAnswer(t, client(t), url, "kv1", `{"store":{"key":"x","value":1}}`, `{"ok":{}}`)
		shell.Process.Signal(syscall.SIGTERM)
		if err := shell.Wait(); err != nil {
			t.Errorf("SIGTERM where SIG%s is ignored: %v", name, err)
		}
	}
}

func TestCallOverIPv6(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("there is no IPv6")
	}
	ln.Close()
	p := serving(t, "--addr=[::1]:0", "--data="+filepath.Join(t.TempDir(), "kv.db"))
	addr := "--addr=" + strings.TrimPrefix(p.url, "http://")
	out, err := command("call", addr, "kv1", `{"lookup":{"key":"x"}}`).CombinedOutput()
	if err != nil || string(out) != `{"result":{"found":false,"value":null}}`+"\n" {
		t.Errorf("kv call to [::1]: %s, %v", out, err)
	}
}

// An answer that cannot be printed is no success.
func TestCallIntoNothing(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full")
	}
	defer full.Close()
	p := serving(t, "--data="+filepath.Join(t.TempDir(), "kv.db"))
	cmd := command("call", "--addr="+strings.TrimPrefix(p.url, "http://"), "kv1", `{"store":{"key":"x","value":1}}`)
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = full, &stderr
	if err := cmd.Run(); err == nil || !strings.Contains(stderr.String(), "(applied)") {
		t.Errorf("an answer onto a full disk: %v, %q", err, stderr.String())
	}
}

func TestCallWithoutAddress(t *testing.T) {
	for _, addr := range []string{"", "127.0.0.1", "http://127.0.0.1:8080", "localhost:http", "localhost:65536"} {
		for _, args := range [][]string{{"call", "kv1", "{}"}, {"backup", filepath.Join(t.TempDir(), "copy")}} {
			out, err := command(append(args, "--addr="+addr)...).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--addr="+addr+": must be a host and") {
				t.Errorf("kv %s --addr=%s: %s, %v", args[0], addr, out, err)
			}
		}
	}
}
