package torture_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

var kvTime = flag.Duration("kvtime", 2*time.Second, "how long TestKilledProgram goes on")

// TestKilledProgram: see the package comment.
func TestKilledProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := newKilled(t, filepath.Join(dir, "kv.db"), buildKV(t, dir), "--deliberate-bug", "--snapshot-bytes=100000")
	for begun := time.Now(); time.Since(begun) < *kvTime && !t.Failed(); {
		k.life()
		if k.lives%livesPerCheck == 0 {
			k.check()
		}
	}
	k.check()
	k.report()
}

// livesPerCheck is how many lives the program has before the history is checked
// and forgotten.
const livesPerCheck = 20

// killed is a run of the program on one file, over many lives, and its clients.
type killed struct {
	t       *testing.T
	rand    *rand.Rand
	binary  string
	data    string
	command []string
	h       *history
	clients []*kvClient
	lives   int
	checked int // operations
}

func newKilled(t *testing.T, data string, binary string, flags ...string) *killed {
	s := *seed
	if s == 0 {
		s = rand.Uint64() >> 16
	}
	t.Logf("-seed=%d", s)
	k := &killed{t: t, rand: rand.New(rand.NewPCG(s, 0)), binary: binary, data: data, h: newHistory()}
	k.command = append([]string{binary, "--addr=127.0.0.1:0", "--data=" + data}, flags...)
	t.Cleanup(k.keep)
	for id := range kvClients {
		k.clients = append(k.clients, newKVClient(id, s, k.h))
	}
	return k
}

// keep keeps the file of a run that has failed.
func (k *killed) keep() {
	if !k.t.Failed() {
		return
	}
	kept := filepath.Join(os.TempDir(), fmt.Sprintf("%s-%d.db", filepath.Base(k.t.Name()), time.Now().UnixNano()))
	if err := copyFile(kept, k.data); err == nil {
		k.t.Logf("the file is kept as %s", kept)
	}
}

// life runs the program once, under all clients, and ends it somehow.
func (k *killed) life() {
	k.lives++
	if k.rand.IntN(6) == 0 {
		k.comeFromFuture()
	}
	how := k.rand.IntN(len(ends) + 1)
	if how == len(ends) { // killed while it starts
		c := spawn(k.t, k.command)
		time.Sleep(time.Duration(k.rand.IntN(30)) * time.Millisecond)
		c.kill()
		k.mustBeIntact()
		return
	}
	c, url := serving(k.t, k.command)
	defer c.kill()
	k.inspect(url)
	k.load(url, func() {
		k.nap(250)
		ends[how](k, c)
	})
	if line, err := c.complaint(); err != nil || line != "" && !strings.Contains(line, "the root supervisor gave up") {
		k.t.Errorf("end %d: %v\n%s", how, err, &c.stderr)
	}
	k.mustBeIntact()
}

// comeFromFuture makes a file that was last written at a time to come, as if the
// clock had been set back since.
func (k *killed) comeFromFuture() {
	log, err := boltlog.Open(k.data, boltlog.Options{})
	if err != nil {
		k.t.Error(err)
		return
	}
	var last int64
	err = log.Recover(func(s journal.Snapshot) error { last = s.Time; return nil },
		func(_ uint64, b journal.Batch) error { last = b.Time(); return nil })
	var b journal.Builder
	b.Reset(max(last, time.Now().UnixNano()) + k.rand.Int64N(int64(30*24*time.Hour)))
	err = errors.Join(err, b.Add(journal.KindStart, "", nil))
	log.Append(b.Seal(), func(_ uint64, failed error) { err = errors.Join(err, failed) })
	closed := log.Close() // err is settled from here on
	if err := errors.Join(err, closed); err != nil {
		k.t.Error(err)
	}
}

func (k *killed) nap(max int) { time.Sleep(time.Duration(k.rand.IntN(max)) * time.Millisecond) }

// ends are the ways in which a life ends.
var ends = []func(k *killed, c *child){
	func(k *killed, c *child) { c.kill() },
	func(k *killed, c *child) { // it stands still for a while, and goes on
		for range 1 + k.rand.IntN(3) {
			c.signal(syscall.SIGSTOP)
			k.nap(50)
			c.signal(syscall.SIGCONT)
			k.nap(50)
		}
		c.kill()
	},
	func(k *killed, c *child) { // killed where it stands
		c.signal(syscall.SIGSTOP)
		k.nap(20)
		c.kill()
	},
	func(k *killed, c *child) { // killed while it ends in order
		c.signal(syscall.SIGTERM)
		k.nap(15)
		c.kill()
	},
	func(k *killed, c *child) { // in order
		c.signal(syscall.SIGTERM)
		c.wait(k.t, 30*time.Second)
	},
	func(k *killed, c *child) { // in order, and it stands still meanwhile
		c.signal(syscall.SIGTERM)
		k.nap(10)
		c.signal(syscall.SIGSTOP)
		k.nap(50)
		c.signal(syscall.SIGCONT)
		c.wait(k.t, 30*time.Second)
	},
}

