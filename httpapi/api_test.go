package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
)

func TestCall(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	f.call("kv", `{"store":{"key":"x","value":[1,{"a":"ü"}]}}`).is(t, 200, `{"ok":{}}`)
	r := f.call("kv", `{"lookup":{"key":"x"}}`)
	r.is(t, 200, `{"result":{"found":true,"value":[1,{"a":"ü"}]}}`)
	for name, want := range map[string]string{"Content-Type": "application/json", "Vary": "Accept", "Server": ""} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r.Header.Get("Date") == "" {
		t.Error("no Date")
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "Access-Control") {
			t.Error("a CORS header:", name)
		}
	}
}

func TestCast(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	f.do("POST", "/v1/cast/kv", `{"store":{"key":"x","value":1}}`, asJSON).is(t, 202, "")
	f.call("kv", `{"lookup":{"key":"x"}}`).is(t, 200, `{"result":{"found":true,"value":1}}`)

	f.do("POST", "/v1/cast/nobody", `{}`, asJSON).refused(t, 404, "no-process", "not_applied")
	f.do("POST", "/v1/cast/kv", `{"store`, asJSON).refused(t, 400, "malformed-input", "not_applied")
	f.do("POST", "/v1/cast/kv", `{"strike":{}}`, asJSON).refused(t, 422, "meaningless-input", "not_applied")
	f.do("POST", "/v1/cast/kv", `{}`).refused(t, 415, "unsupported-media-type", "not_applied")
	f.do("POST", "/v1/cast/toy", `{"do":"panic"}`, asJSON).is(t, 202, "") // nobody waits for the answer
}

func TestTree(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	f.call("toy", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)
	r := f.do("GET", "/v1/tree?pretty", "")
	want, err := json.Marshal(map[string]any{
		"name": "root", "type": "supervisor", "status": "up", "restart": "permanent", "strategy": "one_for_one",
		"restarts": 0, "steps": 0, "children": []any{worker("kv", 0), worker(oddName, 0), worker("toy", 1)}})
	if err != nil {
		t.Fatal(err)
	}
	includes(t, r.body, string(want))
	if r.StatusCode != 200 || r.Header.Get("Vary") != "Accept" || r.Header.Get("Cache-Control") != "no-store" {
		t.Error(r.StatusCode, r.Header)
	}
	r = f.do("GET", "/v1/tree", "", "Accept: application/msgpack")
	var tree map[string]any
	if err := msgpack.Unmarshal([]byte(r.body), &tree); err != nil || tree["name"] != "root" {
		t.Errorf("%v: %q", err, r.body)
	}
}

func worker(name string, steps int) map[string]any {
	return map[string]any{"name": name, "type": "worker", "status": "up", "restart": "permanent", "restarts": 0, "steps": steps}
}

