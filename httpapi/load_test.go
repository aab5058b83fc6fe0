package httpapi

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
)

func unixListener(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func (f *fixture) dialUnix() *wire {
	f.t.Helper()
	c, err := net.Dial("unix", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &wire{c, f.t, bufio.NewReader(c)}
}

// blocked has the toy block, and returns what ends that and gives the answer.
func (f *fixture) blocked() (release func() reply) {
	f.t.Helper()
	w := f.dial()
	w.say("POST /v1/call/toy HTTP/1.1\nHost: localhost\n" + asJSON + "\nContent-Length: 14\n\n{\"do\":\"block\"}")
	<-f.toy.entered
	return func() reply {
		f.t.Helper()
		f.toy.release <- struct{}{}
		return w.hear("POST")
	}
}

// until polls.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("never: ", what)
		}
	}
}

// TestDeadline checks what a caller is told whose time is over while its input
// is queued, and while it is stepped.
func TestDeadline(t *testing.T) {
	f := serve(t, Config{CallTimeout: 20 * time.Millisecond, MaxCallTimeout: 30 * time.Millisecond}, eventloop.Config{})
	release := f.blocked()
	p := f.call("toy", `{"do":"x"}`).refused(t, 504, "deadline", "not_applied")
	if !strings.Contains(p.Detail, "20ms") || p.Process == nil || *p.Process != "toy" {
		t.Errorf("%+v", p)
	}
	p = f.call("toy", `{"do":"x"}`, "Request-Timeout: 1h").refused(t, 504, "deadline", "not_applied")
	if !strings.Contains(p.Detail, "30ms") {
		t.Errorf("not capped: %s", p.Detail)
	}
	p = f.call("toy", `{"do":"x"}`, "Request-Timeout: 0.001").refused(t, 504, "deadline", "not_applied")
	if !strings.Contains(p.Detail, "1ms") {
		t.Errorf("not shortened: %s", p.Detail)
	}
	f.call("kv", lookupBody).is(t, 200, notFound) // read-only: it does not wait
	release().is(t, 200, `{"count":1,"text":"block"}`)
	f.call("toy", `{"do":"x"}`, "Request-Timeout: 10s").is(t, 200, `{"count":2,"text":"x"}`)
	for _, bad := range []string{"0", "-1s", "soon", "1 s", "0.0", "NaN", "1e3", "+", ".", "99999999999999h", strings.Repeat("1", 65)} {
		f.call("kv", lookupBody, "Request-Timeout: "+bad).refused(t, 400, "malformed-timeout", "not_applied")
		f.do("GET", "/v1/tree", "", "Request-Timeout: "+bad).refused(t, 400, "malformed-timeout", "not_applied")
	}
}

// TestDeadlineWhileStepped checks what a caller is told who gives up while the
// input, which had been queued, is being stepped.
func TestDeadlineWhileStepped(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{QueueLen: 1})
	release := f.blocked()
	late := f.dial()
	late.say("POST /v1/call/toy HTTP/1.1\nHost: localhost\n" + asJSON + "\nContent-Length: 14\nRequest-Timeout: 500ms\n\n{\"do\":\"block\"}")
	until(t, "it is queued", func() bool {
		return f.call("toy", `{"do":"x"}`, "Request-Timeout: 1ms").StatusCode == 503
	})
	f.toy.release <- struct{}{}
	<-f.toy.entered
	late.hear("POST").refused(t, 504, "deadline", "unknown")
	release().is(t, 200, `{"count":1,"text":"block"}`)
}

// TestHangingStep checks that what waits for the loop is bounded too.
func TestHangingStep(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	release := f.blocked()
	for range 3 { // the first waits for the loop, the others for the first
		f.do("GET", "/v1/tree", "", "Request-Timeout: 10ms").refused(t, 504, "deadline", "not_applied")
		f.do("GET", "/v1/processes/kv", "", "Request-Timeout: 10ms").refused(t, 504, "deadline", "not_applied")
	}
	f.do("GET", "/readyz", "").refused(t, 503, "overloaded", "not_applied")
	f.do("GET", "/livez", "").is(t, 200, `{"status":"ok"}`)
	release().is(t, 200, `{"count":1,"text":"block"}`)
	f.do("GET", "/readyz", "").is(t, 200, `{"status":"ok"}`)
}

func TestOverload(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{QueueLen: 1})
	release := f.blocked()
	f.do("POST", "/v1/cast/toy", `{"do":"x"}`, asJSON).is(t, 202, "") // fills the queue
	f.call("toy", `{"do":"x"}`, "Request-Timeout: 10ms").refused(t, 503, "overloaded", "not_applied")
	f.do("POST", "/v1/cast/toy", `{"do":"x"}`, asJSON, "Request-Timeout: 10ms").refused(t, 503, "overloaded", "not_applied")
	release().is(t, 200, `{"count":1,"text":"block"}`)
	f.call("toy", `{"do":"x"}`).is(t, 200, `{"count":3,"text":"x"}`) // the cast was applied, the refused were not
}

