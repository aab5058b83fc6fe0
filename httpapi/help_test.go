package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/examples/kvstore"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// patience is how long a test waits for what should happen at once.
const patience = 10 * time.Second

var quiet = slog.New(slog.DiscardHandler)

// order is an input of the process "toy": what its step is to do.
type order struct {
	Do string `json:"do"`
}

type answer struct {
	Count int    `json:"count"`
	Text  string `json:"text"`
}

// toy is a machine that does as it is told, to see what the caller is told.
type toy struct {
	entered chan struct{} // received from when a "block" has begun
	release chan struct{} // ends one "block" for each value
}

func newToy() *toy { return &toy{make(chan struct{}, 100), make(chan struct{})} }

func (y *toy) machine() *statemachine.Machine[int, order, answer] {
	return &statemachine.Machine[int, order, answer]{
		Step: statemachine.Pure(func(in order, n int) (int, answer) {
			switch in.Do {
			case "block":
				if y.release == nil {
					break
				}
				y.entered <- struct{}{}
				<-y.release
			case "panic":
				panic("boom " + strings.Repeat("x", 100_000))
			case "panic nil":
				panic(nil)
			case "panic error":
				panic(statemachine.ErrOverloaded) // which it is not
			case "panic runtime":
				_ = []int{}[n]
			case "panic bytes":
				panic("\xff\x00")
			}
			return n + 1, answer{Count: n + 1, Text: in.Do}
		}),
		Input:  codec.Of[order](),
		Output: fussy{codec.Of[answer]()},
	}
}

// fussy cannot encode one answer.
type fussy struct{ codec.Codec[answer] }

func (f fussy) Append(dst []byte, format codec.Format, v answer) ([]byte, error) {
	if v.Text == "secret" {
		return append(dst, "half"...), errors.New("cannot say that")
	}
	return f.Codec.Append(dst, format, v)
}

const oddName = "ä/../ %2F//x?"

func startLoop(t testing.TB, y *toy, cfg eventloop.Config) *eventloop.Loop {
	t.Helper()
	kv := kvstore.New[codec.Raw](kvstore.Options{DeliberateBug: true})
	cfg.Root = supervisor.Supervisor{Name: "root", Intensity: 1000, Children: []supervisor.Child{
		supervisor.Worker{Name: "kv", Machine: kv},
		supervisor.Worker{Name: oddName, Machine: kv},
		supervisor.Worker{Name: "toy", Machine: y.machine()},
	}}
	loop, err := eventloop.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		loop.Stop(ctx)
	})
	return loop
}

// fixture is a server with its clients.
type fixture struct {
	t    testing.TB
	api  *Server
	addr string
	http *http.Client
	toy  *toy
	loop *eventloop.Loop
}

// serve starts a server on a real loop, and sees to its end.
func serve(t testing.TB, cfg Config, loopCfg eventloop.Config) *fixture {
	t.Helper()
	y := newToy()
	loop := startLoop(t, y, loopCfg)
	f := serveApp(t, loop, cfg)
	f.toy, f.loop = y, loop
	return f
}

func serveApp(t testing.TB, app App, cfg Config) *fixture {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, ln, app, cfg)
}

func serveOn(t testing.TB, ln net.Listener, app App, cfg Config) *fixture {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quiet
	}
	f := &fixture{t: t, api: New(app, cfg), addr: ln.Addr().String()}
	f.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}, Timeout: patience}
	served := make(chan error, 1)
	go func() { served <- f.api.Serve(ln) }()
	t.Cleanup(func() {
		f.http.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := f.api.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return f
}

// reply is a response, read.
type reply struct {
	*http.Response
	body string
}

// do sends a request; headers are "Name: value".
func (f *fixture) do(method, path, body string, headers ...string) reply {
	f.t.Helper()
	req, err := http.NewRequest(method, "http://"+f.addr, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.URL.Opaque = path // as it is
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		if k == "Host" {
			req.Host = v
		}
		req.Header.Add(k, v)
	}
	resp, err := f.http.Do(req)
	if err != nil {
		f.t.Fatalf("%s %.100s: %v", method, path, err)
	}
	defer resp.Body.Close()
	return readReply(f.t, resp)
}

func readReply(t testing.TB, resp *http.Response) reply {
	t.Helper()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp, string(text)}
}

const asJSON = "Content-Type: application/json"
const asMsgpack = "Content-Type: application/msgpack"

// call calls a process with a JSON input.
func (f *fixture) call(name, input string, headers ...string) reply {
	f.t.Helper()
	return f.do("POST", "/v1/call/"+name, input, append(headers, asJSON)...)
}

// is checks a response that is not a problem.
func (r reply) is(t testing.TB, status int, body string) {
	t.Helper()
	if r.StatusCode != status || r.body != body {
		t.Errorf("answer: %d %.300q, want %d %q", r.StatusCode, r.body, status, body)
	}
}

// told is a problem as a client decodes it.
type told struct {
	Type    string  `json:"type"`
	Title   string  `json:"title"`
	Status  int     `json:"status"`
	Detail  string  `json:"detail"`
	Outcome string  `json:"outcome"`
	Process *string `json:"process"`
}

// refused checks that r is a problem, and of which type.
func (r reply) refused(t testing.TB, status int, slug, outcome string) told {
	t.Helper()
	var p told
	if r.StatusCode != status || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("answer: %d %s %.300q, want a problem, %d", r.StatusCode, r.Header.Get("Content-Type"), r.body, status)
	}
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || !utf8.ValidString(r.body) {
		t.Fatalf("not a problem: %v: %q", err, r.body)
	}
	if p.Type != "urn:lineshaft:error:"+slug || p.Status != status || p.Outcome != outcome {
		t.Errorf("problem %s %d %s, want %s %d %s", p.Type, p.Status, p.Outcome, slug, status, outcome)
	}
	if p.Title == "" || p.Detail == "" || len(r.body) > 3000 {
		t.Errorf("title %q, detail %q, %d bytes", p.Title, p.Detail, len(r.body))
	}
	if got := r.Header.Get("Retry-After"); (got != "") != (status == 503) {
		t.Errorf("Retry-After of a %d is %q", status, got)
	}
	return p
}

// wire is a connection that says exactly what it is told to.
type wire struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func (f *fixture) dial() *wire {
	f.t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &wire{c, f.t, bufio.NewReader(c)}
}

// say sends text; "\n" is a line's end.
func (w *wire) say(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		w.t.Fatal(err)
	}
}

// hear reads one response to a request of the method.
func (w *wire) hear(method string) reply {
	w.t.Helper()
	resp, err := http.ReadResponse(w.r, &http.Request{Method: method})
	if err != nil {
		w.t.Fatal(err)
	}
	return readReply(w.t, resp)
}

// ends checks that the server closes the connection without another byte.
func (w *wire) ends() {
	w.t.Helper()
	if rest, err := io.ReadAll(w.r); err != nil || len(rest) > 0 {
		w.t.Errorf("instead of the end: %q, %v", rest, err)
	}
}