// includes checks that the JSON value got is want, but for members that its
// objects have besides.
func includes(t testing.TB, got, want string) {
	t.Helper()
	var x, y any
	if json.Unmarshal([]byte(got), &x) != nil || json.Unmarshal([]byte(want), &y) != nil || !has(x, y) {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func has(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		for key := range want {
			ok = ok && has(object[key], want[key])
		}
		return ok
	case []any:
		list, ok := got.([]any)
		return ok && slices.EqualFunc(list, want, has)
	}
	return got == want
}

func TestProcess(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	want, err := json.Marshal(worker("toy", 0))
	if err != nil {
		t.Fatal(err)
	}
	includes(t, f.do("GET", "/v1/processes/toy", "").body, string(want))
	if r := f.do("GET", "/v1/processes/root", ""); !strings.Contains(r.body, `"children"`) {
		t.Errorf("the root supervisor: %s", r.body)
	}
	p := f.do("GET", "/v1/processes/nobody", "").refused(t, 404, "no-process", "not_applied")
	if p.Process == nil || *p.Process != "nobody" {
		t.Errorf("process is %v", p.Process)
	}
}

func TestNames(t *testing.T) {
	f := serve(t, Config{ReadBufferBytes: 64 << 10}, eventloop.Config{})
	const input = `{"lookup":{"key":"x"}}`
	escaped := url.PathEscape(oddName)
	f.call(escaped, input).is(t, 200, `{"result":{"found":false,"value":null}}`)
	f.call("%C3%A4/../%20%252F//x%3f", input).is(t, 200, `{"result":{"found":false,"value":null}}`)
	if r := f.do("GET", "/v1/processes/"+escaped, ""); r.StatusCode != 200 {
		t.Error(r.StatusCode, r.body)
	}
	for path, name := range map[string]string{
		"nobody":                            "nobody",
		"kv/":                               "kv/",
		"/kv":                               "/kv",
		"x/../kv":                           "x/../kv",
		"./kv":                              "./kv",
		"kv%00":                             "kv\x00",
		"%FF%fe":                            "\ufffd\ufffd",
		"k+v":                               "k+v",
		"%22%5C%0D%0A%3Cscript%3E%E2%80%A8": "\"\\\r\n<script>\u2028",
		strings.Repeat("n", 255):            strings.Repeat("n", 255),
	} {
		p := f.call(path, input).refused(t, 404, "no-process", "not_applied")
		if p.Process == nil || *p.Process != name {
			t.Errorf("%.100s: process is %v, want %q", path, p.Process, name)
		}
	}
	p := f.call(strings.Repeat("n", 60_000), input).refused(t, 404, "no-process", "not_applied")
	if p.Process != nil {
		t.Error("a name that no process can have is repeated")
	}
	f.call(strings.Repeat("n", 64<<10), input).refused(t, 414, "target-too-long", "not_applied")
	for _, path := range []string{"%", "%4", "%zz", "a%2", "%%41"} {
		f.call(path, input).refused(t, 400, "malformed-path", "not_applied")
	}
}

func TestPathsAndMethods(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	for _, path := range []string{
		"/", "/v1", "/v1/", "/v1/call", "/v1/call/", "/v1/tree/", "/v1//tree", "/v1/../v1/tree",
		"/%761/tree", "/V1/tree", "/livez/", "/favicon.ico", "/v1/processes/", "/v2/tree",
		"/v1/supervisors", "/v1/supervisors/", "/v1/supervisors/root", "/v1/supervisors/root/", "/v1/supervisors/root/kids",
		"/v1/supervisors/root/children/", "/v1/supervisors//children", "/v1/supervisors/a/b/children",
		"/v1/supervisors/root/children/kv/", "/v1/supervisors/root/children//restart", "/v1/supervisors/root/children/kv/stop",
		"/v1/supervisors/root/children/kv/restart/", "/v1/supervisors/root/children/kv/restart/restart",
	} {
		f.do("GET", path, "").refused(t, 404, "no-endpoint", "not_applied")
		f.do("POST", path, "{}", asJSON).refused(t, 404, "no-endpoint", "not_applied")
	}
	for path, allow := range map[string]string{
		"/v1/call/kv": "POST", "/v1/cast/kv": "POST", "/v1/tree": "GET, HEAD", "/v1/processes/kv": "GET, HEAD",
		"/v1/supervisors/root/children": "GET, HEAD, POST", "/v1/supervisors/root/children/kv": "DELETE",
		"/v1/supervisors/root/children/kv/restart": "POST", "/v1/supervisors/root/children/kv/terminate": "POST",
		"/livez": "GET, HEAD", "/readyz": "GET, HEAD",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "FOO"} {
			if strings.Contains(allow, method) {
				continue
			}
			r := f.do(method, path, "")
			if method == "HEAD" {
				if r.StatusCode != 405 || r.body != "" {
					t.Errorf("HEAD %s: %d %q", path, r.StatusCode, r.body)
				}
			} else {
				r.refused(t, 405, "method-not-allowed", "not_applied")
			}
			if r.Header.Get("Allow") != allow {
				t.Errorf("%s %s: Allow is %q, want %q", method, path, r.Header.Get("Allow"), allow)
			}
		}
	}
	for _, path := range []string{"/v1/tree", "/v1/processes/kv", "/v1/supervisors/root/children", "/livez", "/readyz"} {
		get, head := f.do("GET", path, ""), f.do("HEAD", path, "")
		if head.StatusCode != 200 || head.body != "" || head.ContentLength != int64(len(get.body)) {
			t.Errorf("HEAD %s: %d, Content-Length %d, want %d", path, head.StatusCode, head.ContentLength, len(get.body))
		}
	}
}

