package httpapi

import (
	"bytes"
	"fmt"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// readyMax is how long the application may take to answer /readyz.
const readyMax = time.Second

var varyHeader, acceptHeader = []byte("Vary"), []byte("Accept")

var infoCodec = codec.Of[statemachine.Info]()

// request is what is known of a request before its body is looked at.
type request struct {
	place
	format codec.Format // of the body

	// Headers; nil if they are not there. Valid while the request is.
	accept, coding, timeout, key []byte
	keys                         int // how many keys there are
}

// handle answers a request.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	if s.draining.Load() || isLast(&ctx.Request.Header) {
		closeAfter(ctx)
	}
	r, p := s.check(ctx)
	if p.kind != nil {
		p.send(ctx)
		return
	}
	switch r.endpoint {
	case callProcess:
		s.call(ctx, r)
	case castProcess:
		s.cast(ctx, r)
	case showTree, showProcess:
		s.show(ctx, r)
	case allChildren:
		if ctx.IsPost() {
			s.startChild(ctx, r)
		} else {
			s.listChildren(ctx, r)
		}
	case oneChild, restartChild, terminateChild:
		s.changeChild(ctx, r)
	case makeBackup:
		s.backup(ctx)
	case liveness, readiness:
		s.health(ctx, r.endpoint)
	default:
		s.sys(ctx, r)
	}
}

// isLast reports whether the connection must be closed after a request where fasthttp,
// which knows only a Connection that is "close" and no more, would keep it: "Close",
// and one option of several (RFC 9110, section 7.6.1); and where both a length and
// chunks said how long the body is, so that a proxy may have seen another end of it
// than we (RFC 9112, section 6.1).
func isLast(h *fasthttp.RequestHeader) bool {
	chunked := len(h.Peek("Transfer-Encoding")) > 0
	if !chunked && (h.ConnectionClose() || len(h.Peek("Connection")) == 0) {
		return false
	}
	for line := range bytes.Lines(h.RawHeaders()) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if chunked && equalFold(name, "content-length") {
			return true
		}
		if !equalFold(name, "connection") {
			continue
		}
		for option := range bytes.SplitSeq(value, []byte(",")) {
			if equalFold(bytes.TrimSpace(option), "close") {
				return true
			}
		}
	}
	return false
}

// closeAfter has the connection closed after the answer to this request, in a
// way that lets the client read it even if it is sending.
func closeAfter(ctx *fasthttp.RequestCtx) {
	ctx.SetConnectionClose()
	if c, ok := ctx.Conn().(*conn); ok {
		c.lingers.Store(true)
	}
}

// check looks at all of a request but its body. The problem's kind is nil if
// it finds no fault.
func (s *Server) check(ctx *fasthttp.RequestCtx) (r request, p problem) {
	h := &ctx.Request.Header
	urlHost, path := splitTarget(h.RequestURI())
	if c, ok := ctx.Conn().(*conn); ok && c.l.loopback {
		if !isLoopback(h.Host()) || urlHost != nil && !isLoopback(urlHost) {
			return r, notApplied(foreignHost, "this server listens on a loopback address and answers "+
				"only requests whose Host is localhost, 127.0.0.1 or [::1], with any port")
		}
	}
	var err error
	if r.place, err = route(path); err != nil {
		return r, notApplied(malformedPath, err.Error())
	}
	if r.endpoint == nowhere {
		return r, notApplied(noEndpoint, "there are POST /v1/call/{name} and /v1/cast/{name}, "+
			"GET /v1/tree, /v1/processes/{name}, /livez and /readyz, "+
			"GET and POST /v1/supervisors/{name}/children, DELETE …/children/{name}, "+
			"and POST …/children/{name}/restart and …/terminate; and, where it is on, what is below /v1/sys/{name}, and GET /v1/backup")
	}
	if r.endpoint == makeBackup && s.cfg.Backup == nil {
		return r, notApplied(backupOff, "this server gives no backup: kv serve has --backup for that, a program Config.Backup")
	}
	if r.isSys() && s.cfg.Sys == nil {
		return r, notApplied(sysOff, "this server lets nobody look into processes or change them: kv serve has --sys for that, a program Config.Sys")
	}
	if !r.allows(h.Method()) {
		ctx.Response.Header.Set("Allow", methods[r.endpoint])
		return r, notApplied(methodNotAllowed, "the method must be one of "+methods[r.endpoint])
	}
	r.read(h)
	if !ctx.IsPost() && !ctx.IsPut() {
		return r, p
	}
	if len(r.coding) > 0 && !equalFold(r.coding, "identity") {
		return r, notApplied(unsupportedCoding, "the body must not be compressed")
	}
	var ok bool
	if r.format, ok = inputFormat(h.ContentType()); !ok || !r.takes(r.format) {
		types := "application/json"
		if r.takes(codec.Msgpack) {
			types += " or application/msgpack"
		}
		return r, notApplied(unsupportedType, "Content-Type must be "+types+
			"; with curl, send the body with --json instead of --data")
	}
	return r, p
}

