package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// actor counts, and ends itself if told to.
func actor() *statemachine.Machine[int, order, answer] {
	return &statemachine.Machine[int, order, answer]{
		Step: func(in order, n int, fx *statemachine.Effects[answer]) (int, answer) {
			switch in.Do {
			case "crash":
				panic("boom")
			case "stop":
				fx.Stop(statemachine.Normal)
			case "stop no reply":
				fx.StopNoReply(statemachine.Normal)
			case "fail no reply":
				fx.StopNoReply(statemachine.Crash(&statemachine.CrashError{Name: "inner", In: "step", Value: "boom", Stack: []byte("goroutine 1")}))
			}
			return n + 1, answer{Count: n + 1, Text: in.Do}
		},
		Input:  codec.Of[order](),
		Output: codec.Of[answer](),
	}
}

// starting is an actor with that Init.
func starting(init func(statemachine.Start[int]) (int, error)) *statemachine.Machine[int, order, answer] {
	m := actor()
	m.Init = init
	return m
}

// serveTree starts a server on a tree that children can be added to.
func serveTree(t testing.TB) *fixture {
	t.Helper()
	fails := 0
	y := newToy()
	loop, err := eventloop.Start(eventloop.Config{
		Root: supervisor.Supervisor{Name: "root", Intensity: 1 << 20, Children: []supervisor.Child{
			supervisor.Worker{Name: "kv", Machine: actor()},
			supervisor.Worker{Name: "toy", Machine: y.machine()},
			supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne, Intensity: 1 << 20, Children: []supervisor.Child{
				supervisor.Worker{Name: "template", Machine: actor(), Restart: supervisor.Transient},
			}},
		}},
		Machines: map[string]statemachine.Server{
			"actor":     actor(),
			"failing":   starting(func(statemachine.Start[int]) (int, error) { return 0, errors.New("no disk") }),
			"panicking": starting(func(statemachine.Start[int]) (int, error) { panic("boom") }),
			"ignoring":  starting(func(statemachine.Start[int]) (int, error) { return 0, statemachine.ErrIgnore }),
			"second": starting(func(statemachine.Start[int]) (int, error) { // fails but the first time
				if fails++; fails == 1 {
					return 0, nil
				}
				return 0, errors.New("no disk any more")
			}),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { loop.Stop(context.Background()) })
	f := serveApp(t, loop, Config{})
	f.toy, f.loop = y, loop
	return f
}

// add adds a child to a supervisor; act restarts or terminates one.
func (f *fixture) add(sup, spec string) reply {
	f.t.Helper()
	return f.do("POST", "/v1/supervisors/"+sup+"/children", spec, asJSON)
}

func (f *fixture) act(sup, child, verb string) reply {
	f.t.Helper()
	return f.do("POST", "/v1/supervisors/"+sup+"/children/"+child+"/"+verb, "", asJSON)
}

func (f *fixture) remove(sup, child string) reply {
	f.t.Helper()
	return f.do("DELETE", "/v1/supervisors/"+sup+"/children/"+child, "")
}

func workerSpec(name, machine string) string {
	return fmt.Sprintf(`{"worker":{"name":%q,"machine":%q}}`, name, machine)
}

// shows checks that r is about a child of that name and status.
func (r reply) shows(t testing.TB, status int, name, is string) {
	t.Helper()
	var info struct{ Name, Status string }
	if err := json.Unmarshal([]byte(r.body), &info); err != nil || r.StatusCode != status || info.Name != name || info.Status != is {
		t.Errorf("answer: %d %.300q (%v), want %d and that %s is %s", r.StatusCode, r.body, err, status, name, is)
	}
	if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Vary") != "Accept" {
		t.Error(r.Header)
	}
}

// lists checks that the children of sup are these, in this order.
func (f *fixture) lists(sup string, names ...string) {
	f.t.Helper()
	r := f.do("GET", "/v1/supervisors/"+sup+"/children", "")
	var infos []struct{ Name string }
	if err := json.Unmarshal([]byte(r.body), &infos); err != nil || r.StatusCode != 200 || infos == nil {
		f.t.Fatalf("%d %s: %v", r.StatusCode, r.body, err)
	}
	got := []string{}
	for _, i := range infos {
		got = append(got, i.Name)
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		f.t.Errorf("children of %s: %q, want %q", sup, got, names)
	}
}

