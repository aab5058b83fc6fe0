package httpapi

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

const (
	problemType = "application/problem+json"
	typePrefix  = "urn:lineshaft:error:"

	// retryAfter is how long to wait, in seconds, where a retry may help.
	retryAfter = "1"

	// detailMax is how long the detail of a problem may be, in bytes.
	detailMax = 600
)

// kind is what all problems of one type have in common.
type kind struct {
	status int
	slug   string // type, less typePrefix
	title  string
	retry  bool // the same request may succeed later: Retry-After is sent
}

// The problems of a request that does not get as far as the application.
var (
	malformedRequest  = &kind{status: 400, slug: "malformed-request", title: "The request is not well-formed HTTP"}
	malformedPath     = &kind{status: 400, slug: "malformed-path", title: "The path is not well-formed"}
	malformedTimeout  = &kind{status: 400, slug: "malformed-timeout", title: "Request-Timeout is not a duration"}
	malformedKey      = &kind{status: 400, slug: "malformed-idempotency-key", title: "Idempotency-Key is not a key"}
	foreignHost       = &kind{status: 403, slug: "foreign-host", title: "The request is for another host"}
	backupOff         = &kind{status: 403, slug: "backup-off", title: "Backups are off"}
	sysOff            = &kind{status: 403, slug: "sys-off", title: "The sys endpoints are off"}
	noEndpoint        = &kind{status: 404, slug: "no-endpoint", title: "No such endpoint"}
	methodNotAllowed  = &kind{status: 405, slug: "method-not-allowed", title: "Method not allowed"}
	requestTimeout    = &kind{status: 408, slug: "request-timeout", title: "The request did not arrive in time"}
	bodyTooLarge      = &kind{status: 413, slug: "body-too-large", title: "The body is too large"}
	targetTooLong     = &kind{status: 414, slug: "target-too-long", title: "The request line is too long"}
	unsupportedType   = &kind{status: 415, slug: "unsupported-media-type", title: "Unsupported media type"}
	unsupportedCoding = &kind{status: 415, slug: "unsupported-content-encoding", title: "Unsupported content encoding"}
	headersTooLarge   = &kind{status: 431, slug: "headers-too-large", title: "The headers are too large"}
	backupRuns        = &kind{status: 503, slug: "backup-runs", title: "Another backup is being made", retry: true}
	tooManyConns      = &kind{status: 503, slug: "too-many-connections", title: "Too many connections", retry: true}
)

// The problems of calls, casts, and requests to supervisors.
var (
	noProcess        = &kind{status: 404, slug: "no-process", title: "No such process"}
	malformedInput   = &kind{status: 400, slug: "malformed-input", title: "The input is malformed"}
	meaninglessInput = &kind{status: 422, slug: "meaningless-input", title: "The input is not one of the process's"}
	keyReused        = &kind{status: 422, slug: "idempotency-key-reused", title: "The idempotency key was used for another input"}
	wrongSpec        = &kind{status: 422, slug: "wrong-spec", title: "The child spec is wrong"}
	conflict         = &kind{status: 409, slug: "conflict", title: "What the process or its children are now does not allow it"}
	notChanged       = &kind{status: 422, slug: "not-changed", title: "The process was not changed"}
	notStarted       = &kind{status: 422, slug: "not-started", title: "The child did not start"}
	crashed          = &kind{status: 500, slug: "crash", title: "The process crashed"}
	processEnded     = &kind{status: 500, slug: "process-ended", title: "The process ended without a reply"}
	badOutput        = &kind{status: 500, slug: "bad-output", title: "The output cannot be encoded"}
	internal         = &kind{status: 500, slug: "internal", title: "Internal error"}
	overloaded       = &kind{status: 503, slug: "overloaded", title: "Overloaded", retry: true}
	stopping         = &kind{status: 503, slug: "stopping", title: "Stopping", retry: true}
	journalFailed    = &kind{status: 503, slug: "journal-failed", title: "The journal failed", retry: true}
	deadlinePassed   = &kind{status: 504, slug: "deadline", title: "The deadline has passed"}
)