func TestBodies(t *testing.T) {
	f := serve(t, Config{MaxBodyBytes: 1 << 20}, eventloop.Config{})
	nested := strings.Repeat("[", 500_000)
	packed, err := msgpack.Marshal(map[string]any{"lookup": map[string]any{"key": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, as, body string
		status         int
		slug           string
	}{
		{"empty", asJSON, "", 400, "malformed-input"},
		{"empty", asMsgpack, "", 400, "malformed-input"},
		{"cut short", asJSON, `{"store":{"key":"x","val`, 400, "malformed-input"},
		{"cut short", asMsgpack, string(packed[:len(packed)-1]), 400, "malformed-input"},
		{"two values", asJSON, `{"lookup":{"key":"x"}} {}`, 400, "malformed-input"},
		{"not UTF-8", asJSON, "{\"lookup\":{\"key\":\"\xff\"}}", 400, "malformed-input"},
		{"nested", asJSON, nested, 400, "malformed-input"},
		{"nested in an input", asJSON, `{"store":{"key":"x","value":` + nested, 400, "malformed-input"},
		{"nested", asMsgpack, strings.Repeat("\x91", 500_000), 400, "malformed-input"},
		{"msgpack as JSON", asJSON, string(packed), 400, "malformed-input"},
		{"JSON as msgpack", asMsgpack, `{"lookup":{"key":"x"}}`, 400, "malformed-input"},
		{"a huge length", asMsgpack, "\xdf\xff\xff\xff\xff", 400, "malformed-input"},
		{"a wrong type", asJSON, `{"lookup":{"key":7}}`, 422, "meaningless-input"},
		{"not an object", asJSON, `[]`, 422, "meaningless-input"},
		{"an unknown tag", asJSON, `{"` + strings.Repeat("y", 100_000) + `":{}}`, 422, "meaningless-input"},
		{"an unknown tag", asMsgpack, "\x81\xa1x\x80", 422, "meaningless-input"},
	} {
		p := f.do("POST", "/v1/call/kv", c.body, c.as).refused(t, c.status, c.slug, "not_applied")
		if p.Process == nil || *p.Process != "kv" || strings.HasPrefix(p.Detail, "codec:") {
			t.Errorf("%s: process %v, detail %q", c.what, p.Process, p.Detail)
		}
	}
	big := `{"store":{"key":"x","value":"` + strings.Repeat("v", 1<<20-100) + `"}}`
	f.call("kv", big).is(t, 200, `{"ok":{}}`)
}

func TestMsgpack(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	input, err := msgpack.Marshal(map[string]any{"store": map[string]any{"key": "x", "value": 7}})
	if err != nil {
		t.Fatal(err)
	}
	output := []byte("\x81\xa2ok\x80")
	for _, name := range []string{"application/msgpack", "application/x-msgpack", "application/vnd.msgpack; v=5", "Application/MsgPack"} {
		f.do("POST", "/v1/call/kv", string(input), "Content-Type: "+name).is(t, 200, `{"ok":{}}`)
	}
	for _, name := range []string{"application/msgpack", "application/x-msgpack", "application/vnd.msgpack"} {
		r := f.do("POST", "/v1/call/kv", string(input), asMsgpack, "Accept: "+name)
		if !bytes.Equal([]byte(r.body), output) || r.Header.Get("Content-Type") != name || r.Header.Get("Vary") != "Accept" {
			t.Errorf("Accept %s: %s %q", name, r.Header.Get("Content-Type"), r.body)
		}
	}
	// Problems are JSON, whatever is liked.
	f.do("POST", "/v1/call/no", string(input), asMsgpack, "Accept: application/msgpack").refused(t, 404, "no-process", "not_applied")
}

func TestContentType(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	const input = `{"lookup":{"key":"x"}}`
	for _, as := range []string{"application/json", "APPLICATION/JSON", "application/json; charset=utf-8", "application/json ;a=b;c"} {
		f.do("POST", "/v1/call/kv", input, "Content-Type: "+as).is(t, 200, `{"result":{"found":false,"value":null}}`)
	}
	for _, as := range []string{
		"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/ld+json",
		"text/json", "application/jsonp", "json", "*/*", "application/*", ";application/json", "text/plain;application/json", "\xff",
	} {
		p := f.do("POST", "/v1/call/kv", "not JSON", "Content-Type: "+as).refused(t, 415, "unsupported-media-type", "not_applied")
		if !strings.Contains(p.Detail, "--json") {
			t.Errorf("no hint: %q", p.Detail)
		}
	}
	f.do("POST", "/v1/call/kv", input).refused(t, 415, "unsupported-media-type", "not_applied")
	f.do("POST", "/v1/call/kv", "").refused(t, 415, "unsupported-media-type", "not_applied")
	for coding, status := range map[string]int{"identity": 200, "Identity": 200, "gzip": 415, "br": 415, "identity, gzip": 415} {
		r := f.call("kv", input, "Content-Encoding: "+coding)
		if r.StatusCode != status {
			t.Errorf("Content-Encoding %s: %d, want %d", coding, r.StatusCode, status)
		}
		if status == 415 {
			r.refused(t, 415, "unsupported-content-encoding", "not_applied")
		}
	}
}

// TestCrash checks that the caller whose input crashed the process hears so,
// without the stack, and that the process is there for the next.
func TestCrash(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	for do, detail := range map[string]string{
		"panic": "boom", "panic nil": "nil", "panic error": "overloaded", "panic runtime": "index out of range", "panic bytes": "\ufffd\x00",
	} {
		r := f.call("toy", fmt.Sprintf(`{"do":%q}`, do))
		p := r.refused(t, 500, "crash", "not_applied")
		if !strings.HasPrefix(p.Detail, "toy crashed in step: ") || !strings.Contains(p.Detail, detail) {
			t.Errorf("%s: detail %q", do, p.Detail)
		}
		if strings.Contains(r.body, "goroutine") || strings.Contains(r.body, ".go:") {
			t.Errorf("%s: a stack: %s", do, r.body)
		}
		f.call("toy", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)
	}
	f.call("kv", `{"lookup":{"key":"crash"}}`).refused(t, 500, "crash", "not_applied") // a read-only one
	f.call("kv", `{"lookup":{"key":"x"}}`).is(t, 200, `{"result":{"found":false,"value":null}}`)
}

func TestBadOutput(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	f.call("toy", `{"do":"secret"}`).refused(t, 500, "bad-output", "applied")
	f.call("toy", `{"do":"x"}`).is(t, 200, `{"count":2,"text":"x"}`)
}

func TestHealth(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	f.do("GET", "/livez", "").is(t, 200, `{"status":"ok"}`)
	f.do("GET", "/readyz", "").is(t, 200, `{"status":"ok"}`)
	if err := f.loop.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.do("GET", "/livez", "").refused(t, 503, "stopping", "not_applied")
	f.do("GET", "/readyz", "").refused(t, 503, "stopping", "not_applied")
	f.call("kv", `{"lookup":{"key":"x"}}`).refused(t, 503, "stopping", "not_applied")
	f.call("toy", `{"do":"x"}`).refused(t, 503, "stopping", "not_applied")
	f.do("POST", "/v1/cast/toy", `{"do":"x"}`, asJSON).refused(t, 503, "stopping", "not_applied")
}

// TestKindOf checks the table against errors as an App makes them.
func TestKindOf(t *testing.T) {
	odd := fmt.Errorf("%w: %w", statemachine.ErrOutput, statemachine.ErrInput)
	for _, c := range []struct {
		err  error
		kind *kind
	}{
		{statemachine.ErrNoProcess, noProcess},
		{statemachine.ErrOverloaded, overloaded},
		{fmt.Errorf("%w: %w", statemachine.ErrOverloaded, context.DeadlineExceeded), overloaded},
		{statemachine.ErrStopping, stopping},
		{statemachine.ErrInput, meaninglessInput},
		{statemachine.ErrDeadline, deadlinePassed},
		{statemachine.ErrJournal, journalFailed},
		{odd, badOutput},
		{&statemachine.CrashError{Value: odd}, crashed},
		{&statemachine.ExitError{Reason: statemachine.Crash(odd)}, processEnded},
		{fmt.Errorf("%w: %w", statemachine.ErrConflict, odd), conflict},
		{fmt.Errorf("%w: %w", statemachine.ErrNotStarted, &statemachine.CrashError{Value: odd}), notStarted},
		{fmt.Errorf("%w: %w", statemachine.ErrInput, &codec.Error{Kind: codec.Malformed}), malformedInput},
		{errors.Join(nil, context.Canceled, statemachine.ErrJournal), journalFailed},
		{context.Canceled, internal},
	} {
		if got := kindOf(&statemachine.CallError{Name: "x", Err: c.err}); got != c.kind {
			t.Errorf("%v: %s, want %s", c.err, got.slug, c.kind.slug)
		}
	}
}