// load lets the clients loose, until the program is gone: until is to see to that.
func (k *killed) load(url string, until func()) {
	hc := newHTTPClient()
	defer hc.CloseIdleConnections()
	var wg sync.WaitGroup
	for _, c := range k.clients {
		wg.Go(func() {
			for alive := true; alive; {
				var err error
				if alive, err = c.once(context.Background(), hc, url); err != nil {
					k.t.Error(err)
				}
			}
		})
	}
	until()
	wg.Wait()
}

func newHTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: kvClients}, Timeout: 20 * time.Second}
}

// mustBeIntact checks the file that the program has left.
func (k *killed) mustBeIntact() {
	if _, err := os.Stat(k.data); errors.Is(err, fs.ErrNotExist) {
		return // killed before it made one
	}
	k.tool("check", k.data)
}

// mustReplay has the file's past replayed twice, which must be the same. Its
// trace lies elsewhere, for the file's disk may have no room for both.
func (k *killed) mustReplay() {
	trace := filepath.Join(k.t.TempDir(), "trace")
	k.tool("replay", "--record="+trace, k.data)
	k.tool("replay", "--against="+trace, k.data)
}

// tool runs a command of the program's that must succeed.
func (k *killed) tool(args ...string) {
	if out, err := exec.Command(k.binary, args...).CombinedOutput(); err != nil {
		k.t.Errorf("kv %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// inspect looks at what is there, in a program that has just started.
func (k *killed) inspect(url string) {
	k.h.settle()
	hc := newHTTPClient()
	defer hc.CloseIdleConnections()
	ctx := context.Background()
	for _, c := range k.clients {
		if err := c.inspect(ctx, hc, url); err != nil {
			k.t.Errorf("client %d: %v", c.id, err)
		}
	}
	for i := range kvShared {
		k.lookup(hc, url, fmt.Sprint("s", i))
	}
}

// lookup reads a register, while nobody writes.
func (k *killed) lookup(hc *http.Client, url, register string) cell {
	r := request{verb: "call", process: processOf(register), register: register, asked: asked{act: get},
		input: fmt.Sprintf(`{"lookup":{"key":%q}}`, register), begun: k.h.begin()}
	if is, _ := r.send(context.Background(), hc, url); is != present {
		k.t.Errorf("%s is not answered", r.input)
		return cell{}
	}
	x, err := r.told()
	if err != nil {
		k.t.Error(err)
	}
	k.h.end(register, kvClients, r.begun, r.asked, x)
	return x.cell
}

// check runs the program undisturbed, lets the clients clear up, checks the
// history and begins a new one.
func (k *killed) check() {
	if k.t.Failed() {
		return
	}
	k.mustReplay()
	child, url := serving(k.t, k.command)
	defer child.kill()
	k.h.settle()
	hc := newHTTPClient()
	defer hc.CloseIdleConnections()
	for _, c := range k.clients {
		if err := c.leave(context.Background(), hc, url); err != nil {
			k.t.Error(err)
		}
	}
	k.inspect(url)
	if err := k.h.check(); err != nil {
		k.t.Error(err)
	}
	for _, ops := range k.h.ops {
		k.checked += len(ops)
	}
	h := newHistory()
	for _, c := range k.clients {
		for _, entry := range c.ledger {
			h.first[entry] = cell{true, numberOf(entry)}
		}
		c.h = h
	}
	for i := range kvShared {
		register := fmt.Sprint("s", i)
		h.first[register] = k.lookup(hc, url, register)
	}
	k.h = h
	child.signal(syscall.SIGTERM)
	if status := child.wait(k.t, 30*time.Second); status != 0 {
		k.t.Errorf("exit status %d of an orderly end:\n%s", status, &child.stderr)
	}
	k.mustBeIntact()
}

// report logs what was done.
func (k *killed) report() {
	var fates [3]int
	var again [2]int
	for _, c := range k.clients {
		for i, n := range c.fates {
			fates[i] += n
		}
		again[0], again[1] = again[0]+c.again[0], again[1]+c.again[1]
	}
	k.t.Logf("%d lives, %d operations in the histories; %d requests acknowledged, %d unknown, %d not applied; %d answered when they were sent again, %d answered the same again",
		k.lives, k.checked, fates[present], fates[unknown], fates[absent], again[0], again[1])
}
