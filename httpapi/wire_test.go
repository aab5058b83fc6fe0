package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
)

// lookup is a request that is answered with notFound.
const (
	lookupBody = `{"lookup":{"key":"x"}}`
	lookup     = "POST /v1/call/kv HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 22\n\n" + lookupBody
	notFound   = `{"result":{"found":false,"value":null}}`
)

// TestConnectionIsKept checks that after every answer for which the request was
// read to its end the next request on the connection is understood.
func TestConnectionIsKept(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	post := func(path, headers, body string) string {
		length := len(body) + strings.Count(body, "\n") // as say says it
		return fmt.Sprintf("POST %s HTTP/1.1\nHost: localhost\n%sContent-Length: %d\n\n%s", path, headers, length, body)
	}
	w := f.dial()
	for _, c := range []struct {
		request string
		status  int
	}{
		{lookup, 200},
		{post("/v1/cast/kv", asJSON+"\n", lookupBody), 202},
		{post("/v1/call/kv", asJSON+"\n", `{"`), 400},
		{post("/v1/call/kv", asJSON+"\n", ""), 400},
		{post("/v1/call/%", asJSON+"\n", lookupBody), 400},
		{post("/v1/call/kv", asJSON+"\nRequest-Timeout: soon\n", lookupBody), 400},
		{strings.Replace(lookup, "localhost", "evil.test", 1), 403},
		{post("/nowhere", asJSON+"\n", lookupBody), 404},
		{post("//v1/call/kv", asJSON+"\n", lookupBody), 404},
		{post("/v1/call/no", asJSON+"\n", lookupBody), 404},
		{post("/v1/tree", asJSON+"\n", lookupBody), 405},
		{post("/v1/call/kv", "Content-Type: text/plain\n", lookupBody), 415},
		{post("/v1/call/kv", asJSON+"\nContent-Encoding: gzip\n", lookupBody), 415},
		{post("/v1/call/kv", "Content-Type: multipart/form-data; boundary=b\n", "--b\nContent-Disposition: form-data; name=a\n\nx\n--b--\n"), 415},
		{post("/v1/call/kv", asJSON+"\n", `{"strike":{}}`), 422},
		{post("/v1/call/toy", asJSON+"\n", `{"do":"panic"}`), 500},
		{post("/v1/call/toy", asJSON+"\n", `{"do":"secret"}`), 500},
		{"POST /v1/call/kv HTTP/1.1\nHost: localhost\n" + asJSON + "\nTransfer-Encoding: chunked\n\n" +
			"b;ext=1\n" + lookupBody[:11] + "\nb\n" + lookupBody[11:] + "\n0\n\n", 200},
		{"POST /v1/call/kv HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n3\nabc\n0\nTrailer-Of: some\n\n", 415},
		{"GET /v1/tree HTTP/1.1\nHost: localhost\nContent-Length: 3\n\nabc", 200},
		{"GET http://localhost/v1/tree HTTP/1.1\nHost: localhost\n\n", 200},
		{"GET http://evil.test/v1/tree HTTP/1.1\nHost: localhost\n\n", 403},
		{"GET http://localhost HTTP/1.1\nHost: localhost\n\n", 404},
		{"OPTIONS * HTTP/1.1\nHost: localhost\n\n", 404},
	} {
		w.say(c.request)
		r := w.hear("POST")
		if r.StatusCode != c.status || r.Close {
			t.Fatalf("%d (close: %v) %s\nto %s\nwant %d", r.StatusCode, r.Close, r.body, c.request, c.status)
		}
		w.say(lookup)
		w.hear("POST").is(t, 200, notFound)
	}
}

func TestPipelining(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	w := f.dial()
	bad := strings.Replace(lookup, "lookup", "gookup", 1)
	w.say(strings.Repeat(lookup+bad, 50) + lookup[:50]) // fasthttp holds answers back if only a body is incomplete
	for range 50 {
		w.hear("POST").is(t, 200, notFound)
		w.hear("POST").refused(t, 422, "meaningless-input", "not_applied")
	}
	w.say(lookup[50:])
	w.hear("POST").is(t, 200, notFound)
}

