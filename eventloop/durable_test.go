package eventloop_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

var seed = flag.Uint64("seed", 0, "seed of the randomised tests; 0 for a new one")

func always(log journal.Log, children ...supervisor.Child) eventloop.Config {
	return eventloop.Config{Root: flat(children...), Durability: eventloop.Always, Log: log}
}

// What Terminate saves, Init loads: over an orderly end, and over a restart.
func TestAtShutdown(t *testing.T) {
	log := new(journal.Memory)
	cfg := eventloop.Config{Root: flat(worker("a", newMachine()), worker("b", newMachine())),
		Durability: eventloop.AtShutdown, Log: log}
	l := start(t, cfg)
	a := refTo(t, l, "a")
	call(t, a, input{Add: 5})
	a.Call(t.Context(), input{Crash: "custom"})
	if got := call(t, a, input{Add: 1}); got.Sum != 6 || got.Inits != 2 {
		t.Errorf("after a restart: %+v", got)
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.Log = log.Reopen()
	l = start(t, cfg)
	if got := call(t, refTo(t, l, "a"), input{Get: true}); got.Sum != 6 || got.Inits != 3 {
		t.Errorf("after a new start: %+v", got)
	}
	// Killed now, what came since the last terminate is lost, and no more.
	call(t, refTo(t, l, "a"), input{Add: 100})
	cfg.Log = cfg.Log.(*journal.Memory).Reopen()
	if got := call(t, refTo(t, start(t, cfg), "a"), input{Get: true}); got.Sum != 6 {
		t.Errorf("after kill -9: %+v", got)
	}
}

// With durability None a restart begins anew.
func TestNone(t *testing.T) {
	l := start(t, eventloop.Config{Root: flat(worker("a", newMachine()))})
	a := refTo(t, l, "a")
	call(t, a, input{Add: 5})
	a.Call(t.Context(), input{Crash: "custom"})
	if got := call(t, a, input{Get: true}); got.Sum != 0 || got.Inits != 1 {
		t.Errorf("after a restart: %+v", got)
	}
}

// What was acknowledged is there after the program was killed, and so is what
// followed from it: crashes, restarts, times and random numbers.
func TestAlways(t *testing.T) {
	log := new(journal.Memory)
	l := start(t, always(log, worker("a", newMachine()), worker("b", newMachine())))
	a := refTo(t, l, "a")
	call(t, a, input{Add: 1})
	a.Call(t.Context(), input{Crash: "custom"})            // journaled, and crashes again in a replay
	a.Call(t.Context(), input{Crash: "custom", Get: true}) // journaled as the crash that it is
	if err := a.Cast(t.Context(), input{Add: 10}); err != nil {
		t.Fatal(err)
	}
	want := call(t, a, input{Get: true})
	if want.Sum != 11 || want.Inits != 3 || want.Time == 0 || want.Rand == 0 {
		t.Errorf("before: %+v", want)
	}
	log = log.Reopen()
	want.Inits++ // of the new start
	l = start(t, always(log, worker("a", newMachine()), worker("b", newMachine())))
	if got := call(t, refTo(t, l, "a"), input{Get: true}); got != want {
		t.Errorf("after kill -9: %+v, want %+v", got, want)
	}
	if got := call(t, refTo(t, l, "b"), input{Get: true}); got != (tally{Inits: 2}) {
		t.Errorf("the other process: %+v", got)
	}
	// An orderly end, and the same again.
	if err := l.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	want.Inits++
	l = start(t, always(log.Reopen(), worker("a", newMachine()), worker("b", newMachine())))
	if got := call(t, refTo(t, l, "a"), input{Get: true}); got != want {
		t.Errorf("after an orderly end: %+v, want %+v", got, want)
	}
}

// A process without a State codec is never durable, and never in the way.
func TestVolatileProcess(t *testing.T) {
	log := new(journal.Memory)
	volatile := func() *machine {
		m := newMachine()
		m.State = nil
		return m
	}
	cfg := func(log journal.Log) eventloop.Config {
		c := always(log, worker("v", volatile()), worker("a", newMachine()))
		c.Root.Strategy = supervisor.OneForAll
		return c
	}
	l := start(t, cfg(log))
	v, a := refTo(t, l, "v"), refTo(t, l, "a")
	call(t, v, input{Add: 1})
	call(t, a, input{Add: 1})
	v.Call(t.Context(), input{Crash: "custom"}) // restarts a too
	if got := call(t, v, input{Add: 1}); got.Sum != 1 || got.Inits != 1 {
		t.Errorf("v: %+v", got)
	}
	want := call(t, a, input{Get: true})
	if want.Sum != 1 || want.Inits != 2 {
		t.Errorf("a: %+v", want)
	}
	want.Inits++
	l = start(t, cfg(log.Reopen()))
	if got := call(t, refTo(t, l, "a"), input{Get: true}); got != want {
		t.Errorf("a after kill -9: %+v, want %+v", got, want)
	}
	if got := call(t, refTo(t, l, "v"), input{Get: true}); got.Sum != 0 {
		t.Errorf("v after kill -9: %+v", got)
	}
}

// An application that gave up starts afresh from its states.
func TestStartAfterGivingUp(t *testing.T) {
	for _, killed := range []bool{false, true} {
		log := new(journal.Memory)
		cfg := always(log, worker("a", newMachine()))
		cfg.Root.Intensity = 1
		l := start(t, cfg)
		a := refTo(t, l, "a")
		call(t, a, input{Add: 7})
		a.Call(t.Context(), input{Crash: "custom"})
		var beforeEnd *journal.Memory
		if killed {
			cfg.OnEvent = nil
			beforeEnd = log
		}
		a.Call(t.Context(), input{Crash: "custom"})
		<-l.Done()
		if !errors.Is(l.Err(), eventloop.ErrGaveUp) {
			t.Errorf("Err: %v", l.Err())
		}
		if beforeEnd == nil {
			beforeEnd = log
		}
		cfg.Log = beforeEnd.Reopen()
		if got := call(t, refTo(t, start(t, cfg), "a"), input{Get: true}); got.Sum != 7 {
			t.Errorf("after giving up (killed %v): %+v", killed, got)
		}
	}
}

// Killed at any batch: what is recovered from each prefix of the journal is
// what a tree had that was given the same inputs live.
func TestRecoveryIsExact(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("-seed=%d", s)
	r := rand.New(rand.NewPCG(s, 0))
	for range 30 {
		recoverRandomRun(t, r)
	}
}

func recoverRandomRun(t *testing.T, r *rand.Rand) {
	m := quitter(statemachine.Normal, false)
	root := supervisor.Supervisor{Name: "root", Intensity: 1 << 20, Children: []supervisor.Child{
		worker("a", m),
		supervisor.Supervisor{Name: "s", Strategy: supervisor.OneForAll, Intensity: 2, Children: []supervisor.Child{
			worker("b", m),
			supervisor.Worker{Name: "c", Machine: m, Restart: supervisor.Temporary},
			worker("d", m),
		}},
	}}
	log := new(journal.Memory)
	cfg := eventloop.Config{Root: root, Durability: eventloop.Always, Log: log, BatchMax: 1 + r.IntN(20),
		Machines: map[string]statemachine.Server{"tally": m}}
	if r.IntN(2) == 0 {
		cfg.SnapshotBytes = 1 + r.Int64N(1000)
	}
	names := []statemachine.Name{"a", "b", "c", "d", "e", "f"}
	for range 1 + r.IntN(3) {
		l, err := eventloop.Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		bother(t, l, r, names)
		live := map[statemachine.Name]tally{}
		for _, n := range slices.Concat(names, names) { // the first time to let casts be stepped
			delete(live, n)
			target, err := eventloop.RefTo[input, output](l, n)
			if err != nil {
				continue
			}
			if out, err := target.Call(t.Context(), input{Get: true}); err == nil {
				live[n] = out.Tally
			}
		}
		// Killed: nothing of the old loop may reach the new log.
		log = log.Reopen()
		l.Stop(context.Background())
		cfg.Log = log
		again, err := eventloop.Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for n, want := range live {
			want.Inits++ // of the new start
			if got := call(t, refTo(t, again, n), input{Get: true}); got != want {
				t.Errorf("%s: recovered %+v, want %+v", n, got, want)
			}
		}
		log = log.Reopen()
		again.Stop(context.Background())
		cfg.Log = log
	}
}

// bother calls the processes from several goroutines at once.
func bother(t *testing.T, l *eventloop.Loop, r *rand.Rand, names []statemachine.Name) {
	var wg sync.WaitGroup
	for range 1 + r.IntN(8) {
		r := rand.New(rand.NewPCG(r.Uint64(), 0))
		wg.Go(func() {
			for range r.IntN(40) {
				in := input{Add: 1 + r.IntN(9)}
				switch r.IntN(12) {
				case 0:
					in.Crash = "custom"
				case 1:
					in = input{Get: true, Crash: "runtime"}
				case 2:
					in.Add = 99 // quits
				case 3:
					change(l, r, names)
				}
				target, err := eventloop.RefTo[input, output](l, names[r.IntN(len(names))])
				if err != nil {
					continue // not added yet, or deleted
				}
				if r.IntN(3) == 0 {
					target.Cast(context.Background(), in)
				} else {
					target.Call(context.Background(), in)
				}
			}
		})
	}
	wg.Wait()
}

// change changes the tree somehow.
func change(l *eventloop.Loop, r *rand.Rand, names []statemachine.Name) {
	ctx := context.Background()
	name := names[r.IntN(len(names))]
	sup := map[statemachine.Name]statemachine.Name{"a": "root", "e": "root"}[name]
	if sup == "" {
		sup = "s"
	}
	switch r.IntN(6) {
	case 0, 1:
		l.StartChildJSON(ctx, sup, fmt.Appendf(nil, `{"worker":{"name":%q,"machine":"tally"}}`, name))
	case 2:
		l.TerminateChild(ctx, sup, name)
	case 3:
		l.RestartChild(ctx, sup, name)
	case 4:
		l.TerminateChild(ctx, sup, name)
		l.DeleteChild(ctx, sup, name)
	case 5:
		l.Kill(ctx, name)
	}
}

// What was saved for a process that the tree no longer has stays; an input in
// the journal for one makes the start fail, and changes nothing.
func TestTreeThatChanged(t *testing.T) {
	log := new(journal.Memory)
	l := start(t, always(log, worker("a", newMachine()), worker("b", newMachine())))
	call(t, refTo(t, l, "b"), input{Add: 3})
	killed := log.Reopen()
	if _, err := eventloop.Start(always(killed, worker("a", newMachine()))); err == nil || !strings.Contains(err.Error(), "b is not, or no longer, a durable process") {
		t.Errorf("Start without b: %v", err)
	}
	if got := call(t, refTo(t, start(t, always(killed, worker("b", newMachine()))), "b"), input{Get: true}); got.Sum != 3 {
		t.Errorf("b: %+v", got)
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	log = log.Reopen()
	var ev events
	without := always(log, worker("a", newMachine()))
	without.OnEvent = ev.add
	l = start(t, without)
	wantEvents(t, &ev, "unclaimed b", "started root", "started a")
	if err := l.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := call(t, refTo(t, start(t, always(log.Reopen(), worker("b", newMachine()))), "b"), input{Get: true}); got.Sum != 3 {
		t.Errorf("b after a run without it: %+v", got)
	}
}

// A state of another type than was saved is refused by name.
func TestUndecodableState(t *testing.T) {
	log := new(journal.Memory)
	l := start(t, always(log, worker("a", newMachine())))
	call(t, refTo(t, l, "a"), input{Add: 3})
	l.Stop(t.Context())
	other := &statemachine.Machine[string, input, output]{
		Step:  statemachine.Pure(func(in input, s string) (string, output) { return s, output{} }),
		Input: codec.Of[input](), Output: codec.Of[output](), State: codec.Of[string](),
	}
	_, err := eventloop.Start(always(log.Reopen(), worker("a", other)))
	if err == nil || !strings.Contains(err.Error(), "the saved state of a") {
		t.Errorf("Start: %v", err)
	}
}

// failingLog fails every Append after the first few.
type failingLog struct {
	journal.Log
	good int
}

var errDisk = errors.New("disk on fire")

func (f *failingLog) Append(b journal.Batch, done func(uint64, error)) {
	if f.good--; f.good < 0 {
		go done(0, fmt.Errorf("%w: %w", journal.ErrFailed, errDisk))
		return
	}
	f.Log.Append(b, done)
}

// A commit that failed ends the application; who waited for it cannot know.
func TestCommitFails(t *testing.T) {
	l := start(t, always(&failingLog{new(journal.Memory), 3}, worker("a", newMachine())))
	a := refTo(t, l, "a")
	call(t, a, input{Add: 1})
	call(t, a, input{Add: 1})
	_, err := a.Call(t.Context(), input{Add: 1})
	if !errors.Is(err, statemachine.ErrJournal) || !errors.Is(err, errDisk) || statemachine.OutcomeOf(err) != statemachine.Unknown {
		t.Errorf("Call: %v", err)
	}
	<-l.Done()
	if !errors.Is(l.Err(), errDisk) {
		t.Errorf("Err: %v", l.Err())
	}
	for _, in := range []input{{Add: 1}, {Get: true}} {
		if _, err := a.Call(t.Context(), in); !errors.Is(err, statemachine.ErrStopping) || statemachine.OutcomeOf(err) != statemachine.NotApplied {
			t.Errorf("Call(%+v) afterwards: %v", in, err)
		}
	}
	if err := l.Stop(t.Context()); !errors.Is(err, errDisk) {
		t.Errorf("Stop: %v", err)
	}
}

// slowLog commits when it is told to.
type slowLog struct {
	journal.Log
	commits chan struct{}
}

func (s *slowLog) Append(b journal.Batch, done func(uint64, error)) {
	go func() {
		<-s.commits
		s.Log.Append(b, done)
	}()
}

// The reply waits for the commit, and a deadline meanwhile leaves the outcome open.
func TestReplyWaitsForCommit(t *testing.T) {
	slow := &slowLog{new(journal.Memory), make(chan struct{}, 10)}
	slow.commits <- struct{}{} // of the start
	l := start(t, always(slow, worker("a", newMachine())))
	a := refTo(t, l, "a")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := a.Call(ctx, input{Add: 1})
	if !errors.Is(err, statemachine.ErrDeadline) || statemachine.OutcomeOf(err) != statemachine.Unknown {
		t.Errorf("a call that is being journaled: %v", err)
	}
	// What comes meanwhile is the next batch; whose caller goes, is dropped from it.
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := a.Call(ctx, input{Add: 10}); statemachine.OutcomeOf(err) != statemachine.NotApplied {
		t.Errorf("a call that waits for the next batch: %v", err)
	}
	if got := call(t, a, input{Get: true}); got.Sum != 0 {
		t.Errorf("a reader sees what is not committed: %+v", got)
	}
	casts := make(chan error)
	go func() { casts <- a.Cast(context.Background(), input{Add: 100}) }()
	slow.commits <- struct{}{}
	slow.commits <- struct{}{}
	if err := <-casts; err != nil {
		t.Error(err)
	}
	if got := call(t, a, input{Get: true}); got.Sum != 101 {
		t.Errorf("%+v, want a sum of 101", got)
	}
	close(slow.commits)
}

// An input or a state that its codec cannot encode is told, and costs no more.
func TestUnencodable(t *testing.T) {
	log := new(journal.Memory)
	m := newMachine()
	m.State = codec.Convert(codec.Of[tally](), func(s tally) tally {
		if s.Sum == 13 {
			panic("unlucky")
		}
		return s
	}, func(s tally) (tally, error) { return s, nil })
	failed := make(chan error, 100)
	cfg := always(log, worker("a", m), worker("b", newMachine()))
	cfg.OnEvent = func(e eventloop.Event) {
		if e, ok := e.(eventloop.SaveFailed); ok {
			failed <- e.Err
		}
	}
	cfg.SnapshotBytes = 1
	l := start(t, cfg)
	call(t, refTo(t, l, "a"), input{Add: 13})
	for len(failed) == 0 { // a checkpoint of before may be on its way
		call(t, refTo(t, l, "b"), input{Add: 1})
	}
	if err := <-failed; !errors.Is(err, journal.ErrRefused) || !strings.Contains(err.Error(), "unlucky") {
		t.Errorf("the checkpoint: %v", err)
	}
	if err := l.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "unlucky") {
		t.Errorf("Stop: %v", err)
	}
	if got := call(t, refTo(t, start(t, always(log.Reopen(), worker("a", newMachine()), worker("b", newMachine()))), "a"), input{Get: true}); got.Sum != 13 {
		t.Errorf("the journal has lost the input: %+v", got)
	}
}

func TestConfig(t *testing.T) {
	good := flat(worker("a", newMachine()))
	for want, cfg := range map[string]eventloop.Config{
		"QueueLen":      {Root: good, QueueLen: -1},
		"BatchMax":      {Root: good, BatchMax: -1},
		"SnapshotBytes": {Root: good, SnapshotBytes: -1},
		"needs a Log":   {Root: good, Durability: eventloop.Always},
		"Durability 9":  {Root: good, Durability: 9},
		"duplicate":     {Root: flat(worker("a", newMachine()), worker("a", newMachine()))},
		"no Step":       {Root: flat(worker("a", &machine{}))},
		"name":          {Root: supervisor.Supervisor{}},
	} {
		if _, err := eventloop.Start(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Start: %v, want it to name %s", err, want)
		}
	}
}
