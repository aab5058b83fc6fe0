package httpapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
)

// FuzzHeaders checks what reads the parts of a request that strangers write.
func FuzzHeaders(f *testing.F) {
	f.Fuzz(func(t *testing.T, target, accept, timeout, host string) {
		_, path := splitTarget([]byte(target))
		to, err := route(path)
		name := to.name
		if rest, ok := strings.CutPrefix(string(path), "/v1/call/"); ok && rest != "" {
			want, wantErr := url.PathUnescape(rest)
			if to.endpoint != callProcess || (err == nil) != (wantErr == nil) || err == nil && string(name) != want {
				t.Errorf("%q: %d %q %v, want %q %v", path, to.endpoint, name, err, want, wantErr)
			}
		}
		if rest, ok := strings.CutPrefix(string(path), "/v1/supervisors/"); ok && err == nil && to.endpoint != nowhere {
			segments := strings.Split(rest, "/")
			sup, supErr := url.PathUnescape(segments[0])
			if supErr != nil || string(name) != sup || len(segments) > 4 || (to.child == "") != (len(segments) == 2) {
				t.Errorf("%q: %+v", path, to)
			}
		}
		if best := outputType([]byte(accept)); !bytes.Contains([]byte(strings.ToLower(accept)), []byte("msgpack")) &&
			!strings.Contains(accept, "*") && best != mediaTypes[0] {
			t.Errorf("Accept %q: %s", accept, best.name)
		}
		if d, ok := parseTimeout([]byte(timeout)); ok && d <= 0 {
			t.Errorf("Request-Timeout %q: %v", timeout, d)
		}
		if isLoopback([]byte(host)) {
			u, err := url.Parse("http://" + host)
			if err != nil {
				t.Fatalf("%q is no host: %v", host, err)
			}
			name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
			if ip := net.ParseIP(name); name != "localhost" && (ip == nil || !ip.IsLoopback()) {
				t.Errorf("%q is taken for a loopback host", host)
			}
		}
		problem := notApplied(malformedPath, target)
		problem.process = name
		if text := problem.json(); !json.Valid(text) || len(text) > 8*detailMax {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	})
}

// script is a connection on which a client has sent all it will.
type script struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)       { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (s *script) Close() error                     { return nil }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// FuzzRequests checks that whatever is sent is answered with HTTP, and that
// every error is a problem.
func FuzzRequests(f *testing.F) {
	api := New(startLoop(f, &toy{}, eventloop.Config{}), Config{Logger: quiet, MaxBodyBytes: 1000, CallTimeout: time.Second})
	f.Fuzz(func(t *testing.T, sent []byte) {
		s := &script{in: bytes.NewReader(sent)}
		api.http.ServeConn(s)
		r := bufio.NewReader(&s.out)
		head := bytes.Contains(sent, []byte("HEAD")) // then who knows where a body ends
		for !head {
			if _, err := r.Peek(1); err == io.EOF {
				return
			}
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%v in the answer to %q", err, sent)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			var p told
			if resp.StatusCode >= 400 && (resp.Header.Get("Content-Type") != problemType ||
				json.Unmarshal(body, &p) != nil || p.Status != resp.StatusCode || p.Outcome == "") {
				t.Errorf("%d %s %q", resp.StatusCode, resp.Header, body)
			}
		}
	})
}