func TestMalformedRequests(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	long := strings.Repeat("l", 20<<10)
	for _, c := range []struct {
		request string
		status  int
		slug    string
	}{
		{"hello\n\n", 400, "malformed-request"},
		{"\x16\x03\x01\x00\xff\n\n", 400, "malformed-request"}, // TLS
		{"GET /livez\n\n", 400, "malformed-request"},
		{"GET livez HTTP/1.1\nHost: localhost\n\n", 400, "malformed-request"},
		{"GET /livez HTTP/1.1\n\n", 400, "malformed-request"}, // no Host
		{"GET /livez HTTP/1.1\nHost: localhost\nHost: evil.test\n\n", 400, "malformed-request"},
		{"GET /livez HTTP/1.1\nHost: local\x00host\n\n", 400, "malformed-request"},
		{"POST /v1/call/kv HTTP/1.1\nHost: localhost\nContent-Length: -1\n\n", 400, "malformed-request"},
		{"POST /v1/call/kv HTTP/1.1\nHost: localhost\nContent-Length: 1\nContent-Length: 2\n\nab", 400, "malformed-request"},
		{"POST /v1/call/kv HTTP/1.1\nHost: localhost\nTransfer-Encoding: gzip\n\n", 400, "malformed-request"},
		{"POST /v1/call/kv HTTP/1.1\nHost: localhost\n" + asJSON + "\nTransfer-Encoding: chunked\n\nzz\n", 400, "malformed-request"},
		{"POST /v1/call/kv HTTP/1.1\nHost: localhost\n" + asJSON + "\nTransfer-Encoding: chunked\n\n7fffffffffffffff\nab\n", 400, "malformed-request"},
		{"GET /" + long + " HTTP/1.1\nHost: localhost\n\n", 414, "target-too-long"},
		{"GET /livez HTTP/1.1\nHost: localhost\nX: " + long + "\n\n", 431, "headers-too-large"},
		{"GET /livez HTTP/1.1\nHost: localhost\n" + strings.Repeat("X: y\n", 4000) + "\n", 431, "headers-too-large"},
	} {
		w := f.dial()
		w.say(c.request)
		r := w.hear("GET")
		p := r.refused(t, c.status, c.slug, "not_applied")
		if !r.Close || strings.Contains(p.Detail, "lll") {
			t.Errorf("%.60q: close %v, %s", c.request, r.Close, p.Detail)
		}
		w.ends()
	}
}

// TestBodyTooLarge checks that a client that sends far too much is told so,
// before it has sent it, and is not reset before it has read that.
func TestBodyTooLarge(t *testing.T) {
	f := serve(t, Config{MaxBodyBytes: 1000}, eventloop.Config{})
	head := "POST /v1/call/kv HTTP/1.1\nHost: localhost\n" + asJSON + "\n"
	chunk := strings.Repeat("x", 1<<16)

	w := f.dial()
	w.say(head + "Content-Length: 1073741824\n\n") // and not a byte of it
	w.hear("POST").refused(t, 413, "body-too-large", "not_applied")
	w.ends()

	w = f.dial()
	w.say(head + "Content-Length: 1073741824\n\n")
	for range 64 { // 4 MiB: more than the buffers of a socket, which someone must empty
		w.say(chunk)
	}
	w.hear("POST").refused(t, 413, "body-too-large", "not_applied")
	w.ends()

	w = f.dial()
	w.say(head + "Transfer-Encoding: chunked\n\n")
	for range 64 {
		w.say("10000\n" + chunk + "\n")
	}
	w.hear("POST").refused(t, 413, "body-too-large", "not_applied")

	w = f.dial() // small chunks, each within the limit
	w.say(head + "Transfer-Encoding: chunked\n\n" + strings.Repeat("a\n0123456789\n", 101))
	w.hear("POST").refused(t, 413, "body-too-large", "not_applied")

	// What else is wrong is more important to know.
	w = f.dial()
	w.say("POST /v1/call/kv HTTP/1.1\nHost: localhost\nContent-Type: text/plain\nContent-Length: 1073741824\n\n")
	w.hear("POST").refused(t, 415, "unsupported-media-type", "not_applied")
	w = f.dial()
	w.say("POST /v1/call/kv HTTP/1.1\nHost: evil.test\n" + asJSON + "\nContent-Length: 1073741824\n\n")
	w.hear("POST").refused(t, 403, "foreign-host", "not_applied")

	w = f.dial() // the limit itself is allowed
	w.say(head + "Content-Length: 1000\n\n" + lookupBody + strings.Repeat(" ", 1000-len(lookupBody)))
	w.hear("POST").is(t, 200, notFound)
}

