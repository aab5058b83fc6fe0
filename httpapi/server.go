package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// Server serves one application. [New] makes one.
type Server struct {
	app  App
	cfg  Config
	http *fasthttp.Server

	draining atomic.Bool   // Shutdown was called
	looking  chan struct{} // capacity 1: held by who looks into the application
	copying  chan struct{} // capacity 1: held while a backup is made

	mu sync.Mutex
	ln *listener // nil until Serve
}

// New returns a server for app.
func New(app App, cfg Config) *Server {
	cfg = cfg.withDefaults()
	s := &Server{app: app, cfg: cfg, looking: make(chan struct{}, 1), copying: make(chan struct{}, 1)}
	s.http = &fasthttp.Server{
		Handler:       s.handle,
		ErrorHandler:  s.unreadable,
		ExpectHandler: s.expect,
		ConnState:     connState,
		Logger:        logger{cfg.Logger},

		// The listener refuses what is too much, and says so better. A worker
		// may still be busy with a connection that no longer counts there.
		Concurrency: 2*cfg.MaxConns + 16,

		MaxRequestBodySize: cfg.MaxBodyBytes,
		ReadBufferSize:     cfg.ReadBufferBytes,
		ReadTimeout:        cfg.ReadTimeout,
		WriteTimeout:       cfg.WriteTimeout,
		IdleTimeout:        cfg.IdleTimeout,

		NoDefaultServerHeader:        true,
		DisablePreParseMultipartForm: true, // else it is parsed, onto the disk
		SecureErrorLogMessage:        true, // no line of log repeats a request
	}
	return s
}

// Serve answers the requests of connections that ln accepts, until Shutdown: it
// then returns nil, while Shutdown is still at work. Any other end of ln is an
// error. It may be called once. It closes ln.
//
// If ln listens on a loopback address, only requests for a loopback host are
// answered: see "Security" in the package comment.
//
// A panic of the program's own code, in a codec's Append say, is not caught: it
// ends the program. (Panics of machines are the application's to catch.)
func (s *Server) Serve(ln net.Listener) error {
	l, err := s.listen(ln)
	if err != nil {
		return err
	}
	defer l.Close()
	if s.draining.Load() {
		return nil
	}
	return s.http.Serve(l)
}

func (s *Server) listen(ln net.Listener) (*listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln != nil {
		return nil, errors.New("httpapi: Serve was called before")
	}
	s.ln = newListener(ln, s)
	return s.ln, nil
}

// Shutdown ends the server in order. Connections are no longer accepted, and
// /readyz answers 503. Requests that have begun to arrive are answered, as are
// those that arrive within DrainGrace on open connections; each answer closes
// its connection. Shutdown returns nil when all connections are closed.
//
// When ctx ends first, it closes those that are left, and says so. What was
// called through them goes on in the application until its deadline.
//
// The application should be stopped after Shutdown, not before. Shutdown may be
// called again, and by several goroutines at once, and before Serve.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	l := s.ln
	if l == nil {
		s.draining.Store(true)
	}
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	closed := l.drain()
	select {
	case <-l.empty:
		return closed
	case <-ctx.Done():
	}
	if n := l.sever(); n > 0 {
		return fmt.Errorf("httpapi: %d connections were closed before they were done: %w", n, context.Cause(ctx))
	}
	return closed
}

// inspect runs look, which waits for the application, and reports whether it
// returned in time. It runs beside this goroutine, and never more than one
// does: while the application hangs, whoever asks is told so, and no more
// goroutines hang with it.
func (s *Server) inspect(timeout time.Duration, look func()) bool {
	late := time.NewTimer(timeout)
	defer late.Stop()
	select {
	case s.looking <- struct{}{}:
	case <-late.C:
		return false
	}
	done := make(chan struct{})
	go func() {
		look()
		<-s.looking
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-late.C:
		return false
	}
}
