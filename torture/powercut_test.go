package torture_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

var (
	seed   = flag.Uint64("seed", 0, "seed of the first round; 0 for a new one")
	rounds = flag.Int("rounds", 150, "rounds of TestPowerCuts; the seeds count up")
)

// TestPowerCuts: see the package comment.
func TestPowerCuts(t *testing.T) {
	first := *seed
	if first == 0 {
		first = rand.Uint64() >> 16
	}
	t.Logf("-seed=%d", first)
	var sum total
	for i := range *rounds {
		s := first + uint64(i)
		synctest.Test(t, func(t *testing.T) { newRound(s, &sum).run(t) })
		if t.Failed() {
			t.Fatalf("go test ./torture -run TestPowerCuts -rounds=1 -seed=%d", s)
		}
	}
	t.Logf("%d lives, %d inputs acknowledged, %d unknown, %d not applied", sum.lives, sum.fates[present], sum.fates[unknown], sum.fates[absent])
}

// total is what all rounds did together.
type total struct {
	lives int
	fates [3]int
}

// round is one application, over several lives, and its clients.
type round struct {
	seed    uint64
	rand    *rand.Rand
	clients []*client
	cfg     eventloop.Config
	mem     *journal.Memory // what has survived
	sum     *total
	story   []string
}

func newRound(seed uint64, sum *total) *round {
	r := &round{seed: seed, rand: rand.New(rand.NewPCG(seed, 0)), mem: new(journal.Memory), sum: sum}
	var slow func() time.Duration
	if r.rand.IntN(2) == 0 {
		slow = r.slowness()
	}
	m := newMachine(slow)
	r.cfg = eventloop.Config{Root: tree(m), Durability: eventloop.Always,
		Machines: map[string]statemachine.Server{"account": m}}
	if r.rand.IntN(2) == 0 {
		r.cfg.BatchMax = 1 + r.rand.IntN(20)
	}
	if r.rand.IntN(3) > 0 {
		r.cfg.SnapshotBytes = 1 + r.rand.Int64N(3000)
	}
	sups := map[statemachine.Name]statemachine.Name{"e": "root", "f": "root", "p": "pool", "q": "pool"}
	for _, n := range []statemachine.Name{"a", "b", "c", "d", "v", "w", "e", "f", "p", "q"} {
		r.clients = append(r.clients, &client{name: n, sup: sups[n], rand: rand.New(rand.NewPCG(seed, uint64(n[0])))})
	}
	return r
}

// slowness says how long a Terminate takes.
func (r *round) slowness() func() time.Duration {
	var mu sync.Mutex
	own := rand.New(rand.NewPCG(r.seed, 3))
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		if own.IntN(2) == 0 {
			return 0
		}
		return time.Duration(own.IntN(20)) * time.Millisecond
	}
}

// tree has each strategy; the inner supervisors give up now and then, the outer never.
func tree(m *machine) supervisor.Supervisor {
	const never = 1 << 30
	w := func(n statemachine.Name) supervisor.Worker { return supervisor.Worker{Name: n, Machine: m} }
	quiet := w("w")
	quiet.Restart = supervisor.Transient
	return supervisor.Supervisor{Name: "root", Intensity: never, Children: []supervisor.Child{
		w("a"),
		supervisor.Supervisor{Name: "outer", Strategy: supervisor.RestForOne, Intensity: never, Children: []supervisor.Child{
			supervisor.Supervisor{Name: "all", Strategy: supervisor.OneForAll, Intensity: never, Children: []supervisor.Child{w("b"), w("c")}},
			w("d"),
			supervisor.Supervisor{Name: "rest", Strategy: supervisor.RestForOne, Intensity: never, Children: []supervisor.Child{w("v"), quiet}},
		}},
		supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne, Intensity: never,
			Children: []supervisor.Child{w("template")}},
	}}
}

