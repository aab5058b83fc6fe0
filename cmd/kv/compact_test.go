package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A file that was large becomes small while the server runs, once most of what
// was in it is deleted; kill -9 in the middle of that costs nothing.
func TestCompacts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is in use cannot be replaced there")
	}
	t.Parallel()
	for _, killed := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "kv.db")
		args := []string{"--data=" + path, "--snapshot-bytes=4000000", "--compact-bytes=20000000"}
		p := serving(t, args...)
		c := client(t)
		const values, kept = 150, 20
		for i := range values {
			wantAnswer(t, c, p.url, "kv1", storing(fmt.Sprint("k", i)), `{"ok":{}}`)
		}
		wantAnswer(t, c, p.url, "kv3", `{"store":{"key":"small","value":"one"}}`, `{"ok":{}}`)
		large := sizeOf(t, path)
		if large < 40e6 {
			t.Fatalf("filled, the file has only %d bytes", large)
		}
		for i := kept; i < values; i++ {
			wantAnswer(t, c, p.url, "kv1", fmt.Sprintf(`{"delete":{"key":"k%d"}}`, i), `{"deleted":{"found":true}}`)
		}
		told := ""
		if killed {
			told = killCompacting(t, c, p, path)
			run(t, command("check", path)).succeeds(t, "is intact")
			p = serving(t, args...)
		}
		if !strings.Contains(told, "compacted") {
			overwrite(t, c, p, false)
		}
		wantCompacted(t, path, told+p.stderr.String())
		p.kill()
		run(t, command("check", path)).succeeds(t, "is intact")
		p = serving(t, args...)
		for i := range kept {
			wantAnswer(t, c, p.url, "kv1", fmt.Sprintf(`{"lookup":{"key":"k%d"}}`, i), `{"result":{"found":true,"value":"`+largeValue+`"}}`)
		}
		wantAnswer(t, c, p.url, "kv1", fmt.Sprintf(`{"lookup":{"key":"k%d"}}`, kept), `{"result":{"found":false,"value":null}}`)
		wantAnswer(t, c, p.url, "kv3", `{"lookup":{"key":"small"}}`, `{"result":{"found":true,"value":"one"}}`)
		wantAnswer(t, c, p.url, "kv2", `{"lookup":{"key":"again"}}`, `{"result":{"found":true,"value":"`+largeValue+`"}}`)
	}
}

var largeValue = strings.Repeat("v", 200_000)

func storing(key string) string {
	return `{"store":{"key":"` + key + `","value":"` + largeValue + `"}}`
}

// killCompacting kills the server while it compacts, and returns what it has said.
func killCompacting(t *testing.T, c *http.Client, p *program, path string) (told string) {
	t.Helper()
	stop, ended := make(chan struct{}), make(chan struct{})
	server := p.cmd.Process
	go func() {
		defer close(ended)
		defer server.Kill()
		for { // the file beside it is there for a moment only
			select {
			case <-stop:
				return
			default:
			}
			if _, err := os.Stat(path + ".compact"); err == nil {
				return
			}
		}
	}()
	overwrite(t, c, p, true)
	close(stop)
	<-ended
	p.kill()
	_, err := os.Stat(path + ".compact")
	t.Logf("killed; the file beside: %v", err)
	return p.stderr.String()
}

// overwrite stores one value until the server has compacted, or is killed.
func overwrite(t *testing.T, c *http.Client, p *program, killed bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(p.stderr.String(), "msg=compacted"); {
		status, body, err := post(c, p.url, "kv2", storing("again"))
		if killed && err != nil {
			break
		}
		if err != nil || status != http.StatusOK || time.Now().After(end) {
			t.Fatalf("%d %s %v, not compacted: %s", status, body, err, p.stderr)
		}
	}
}

// wantCompacted wants that the file is small, and that the servers have told so in
// one line.
func wantCompacted(t *testing.T, path, told string) {
	t.Helper()
	if size := sizeOf(t, path); size > 30e6 { // it grows by 16 MiB
		t.Errorf("compacted, the file has %d bytes", size)
	}
	if strings.Count(told, "compact") != 1 || !strings.Contains(told, " level=INFO msg=compacted before=") {
		t.Errorf("stderr: %s", told)
	}
	if _, err := os.Stat(path + ".compact"); err == nil {
		t.Error("the file beside was left")
	}
}

func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
