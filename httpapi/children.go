package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// This file is what can be done with the children of a supervisor.

var infosCodec = codec.Of[[]statemachine.Info]()

// listChildren answers with the children of a supervisor.
func (s *Server) listChildren(ctx *fasthttp.RequestCtx, r request) {
	timeout, ok := s.timeout(ctx, r)
	if !ok {
		return
	}
	var sup statemachine.Info
	var found bool
	switch inTime := s.inspect(timeout, func() { sup, found = s.app.Process(r.name) }); {
	case !inTime:
		unseen(r.name, timeout).send(ctx)
	case !found:
		unknown(r.name, fmt.Sprintf("there is no supervisor %q", r.name)).send(ctx)
	case sup.Type != "supervisor":
		unknown(r.name, fmt.Sprintf("not a supervisor: %q", r.name)).send(ctx)
	default:
		send(ctx, r, infosCodec, append([]statemachine.Info{}, sup.Children...)) // no null
	}
}

// startChild adds a child, whose spec is the body.
func (s *Server) startChild(ctx *fasthttp.RequestCtx, r request) {
	timeout, ok := s.timeout(ctx, r)
	if !ok {
		return
	}
	spec := ctx.PostBody()
	if _, err := codec.ParseRaw(spec); err != nil {
		r.malformed(detailOf(err, malformedInput)).send(ctx)
		return
	}
	r.child = childName(spec)
	d := newDeadline(timeout)
	_, err := s.app.StartChildJSON(d, r.name, spec)
	d.release()
	if err != nil {
		r.failed(err, timeout).send(ctx)
		return
	}
	s.showChild(ctx, r, fasthttp.StatusCreated, d.at)
}

// childName returns the name in a spec, empty if it has none. It reads a spec
// as a Loop does: with encoding/json.
func childName(spec []byte) statemachine.Name {
	type named struct {
		Name statemachine.Name `json:"name"`
	}
	var either struct {
		Worker     named `json:"worker"`
		Supervisor named `json:"supervisor"`
	}
	if err := json.Unmarshal(spec, &either); err != nil {
		return "" // a wrong type, which the application refuses, and says why
	}
	if either.Worker.Name != "" {
		return either.Worker.Name
	}
	return either.Supervisor.Name
}

// changeChild restarts, terminates or deletes a child.
func (s *Server) changeChild(ctx *fasthttp.RequestCtx, r request) {
	timeout, ok := s.timeout(ctx, r)
	if !ok {
		return
	}
	if r.endpoint != oneChild && !saysNothing(ctx.PostBody()) {
		r.malformed(nothingToSay).send(ctx)
		return
	}
	d := newDeadline(timeout)
	var err error
	switch r.endpoint {
	case oneChild:
		err = s.app.DeleteChild(d, r.name, r.child)
	case restartChild:
		_, err = s.app.RestartChild(d, r.name, r.child)
	case terminateChild:
		err = s.app.TerminateChild(d, r.name, r.child)
	}
	d.release()
	switch {
	case err != nil:
		r.failed(err, timeout).send(ctx)
	case r.endpoint == oneChild:
		ctx.Response.SetStatusCode(fasthttp.StatusNoContent)
	default:
		s.showChild(ctx, r, fasthttp.StatusOK, d.at)
	}
}

const nothingToSay = "there is nothing to be said: the body must be empty, or {}"

// saysNothing reports whether a body is as nothingToSay wants it.
func saysNothing(body []byte) bool {
	if len(body) == 0 {
		return true
	}
	raw, err := codec.ParseRaw(body)
	return err == nil && raw.String() == "{}"
}

// showChild answers, with a status, a request that has been carried out: with
// what can be seen of the child until the given time, or, if its supervisor has
// forgotten it already, with 204.
func (s *Server) showChild(ctx *fasthttp.RequestCtx, r request, status int, until time.Time) {
	var info statemachine.Info
	var found bool
	switch inTime := s.inspect(time.Until(until), func() { info, found = s.app.Process(r.child) }); {
	case !inTime:
		problem{deadlinePassed, "it was done; what the child is now did not become known in time", statemachine.Applied, r.child}.send(ctx)
	case !found:
		ctx.Response.SetStatusCode(fasthttp.StatusNoContent)
	default:
		ctx.Response.SetStatusCode(status)
		if status == fasthttp.StatusCreated {
			ctx.Response.Header.Set("Location", "/v1/processes/"+url.PathEscape(string(r.child)))
		}
		send(ctx, r, infoCodec, info)
	}
}

// malformed is the problem of a body that makes no sense.
func (r request) malformed(detail string) problem {
	p := notApplied(malformedInput, detail)
	p.process = r.subject()
	return p
}

// subject returns who a request is about: the child if it names one.
func (r request) subject() statemachine.Name {
	if r.child != "" {
		return r.child
	}
	return r.name
}

// failed returns the problem that err, of a request to a supervisor, is.
func (r request) failed(err error, timeout time.Duration) problem {
	p := refused(err, r.subject(), timeout)
	starts := r.endpoint == allChildren
	switch {
	case p.kind == noProcess:
		var call *statemachine.CallError
		if !errors.As(err, &call) {
			break
		}
		// What is wrapped beside ErrNoProcess is what is amiss with the child.
		if starts || call.Err == statemachine.ErrNoProcess {
			p.process = r.name
			p.detail = fmt.Sprintf("%s: supervisor %q", without(statemachine.ErrNoProcess, call.Err), r.name)
		} else {
			p.detail = fmt.Sprintf("%s: child %q of %q", without(statemachine.ErrNoProcess, call.Err), r.child, r.name)
		}
	case p.kind == meaninglessInput && starts:
		p.kind = wrongSpec
		p.detail = detailOf(err, wrongSpec)
	}
	return p
}
