package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/valyala/fasthttp"
)

// This file is what happens to requests whose body is not read, or not to its
// end.

// expect answers a request with Expect: 100-continue before its body is sent:
// 100, or the status of what is wrong.
//
// fasthttp asks for a status only, but sends what is in the response with it.
func (s *Server) expect(ctx *fasthttp.RequestCtx) int {
	_, p := s.check(ctx)
	if p.kind == nil && ctx.Request.Header.ContentLength() > s.cfg.MaxBodyBytes {
		p = s.tooLarge()
	}
	if p.kind == nil {
		return fasthttp.StatusContinue
	}
	p.send(ctx)
	closeAfter(ctx)
	return p.kind.status
}

// unreadable answers a request that cannot be read to its end, after which
// fasthttp closes the connection.
func (s *Server) unreadable(ctx *fasthttp.RequestCtx, err error) {
	p := notApplied(malformedRequest, "the request line, a header, or how the body is framed is wrong")
	lineEnded, stalled := false, false
	if c, ok := ctx.Conn().(*conn); ok {
		lineEnded, stalled = c.reading()
	}
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &small) && !lineEnded:
		p = notApplied(targetTooLong, fmt.Sprintf("the request line does not fit into %d bytes", s.cfg.ReadBufferBytes))
	case errors.As(err, &small):
		p = notApplied(headersTooLarge, fmt.Sprintf("request line and headers do not fit into %d bytes", s.cfg.ReadBufferBytes))
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		p.kind = nil
		if ctx.Request.Header.ContentLength() > s.cfg.MaxBodyBytes { // else the headers are gone
			_, p = s.check(ctx)
		}
		if p.kind == nil {
			p = s.tooLarge()
		}
	case stalled:
		p = notApplied(requestTimeout, fmt.Sprintf("the request did not arrive within %v", s.cfg.ReadTimeout))
	}
	p.send(ctx)
	closeAfter(ctx)
}

func (s *Server) tooLarge() problem {
	return notApplied(bodyTooLarge, fmt.Sprintf("the body is longer than %d bytes", s.cfg.MaxBodyBytes))
}

// logger takes what fasthttp logs: faults of single connections.
type logger struct{ to *slog.Logger }

// Printf implements fasthttp.Logger.
func (l logger) Printf(format string, args ...any) {
	if l.to.Enabled(context.Background(), slog.LevelDebug) {
		l.to.Debug("httpapi: " + fmt.Sprintf(format, args...))
	}
}
