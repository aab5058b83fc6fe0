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

var actorRounds = flag.Int("actors", 60, "rounds of TestActors; the seeds count up")

// TestActors: see the package comment.
func TestActors(t *testing.T) {
	first := *seed
	if first == 0 {
		first = rand.Uint64() >> 16
	}
	t.Logf("-seed=%d", first)
	steps, lives := 0, 0
	for i := range *actorRounds {
		s := first + uint64(i)
		synctest.Test(t, func(t *testing.T) {
			r := newPlay(s)
			r.run(t)
			steps += r.troupe.steps
			lives += r.lives
		})
		if t.Failed() {
			t.Fatalf("go test ./torture -run TestActors -actors=1 -seed=%d", s)
		}
	}
	t.Logf("%d lives, %d steps", lives, steps)
}

// actorsPlay is one application of actors, over several lives.
type actorsPlay struct {
	seed   uint64
	rand   *rand.Rand
	troupe *troupe
	cfg    eventloop.Config
	mem    *journal.Memory
	before *journal.Memory // that of the last life
	story  []string
	lives  int
}

func newPlay(seed uint64) *actorsPlay {
	r := &actorsPlay{seed: seed, rand: rand.New(rand.NewPCG(seed, 0)), mem: new(journal.Memory)}
	var slow func() time.Duration
	if r.rand.IntN(2) == 0 {
		var mu sync.Mutex
		own := rand.New(rand.NewPCG(seed, 3))
		slow = func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return time.Duration(max(0, own.IntN(30)-15)) * time.Millisecond
		}
	}
	tr := newTroupe(newShadow(), slow)
	tr.names = []statemachine.Name{"a", "b", "c", "d", "t", "p1", "p2", "v1", "v2", "v3", "nobody"}
	r.troupe = tr
	r.cfg = eventloop.Config{Root: r.tree(), Durability: eventloop.Always, Tasks: 1 + r.rand.IntN(4),
		Machines: map[string]statemachine.Server{"durable": tr.durable, "volatile": tr.volatile}}
	if r.rand.IntN(2) == 0 {
		r.cfg.BatchMax = 1 + r.rand.IntN(20)
	}
	if r.rand.IntN(3) > 0 {
		r.cfg.SnapshotBytes = 1 + r.rand.Int64N(3000)
	}
	if r.rand.IntN(4) == 0 {
		r.cfg.QueueLen = 2 + r.rand.IntN(30)
		tr.lossy = true
	}
	return r
}

func (r *actorsPlay) tree() supervisor.Supervisor {
	const never = 1 << 30
	w := func(n statemachine.Name) supervisor.Worker {
		if isVolatile(string(n)) {
			return supervisor.Worker{Name: n, Machine: r.troupe.volatile}
		}
		return supervisor.Worker{Name: n, Machine: r.troupe.durable}
	}
	t := w("t")
	t.Restart = supervisor.Transient
	var backoff supervisor.Backoff
	if r.rand.IntN(2) == 0 {
		backoff.Initial = time.Duration(1+r.rand.IntN(20)) * time.Millisecond
	}
	return supervisor.Supervisor{Name: "root", Intensity: never, Children: []supervisor.Child{
		w("a"), t, w("v1"),
		supervisor.Supervisor{Name: "all", Strategy: supervisor.OneForAll, Intensity: never, Children: []supervisor.Child{w("b"), w("v2")}},
		supervisor.Supervisor{Name: "rest", Strategy: supervisor.RestForOne, Intensity: never, Backoff: backoff, Children: []supervisor.Child{w("c"), w("v3"), w("d")}},
		supervisor.Supervisor{Name: "pool", Strategy: supervisor.SimpleOneForOne, Intensity: never, Restart: supervisor.Temporary, Children: []supervisor.Child{w("template")}},
	}}
}

func (r *actorsPlay) run(t *testing.T) {
	for range 2 + r.rand.IntN(4) {
		r.life(t)
		if r.failed(t) {
			return
		}
	}
	r.curtain(t)
	r.failed(t)
	<-time.After(time.Minute) // Terminates that outlive their application
}

// failed reports what is wrong.
func (r *actorsPlay) failed(t *testing.T) bool {
	r.troupe.chain()
	found := r.troupe.found()
	for i, text := range found {
		if i == 5 {
			break
		}
		t.Error(text)
	}
	if t.Failed() {
		t.Log(strings.Join(r.story, "\n"))
		t.Log(entriesOf(r.before))
	}
	return t.Failed()
}