func (r *round) run(t *testing.T) {
	for range 2 + r.rand.IntN(4) {
		r.life(t)
		r.sum.lives++
		if !r.check(t) {
			r.report(t)
			return
		}
	}
	<-time.After(time.Minute) // Terminates that outlive their application
	for _, c := range r.clients {
		for _, rec := range c.sent {
			r.sum.fates[rec.is]++
		}
	}
}

// life runs the application under its clients until one of the ends.
func (r *round) life(t *testing.T) {
	log := newFaultyLog(r.mem, r.rand.Uint64(), time.Duration(1+r.rand.IntN(8))*time.Millisecond)
	defer log.Close()
	how := r.rand.IntN(5)
	if how == 0 {
		log.failNext(1 + r.rand.IntN(30))
	}
	var cut *journal.Memory
	lasts := time.Duration(r.rand.IntN(120)) * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cutter := make(chan struct{})
	go func() {
		defer close(cutter)
		if <-time.After(lasts); how > 0 && how < 4 {
			cut = log.cut()
			cancel()
		}
	}()
	r.story = append(r.story, fmt.Sprintf("life %d: end %d after %v, BatchMax %d, SnapshotBytes %d", r.sum.lives, how, lasts, r.cfg.BatchMax, r.cfg.SnapshotBytes))
	r.cfg.Log = log
	loop, err := eventloop.Start(r.cfg)
	if err == nil {
		r.trouble(t, ctx, loop, log, func() {
			if how == 3 || how == 4 { // an orderly end, with the power cut meanwhile or not
				<-time.After(time.Duration(r.rand.IntN(100)) * time.Millisecond)
				return
			}
			<-time.After(lasts)
		})
	} else if !errors.Is(err, journal.ErrFailed) {
		t.Errorf("Start: %v", err)
	}
	<-cutter
	if cut == nil {
		cut = log.mem.Reopen()
	}
	r.mem = cut
}

// trouble lets the clients loose until the application has ended.
func (r *round) trouble(t *testing.T, ctx context.Context, loop *eventloop.Loop, log *faultyLog, until func()) {
	var wg sync.WaitGroup
	for _, c := range r.clients {
		wg.Go(func() {
			if err := c.run(ctx, loop, log); err != nil {
				t.Error(err)
			}
		})
	}
	until()
	err := loop.Stop(context.Background())
	if err != nil && !errors.Is(err, journal.ErrFailed) {
		t.Errorf("Stop: %v", err)
	}
	wg.Wait()
}

// check starts the application on what survived and asks every client.
func (r *round) check(t *testing.T) bool {
	r.cfg.Log = r.mem
	loop, err := eventloop.Start(r.cfg)
	if err != nil {
		t.Errorf("Start on what survived: %v", err)
		return false
	}
	for _, c := range r.clients {
		if err := c.verify(loop); err != nil {
			t.Error(err)
		}
	}
	r.mem = r.mem.Reopen()
	loop.Stop(context.Background())
	return !t.Failed()
}

// report shows what led here.
func (r *round) report(t *testing.T) {
	t.Log(strings.Join(r.story, "\n"))
	for _, c := range r.clients {
		t.Logf("%s: …%s", c.name, strings.Join(c.trace[max(0, len(c.trace)-12):], "\n   "))
	}
	t.Log(r.entries())
}

// entries is what the surviving journal holds, in words.
func (r *round) entries() string { return entriesOf(r.mem) }

func entriesOf(mem *journal.Memory) string {
	var text strings.Builder
	err := mem.Recover(func(s journal.Snapshot) error {
		fmt.Fprintf(&text, "snapshot %d %s\n", s.Index, s.App)
		return nil
	}, func(i uint64, b journal.Batch) error {
		for e := range b.Entries() {
			fmt.Fprintf(&text, "%d %v %s %q\n", i, e.Kind, e.Name, e.Data)
		}
		return nil
	})
	return fmt.Sprint(text.String(), err)
}