// conflicts checks that r is 409 and says why in OTP's words.
func (r reply) conflicts(t testing.TB, process, why string) {
	t.Helper()
	if p := r.refused(t, 409, "conflict", "not_applied"); p.Detail != why || p.Process == nil || *p.Process != process {
		t.Errorf("%+v, want %s: %s", p, process, why)
	}
}

// missing checks that r is 404, and who there is not.
func (r reply) missing(t testing.TB, process, detail string) {
	t.Helper()
	if p := r.refused(t, 404, "no-process", "not_applied"); p.Detail != detail || p.Process == nil || *p.Process != process {
		t.Errorf("%s (process %v), want %s", p.Detail, p.Process, detail)
	}
}

// TestChild follows a child from its first start to its end.
func TestChild(t *testing.T) {
	f := serveTree(t)
	r := f.add("root", workerSpec("new", "actor"))
	r.shows(t, 201, "new", "up")
	if r.Header.Get("Location") != "/v1/processes/new" {
		t.Error("Location:", r.Header.Get("Location"))
	}
	f.do("GET", r.Header.Get("Location"), "").shows(t, 200, "new", "up")
	f.lists("root", "kv", "toy", "pool", "new")
	f.call("new", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)
	f.add("root", workerSpec("new", "actor")).conflicts(t, "new", "already started")
	f.act("root", "new", "restart").conflicts(t, "new", "running")
	f.remove("root", "new").conflicts(t, "new", "running")

	f.act("root", "new", "terminate").shows(t, 200, "new", "down")
	f.act("root", "new", "terminate").shows(t, 200, "new", "down")
	f.call("new", `{"do":"x"}`).missing(t, "new", "no such process")
	f.add("root", workerSpec("new", "actor")).conflicts(t, "new", "already present")
	f.act("root", "new", "restart").shows(t, 200, "new", "up")
	f.call("new", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)

	f.act("root", "new", "terminate").shows(t, 200, "new", "down")
	if r := f.remove("root", "new"); r.StatusCode != 204 || r.body != "" || r.Header.Get("Content-Type") != "" {
		t.Error(r.StatusCode, r.Header, r.body)
	}
	f.lists("root", "kv", "toy", "pool")
	f.call("new", `{"do":"x"}`).missing(t, "new", "no such process")
	f.remove("root", "new").missing(t, "new", `not found: child "new" of "root"`)
	f.act("root", "new", "restart").missing(t, "new", `not found: child "new" of "root"`)
	f.act("root", "new", "terminate").missing(t, "new", `not found: child "new" of "root"`)
}

// TestNoSupervisor checks what is told who addresses no supervisor, or a wrong one.
func TestNoSupervisor(t *testing.T) {
	f := serveTree(t)
	for _, verb := range []string{"restart", "terminate"} {
		f.act("nobody", "kv", verb).missing(t, "nobody", `no such process: supervisor "nobody"`)
		f.act("kv", "x", verb).missing(t, "x", `not a supervisor: child "x" of "kv"`)
	}
	f.act("pool", "x", "restart").conflicts(t, "x", "simple one for one")
	f.remove("nobody", "kv").missing(t, "nobody", `no such process: supervisor "nobody"`)
	f.remove("root", "template").missing(t, "template", `not found: child "template" of "root"`)
	f.remove("pool", "kv").conflicts(t, "kv", "simple one for one")
	f.add("nobody", workerSpec("new", "actor")).missing(t, "nobody", `no such process: supervisor "nobody"`)
	f.add("kv", workerSpec("new", "actor")).missing(t, "kv", `not a supervisor: supervisor "kv"`)
	f.do("GET", "/v1/supervisors/nobody/children", "").missing(t, "nobody", `there is no supervisor "nobody"`)
	f.do("GET", "/v1/supervisors/kv/children", "").missing(t, "kv", `not a supervisor: "kv"`)
	f.call("new", `{"do":"x"}`).missing(t, "new", "no such process")
}