// TestClientGoesAway checks that the call of a client that is gone does no harm.
func TestClientGoesAway(t *testing.T) {
	f := serve(t, Config{CallTimeout: time.Second}, eventloop.Config{})
	release := f.blocked()
	const gone = 50
	for range gone {
		w := f.dial()
		w.say("POST /v1/call/toy HTTP/1.1\nHost: localhost\n" + asJSON + "\nContent-Length: 10\n\n{\"do\":\"x\"}")
		w.Close()
	}
	f.do("GET", "/livez", "").is(t, 200, `{"status":"ok"}`)
	release().is(t, 200, `{"count":1,"text":"block"}`)
	f.call("toy", `{"do":"x"}`)
	until(t, "all connections but the client's end", func() bool {
		f.http.CloseIdleConnections()
		f.api.ln.mu.Lock()
		defer f.api.ln.mu.Unlock()
		return f.api.ln.served <= 1 // of blocked
	})
}

// connectable returns how many connections can be opened, at most 10,000, if
// so many are served.
func connectable(t *testing.T, served int) int {
	all := 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		limit.Cur = limit.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
		syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
		all = min(all, int(limit.Cur)-served-refusalsMax-500)
	}
	if testing.Short() {
		all = min(all, 1000)
	}
	if all < 2*served {
		t.Skip("too few files may be open: ", limit.Cur)
	}
	t.Logf("%d connections, of which %d are served", all, served)
	return all
}

// TestTooManyConnections opens far more connections than are served.
func TestTooManyConnections(t *testing.T) {
	const served = 500
	all := connectable(t, served)
	f := serve(t, Config{MaxConns: served, ReadTimeout: time.Minute}, eventloop.Config{})
	var kept []*wire
	for range served {
		w := f.dial()
		w.SetDeadline(time.Now().Add(time.Minute))
		kept = append(kept, w)
	}
	kept[served-1].say(lookup) // it is served, so all before it are
	kept[served-1].hear("POST").is(t, 200, notFound)

	others := make(chan *wire, all)
	for range all - served {
		others <- f.dial()
	}
	close(others)
	var told, reset atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for w := range others {
				w.SetDeadline(time.Now().Add(patience))
				w.Write([]byte(strings.ReplaceAll(lookup, "\n", "\r\n"))) // which may fail
				switch status, err := w.hearsOrIsReset(); {
				case err != nil:
					t.Error(err)
				case status == 503:
					told.Add(1)
				case status == 0:
					reset.Add(1)
				default:
					t.Error("a refused connection is answered", status)
				}
				w.Close()
			}
		})
	}
	wg.Wait()
	t.Logf("%d were told 503, %d were reset", told.Load(), reset.Load())
	if int(told.Load()) < min(refusalsMax, all-served) || reset.Load() > told.Load()/10 {
		t.Error("too few were told")
	}

	// A single one, with time to read, is told all.
	w := f.dial()
	r := w.hear("GET")
	r.refused(t, 503, "too-many-connections", "not_applied")
	if !r.Close {
		t.Error("the connection is kept")
	}
	w.ends()
	for _, w := range kept {
		w.say(lookup)
		w.hear("POST").is(t, 200, notFound)
	}
	for _, w := range kept {
		w.Close()
	}
	until(t, "there is room", func() bool {
		f.api.ln.mu.Lock()
		defer f.api.ln.mu.Unlock()
		return f.api.ln.served == 0
	})
	f.call("kv", lookupBody).is(t, 200, notFound)
}

// TestSilentRefused checks that a client that is refused and neither sends nor
// reads nor closes does not keep the next from being accepted.
func TestSilentRefused(t *testing.T) {
	f := serve(t, Config{MaxConns: 1}, eventloop.Config{})
	first := f.dial()
	first.say(lookup)
	first.hear("POST").is(t, 200, notFound)
	for range 20 {
		f.dial()
	}
	w := f.dial()
	w.hear("GET").refused(t, 503, "too-many-connections", "not_applied")
	w = f.dial() // sends much, and late
	w.r.Peek(1)
	for range 100 {
		w.say(lookup)
	}
	w.hear("GET").refused(t, 503, "too-many-connections", "not_applied")
	first.Close()
	until(t, "there is room", func() bool {
		w := f.dial()
		w.say(lookup)
		return w.hear("POST").StatusCode == 200
	})
}

