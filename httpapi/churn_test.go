package httpapi

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// churn is a tree that is changed while it is called.
type churn struct {
	*fixture
	counted atomic.Int64 // answers of the process "kv", which nobody ends
	mu      sync.Mutex
	seen    map[string]int // how often there was which answer
}

// note counts an answer: its status and, of a problem, its type and outcome.
func (c *churn) note(what string, r reply) string {
	if r.StatusCode >= 400 {
		var p told
		if err := json.Unmarshal([]byte(r.body), &p); err != nil {
			c.t.Errorf("%d %s: %v", r.StatusCode, r.body, err)
		}
		what += strings.Replace(p.Type, typePrefix, " ", 1) + " " + p.Outcome
	}
	what = fmt.Sprint(r.StatusCode, " ", what)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[what]++
	return what
}

// answers are those that a call may get here.
var answers = map[string]bool{
	"200 call": true, "404 call no-process not_applied": true,
	"500 call crash not_applied": true, "500 call process-ended applied": true,
}

// client calls processes that may or may not be there, one after the other, and
// checks that every call gets one answer, its own.
func (c *churn) client(w *wire, id, calls int) {
	random := rand.New(rand.NewPCG(1, uint64(id)))
	for n := range calls {
		name := [...]string{"kv", "c0", "c1", "c2", "c3", "left", "right", "p0", "p1"}[random.IntN(9)]
		do := fmt.Sprintf("call %d of client %d", n, id)
		if name != "kv" {
			do = [...]string{do, do, do, "crash", "stop", "stop no reply"}[random.IntN(6)]
		}
		body := fmt.Sprintf(`{"do":%q}`, do)
		w.say(fmt.Sprintf("POST /v1/call/%s HTTP/1.1\nHost: localhost\n%s\nContent-Length: %d\n\n%s", name, asJSON, len(body), body))
		resp, err := http.ReadResponse(w.r, nil)
		if err != nil {
			c.t.Error("a call is not answered: ", err)
			return
		}
		r := readReply(c.t, resp)
		if what := c.note("call", r); !answers[what] {
			c.t.Errorf("%s: %s", what, r.body)
		}
		if r.StatusCode == 200 && !strings.Contains(r.body, fmt.Sprintf("%q", do)) {
			c.t.Errorf("%s is answered with %s", do, r.body)
		}
		if r.StatusCode == 200 && name == "kv" {
			c.counted.Add(1)
		}
	}
	w.say("GET /livez HTTP/1.1\nHost: localhost\nConnection: close\n\n") // no second answer is on its way
	w.hear("GET").is(c.t, 200, `{"status":"ok"}`)
	w.ends()
}

// operator starts, restarts, terminates and deletes children until done.
func (c *churn) operator(id int, done *atomic.Bool) {
	random := rand.New(rand.NewPCG(2, uint64(id)))
	pair := `{"supervisor":{"name":"pair","strategy":"one_for_all","intensity":1000,"children":[` +
		workerSpec("left", "actor") + `,` + workerSpec("right", "actor") + `]}}`
	for !done.Load() {
		sup, name := "root", [...]string{"c0", "c1", "c2", "c3", "pair", "p0", "p1"}[random.IntN(7)]
		spec := workerSpec(name, "actor")
		switch {
		case name == "pair":
			spec = pair
		case name[0] == 'p':
			sup, spec = "pool", fmt.Sprintf(`{"worker":{"name":%q}}`, name)
		}
		switch random.IntN(4) {
		case 0:
			c.expect(c.note("start", c.add(sup, spec)), "201 start", "204 start", "409 start conflict not_applied")
		case 1:
			c.expect(c.note("restart", c.act(sup, name, "restart")), "200 restart", "204 restart",
				"404 restart no-process not_applied", "409 restart conflict not_applied")
		case 2:
			c.expect(c.note("terminate", c.act(sup, name, "terminate")), "200 terminate", "204 terminate",
				"404 terminate no-process not_applied")
		case 3:
			c.expect(c.note("delete", c.remove(sup, name)), "204 delete",
				"404 delete no-process not_applied", "409 delete conflict not_applied")
		}
	}
}

func (c *churn) expect(what string, oneOf ...string) {
	for _, s := range oneOf {
		if s == what {
			return
		}
	}
	c.t.Errorf("%s, want one of %q", what, oneOf)
}

// TestChurn calls into a tree while it is changed over HTTP: every call gets
// exactly one answer, its own, and of the kinds that are documented.
func TestChurn(t *testing.T) {
	const clients, operators = 64, 4
	calls := 300
	if testing.Short() {
		calls = 50
	}
	c := &churn{fixture: serveTree(t), seen: map[string]int{}}
	c.add("root", workerSpec("c0", "actor")).shows(t, 201, "c0", "up")
	var done atomic.Bool
	var callers, changers sync.WaitGroup
	for id := range operators {
		changers.Go(func() { c.operator(id, &done) })
	}
	for id := range clients {
		w := c.dial()
		callers.Go(func() { c.client(w, id, calls) })
	}
	callers.Wait()
	done.Store(true)
	changers.Wait()
	t.Log(c.seen)
	c.call("kv", `{"do":"x"}`).is(t, 200, fmt.Sprintf(`{"count":%d,"text":"x"}`, c.counted.Load()+1))
	total := 0
	for what := range answers {
		if total += c.seen[what]; c.seen[what] == 0 {
			t.Error("nobody was answered ", what)
		}
	}
	for _, what := range []string{"201 start", "200 restart", "200 terminate", "204 terminate", "204 delete"} {
		if c.seen[what] == 0 {
			t.Error("no operator was answered ", what)
		}
	}
	if total != clients*calls {
		t.Errorf("%d answers to %d calls", total, clients*calls)
	}
}
