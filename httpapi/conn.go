package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// conn is a connection that knows whether a request is under way on it.
//
// fasthttp's own Shutdown closes a connection that looks idle even if a request
// is just being read from it, or the answers to requests that were pipelined
// are not yet sent. This one lets what has begun to arrive finish.
type conn struct {
	net.Conn
	l       *listener
	counter *int        // which of l's counts it is in
	lingers atomic.Bool // the client may be sending when it is closed

	mu      sync.Mutex
	idle    bool // no byte of a request has arrived since the last answer
	begun   bool // some byte has arrived, ever
	line    bool // the end of a line has arrived since it was idle
	stalled bool // reading has timed out

	closing sync.Once
	closed  error
}

// Read is for fasthttp. A connection that times out while it is idle ends as if
// the client had closed it: nobody waits for an answer.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		if c.idle && c.l.srv.draining.Load() { // lift what hurry has set
			c.Conn.SetReadDeadline(time.Now().Add(c.l.srv.cfg.ReadTimeout))
		}
		c.idle, c.begun = false, true
		c.line = c.line || bytes.IndexByte(p[:n], '\n') >= 0
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.stalled = true
		if c.idle {
			err = io.EOF
		}
	}
	return n, err
}

// SetReadDeadline is for fasthttp, which sets it before it waits for a request
// and once more when one has begun to arrive.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle && c.l.srv.draining.Load() {
		t = c.l.until
	}
	return c.Conn.SetReadDeadline(t)
}

// hurry has a connection that is idle, and stays so, end at the given time.
func (c *conn) hurry(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle {
		c.Conn.SetReadDeadline(until)
	}
}

// connState follows what fasthttp says of a connection. It calls the first
// request active before a byte of it has arrived; and it may call a connection
// idle although the next request is in its buffer, and active after that.
func connState(nc net.Conn, state fasthttp.ConnState) {
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case fasthttp.StateActive:
		c.idle = !c.begun
	case fasthttp.StateIdle:
		c.idle, c.line = true, false
	}
}

// Close closes the connection, once; where the client may still be sending,
// after the answer has had a chance to arrive.
func (c *conn) Close() error {
	c.closing.Do(func() {
		if c.lingers.Load() {
			c.linger()
		}
		c.closed = c.Conn.Close()
		c.l.remove(c)
	})
	return c.closed
}

// linger waits until the client has read all and closed its side, but no longer
// than lingerMax. Closing a socket with unread data resets the connection, and
// a client that is reset may never see the answer.
func (c *conn) linger() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.Conn.SetReadDeadline(time.Now().Add(lingerMax))
	io.Copy(io.Discard, c.Conn)
}

// reading reports what went wrong with a request that is not complete.
func (c *conn) reading() (lineEnded, stalled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.line, c.stalled
}