// TestSpecs checks what is told who sends a spec that is none, or none that starts.
func TestSpecs(t *testing.T) {
	f := serveTree(t)
	long := strings.Repeat("n", 300)
	for _, c := range []struct {
		spec, slug, process, detail string
		status                      int
	}{
		{``, "malformed-input", "root", "malformed json", 400},
		{`{"worker":`, "malformed-input", "root", "malformed json", 400},
		{`{"worker":{"name":"a","machine":"actor"}}}`, "malformed-input", "root", "malformed json", 400},
		{`{"worker":{"name":"` + "\xff" + `","machine":"actor"}}`, "malformed-input", "root", "malformed json", 400},
		{strings.Repeat(`[`, 100_000), "malformed-input", "root", "malformed json", 400},
		{`null`, "wrong-spec", "root", `it must have either "worker" or "supervisor"`, 422},
		{`7`, "wrong-spec", "root", "found the number 7", 422},
		{`{"worker":{"name":7}}`, "wrong-spec", "root", "worker.name", 422},
		{`{"worker":{"name":"a","machine":"actor"},"supervisor":{"name":"b"}}`, "wrong-spec", "a", "either", 422},
		{`{"worker":{"name":"a","machine":"actor","pid":1}}`, "wrong-spec", "a", `unknown field "pid"`, 422},
		{workerSpec("a", "steam"), "wrong-spec", "a", `there is no machine "steam"`, 422},
		{`{"worker":{"name":"a","machine":"actor","restart":"always"}}`, "wrong-spec", "a", `"always"`, 422},
		{`{"worker":{"name":"a","machine":"actor","shutdown":"soon"}}`, "wrong-spec", "a", `"soon"`, 422},
		{`{"worker":{"name":"a"}}`, "wrong-spec", "a", `spec of "root"/"a": Machine: invalid machine`, 422},
		{workerSpec("", "actor"), "wrong-spec", "root", `spec of "root"/"": Name: invalid name: empty`, 422},
		{workerSpec(long, "actor"), "wrong-spec", "", "invalid name: 300 bytes", 422},
		{workerSpec("a", strings.Repeat("m", 5000)), "wrong-spec", "a", "there is no machine", 422},
		{`{"worker":{"name":"a","machine":"actor","significant":true}}`, "wrong-spec", "a", `Significant: bad combination`, 422},
		{`{"supervisor":{"name":"s","period":"1500ms"}}`, "wrong-spec", "s", `spec of "root"/"s": Period: invalid period`, 422},
		{`{"supervisor":{"name":"s","children":[` + workerSpec("a", "actor") + `,` + workerSpec("a", "actor") + `]}}`,
			"wrong-spec", "s", `spec of "root"/"s"/"a": Name: duplicate child name`, 422},
		{workerSpec("kv", "actor"), "conflict", "kv", "already started", 409},
		{workerSpec("a", "failing"), "not-started", "a", "no disk", 422},
		{workerSpec("a", "panicking"), "not-started", "a", "a crashed in init: boom", 422},
		{`{"supervisor":{"name":"s","children":[` + workerSpec("b", "actor") + `,` + workerSpec("a", "failing") + `]}}`,
			"not-started", "s", `failed to start child "a": no disk`, 422},
	} {
		r := f.add("root", c.spec)
		p := r.refused(t, c.status, c.slug, "not_applied")
		if !strings.Contains(p.Detail, c.detail) || strings.Contains(p.Detail, "codec:") || strings.Contains(p.Detail, "goroutine") ||
			strings.HasPrefix(p.Detail, "input refused") || strings.HasPrefix(p.Detail, "the child did not start") {
			t.Errorf("%.100s: detail %q, want %q", c.spec, p.Detail, c.detail)
		}
		if p.Process == nil && c.process != "" || p.Process != nil && *p.Process != c.process {
			t.Errorf("%.100s: process is %v, want %q", c.spec, p.Process, c.process)
		}
	}
	f.lists("root", "kv", "toy", "pool")
}

// TestRestartFails checks what is told who restarts a child whose Init fails.
func TestRestartFails(t *testing.T) {
	f := serveTree(t)
	f.add("root", workerSpec("a", "second")).shows(t, 201, "a", "up")
	f.act("root", "a", "terminate").shows(t, 200, "a", "down")
	if p := f.act("root", "a", "restart").refused(t, 422, "not-started", "not_applied"); p.Detail != "no disk any more" {
		t.Error(p.Detail)
	}
	f.do("GET", "/v1/processes/a", "").shows(t, 200, "a", "down")
}