func TestExpectContinue(t *testing.T) {
	f := serve(t, Config{MaxBodyBytes: 1000}, eventloop.Config{})
	for _, c := range []struct {
		head   string
		status int
		slug   string
	}{
		{"POST /v1/call/kv HTTP/1.1\nHost: localhost\n" + asJSON + "\nContent-Length: 1001\n", 413, "body-too-large"},
		{"POST /v1/call/kv HTTP/1.1\nHost: localhost\nContent-Length: 10\n", 415, "unsupported-media-type"},
		{"POST /v1/call/kv HTTP/1.1\nHost: evil.test\n" + asJSON + "\nContent-Length: 10\n", 403, "foreign-host"},
		{"POST /v1/nothing HTTP/1.1\nHost: localhost\n" + asJSON + "\nContent-Length: 10\n", 404, "no-endpoint"},
		{"POST /v1/tree HTTP/1.1\nHost: localhost\n" + asJSON + "\nContent-Length: 10\n", 405, "method-not-allowed"},
	} {
		w := f.dial()
		w.say(c.head + "Expect: 100-continue\n\n")
		if r := w.hear("POST"); !r.Close {
			t.Errorf("%d: the connection is kept", c.status)
		} else {
			r.refused(t, c.status, c.slug, "not_applied")
		}
		w.ends()
	}
	w := f.dial()
	w.say("POST /v1/call/kv HTTP/1.1\nHost: localhost\n" + asJSON + "\nContent-Length: 22\nExpect: 100-continue\n\n")
	if r := w.hear("POST"); r.StatusCode != 100 {
		t.Fatal(r.StatusCode)
	}
	w.say(lookupBody)
	w.hear("POST").is(t, 200, notFound)

	w = f.dial()
	w.say("POST /v1/call/kv HTTP/1.1\nHost: localhost\n" + asJSON + "\nTransfer-Encoding: chunked\nExpect: 100-continue\n\n")
	if r := w.hear("POST"); r.StatusCode != 100 {
		t.Fatal(r.StatusCode)
	}
	w.say("10000\n" + strings.Repeat("x", 1<<16) + "\n")
	w.hear("POST").refused(t, 413, "body-too-large", "not_applied")
}

// TestStalledClients checks that the server lets go of who does not go on.
func TestStalledClients(t *testing.T) {
	const limit = 50 * time.Millisecond
	f := serve(t, Config{ReadTimeout: limit, IdleTimeout: limit}, eventloop.Config{})
	for _, half := range []string{
		"P", "POST /v1/call/kv HTTP/1.1\nHost: loc", lookup[:len(lookup)-1],
		"POST /v1/call/kv HTTP/1.1\nHost: localhost\n" + asJSON + "\nTransfer-Encoding: chunked\n\n5\nabc",
	} {
		w := f.dial()
		w.say(half)
		w.hear("POST").refused(t, 408, "request-timeout", "not_applied")
		w.ends()
	}
	f.dial().ends() // silent from the beginning
	w := f.dial()
	w.say(lookup) // silent after an answer
	w.hear("POST").is(t, 200, notFound)
	w.ends()

	w = f.dial() // goes away in the middle, listening
	w.say("POST /v1/call/kv HTTP/1.1\nHost: localhost\n" + asJSON + "\nContent-Length: 100\n\nabc")
	if err := w.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	w.hear("POST").refused(t, 400, "malformed-request", "not_applied")
}

