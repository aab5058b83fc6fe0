package torture_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	kvClients    = 16
	kvShared     = 6    // registers that belong to all clients
	kvLedger     = 60   // how many entries a client's ledger has
	kvRemembered = 200  // how many answered requests a client may send again
	kvPad        = 4096 // how long a value may be, in bytes, unless the test says more; most are short
)

// kvClient sends one request after the other to the program kv. It keeps a
// ledger there, of keys that nobody else writes, each of them once: nothing may
// be lost from it. And all clients write to the shared registers.
type kvClient struct {
	id     int
	rand   *rand.Rand
	h      *history
	pad    int   // how long a value may be, in bytes
	n      int64 // the last number that it used
	ledger []string
	open   []*request // under a key, with an unknown outcome: they are sent again
	past   []*request // under a key, and answered
	fates  [3]int     // of what it has sent
	again  [2]int     // open ones that were answered, past ones that were answered the same
}

// request is an input, to be sent once or more.
type request struct {
	verb, process string
	input         string
	key           string        // an idempotency key; empty: none
	timeout       time.Duration // asked of the program; 0: none
	patience      time.Duration // after which the client goes away; 0: never

	register string
	asked    asked
	begun    int64
	answer   string // once there is one
}

func newKVClient(id int, seed uint64, h *history) *kvClient {
	return &kvClient{id: id, rand: rand.New(rand.NewPCG(seed, uint64(id))), h: h, pad: kvPad}
}

// processOf says which process has a register.
func processOf(register string) string {
	n := 0
	for _, c := range register {
		n += int(c)
	}
	return fmt.Sprint("kv", 1+n%3)
}

func (c *kvClient) entry(n int64) string { return fmt.Sprintf("l%d-%d", c.id, n) }

// once sends one request. False: the program is gone.
func (c *kvClient) once(ctx context.Context, hc *http.Client, url string) (alive bool, err error) {
	switch n := c.rand.IntN(1000); {
	case n == 0: // a store crashes, and perhaps the root gives up
		r := &request{verb: "call", process: "kv2", input: `{"lookup":{"key":"crash"}}`}
		_, alive = r.send(ctx, hc, url)
		return alive, nil
	case n < 100 && len(c.open) > 0:
		return c.sendAgain(ctx, hc, url), nil
	case n < 150 && len(c.past) > 0:
		return c.sendSame(ctx, hc, url)
	}
	r := c.invent()
	if c.rand.IntN(40) == 0 {
		r.timeout = time.Duration(c.rand.IntN(3000)+1) * time.Microsecond
	}
	if c.rand.IntN(60) == 0 {
		r.patience = time.Duration(c.rand.IntN(3000)) * time.Microsecond
	}
	r.begun = c.h.begin()
	is, alive := r.send(ctx, hc, url)
	return alive, c.hear(r, is)
}

// invent returns a new request.
func (c *kvClient) invent() *request {
	c.n++
	r := &request{verb: "call", register: fmt.Sprint("s", c.rand.IntN(kvShared))}
	switch n := c.rand.IntN(20); {
	case n < 7 && len(c.ledger) < kvLedger:
		r.register, r.asked = c.entry(c.n), asked{set, c.n}
		c.ledger = append(c.ledger, r.register)
	case n < 12 && len(c.ledger) > 0:
		r.register, r.asked = c.ledger[0], asked{act: del}
		c.ledger = c.ledger[1:]
	case n < 14 && len(c.ledger) > 0:
		r.register, r.asked = c.ledger[c.rand.IntN(len(c.ledger))], asked{act: get}
	case n < 16:
		r.asked = asked{set, c.n*kvClients + int64(c.id)}
	case n < 17:
		r.asked = asked{act: del}
	default:
		r.asked = asked{act: get}
	}
	r.process = processOf(r.register)
	switch r.asked.act {
	case get:
		r.input = fmt.Sprintf(`{"lookup":{"key":%q}}`, r.register)
		return r
	case del:
		r.input = fmt.Sprintf(`{"delete":{"key":%q}}`, r.register)
	case set:
		pad := c.rand.IntN(50)
		if c.rand.IntN(10) == 0 || c.pad > kvPad {
			pad = c.rand.IntN(c.pad)
		}
		r.input = fmt.Sprintf(`{"store":{"key":%q,"value":{"n":%d,"pad":%q}}}`, r.register, r.asked.n, strings.Repeat("x", pad))
	}
	if c.rand.IntN(4) == 0 {
		r.verb = "cast"
	}
	if c.rand.IntN(2) == 0 {
		r.key = fmt.Sprintf("%d-%d", c.id, c.n)
	}
	return r
}

// send sends r, and returns what became of it, and whether the program answers.
func (r *request) send(ctx context.Context, hc *http.Client, url string) (is fate, alive bool) {
	if r.patience > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, r.patience)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/"+r.verb+"/"+r.process, strings.NewReader(r.input))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	if r.timeout > 0 {
		req.Header.Set("Request-Timeout", r.timeout.String())
	}
	res, err := hc.Do(req)
	if err != nil {
		return unknown, r.patience > 0
	}
	body, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return unknown, r.patience > 0
	}
	if res.StatusCode < 300 {
		r.answer = string(body)
		return present, true
	}
	var problem struct{ Outcome string }
	if err := json.Unmarshal(body, &problem); err != nil {
		panic(fmt.Sprintf("status %d with the body %s: %v", res.StatusCode, body, err))
	}
	switch problem.Outcome {
	case "applied":
		return present, true
	case "not_applied":
		return absent, true
	}
	return unknown, true
}

