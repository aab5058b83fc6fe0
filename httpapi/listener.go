package httpapi

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// refusalsMax is how many clients that find no room are waited for, at a
	// time, until they have read that they are refused. Others are sent the
	// same answer, but may miss it.
	refusalsMax = 1024

	// lingerMax is how long a client is waited for that has been sent an
	// answer while it may still be sending.
	lingerMax = time.Second

	// acceptPauseMin and Max are how long to wait, at first and at most, when
	// the system cannot accept a connection now.
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// listener keeps account of the connections that it accepts: it refuses those
// that are too many, and closes them in order when the server shuts down.
type listener struct {
	net.Listener
	srv *Server

	// loopback: only programs of this computer can connect.
	loopback bool

	closing chan struct{} // closed when draining begins
	empty   chan struct{} // closed when draining and no connection is left
	until   time.Time     // until when idle connections are kept; set before srv.draining

	mu       sync.Mutex
	conns    map[*conn]struct{}
	served   int // Invariant: <= srv.cfg.MaxConns
	refusing int // Invariant: <= refusalsMax; served+refusing == len(conns)
	drained  bool
	closed   error // what closing the listener returned
}

func newListener(ln net.Listener, s *Server) *listener {
	l := &listener{
		Listener: ln,
		srv:      s,
		closing:  make(chan struct{}),
		empty:    make(chan struct{}),
		conns:    make(map[*conn]struct{}),
	}
	if a, ok := ln.Addr().(*net.TCPAddr); ok {
		l.loopback = a.IP.IsLoopback()
	}
	return l
}

// Accept returns the next connection to serve; io.EOF once draining.
//
// fasthttp gives up at the first error that is not a timeout: a moment without
// a free file descriptor would end the server.
func (l *listener) Accept() (net.Conn, error) {
	pause := acceptPauseMin
	for {
		nc, err := l.Listener.Accept()
		if err == nil {
			pause = acceptPauseMin
			if c := l.admit(nc); c != nil {
				return c, nil
			}
			continue
		}
		if l.srv.draining.Load() || errors.Is(err, net.ErrClosed) {
			return nil, io.EOF
		}
		var passing interface{ Temporary() bool }
		if !errors.As(err, &passing) || !passing.Temporary() {
			return nil, err
		}
		l.srv.cfg.Logger.Warn("httpapi: cannot accept connections", slog.Any("error", err), slog.Duration("pause", pause))
		select {
		case <-time.After(pause):
		case <-l.closing:
		}
		pause = min(2*pause, acceptPauseMax)
	}
}

// admit returns the connection to serve on nc. Nil: it has been refused.
func (l *listener) admit(nc net.Conn) *conn {
	c := &conn{Conn: nc, l: l, idle: true}
	l.mu.Lock()
	drained := l.drained
	room := !drained && l.served < l.srv.cfg.MaxConns
	waits := !drained && !room && l.refusing < refusalsMax
	switch {
	case room:
		c.counter = &l.served
	case waits:
		c.counter = &l.refusing
	}
	if room || waits {
		*c.counter++
		l.conns[c] = struct{}{}
	}
	l.mu.Unlock()
	switch {
	case room:
		return c
	case waits:
		c.lingers.Store(true)
		go func() {
			refuse(nc)
			c.Close()
		}()
	case drained:
		nc.Close()
	default:
		refuse(nc) // a new socket has room for it: this does not wait
		nc.Close()
	}
	return nil
}

// refuse answers a request that may not have arrived yet.
func refuse(nc net.Conn) {
	body := notApplied(tooManyConns, "this server serves as many connections as it is allowed to").json()
	answer := fmt.Appendf(nil, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: %s\r\nContent-Length: %d\r\n"+
		"Retry-After: %s\r\nConnection: close\r\nDate: %s\r\n\r\n%s",
		problemType, len(body), retryAfter, fasthttp.AppendHTTPDate(nil, time.Now()), body)
	nc.SetWriteDeadline(time.Now().Add(lingerMax))
	nc.Write(answer)
}

// remove forgets a connection that is closed.
func (l *listener) remove(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	*c.counter--
	l.checkEmpty()
}

// checkEmpty closes empty when it is time. The caller holds mu.
func (l *listener) checkEmpty() {
	if l.drained && len(l.conns) == 0 {
		select {
		case <-l.empty:
		default:
			close(l.empty)
		}
	}
}

// drain stops accepting, and hurries idle connections, unless that was done.
// It returns what closing the listener returned.
func (l *listener) drain() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drained {
		return l.closed
	}
	l.until = time.Now().Add(l.srv.cfg.DrainGrace)
	l.srv.draining.Store(true)
	l.drained = true
	close(l.closing)
	if l.closed = l.Listener.Close(); errors.Is(l.closed, net.ErrClosed) {
		l.closed = nil
	}
	for c := range l.conns {
		c.hurry(l.until)
	}
	l.checkEmpty()
	return l.closed
}

// sever closes all connections, now, and returns how many there were.
func (l *listener) sever() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Conn.Close() // who serves it notices, and removes it
	}
	return len(l.conns)
}