func TestHost(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	for _, host := range []string{
		"localhost", "LocalHost:8080", "localhost.", "localhost.:1", "127.0.0.1", "127.0.0.1:80", "127.1.2.3", "[::1]", "[::1]:9", "localhost:",
	} {
		f.do("GET", "/livez", "", "Host: "+host).is(t, 200, `{"status":"ok"}`)
	}
	for _, host := range []string{
		"evil.test", "evil.test:80", "localhost.evil.test", "evil-localhost", "127.0.0.1.evil.test", "localhost:80:80", "::1",
		"[::2]", "[::1", "[::1]x", "[127.0.0.1]", "128.0.0.1", "0.0.0.0", "localhost..", "x.localhost", "192.168.0.1", "127.1",
	} {
		for _, path := range []string{"/livez", "/v1/tree", "/nothing"} {
			w := f.dial()
			w.say("GET " + path + " HTTP/1.1\nHost: " + host + "\n\n")
			r := w.hear("GET")
			if r.StatusCode == 400 && strings.ContainsAny(host, "[:") {
				continue // fasthttp knows it is not a host
			}
			r.refused(t, 403, "foreign-host", "not_applied")
		}
	}
	w := f.dial()
	w.say("GET /livez HTTP/1.0\n\n")
	w.hear("GET").refused(t, 403, "foreign-host", "not_applied")
}

// TestHostElsewhere checks that where others can connect, any Host will do.
func TestHostElsewhere(t *testing.T) {
	f := serveOn(t, unixListener(t), startLoop(t, newToy(), eventloop.Config{}), Config{})
	w := f.dialUnix()
	w.say("GET /livez HTTP/1.1\nHost: lineshaft.example\n\n")
	w.hear("GET").is(t, 200, `{"status":"ok"}`)
}

// hearsOrIsReset is for what a client does that sends on after it was refused.
func (w *wire) hearsOrIsReset() (int, error) {
	resp, err := http.ReadResponse(w.r, nil)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
	}
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

// TestConnectionIsClosed checks that every spelling of Connection: close closes the
// connection, behind an answer that says so, and that nothing behind such a request
// is taken for another. So does a body of which two ends are announced.
func TestConnectionIsClosed(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	chunked := "POST /v1/call/kv HTTP/1.1\nHost: localhost\n" + asJSON + "\n%sTransfer-Encoding: chunked\n\n" +
		fmt.Sprintf("%x\n%s\n0\n\n", len(lookupBody), lookupBody)
	for _, header := range []string{
		"Connection: close", "connection: close", "Connection: Close", "Connection: keep-alive, close",
		"Connection: close, te", "Connection: te ,\tCLOSE ", "Connection: close\nConnection: keep-alive",
	} {
		w := f.dial()
		w.say(strings.Replace(lookup, "\n", "\n"+header+"\n", 1) + lookup)
		if r := w.hear("POST"); r.StatusCode != 200 || !r.Close {
			t.Errorf("%s: %d, close: %v", header, r.StatusCode, r.Close)
		}
		w.ends()
	}
	w := f.dial()
	w.say(fmt.Sprintf(chunked, "content-length: 3\n") + lookup)
	if r := w.hear("POST"); r.StatusCode != 200 || !r.Close {
		t.Errorf("a length and chunks: %d, close: %v", r.StatusCode, r.Close)
	}
	w.ends()
	w = f.dial()
	w.say(strings.Replace(lookup, "\n", "\nConnection: closed, x-close\n", 1))
	if r := w.hear("POST"); r.Close {
		t.Error("closed is no close")
	}
	w.say(lookup)
	w.hear("POST").is(t, 200, notFound)
}
