package httpapi

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// stub is a socket that notes the deadline of reading.
type stub struct {
	net.Conn
	deadline time.Time
	err      error
}

func (s *stub) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	return copy(p, "GET"), nil
}
func (s *stub) SetReadDeadline(t time.Time) error { s.deadline = t; return nil }
func (s *stub) Close() error                      { return nil }

type stubListener struct{ net.Listener }

func (stubListener) Addr() net.Addr { return nil }
func (stubListener) Close() error   { return nil }

// TestConnWhileDraining plays what happens on single connections in each order
// that there is, since no real client can be sure to meet them.
func TestConnWhileDraining(t *testing.T) {
	far := time.Now().Add(time.Hour)
	api := New(nil, Config{MaxConns: 10, DrainGrace: time.Minute, ReadTimeout: 2 * time.Hour, Logger: quiet})
	l := newListener(stubListener{}, api)
	api.ln = l
	socket := func() (*conn, *stub) {
		s := &stub{}
		return l.admit(s), s
	}
	buf := make([]byte, 10)
	read := func(c *conn) { c.Read(buf) }
	silent, silentSocket := socket() // fasthttp says active before a byte has arrived
	silent.SetReadDeadline(far)
	connState(silent, fasthttp.StateActive)

	active, activeSocket := socket() // a request is under way
	active.SetReadDeadline(far)
	read(active)

	buffered, bufferedSocket := socket() // the second of two pipelined requests is
	read(buffered)
	connState(buffered, fasthttp.StateIdle)
	connState(buffered, fasthttp.StateActive)
	buffered.SetReadDeadline(far)

	idle, idleSocket := socket() // answered, and idle
	read(idle)
	connState(idle, fasthttp.StateIdle)
	idle.SetReadDeadline(far)

	l.drain()
	l.drain() // again is nothing new
	for name, s := range map[string]*stub{"silent": silentSocket, "idle": idleSocket} {
		if s.deadline != l.until {
			t.Errorf("a connection that is %s is kept for %v", name, time.Until(s.deadline))
		}
	}
	for name, s := range map[string]*stub{"active": activeSocket, "active with a buffered request": bufferedSocket} {
		if s.deadline != far {
			t.Errorf("a connection that is %s is kept for %v only", name, time.Until(s.deadline))
		}
	}
	connState(active, fasthttp.StateIdle) // its answer missed that the server drains
	if active.SetReadDeadline(far); activeSocket.deadline != l.until {
		t.Error("a connection that becomes idle is kept")
	}
	if read(idle); !idleSocket.deadline.After(far) {
		t.Error("a request that has begun to arrive has no time")
	}
	silentSocket.err = os.ErrDeadlineExceeded
	if _, err := silent.Read(buf); err != io.EOF {
		t.Errorf("the end of an idle connection is an error: %v", err)
	}
	idleSocket.err = os.ErrDeadlineExceeded
	if _, err := idle.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the end of a request that stalls is no error: %v", err)
	}
	if l.admit(&stub{}) != nil {
		t.Error("a connection is accepted")
	}
	for _, c := range []*conn{silent, active, buffered, idle, idle} {
		c.Close()
	}
	if err := api.Shutdown(context.Background()); err != nil || l.served != 0 {
		t.Error(err, l.served)
	}
}