// read finds the headers of r in one pass: looking them up costs more.
func (r *request) read(h *fasthttp.RequestHeader) {
	for name, value := range h.All() {
		switch string(name) {
		case "Accept":
			r.accept = value
		case "Content-Encoding":
			r.coding = value
		case "Request-Timeout":
			r.timeout = value
		case "Idempotency-Key":
			r.key = value
			r.keys++
		}
	}
}

// timeout returns how long the application may take. False: a problem was sent.
func (s *Server) timeout(ctx *fasthttp.RequestCtx, r request) (time.Duration, bool) {
	if r.timeout == nil {
		return s.cfg.CallTimeout, true
	}
	timeout, ok := parseTimeout(r.timeout)
	if !ok {
		notApplied(malformedTimeout, "Request-Timeout must be a positive duration, as 250ms or 1m30s, "+
			"or a number of seconds, as 1.5").send(ctx)
	}
	return min(timeout, s.cfg.MaxCallTimeout), ok
}

// idempotencyKey returns the key of a request, empty if it has none: as it is, or
// without the quotes of a structured field's string. False: a problem was sent.
func idempotencyKey(ctx *fasthttp.RequestCtx, r request) (string, bool) {
	if r.key == nil {
		return "", true
	}
	if r.keys > 1 { // which of them is meant cannot be known, and the other would be applied once more
		notApplied(malformedKey, fmt.Sprintf("there are %d headers Idempotency-Key", r.keys)).send(ctx)
		return "", false
	}
	key := string(r.key)
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = key[1 : n-1]
	}
	if key == "" || len(key) > maxKeyBytes {
		notApplied(malformedKey, fmt.Sprintf("Idempotency-Key must have 1 to %d bytes", maxKeyBytes)).send(ctx)
		return "", false
	}
	return key, true
}

// maxKeyBytes is the longest idempotency key.
const maxKeyBytes = 255

// call steps an input and answers with the output. Nothing is copied: the App
// keeps neither the body nor what it appends to, which is the response's own
// buffer. If the client goes away, which fasthttp does not tell, the call goes
// on until its deadline.
func (s *Server) call(ctx *fasthttp.RequestCtx, r request) {
	timeout, ok := s.timeout(ctx, r)
	if !ok {
		return
	}
	key, ok := idempotencyKey(ctx, r)
	if !ok {
		return
	}
	out := outputType(r.accept)
	ctx.Response.Header.SetCanonical(varyHeader, acceptHeader)
	d := newDeadline(timeout)
	buffer := ctx.Response.SwapBody(nil)
	body, err := s.app.CallOnce(d, r.name, key, r.format, ctx.PostBody(), out.format, buffer[:0])
	d.release()
	if err != nil {
		ctx.Response.SwapBody(buffer)
		refused(err, r.name, timeout).send(ctx)
		return
	}
	ctx.Response.SwapBody(body)
	ctx.Response.Header.SetContentType(out.name)
}