// kinds maps the application's errors to problems.
var kinds = [...]struct {
	is   func(error) bool
	kind *kind
}{
	{typed[*statemachine.CrashError], crashed},
	{typed[*statemachine.ExitError], processEnded},
	{same(statemachine.ErrKeyReused), keyReused},
	{same(statemachine.ErrInput), meaninglessInput}, // or malformedInput, or wrongSpec
	{same(statemachine.ErrNoProcess), noProcess},
	{same(statemachine.ErrConflict), conflict},
	{same(statemachine.ErrNotStarted), notStarted},
	{same(statemachine.ErrNotChanged), notChanged},
	{same(statemachine.ErrOutput), badOutput},
	{same(statemachine.ErrOverloaded), overloaded},
	{same(statemachine.ErrStopping), stopping},
	{same(statemachine.ErrJournal), journalFailed},
	{same(statemachine.ErrDeadline), deadlinePassed},
}

func typed[T error](err error) bool { _, ok := err.(T); return ok }

func same(as error) func(error) bool { return func(err error) bool { return err == as } }

// kindOf returns the kind of problem that err, of the application, is.
func kindOf(err error) *kind {
	k := firstKind(err)
	var refused *codec.Error
	switch {
	case k == nil:
		return internal
	case k == meaninglessInput && errors.As(err, &refused) && refused.Kind == codec.Malformed:
		return malformedInput
	}
	return k
}

// firstKind returns the kind of the first error in err that has one, each
// before what it wraps; nil if none has. The first decides because the others
// may be what a machine has panicked with, or its Init has returned: any error.
func firstKind(err error) *kind {
	for _, k := range kinds {
		if k.is(err) {
			return k.kind
		}
	}
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		return firstKind(err.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range err.Unwrap() {
			if k := firstKind(err); k != nil {
				return k
			}
		}
	}
	return nil
}

// problem is the body of an error: RFC 9457, and two members of our own.
type problem struct {
	kind    *kind
	detail  string
	outcome statemachine.Outcome
	process statemachine.Name // empty: none
}

// notApplied returns the problem of a request that has changed nothing.
func notApplied(k *kind, detail string) problem {
	return problem{kind: k, detail: detail, outcome: statemachine.NotApplied}
}

// json returns the problem's text, which is UTF-8 and no longer than it should
// be whatever the detail is.
func (p problem) json() []byte {
	body := struct {
		Type    string            `json:"type"`
		Title   string            `json:"title"`
		Status  int               `json:"status"`
		Detail  string            `json:"detail"`
		Outcome string            `json:"outcome"`
		Process statemachine.Name `json:"process,omitempty"`
	}{typePrefix + p.kind.slug, p.kind.title, p.kind.status, truncate(p.detail, detailMax), p.outcome.String(), p.process}
	if len(p.process) > statemachine.MaxNameBytes { // nor is there one of that name
		body.Process = ""
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic("httpapi: a problem that is not JSON: " + err.Error())
	}
	return text
}

// send makes the problem the response.
func (p problem) send(ctx *fasthttp.RequestCtx) {
	ctx.Response.SetStatusCode(p.kind.status)
	ctx.Response.Header.SetContentType(problemType)
	if p.kind.retry {
		ctx.Response.Header.Set("Retry-After", retryAfter)
	}
	ctx.Response.SetBodyRaw(p.json())
}

// detailOf says what went wrong, in words of HTTP where err has others.
func detailOf(err error, k *kind) string {
	var call *statemachine.CallError
	if errors.As(err, &call) {
		err = call.Err
	}
	var refused *codec.Error
	var crash *statemachine.CrashError
	switch {
	case k == crashed && errors.As(err, &crash):
		return crash.Error()
	case (k == meaninglessInput || k == malformedInput) && errors.As(err, &refused):
		return strings.TrimPrefix(refused.Error(), "codec: ")
	case k == conflict:
		return without(statemachine.ErrConflict, err)
	case k == notStarted:
		return without(statemachine.ErrNotStarted, err)
	case k == notChanged:
		return without(statemachine.ErrNotChanged, err)
	case k == wrongSpec:
		return without(statemachine.ErrInput, err)
	}
	return err.Error()
}

// without returns the text of err, less that of the error that it begins with,
// which the problem's title has said.
func without(first, err error) string {
	return strings.TrimPrefix(err.Error(), first.Error()+": ")
}

// truncate returns text, or as much of it as limit bytes hold.
func truncate(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const ellipsis = "…"
	cut := limit - len(ellipsis)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + ellipsis
}