// hear notes what became of r.
func (c *kvClient) hear(r *request, is fate) error {
	c.fates[is]++
	switch {
	case is == absent && strings.HasPrefix(r.register, "l") && r.asked.act == set:
		c.ledger = slices.DeleteFunc(c.ledger, func(s string) bool { return s == r.register })
	case is == absent && strings.HasPrefix(r.register, "l") && r.asked.act == del:
		c.ledger = append(c.ledger, r.register)
	case is == unknown && r.key != "":
		c.open = append(c.open, r)
	case is == unknown:
		c.h.end(r.register, c.id, r.begun, r.asked, told{how: perhaps})
	case is == present:
		x, err := r.told()
		if err != nil {
			return err
		}
		c.h.end(r.register, c.id, r.begun, r.asked, x)
		if r.key != "" {
			c.past = append(c.past, r)
			c.past = c.past[max(0, len(c.past)-kvRemembered):]
		}
	}
	return nil
}

// told reads the answer.
func (r *request) told() (told, error) {
	if r.verb == "cast" || r.answer == "" {
		return told{how: blindly}, nil
	}
	var out struct {
		Ok      *struct{}
		Deleted *struct{ Found bool }
		Result  *struct {
			Found bool
			Value struct{ N int64 }
		}
	}
	if err := json.Unmarshal([]byte(r.answer), &out); err != nil {
		return told{}, fmt.Errorf("%s: %s: %w", r.input, r.answer, err)
	}
	switch {
	case r.asked.act == set && out.Ok != nil:
		return told{how: blindly}, nil
	case r.asked.act == del && out.Deleted != nil:
		return told{cell: cell{there: out.Deleted.Found}}, nil
	case r.asked.act == get && out.Result != nil:
		return told{cell: cell{out.Result.Found, out.Result.Value.N}}, nil
	}
	return told{}, fmt.Errorf("%s was answered %s", r.input, r.answer)
}

// sendAgain sends something again whose outcome is unknown: until that is known.
// False: the program is gone.
func (c *kvClient) sendAgain(ctx context.Context, hc *http.Client, url string) (alive bool) {
	i := c.rand.IntN(len(c.open))
	r := c.open[i]
	r.timeout, r.patience = 0, 0
	is, alive := r.send(ctx, hc, url)
	if is != present {
		return alive // that it was not applied this time says nothing of the first
	}
	c.open = slices.Delete(c.open, i, i+1)
	c.again[0]++
	if err := c.hear(r, present); err != nil {
		panic(err)
	}
	return alive
}

// sendSame sends something again that was answered: it is answered the same,
// and, as the history will show, changes nothing.
func (c *kvClient) sendSame(ctx context.Context, hc *http.Client, url string) (alive bool, err error) {
	r := *c.past[c.rand.IntN(len(c.past))]
	was := r.answer
	r.timeout, r.patience = 0, 0
	is, alive := r.send(ctx, hc, url)
	switch {
	case is == present && r.answer != was:
		return alive, fmt.Errorf("%s was answered %s, and sent again under its key %s", r.input, was, r.answer)
	case is == present:
		c.again[1]++
	}
	return alive, nil
}

// inspect reads what is there of the client's ledger, while nobody writes.
func (c *kvClient) inspect(ctx context.Context, hc *http.Client, url string) error {
	there := map[string]bool{}
	for _, process := range []string{"kv1", "kv2", "kv3"} {
		r := request{verb: "call", process: process, input: fmt.Sprintf(`{"list":{"prefix":"l%d-","limit":1000000}}`, c.id)}
		var out struct{ Keys struct{ Keys []string } }
		if is, _ := r.send(ctx, hc, url); is != present {
			return fmt.Errorf("%s of %s is not answered", r.input, process)
		}
		if err := json.Unmarshal([]byte(r.answer), &out); err != nil {
			return fmt.Errorf("%s: %w", r.answer, err)
		}
		for _, key := range out.Keys.Keys {
			there[key] = true
		}
	}
	for _, key := range c.ledger {
		c.look(key, there[key])
	}
	c.ledger = slices.DeleteFunc(c.ledger, func(key string) bool { return !there[key] && !c.isOpen(key) })
	for key := range there {
		if !slices.Contains(c.ledger, key) {
			c.look(key, true) // perhaps its deletion is open; else it has no business there
			c.ledger = append(c.ledger, key)
		}
	}
	slices.SortFunc(c.ledger, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) // the oldest first
	})
	return nil
}

func (c *kvClient) look(key string, there bool) {
	c.h.end(key, c.id, c.h.begin(), asked{act: has}, told{cell: cell{there: there}})
}

func (c *kvClient) isOpen(register string) bool {
	return slices.ContainsFunc(c.open, func(r *request) bool { return r.register == register })
}

// leave clears up what is open, in a program that nobody disturbs.
func (c *kvClient) leave(ctx context.Context, hc *http.Client, url string) error {
	for len(c.open) > 0 {
		n := len(c.open)
		if alive := c.sendAgain(ctx, hc, url); !alive || len(c.open) == n {
			return fmt.Errorf("client %d: %s cannot be sent again", c.id, c.open[0].input)
		}
	}
	for range min(20, len(c.past)) {
		if _, err := c.sendSame(ctx, hc, url); err != nil {
			return err
		}
	}
	return nil
}

// numberOf is the value of an entry of a ledger.
func numberOf(entry string) (n int64) {
	_, number, _ := strings.Cut(entry, "-")
	if _, err := fmt.Sscan(number, &n); err != nil {
		panic(err)
	}
	return n
}