// TestShutdown checks that under load every request is answered exactly once,
// and that the state has counted exactly those that were answered with 200.
func TestShutdown(t *testing.T) {
	f := serve(t, Config{DrainGrace: 500 * time.Millisecond}, eventloop.Config{})
	idle := f.dial()
	idle.say(lookup)
	idle.hear("POST").is(t, 200, notFound)
	half := f.dial()
	half.say(lookup[:len(lookup)-1])

	const clients = 50
	var answered, busy atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		w := f.dial()
		wg.Go(func() {
			for first := true; ; first = false {
				w.say("POST /v1/call/toy HTTP/1.1\nHost: localhost\n" + asJSON + "\nContent-Length: 10\n\n{\"do\":\"x\"}")
				resp, err := http.ReadResponse(w.r, nil)
				if err != nil || resp.StatusCode != 200 {
					t.Error("a request is not answered: ", err, resp)
					return
				}
				r := readReply(t, resp)
				answered.Add(1)
				if first {
					busy.Add(1)
				}
				if r.Close {
					w.ends()
					w.Close()
					return
				}
			}
		})
	}
	until(t, "all are busy", func() bool { return busy.Load() == clients })
	down := make(chan error, 1)
	go func() { down <- f.api.Shutdown(context.Background()) }()
	wg.Wait()

	half.say(lookup[len(lookup)-1:])
	if r := half.hear("POST"); !r.Close {
		t.Error("the last answer does not say that it is the last")
	} else {
		r.is(t, 200, notFound)
	}
	half.Close()
	idle.ends()
	if err := <-down; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", f.addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error("a connection after the end: ", err)
	}
	if err := f.api.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	toy, err := eventloop.RefTo[order, answer](f.loop, "toy")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := toy.Call(context.Background(), order{}); err != nil || int64(out.Count) != answered.Load()+1 {
		t.Errorf("%d were answered, %d applied (%v)", answered.Load(), out.Count-1, err)
	}
}

// TestReadyWhileDraining checks what a probe with an open connection is told.
func TestReadyWhileDraining(t *testing.T) {
	f := serve(t, Config{DrainGrace: patience}, eventloop.Config{})
	probe := f.dial()
	probe.say("GET /readyz HTTP/1.1\nHost: localhost\n\n")
	probe.hear("GET").is(t, 200, `{"status":"ok"}`)
	down := make(chan error, 1)
	go func() { down <- f.api.Shutdown(context.Background()) }()
	until(t, "it drains", f.api.draining.Load)
	probe.say("GET /readyz HTTP/1.1\nHost: localhost\n\n")
	r := probe.hear("GET")
	r.refused(t, 503, "stopping", "not_applied")
	if !r.Close {
		t.Error("the connection is kept")
	}
	probe.Close()
	if err := <-down; err != nil {
		t.Error(err)
	}
}

// TestShutdownCutShort checks that Shutdown ends with its context, and says so.
func TestShutdownCutShort(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	f.blocked()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := f.api.Shutdown(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 connections") {
		t.Error(err)
	}
	f.toy.release <- struct{}{}
}

func TestShutdownBeforeServe(t *testing.T) {
	api := New(startLoop(t, newToy(), eventloop.Config{}), Config{})
	if err := api.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	ln := unixListener(t)
	if err := api.Serve(ln); err != nil {
		t.Error(err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error("the listener is open: ", err)
	}
	if err := api.Serve(ln); err == nil {
		t.Error("Serve may be called twice")
	}
}

// flaky is a listener that fails for a while, as one without file descriptors.
type flaky struct {
	net.Listener
	faults atomic.Int32
}

func (l *flaky) Accept() (net.Conn, error) {
	if l.faults.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestAcceptFailsForAWhile(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &flaky{Listener: ln}
	l.faults.Store(3)
	f := serveOn(t, l, startLoop(t, newToy(), eventloop.Config{}), Config{})
	f.call("kv", lookupBody).is(t, 200, notFound)
}

// oddApp answers with what no Loop does.
type oddApp struct {
	App
	err error
}

func (a *oddApp) CallOnce(context.Context, statemachine.Name, string, codec.Format, []byte, codec.Format, []byte) ([]byte, error) {
	return nil, a.err
}

func TestErrorsOfTheApp(t *testing.T) {
	app := &oddApp{}
	f := serveApp(t, app, Config{})
	for _, c := range []struct {
		err     error
		status  int
		slug    string
		outcome string
	}{
		{errors.New("odd"), 500, "internal", "unknown"},
		{&statemachine.CallError{Err: errors.New("odd"), Outcome: statemachine.Applied}, 500, "internal", "applied"},
		{&statemachine.CallError{Err: statemachine.ErrJournal}, 503, "journal-failed", "unknown"},
		{&statemachine.CallError{Err: statemachine.ErrDeadline}, 504, "deadline", "unknown"},
		{&statemachine.CallError{Err: statemachine.ErrInput, Outcome: statemachine.NotApplied}, 422, "meaningless-input", "not_applied"},
		{&statemachine.CallError{Err: errors.New(strings.Repeat("\xff\x00é", 10_000))}, 500, "internal", "unknown"},
	} {
		app.err = c.err
		f.call("kv", "{}").refused(t, c.status, c.slug, c.outcome)
	}
}