// TestRestarting checks a child that waits for its next start.
func TestRestarting(t *testing.T) {
	f := serveTree(t)
	f.add("root", `{"supervisor":{"name":"slow","backoff":{"initial":"1h"},"children":[`+workerSpec("a", "actor")+`]}}`).shows(t, 201, "slow", "up")
	f.call("a", `{"do":"crash"}`).refused(t, 500, "crash", "not_applied")
	f.act("slow", "a", "restart").conflicts(t, "a", "restarting")
	f.remove("slow", "a").conflicts(t, "a", "restarting")
	f.add("slow", workerSpec("a", "actor")).conflicts(t, "a", "already present")
	f.act("slow", "a", "terminate").shows(t, 200, "a", "down")
	f.act("slow", "a", "restart").shows(t, 200, "a", "up")
}

// TestIgnore checks children that are not to run.
func TestIgnore(t *testing.T) {
	f := serveTree(t)
	r := f.add("root", workerSpec("idle", "ignoring"))
	r.shows(t, 201, "idle", "down")
	if r.Header.Get("Location") != "/v1/processes/idle" {
		t.Error("Location:", r.Header.Get("Location"))
	}
	f.act("root", "idle", "restart").shows(t, 200, "idle", "down")
	r = f.add("root", `{"worker":{"name":"fleeting","machine":"ignoring","restart":"temporary"}}`)
	if r.StatusCode != 204 || r.body != "" || r.Header.Get("Location") != "" {
		t.Error("a child that is forgotten at once: ", r.StatusCode, r.body, r.Header)
	}
	f.lists("root", "kv", "toy", "pool", "idle")
}