// cast sends an input, and answers with nothing.
func (s *Server) cast(ctx *fasthttp.RequestCtx, r request) {
	timeout, ok := s.timeout(ctx, r)
	if !ok {
		return
	}
	key, ok := idempotencyKey(ctx, r)
	if !ok {
		return
	}
	d := newDeadline(timeout)
	err := s.app.CastOnce(d, r.name, key, r.format, ctx.PostBody())
	d.release()
	if err != nil {
		refused(err, r.name, timeout).send(ctx)
		return
	}
	ctx.Response.SetStatusCode(fasthttp.StatusAccepted)
}

// refused returns the problem that err, of a call or cast, is.
func refused(err error, name statemachine.Name, timeout time.Duration) problem {
	p := problem{kind: kindOf(err), outcome: statemachine.OutcomeOf(err), process: name}
	switch p.kind {
	case deadlinePassed:
		p.detail = fmt.Sprintf("there was no answer within %v; Request-Timeout says how long to wait", timeout)
	case overloaded:
		p.detail = fmt.Sprintf("the queue stayed full for %v", timeout)
	default:
		p.detail = detailOf(err, p.kind)
	}
	return p
}

// show answers with the tree, or a process.
func (s *Server) show(ctx *fasthttp.RequestCtx, r request) {
	timeout, ok := s.timeout(ctx, r)
	if !ok {
		return
	}
	var info statemachine.Info
	found := true
	inTime := s.inspect(timeout, func() {
		if r.endpoint == showTree {
			info = s.app.Tree()
		} else {
			info, found = s.app.Process(r.name)
		}
	})
	switch {
	case !inTime:
		unseen(r.name, timeout).send(ctx)
	case !found:
		unknown(r.name, statemachine.ErrNoProcess.Error()).send(ctx)
	default:
		send(ctx, r, infoCodec, info)
	}
}

// unseen is the problem of a process that could not be looked at.
func unseen(name statemachine.Name, timeout time.Duration) problem {
	p := notApplied(deadlinePassed, fmt.Sprintf("the application did not answer within %v", timeout))
	p.process = name
	return p
}

// unknown is the problem of a process that there is not.
func unknown(name statemachine.Name, detail string) problem {
	p := notApplied(noProcess, detail)
	p.process = name
	return p
}

// send answers with what can be seen of processes.
func send[T any](ctx *fasthttp.RequestCtx, r request, c codec.Codec[T], v T) {
	out := outputType(r.accept)
	body, err := c.Append(ctx.Response.SwapBody(nil)[:0], out.format, v)
	if err != nil {
		problem{kind: internal, detail: err.Error()}.send(ctx)
		return
	}
	ctx.Response.SwapBody(body)
	ctx.Response.Header.SetCanonical(varyHeader, acceptHeader)
	ctx.Response.Header.Set("Cache-Control", "no-store")
	ctx.Response.Header.SetContentType(out.name)
}

// health answers whether the application lives and, moreover, takes requests:
// a Loop answers for a process, even one that does not exist, between two steps.
func (s *Server) health(ctx *fasthttp.RequestCtx, e endpoint) {
	select {
	case <-s.app.Done():
		notApplied(stopping, "the application has ended").send(ctx)
		return
	default:
	}
	switch {
	case e != readiness:
	case s.draining.Load():
		notApplied(stopping, "the server is shutting down").send(ctx)
		return
	case !s.inspect(readyMax, func() { s.app.Process("") }):
		notApplied(overloaded, fmt.Sprintf("the application did not answer within %v", readyMax)).send(ctx)
		return
	}
	ctx.Response.Header.Set("Cache-Control", "no-store")
	ctx.Response.Header.SetContentType("application/json")
	ctx.Response.SetBodyString(`{"status":"ok"}`)
}