// life runs the application until it ends, one way or another.
func (r *actorsPlay) life(t *testing.T) {
	r.lives++
	r.before = r.mem.Reopen()
	log := &notingLog{faultyLog: newFaultyLog(r.mem, r.rand.Uint64(), time.Duration(1+r.rand.IntN(8))*time.Millisecond), first: r.troupe.live}
	defer log.Close()
	how := r.rand.IntN(5)
	if how == 0 {
		log.failNext(1 + r.rand.IntN(40))
	}
	var cut *journal.Memory
	lasts := time.Duration(r.rand.IntN(200)) * time.Millisecond
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
	r.story = append(r.story, fmt.Sprintf("life %d: end %d after %v, BatchMax %d, SnapshotBytes %d, QueueLen %d", r.lives, how, lasts, r.cfg.BatchMax, r.cfg.SnapshotBytes, r.cfg.QueueLen))
	r.cfg.Log = log
	r.troupe.begin()
	loop, err := eventloop.Start(r.cfg)
	if err == nil {
		r.trouble(t, ctx, loop, log.faultyLog, func() {
			if how == 3 || how == 4 {
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

// notingLog tells when the replay is over.
type notingLog struct {
	*faultyLog
	first func()
}

func (l *notingLog) Append(b journal.Batch, done func(uint64, error)) {
	l.first()
	l.faultyLog.Append(b, done)
}

func (r *actorsPlay) trouble(t *testing.T, ctx context.Context, loop *eventloop.Loop, log *faultyLog, until func()) {
	var wg sync.WaitGroup
	for i := range 4 {
		own := rand.New(rand.NewPCG(r.seed, uint64(100*r.lives+i)))
		wg.Go(func() {
			for n := 0; ctx.Err() == nil && !log.isDead(); n++ {
				select {
				case <-loop.Done():
					return
				case <-time.After(time.Duration(own.IntN(5000)) * time.Microsecond):
				}
				r.once(t, ctx, loop, own, fmt.Sprintf("client %d.%d.%d", r.lives, i, n))
			}
		})
	}
	until()
	if err := loop.Stop(context.Background()); err != nil && !errors.Is(err, journal.ErrFailed) {
		t.Errorf("Stop: %v", err)
	}
	wg.Wait()
}

// once sends one thing from outside.
func (r *actorsPlay) once(t *testing.T, ctx context.Context, loop *eventloop.Loop, own *rand.Rand, tag string) {
	name := r.troupe.names[own.IntN(len(r.troupe.names))]
	switch own.IntN(12) {
	case 0:
		loop.Kill(ctx, name)
		return
	case 1:
		loop.StopProcess(ctx, name, statemachine.Crash(errors.New("from outside")))
		return
	case 2:
		loop.RestartChild(ctx, "root", "t")
		return
	}
	target, err := eventloop.RefTo[cue, says](loop, name)
	if err != nil {
		return
	}
	if own.IntN(4) == 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, time.Duration(own.IntN(30000))*time.Microsecond)
		defer cancel()
	}
	if own.IntN(5) == 0 {
		target = target.Once(tag)
	}
	switch own.IntN(6) {
	case 0:
		out, err := target.Call(ctx, cue{Do: "get"})
		if err == nil && len(out.Actor.Must) > 0 {
			t.Errorf("%s was read before it had continued with %q", name, out.Actor.Must)
		}
	case 1, 2:
		target.Cast(ctx, cue{Do: "go", TTL: 3})
	case 3:
		target.Call(ctx, cue{Do: "go", TTL: 3, Tag: tag})
	default:
		out, err := target.Call(ctx, cue{Do: "ask", TTL: 2, Tag: tag})
		if err == nil && out.Tag != tag {
			t.Errorf("%s has answered %q to %q", name, out.Tag, tag)
		}
	}
}

// curtain starts the application for the last time, and waits until all that was
// to come has come.
func (r *actorsPlay) curtain(t *testing.T) {
	r.before = r.mem.Reopen()
	log := &notingLog{faultyLog: newFaultyLog(r.mem, 1, time.Millisecond), first: r.troupe.live}
	defer log.Close()
	r.cfg.Log = log
	r.troupe.begin()
	loop, err := eventloop.Start(r.cfg)
	if err != nil {
		t.Errorf("the last Start: %v", err)
		return
	}
	loop.RestartChild(context.Background(), "root", "t")
	<-time.After(time.Hour)
	var all = map[statemachine.Name]actor{}
	for _, name := range []statemachine.Name{"a", "b", "c", "d", "t", "v1", "v2", "v3"} {
		target, err := eventloop.RefTo[cue, says](loop, name)
		if err != nil {
			t.Fatal(err)
		}
		out, err := target.Call(context.Background(), cue{Do: "get"})
		if err != nil {
			if name != "t" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		a := out.Actor
		all[name] = a
		left := 0
		for _, mine := range a.Tasks {
			if mine {
				left++
			}
		}
		if name != "t" && len(a.Calls)+len(a.Timers)+len(a.Ticks)+len(a.Must)+len(a.Asks)+left > 0 {
			t.Errorf("%s waits in vain: %+v", name, a)
		}
	}
	for from, a := range all {
		for to, n := range a.Sent {
			if got := all[statemachine.Name(to)].Got[string(from)]; got != n && !r.troupe.lossy && !isVolatile(string(from)) && !mayBeDown(string(from)) && !isVolatile(to) && !mayBeDown(to) {
				t.Errorf("%s has had %d casts of %s, which has sent %d", to, got, from, n)
			}
		}
	}
	if err := loop.Stop(context.Background()); err != nil {
		t.Errorf("the last Stop: %v", err)
	}
}
