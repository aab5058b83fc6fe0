package httpapi

import (
	"bytes"
	"context"
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// Sys is what processes can be looked at and changed through from outside, beside
// their inputs: an *eventloop.Loop. What is said of App is true of it too.
type Sys interface {
	// GetStatus returns what there is to know of a worker.
	GetStatus(ctx context.Context, name statemachine.Name) (statemachine.SysStatus, error)
	// GetState appends the state of a worker, in format f, to dst.
	GetState(ctx context.Context, name statemachine.Name, f codec.Format, dst []byte) ([]byte, error)
	// ReplaceState makes what data encodes the state of a worker.
	ReplaceState(ctx context.Context, name statemachine.Name, f codec.Format, data []byte) error
	// Suspend has a worker, or a supervisor, do nothing until Resume.
	Suspend(ctx context.Context, name statemachine.Name) error
	// Resume ends Suspend.
	Resume(ctx context.Context, name statemachine.Name) error
	// ChangeCodeKey has the machine of that key take over a suspended worker.
	ChangeCodeKey(ctx context.Context, name statemachine.Name, key string) error
	// SetStatistics turns the statistics of a worker on or off.
	SetStatistics(ctx context.Context, name statemachine.Name, on bool) error
	// SetLog has that many of a worker's last events kept.
	SetLog(ctx context.Context, name statemachine.Name, max int) error
	// GetLog returns the events that are kept.
	GetLog(ctx context.Context, name statemachine.Name) ([]statemachine.SysRecord, error)
}

var (
	statusCodec  = codec.Of[statemachine.SysStatus]()
	recordsCodec = codec.Of[[]statemachine.SysRecord]()

	// What is put to the endpoints that take no state.
	statisticsCodec = codec.Of[struct {
		On bool `json:"on"`
	}]()
	logCodec = codec.Of[struct {
		Last int `json:"last"`
	}]()
	codeCodec = codec.Of[struct {
		Machine string `json:"machine"`
	}]()
)

// routeSys is route for what follows /v1/sys/ in a path: a name, which is one
// segment, and what of it.
func routeSys(path []byte) (place, error) {
	segment, what, more := bytes.Cut(path, []byte("/"))
	var to place
	switch string(what) {
	case "":
		to.endpoint = sysStatus
	case "state":
		to.endpoint = sysState
	case "suspend":
		to.endpoint = sysSuspend
	case "resume":
		to.endpoint = sysResume
	case "code":
		to.endpoint = sysCode
	case "statistics":
		to.endpoint = sysStatistics
	case "log":
		to.endpoint = sysLog
	}
	if to.endpoint == nowhere || len(segment) == 0 || more && len(what) == 0 {
		return place{}, nil
	}
	name, err := unescape(segment)
	if err != nil {
		return place{}, err
	}
	to.name = statemachine.Name(name)
	return to, nil
}

// sys answers the requests of /v1/sys, which is on.
func (s *Server) sys(ctx *fasthttp.RequestCtx, r request) {
	timeout, ok := s.timeout(ctx, r)
	if !ok {
		return
	}
	if ctx.IsPost() && !saysNothing(ctx.PostBody()) {
		r.malformed(nothingToSay).send(ctx)
		return
	}
	d := newDeadline(timeout)
	var err error
	if ctx.IsPost() || ctx.IsPut() {
		if err = s.changeSys(d, ctx, r); err == nil {
			ctx.Response.SetStatusCode(fasthttp.StatusNoContent)
		}
	} else {
		err = s.showSys(d, ctx, r)
	}
	d.release()
	if err != nil {
		refused(err, r.name, timeout).send(ctx)
	}
}

// changeSys does what was posted or put.
func (s *Server) changeSys(d *deadline, ctx *fasthttp.RequestCtx, r request) error {
	sys, body := s.cfg.Sys, ctx.PostBody()
	switch r.endpoint {
	case sysSuspend, sysResume:
		if r.endpoint == sysSuspend {
			return sys.Suspend(d, r.name)
		}
		return sys.Resume(d, r.name)
	case sysState:
		return sys.ReplaceState(d, r.name, r.format, body)
	case sysCode:
		to, err := decodeBody(codeCodec, r, body)
		if err != nil {
			return err
		}
		return sys.ChangeCodeKey(d, r.name, to.Machine)
	case sysStatistics:
		to, err := decodeBody(statisticsCodec, r, body)
		if err != nil {
			return err
		}
		return sys.SetStatistics(d, r.name, to.On)
	}
	to, err := decodeBody(logCodec, r, body)
	if err != nil {
		return err
	}
	return sys.SetLog(d, r.name, to.Last)
}

// decodeBody reads a body of ours. Its errors are those of an input.
func decodeBody[T any](c codec.Codec[T], r request, body []byte) (T, error) {
	v, err := c.Decode(codec.JSON, body)
	if err != nil {
		err = fmt.Errorf("%w: %w", statemachine.ErrInput, err)
		return v, &statemachine.CallError{Name: r.name, Outcome: statemachine.NotApplied, Err: err}
	}
	return v, nil
}

// showSys answers with what can be seen.
func (s *Server) showSys(d *deadline, ctx *fasthttp.RequestCtx, r request) error {
	switch r.endpoint {
	case sysStatus:
		status, err := s.cfg.Sys.GetStatus(d, r.name)
		if err == nil {
			send(ctx, r, statusCodec, status)
		}
		return err
	case sysLog:
		records, err := s.cfg.Sys.GetLog(d, r.name)
		if err == nil {
			send(ctx, r, recordsCodec, append([]statemachine.SysRecord{}, records...)) // no null
		}
		return err
	}
	out := outputType(r.accept)
	buffer := ctx.Response.SwapBody(nil)
	body, err := s.cfg.Sys.GetState(d, r.name, out.format, buffer[:0])
	if err != nil {
		ctx.Response.SwapBody(buffer)
		return err
	}
	ctx.Response.SwapBody(body)
	ctx.Response.Header.SetCanonical(varyHeader, acceptHeader)
	ctx.Response.Header.Set("Cache-Control", "no-store")
	ctx.Response.Header.SetContentType(out.name)
	return nil
}
