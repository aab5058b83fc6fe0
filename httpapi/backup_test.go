package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
)

// copyOf is a Backup of these parts.
func copyOf(parts ...string) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, p := range parts {
			if _, err := io.WriteString(w, p); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestBackup(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 100_000)
	f := serve(t, Config{Backup: copyOf("some", large, "end")}, eventloop.Config{})
	r := f.do("GET", "/v1/backup?x", "")
	r.is(t, 200, "some"+large+"end")
	if r.Header.Get("Content-Type") != "application/octet-stream" || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", r.Header)
	}
	f.do("HEAD", "/v1/backup", "").is(t, 200, "")
	w := f.dial()
	w.say("GET /v1/backup HTTP/1.0\nHost: localhost\n\n") // knows no chunks
	w.hear("GET").refused(t, 400, "malformed-request", "not_applied")
	f.do("POST", "/v1/backup", "{}", asJSON).refused(t, 405, "method-not-allowed", "not_applied")
	f.do("GET", "/v1/backup", "", "Host: example.org").refused(t, 403, "foreign-host", "not_applied")

	f = serve(t, Config{}, eventloop.Config{})
	f.do("GET", "/v1/backup", "").refused(t, 403, "backup-off", "not_applied")
}

// There is one backup at a time, and one more when that has ended.
func TestOneBackup(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	f := serve(t, Config{Backup: func(w io.Writer) error {
		begun <- struct{}{}
		<-release
		return copyOf("x")(w)
	}}, eventloop.Config{})
	first := make(chan reply)
	for range 2 {
		go func() { first <- f.do("GET", "/v1/backup", "") }()
		<-begun
		f.do("GET", "/v1/backup", "").refused(t, 503, "backup-runs", "not_applied")
		f.call("kv", `{"lookup":{"key":"x"}}`).is(t, 200, `{"result":{"found":false,"value":null}}`)
		release <- struct{}{}
		(<-first).is(t, 200, "x")
	}
}

// A backup that fails before it has begun is a problem; one that fails later
// never looks whole.
func TestBackupFails(t *testing.T) {
	broken := errors.New("the disk is broken")
	f := serve(t, Config{Backup: func(io.Writer) error { return broken }}, eventloop.Config{})
	if p := f.do("GET", "/v1/backup", "").refused(t, 500, "internal", "not_applied"); !strings.Contains(p.Detail, "the disk is broken") {
		t.Errorf("detail %q", p.Detail)
	}
	f = serve(t, Config{Backup: func(w io.Writer) error { return errors.Join(copyOf("half")(w), broken) }}, eventloop.Config{})
	res, err := f.http.Get("http://" + f.addr + "/v1/backup")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil || res.StatusCode != http.StatusOK {
		t.Errorf("%d %q, %v", res.StatusCode, body, err)
	}
}

// A client that goes away ends the backup.
func TestBackupOfNobody(t *testing.T) {
	ended := make(chan error)
	f := serve(t, Config{Backup: func(w io.Writer) error {
		for part := bytes.Repeat([]byte("x"), 1<<20); ; {
			if _, err := w.Write(part); err != nil {
				ended <- err
				return err
			}
		}
	}}, eventloop.Config{})
	w := f.dial()
	w.say("GET /v1/backup HTTP/1.1\nHost: localhost\n\n")
	if _, err := io.CopyN(io.Discard, w.r, 1<<20); err != nil {
		t.Fatal(err)
	}
	w.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the backup goes on")
	}
}

// A backup may take longer than WriteTimeout, which is for each part of it.
func TestLongBackup(t *testing.T) {
	const timeout = time.Second
	f := serve(t, Config{WriteTimeout: timeout, Backup: func(w io.Writer) error {
		late := time.NewTimer(timeout + timeout/4)
		if err := copyOf("first")(w); err != nil {
			return err
		}
		<-late.C
		return copyOf("last")(w)
	}}, eventloop.Config{})
	f.do("GET", "/v1/backup", "").is(t, 200, "firstlast")
}
