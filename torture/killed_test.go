package torture_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var kvTime = flag.Duration("kvtime", 4*time.Second, "how long TestKilledProgram goes on")

const (
	kvClients = 16
	sharedKey = kvClients // keys from here on belong to all clients
	kvKeys    = kvClients + 4
)

// TestKilledProgram: see the package comment.
func TestKilledProgram(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64() >> 16
	}
	t.Logf("-seed=%d", s)
	dir := t.TempDir()
	k := &killed{t: t, rand: rand.New(rand.NewPCG(s, 0)), begun: time.Now(), binary: filepath.Join(dir, "kv"), data: filepath.Join(dir, "kv.db")}
	if out, err := exec.Command("go", "build", "-o", k.binary, "../cmd/kv").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for range kvKeys {
		k.keys = append(k.keys, newRegister())
	}
	lives := 0
	for k.begun = time.Now(); time.Since(k.begun) < *kvTime && !t.Failed(); lives++ {
		k.life()
	}
	k.readAll()
	for key, r := range k.keys {
		if err := r.check(); err != nil {
			t.Errorf("key %d: %v", key, err)
		}
	}
	t.Logf("%d lives, %d writes acknowledged, %d unknown, %d not applied, %d reads",
		lives, k.fates[present].Load(), k.fates[unknown].Load(), k.fates[absent].Load(), k.reads.Load())
}

// killed is a run of the program on one file, over many lives.
type killed struct {
	t            *testing.T
	rand         *rand.Rand
	begun        time.Time
	binary, data string
	keys         []*register
	value        atomic.Int64 // the last that was written
	fates        [3]atomic.Int64
	reads        atomic.Int64
}

func (k *killed) now() time.Duration { return time.Since(k.begun) }

// child is the program, running.
type child struct {
	cmd    *exec.Cmd
	url    chan string // closed without one if it does not listen
	stderr bytes.Buffer
	ended  chan struct{}
}

func (k *killed) spawn() *child {
	c := &child{cmd: exec.Command(k.binary, "--addr=127.0.0.1:0", "--data="+k.data, "--deliberate-bug"), url: make(chan string, 1), ended: make(chan struct{})}
	c.cmd.Stderr = &c.stderr
	out := &firstURL{url: c.url}
	c.cmd.Stdout = out
	if err := c.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	go func() {
		c.cmd.Wait()
		out.close()
		close(c.ended)
	}()
	return c
}

// kill is kill -9.
func (c *child) kill() {
	c.cmd.Process.Kill()
	<-c.ended
}

// firstURL sends the first URL that is written to it.
type firstURL struct {
	mu   sync.Mutex
	url  chan string
	text string
	done bool
}

func (f *firstURL) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text += string(p)
	if _, rest, ok := strings.Cut(f.text, "http://"); ok && !f.done {
		if host, _, ok := strings.Cut(rest, ","); ok {
			f.done = true
			f.url <- "http://" + host
		}
	}
	return len(p), nil
}

func (f *firstURL) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.url)
}

// life runs the program once, under all clients, and ends it somehow.
func (k *killed) life() {
	c := k.spawn()
	defer c.kill()
	how := k.rand.IntN(6)
	if how == 0 { // killed while it starts
		time.Sleep(time.Duration(k.rand.IntN(30)) * time.Millisecond)
		return
	}
	url, ok := <-c.url
	if !ok {
		k.t.Errorf("it did not start:\n%s", &c.stderr)
		return
	}
	http := k.client()
	defer http.CloseIdleConnections()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range kvClients {
		r := rand.New(rand.NewPCG(k.rand.Uint64(), 0))
		wg.Go(func() {
			for ctx.Err() == nil && k.once(http, url, i, r) {
			}
		})
	}
	k.end(c, how)
	cancel()
	wg.Wait()
}

func (k *killed) client() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: kvClients}, Timeout: 20 * time.Second}
}

// end ends the program: killed, stopped for a moment before that, in order, or
// killed while it ends in order.
func (k *killed) end(c *child, how int) {
	nap := func(max int) { time.Sleep(time.Duration(k.rand.IntN(max)) * time.Millisecond) }
	nap(250)
	switch how {
	case 1:
		c.cmd.Process.Signal(syscall.SIGSTOP)
		nap(50)
		c.cmd.Process.Signal(syscall.SIGCONT)
		nap(50)
	case 2:
		c.cmd.Process.Signal(syscall.SIGTERM)
		nap(15)
	case 3:
		c.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-c.ended:
		case <-time.After(30 * time.Second):
			k.t.Errorf("it does not stop:\n%s", &c.stderr)
		}
	}
	c.kill()
}

// readAll reads every key, in a life without a kill.
func (k *killed) readAll() {
	c := k.spawn()
	defer c.kill()
	url, ok := <-c.url
	if !ok {
		k.t.Fatalf("it did not start:\n%s", &c.stderr)
	}
	http := k.client()
	defer http.CloseIdleConnections()
	for key := range k.keys {
		if !k.lookup(http, url, key) {
			k.t.Errorf("key %d cannot be read", key)
		}
	}
}

// once sends one request. False: the program is gone.
func (k *killed) once(c *http.Client, url string, client int, r *rand.Rand) bool {
	key := client
	if r.IntN(3) == 0 {
		key = sharedKey + r.IntN(kvKeys-sharedKey)
	}
	switch n := r.IntN(1000); {
	case n == 0: // a store crashes, and perhaps the root gives up
		_, _, err := post(c, url+"/v1/call/kv2", `{"lookup":{"key":"crash"}}`)
		return err == nil
	case n < 400:
		return k.lookup(c, url, key)
	default:
		return k.store(c, url, key, n)
	}
}

// store writes a new value, by call or by cast; sometimes a long one.
func (k *killed) store(c *http.Client, url string, key, n int) bool {
	value := int(k.value.Add(1))
	verb := "call"
	if n%4 == 0 {
		verb = "cast"
	}
	body := fmt.Sprintf(`{"store":{"key":"k%d","value":{"n":%d,"pad":%q}}}`, key, value, strings.Repeat("x", n%20*n%500))
	begin := k.now()
	status, answer, err := post(c, fmt.Sprintf("%s/v1/%s/kv%d", url, verb, 1+key%3), body)
	is := unknown
	switch {
	case err != nil:
	case status < 300:
		is = present
	case strings.Contains(answer, `"not_applied"`):
		is = absent
	case strings.Contains(answer, `"applied"`):
		is = present
	}
	k.keys[key].write(value, begin, k.now(), is)
	k.fates[is].Add(1)
	return err == nil
}

func (k *killed) lookup(c *http.Client, url string, key int) bool {
	begin := k.now()
	status, answer, err := post(c, fmt.Sprintf("%s/v1/call/kv%d", url, 1+key%3), `{"lookup":{"key":"k`+strconv.Itoa(key)+`"}}`)
	if err != nil || status != http.StatusOK {
		return err == nil
	}
	var out struct {
		Result struct {
			Value struct{ N int }
		}
	}
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		k.t.Errorf("%s: %v", answer, err)
		return false
	}
	k.keys[key].read(out.Result.Value.N, begin, k.now())
	k.reads.Add(1)
	return true
}

func post(c *http.Client, url, input string) (status int, body string, err error) {
	res, err := c.Post(url, "application/json", strings.NewReader(input))
	if err != nil {
		return 0, "", err
	}
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), errors.Join(err, res.Body.Close())
}