// TestSubtree adds a subtree to the running tree, and uses it.
func TestSubtree(t *testing.T) {
	f := serveTree(t)
	r := f.add("root", `{"supervisor":{"name":"pair","strategy":"one_for_all","intensity":5,"children":[`+
		workerSpec("left", "actor")+`,{"supervisor":{"name":"inner","children":[`+workerSpec("right", "actor")+`]}}]}}`)
	r.shows(t, 201, "pair", "up")
	f.lists("pair", "left", "inner")
	f.call("left", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)
	f.call("right", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)
	f.call("left", `{"do":"crash"}`).refused(t, 500, "crash", "not_applied")
	f.call("right", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`) // one for all

	f.add("inner", workerSpec("more", "actor")).shows(t, 201, "more", "up")
	f.lists("inner", "right", "more")
	f.call("more", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)

	f.act("root", "pair", "terminate").shows(t, 200, "pair", "down")
	f.call("right", `{"do":"x"}`).missing(t, "right", "no such process")
	f.lists("pair")
	f.add("pair", workerSpec("new", "actor")).missing(t, "pair", `no such process: supervisor "pair"`)
	f.act("root", "pair", "restart").shows(t, 200, "pair", "up")
	f.lists("inner", "right") // as in OTP, what was added is forgotten
	f.call("right", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)
	f.act("root", "pair", "terminate").shows(t, 200, "pair", "down")
	f.remove("root", "pair").is(t, 204, "")
	f.lists("root", "kv", "toy", "pool")
}

// TestPool adds children to a simple_one_for_one supervisor.
func TestPool(t *testing.T) {
	f := serveTree(t)
	f.lists("pool")
	f.add("pool", `{"worker":{"name":"a"}}`).shows(t, 201, "a", "up")
	f.add("pool", `{"worker":{"name":"b"}}`).shows(t, 201, "b", "up")
	f.lists("pool", "a", "b")
	f.call("a", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)
	f.call("a", `{"do":"crash"}`).refused(t, 500, "crash", "not_applied")
	f.call("a", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)
	f.add("pool", `{"worker":{"name":"b"}}`).conflicts(t, "b", "already started")
	f.remove("pool", "a").conflicts(t, "a", "simple one for one")
	f.act("pool", "a", "restart").conflicts(t, "a", "simple one for one")
	f.act("pool", "a", "terminate").is(t, 204, "")
	f.act("pool", "a", "terminate").is(t, 204, "") // as in OTP
	f.call("a", `{"do":"x"}`).missing(t, "a", "no such process")
	f.call("b", `{"do":"stop"}`).is(t, 200, `{"count":1,"text":"stop"}`) // transient, so it is forgotten
	f.lists("pool")
	f.act("pool", "kv", "terminate").missing(t, "kv", `not found: child "kv" of "pool"`)
}

// TestChildNames checks that every name can be written in a path.
func TestChildNames(t *testing.T) {
	f := serveTree(t)
	for _, name := range []string{oddName, "children/a", "restart", "a b+c", "..", "%", "\u2028\"\\", strings.Repeat("ü", 127)} {
		spec, err := json.Marshal(map[string]any{"supervisor": map[string]any{"name": name}})
		if err != nil {
			t.Fatal(err)
		}
		escaped := url.PathEscape(name)
		r := f.add("root", string(spec))
		r.shows(t, 201, name, "up")
		if got := r.Header.Get("Location"); got != "/v1/processes/"+escaped {
			t.Errorf("Location of %q: %q", name, got)
		}
		f.do("GET", r.Header.Get("Location"), "").shows(t, 200, name, "up")
		f.add(escaped, workerSpec("w", "actor")).shows(t, 201, "w", "up")
		f.lists(escaped, "w")
		f.act("root", escaped, "terminate").shows(t, 200, name, "down")
		f.act("root", escaped, "restart").shows(t, 200, name, "up")
		f.act("root", escaped, "terminate").shows(t, 200, name, "down")
		f.remove("root", escaped).is(t, 204, "")
	}
	f.act("root", "%zz", "restart").refused(t, 400, "malformed-path", "not_applied")
	f.act("%4", "kv", "restart").refused(t, 400, "malformed-path", "not_applied")
	f.remove("root", "%").refused(t, 400, "malformed-path", "not_applied")
	long := strings.Repeat("n", 5000)
	if p := f.remove("root", long).refused(t, 404, "no-process", "not_applied"); p.Process != nil || strings.Contains(p.Detail, long) {
		t.Errorf("a name that no process can have is repeated: %+v", p)
	}
}

// TestForgery checks what keeps web pages from changing the tree.
func TestForgery(t *testing.T) {
	f := serveTree(t)
	posts := []string{"/v1/supervisors/root/children", "/v1/supervisors/root/children/kv/restart", "/v1/supervisors/root/children/kv/terminate"}
	for _, path := range posts {
		for _, as := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "application/msgpack", "*/*"} {
			p := f.do("POST", path, "{}", "Content-Type: "+as).refused(t, 415, "unsupported-media-type", "not_applied")
			if strings.Contains(p.Detail, "msgpack") {
				t.Error("msgpack is recommended: ", p.Detail)
			}
		}
		f.do("POST", path, "").refused(t, 415, "unsupported-media-type", "not_applied")
		f.do("POST", path, "{}", asJSON, "Host: evil.test").refused(t, 403, "foreign-host", "not_applied")
		f.do("POST", path, "{}", asJSON, "Content-Encoding: gzip").refused(t, 415, "unsupported-content-encoding", "not_applied")
		f.do("POST", path, "{}", asJSON, "Request-Timeout: soon").refused(t, 400, "malformed-timeout", "not_applied")
	}
	for _, path := range append(posts, "/v1/supervisors/root/children/kv") {
		r := f.do("OPTIONS", path, "", "Origin: http://evil.test", "Access-Control-Request-Method: DELETE")
		r.refused(t, 405, "method-not-allowed", "not_applied")
		for name := range r.Header {
			if strings.HasPrefix(name, "Access-Control") {
				t.Error("a CORS header: ", name)
			}
		}
	}
	f.do("DELETE", "/v1/supervisors/root/children/kv", "", "Host: evil.test").refused(t, 403, "foreign-host", "not_applied")
	for _, body := range []string{"null", "[]", "0", `{"force":true}`, "{", "{}{}", "x"} {
		f.do("POST", posts[2], body, asJSON).refused(t, 400, "malformed-input", "not_applied")
	}
	f.call("kv", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)
	for _, body := range []string{"", "{}", " { } \n"} {
		f.do("POST", posts[2], body, asJSON+"; charset=utf-8").shows(t, 200, "kv", "down")
	}
	r := f.do("POST", posts[1], "", asJSON, "Accept: application/msgpack")
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/msgpack" {
		t.Error(r.StatusCode, r.Header)
	}
}

// TestProcessEnded checks what is told who ends a process.
func TestProcessEnded(t *testing.T) {
	f := serveTree(t)
	f.call("kv", `{"do":"stop"}`).is(t, 200, `{"count":1,"text":"stop"}`)
	f.call("kv", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)
	for do, detail := range map[string]string{"stop no reply": "kv ended: normal", "fail no reply": "kv ended: crash: inner crashed in step: boom"} {
		p := f.call("kv", fmt.Sprintf(`{"do":%q}`, do)).refused(t, 500, "process-ended", "applied")
		if p.Detail != detail || p.Process == nil || *p.Process != "kv" {
			t.Errorf("%+v, want %s", p, detail)
		}
		f.call("kv", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)
	}
	f.do("POST", "/v1/cast/kv", `{"do":"stop no reply"}`, asJSON).is(t, 202, "")
	f.call("kv", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)
}

// TestChildrenOfHangingLoop checks that requests to supervisors are bounded too.
func TestChildrenOfHangingLoop(t *testing.T) {
	f := serveTree(t)
	release := f.blocked()
	const soon = "Request-Timeout: 10ms"
	f.do("GET", "/v1/supervisors/root/children", "", soon).refused(t, 504, "deadline", "not_applied")
	f.do("POST", "/v1/supervisors/root/children", workerSpec("new", "actor"), asJSON, soon).refused(t, 504, "deadline", "not_applied")
	f.do("POST", "/v1/supervisors/root/children/kv/terminate", "", asJSON, soon).refused(t, 504, "deadline", "not_applied")
	p := f.do("DELETE", "/v1/supervisors/root/children/kv", "", soon).refused(t, 504, "deadline", "not_applied")
	if p.Process == nil || *p.Process != "kv" || !strings.Contains(p.Detail, "10ms") {
		t.Errorf("%+v", p)
	}
	release().is(t, 200, `{"count":1,"text":"block"}`)
	f.lists("root", "kv", "toy", "pool")
	f.call("kv", `{"do":"x"}`).is(t, 200, `{"count":1,"text":"x"}`)
}

// blindApp carries out what it is told, and cannot be looked at.
type blindApp struct {
	App
	seen chan struct{}
}

func (blindApp) RestartChild(context.Context, statemachine.Name, statemachine.Name) (bool, error) {
	return true, nil
}

func (a blindApp) Process(statemachine.Name) (statemachine.Info, bool) {
	<-a.seen
	return statemachine.Info{}, false
}

// TestDoneButNotSeen checks that who is not told what the child is now is told
// that what it wanted was done.
func TestDoneButNotSeen(t *testing.T) {
	app := blindApp{seen: make(chan struct{})}
	defer close(app.seen)
	f := serveApp(t, app, Config{CallTimeout: 10 * time.Millisecond})
	f.act("root", "kv", "restart").refused(t, 504, "deadline", "applied")
}

// soleApp has one supervisor, without children.
type soleApp struct{ App }

func (soleApp) Process(name statemachine.Name) (statemachine.Info, bool) {
	return statemachine.Info{Name: name, Type: "supervisor"}, true
}

// TestNoChildren checks that no children are an empty list, in any case.
func TestNoChildren(t *testing.T) {
	f := serveApp(t, soleApp{}, Config{})
	f.do("GET", "/v1/supervisors/root/children", "").is(t, 200, "[]")
}

func TestChildrenAfterTheEnd(t *testing.T) {
	f := serveTree(t)
	if err := f.loop.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.add("root", workerSpec("new", "actor")).refused(t, 503, "stopping", "not_applied")
	f.act("root", "kv", "terminate").refused(t, 503, "stopping", "not_applied")
	f.remove("root", "kv").refused(t, 503, "stopping", "not_applied")
}
