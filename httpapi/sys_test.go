package httpapi

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// numbered is a machine whose state is a number, of a version.
func numbered(version int) *statemachine.Machine[int, order, answer] {
	m := actor()
	m.State, m.Version = codec.Of[int](), version
	m.Migrate = func(from int, saved statemachine.Saved) (int, error) {
		if version == 13 {
			panic("unlucky")
		}
		n, err := statemachine.Decode(saved, codec.Of[int]())
		return -n, err
	}
	return m
}

// serveSys starts a server that lets processes be looked into.
func serveSys(t testing.TB) *fixture {
	t.Helper()
	first := numbered(0)
	loop, err := eventloop.Start(eventloop.Config{
		Root: supervisor.Supervisor{Name: "root", Intensity: 1 << 20, Children: []supervisor.Child{
			supervisor.Worker{Name: "n", Machine: first},
			supervisor.Worker{Name: "odd/name", Machine: first},
			supervisor.Worker{Name: "opaque", Machine: actor()},
		}},
		Machines: map[string]statemachine.Server{"first": first, "second": numbered(2), "unlucky": numbered(13)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { loop.Stop(context.Background()) })
	f := serveApp(t, loop, Config{Sys: loop})
	f.loop = loop
	return f
}

func (f *fixture) sys(method, path, body string, headers ...string) reply {
	f.t.Helper()
	return f.do(method, "/v1/sys/"+path, body, append(headers, asJSON)...)
}

func TestSysState(t *testing.T) {
	f := serveSys(t)
	f.call("n", `{"do":"x"}`)
	r := f.sys("GET", "n/state", "")
	r.is(t, 200, `1`)
	if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Vary") != "Accept" {
		t.Error(r.Header)
	}
	f.sys("PUT", "n/state", `41`).is(t, 204, "")
	f.call("n", `{"do":"x"}`).is(t, 200, `{"count":42,"text":"x"}`)
	f.sys("GET", "n/state", "", "Accept: application/msgpack").is(t, 200, "\x2a")
	f.do("PUT", "/v1/sys/n/state", "\x07", asMsgpack).is(t, 204, "")
	f.sys("GET", "n/state", "").is(t, 200, `7`)
	f.sys("GET", "odd%2Fname/state", "").is(t, 200, `0`)

	f.sys("PUT", "n/state", `"x"`).refused(t, 422, "meaningless-input", "not_applied")
	f.sys("PUT", "n/state", `{`).refused(t, 400, "malformed-input", "not_applied")
	f.do("PUT", "/v1/sys/n/state", `1`).refused(t, 415, "unsupported-media-type", "not_applied")
	f.sys("GET", "nobody/state", "").refused(t, 404, "no-process", "not_applied")
	f.sys("PUT", "nobody/state", `1`).refused(t, 404, "no-process", "not_applied")
	f.sys("GET", "root/state", "").refused(t, 404, "no-process", "not_applied")
	f.sys("GET", "opaque/state", "").refused(t, 409, "conflict", "not_applied")
	f.sys("PUT", "opaque/state", `1`).refused(t, 409, "conflict", "not_applied")
	f.sys("GET", "n/state", "").is(t, 200, `7`)
}

func TestSysSuspend(t *testing.T) {
	f := serveSys(t)
	f.sys("POST", "n/suspend", "").is(t, 204, "")
	f.sys("POST", "n/suspend", "{}").is(t, 204, "")
	includes(t, f.sys("GET", "n", "").body, `{"name":"n","suspended":true,"machine":"first","version":0,"log":0}`)
	f.call("n", `{"do":"x"}`, "Request-Timeout: 10ms").refused(t, 504, "deadline", "unknown")
	f.sys("GET", "n/state", "").is(t, 200, `0`)
	f.sys("POST", "n/resume", "").is(t, 204, "")
	f.sys("GET", "n/state", "").is(t, 200, `1`) // it was stepped all the same
	includes(t, f.sys("GET", "n", "").body, `{"name":"n","suspended":false}`)
	f.sys("POST", "n/resume", "").is(t, 204, "")
	f.sys("POST", "root/suspend", "").is(t, 204, "")
	f.sys("POST", "root/resume", "").is(t, 204, "")

	f.sys("POST", "n/suspend", `{"now":true}`).refused(t, 400, "malformed-input", "not_applied")
	f.do("POST", "/v1/sys/n/suspend", "").refused(t, 415, "unsupported-media-type", "not_applied")
	f.sys("POST", "nobody/suspend", "").refused(t, 404, "no-process", "not_applied")
	f.sys("GET", "n/suspend", "").refused(t, 405, "method-not-allowed", "not_applied")
}

func TestSysCode(t *testing.T) {
	f := serveSys(t)
	f.sys("PUT", "n/state", `5`)
	f.sys("PUT", "n/code", `{"machine":"second"}`).refused(t, 409, "conflict", "not_applied")
	f.sys("POST", "n/suspend", "")
	p := f.sys("PUT", "n/code", `{"machine":"unlucky"}`).refused(t, 422, "not-changed", "not_applied")
	if !strings.Contains(p.Detail, "n crashed in migrate: unlucky") {
		t.Error(p.Detail)
	}
	f.sys("PUT", "n/code", `{"machine":"third"}`).refused(t, 422, "meaningless-input", "not_applied")
	f.sys("PUT", "n/code", `{"machine":2}`).refused(t, 422, "meaningless-input", "not_applied")
	f.sys("PUT", "n/code", ``).refused(t, 400, "malformed-input", "not_applied")
	f.do("PUT", "/v1/sys/n/code", "\x80", asMsgpack).refused(t, 415, "unsupported-media-type", "not_applied")
	f.sys("PUT", "n/code", `{"machine":"second"}`).is(t, 204, "")
	f.sys("POST", "n/resume", "")
	f.call("n", `{"do":"x"}`).is(t, 200, `{"count":-4,"text":"x"}`)
	includes(t, f.sys("GET", "n", "").body, `{"machine":"second","version":2,"suspended":false}`)
}

func TestSysStatistics(t *testing.T) {
	f := serveSys(t)
	f.sys("PUT", "n/statistics", `{"on":true}`).is(t, 204, "")
	f.call("n", `{"do":"x"}`)
	includes(t, f.sys("GET", "n", "").body, `{"statistics":{"messages_in":1,"messages_out":1}}`)
	f.sys("PUT", "n/statistics", `{"on":false}`).is(t, 204, "")
	if r := f.sys("GET", "n", ""); strings.Contains(r.body, "statistics") {
		t.Error(r.body)
	}
	f.sys("PUT", "n/statistics", `{"on":1}`).refused(t, 422, "meaningless-input", "not_applied")
}

func TestSysLog(t *testing.T) {
	f := serveSys(t)
	f.sys("GET", "n/log", "").is(t, 200, `[]`)
	f.sys("PUT", "n/log", `{"last":2}`).is(t, 204, "")
	for _, do := range []string{"a", "b"} {
		f.call("n", `{"do":"`+do+`"}`)
	}
	r := f.sys("GET", "n/log", "")
	var records []struct {
		Event string
		Value json.RawMessage
	}
	if err := json.Unmarshal([]byte(r.body), &records); err != nil || len(records) != 2 ||
		records[0].Event != "in" || string(records[0].Value) != `{"do":"b"}` ||
		records[1].Event != "out" || string(records[1].Value) != `{"count":2,"text":"b"}` {
		t.Errorf("%v %s", err, r.body)
	}
	includes(t, f.sys("GET", "n", "").body, `{"log":2}`)
	f.sys("PUT", "n/log", `{"last":-1}`).refused(t, 422, "meaningless-input", "not_applied")
	f.sys("PUT", "n/log", `{"last":1000000}`).refused(t, 422, "meaningless-input", "not_applied")
}

func TestSysPaths(t *testing.T) {
	f := serveSys(t)
	for _, path := range []string{"", "n/", "n/x", "n/state/x", "/state", "odd/name"} {
		f.sys("GET", path, "").refused(t, 404, "no-endpoint", "not_applied")
	}
	f.sys("GET", "%zz/state", "").refused(t, 400, "malformed-path", "not_applied")
	r := f.sys("DELETE", "n/state", "")
	r.refused(t, 405, "method-not-allowed", "not_applied")
	if r.Header.Get("Allow") != "GET, HEAD, PUT" {
		t.Error(r.Header.Get("Allow"))
	}
	if r := f.sys("HEAD", "n/state", ""); r.StatusCode != 200 || r.body != "" {
		t.Error(r.StatusCode, r.body)
	}
}

// Without Config.Sys nothing of it is there, whether the process is or not.
func TestSysOff(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	for _, path := range []string{"kv", "kv/state", "nobody/log"} {
		f.sys("GET", path, "").refused(t, 403, "sys-off", "not_applied")
	}
	f.sys("PUT", "kv/state", "{}").refused(t, 403, "sys-off", "not_applied")
	f.sys("POST", "kv/suspend", "").refused(t, 403, "sys-off", "not_applied")
	f.call("kv", `{"lookup":{"key":"x"}}`).is(t, 200, `{"result":{"found":false,"value":null}}`)
}
