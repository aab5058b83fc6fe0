package torture_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

var linearRounds = flag.Int("linearrounds", 60, "rounds of TestLinearizable; the seeds count up")

// TestLinearizable: see the package comment.
func TestLinearizable(t *testing.T) {
	first := *seed
	if first == 0 {
		first = rand.Uint64() >> 16
	}
	t.Logf("-seed=%d", first)
	var sum [4]int
	for i := range *linearRounds {
		s := first + uint64(i)
		if err := newTown(s, &sum).run(t); err != nil {
			t.Fatalf("%v\ngo test ./torture -run 'TestLinearizable$' -linearrounds=1 -seed=%d", err, s)
		}
	}
	t.Logf("%d operations answered, %d unknown, %d answered when they were sent again, %d answered the same again", sum[0], sum[1], sum[2], sum[3])
}

// A disk that loses what it has acknowledged is found out.
func TestLinearizableFindsLies(t *testing.T) {
	for s := range uint64(100) {
		w := newTown(s, new([4]int))
		w.lies = true
		if err := w.run(t); err != nil && strings.Contains(err.Error(), "is not linearizable") {
			t.Logf("seed %d: %v", s, err)
			return
		}
	}
	t.Error("nothing was found")
}

// cells is a machine of registers.
type cells map[string]int64

type cellInput struct {
	Do  string `json:"do"` // as an act is called, or crash or crash-get
	Key string `json:"key"`
	N   int64  `json:"n"`
}

type cellOutput struct {
	There bool  `json:"there"`
	N     int64 `json:"n"`
	Time  int64 `json:"time"` // of the input, where it was journaled
}

func newCells() *statemachine.Machine[cells, cellInput, cellOutput] {
	return &statemachine.Machine[cells, cellInput, cellOutput]{
		Step: func(in cellInput, s cells, fx *statemachine.Effects[cellOutput]) (cells, cellOutput) {
			n, there := s[in.Key]
			switch in.Do {
			case "get", "has":
				return s, cellOutput{There: there, N: n}
			case doCrash, doCrashGet:
				panic(in.Do)
			}
			s = maps.Clone(s)
			out := cellOutput{There: there, N: n, Time: fx.Now().UnixNano()}
			switch in.Do {
			case "del":
				delete(s, in.Key)
				return s, out
			case "set":
				out.N = in.N
			case "add":
				out.N += in.N
			}
			out.There = true
			s[in.Key] = out.N
			return s, out
		},
		Init: func(s statemachine.Start[cells]) (cells, error) {
			if s.Saved != nil {
				return *s.Saved, nil
			}
			return cells{}, nil
		},
		ReadOnly: func(in cellInput) bool { return in.Do == "get" || in.Do == "has" || in.Do == doCrashGet },
		Input:    codec.Of[cellInput](),
		Output:   codec.Of[cellOutput](),
		State:    codec.Of[cells](),
	}
}

// town is an application of registers, over several lives, and those who use them.
type town struct {
	rand  *rand.Rand
	cfg   eventloop.Config
	mem   *journal.Memory // what has survived
	lies  bool
	jumps bool // the clock is another one in each life
	users []*user
	h     *history
	sum   *[4]int
}

func newTown(seed uint64, sum *[4]int) *town {
	w := &town{rand: rand.New(rand.NewPCG(seed, 0)), mem: new(journal.Memory), h: newHistory(), sum: sum}
	w.jumps = w.rand.IntN(2) == 0
	m := newCells()
	w.cfg = eventloop.Config{Durability: eventloop.Always, Root: supervisor.Supervisor{Name: "root", Intensity: 1 << 30,
		Strategy: supervisor.OneForAll, Children: []supervisor.Child{
			supervisor.Worker{Name: "x", Machine: m}, supervisor.Worker{Name: "y", Machine: m}}}}
	if w.rand.IntN(2) == 0 {
		w.cfg.BatchMax = 1 + w.rand.IntN(20)
	}
	if w.rand.IntN(3) > 0 {
		w.cfg.SnapshotBytes = 1 + w.rand.Int64N(3000)
	}
	for id := range 6 {
		w.users = append(w.users, &user{id: id, rand: rand.New(rand.NewPCG(seed, uint64(id)+1)), h: w.h})
	}
	return w
}

func (w *town) run(t *testing.T) (err error) {
	for range 2 + w.rand.IntN(4) {
		if w.alone(t, func() { err = w.life() }); err != nil {
			return err
		}
	}
	w.alone(t, func() { err = w.last() })
	return err
}

// alone runs f in a bubble, whose clock may show any year of a century.
func (w *town) alone(t *testing.T, f func()) {
	synctest.Test(t, func(*testing.T) {
		if w.jumps {
			const year = 365 * 24 * time.Hour
			<-time.After(time.Duration(w.rand.Int64N(int64(100 * year))))
		}
		f()
	})
}

// last is a life that nobody disturbs: all that is open is cleared up, and the
// history is checked.
func (w *town) last() error {
	w.cfg.Log = w.mem
	loop, err := eventloop.Start(w.cfg)
	if err != nil {
		return fmt.Errorf("Start on what survived: %w", err)
	}
	w.h.settle()
	for _, u := range w.users {
		err = errors.Join(err, u.leave(loop))
		for i, n := range u.sum {
			w.sum[i] += n
		}
	}
	return errors.Join(err, w.h.check(), loop.Stop(context.Background()))
}

// life runs the application under its users until one of the ends.
func (w *town) life() error {
	log := newFaultyLog(w.mem, w.rand.Uint64(), time.Duration(1+w.rand.IntN(8))*time.Millisecond)
	defer log.Close()
	log.lies = w.lies
	how := w.rand.IntN(5)
	if how == 0 && !w.lies {
		log.failNext(1 + w.rand.IntN(30))
	}
	lasts := time.Duration(w.rand.IntN(120)) * time.Millisecond
	w.cfg.Log = log
	loop, err := eventloop.Start(w.cfg)
	if errors.Is(err, journal.ErrFailed) {
		w.mem = log.mem.Reopen()
		return nil
	}
	if err != nil {
		return fmt.Errorf("Start: %w", err)
	}
	w.h.settle()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	errs := make([]error, len(w.users))
	var wg sync.WaitGroup
	for i, u := range w.users {
		wg.Go(func() { errs[i] = u.run(ctx, loop, log) })
	}
	<-time.After(lasts)
	stopped := make(chan error, 1)
	if how > 2 { // in order, with the power cut meanwhile or not
		go func() { stopped <- loop.Stop(context.Background()) }()
		<-time.After(time.Duration(w.rand.IntN(40)) * time.Millisecond)
	}
	if how > 0 && how < 4 {
		w.mem = log.cut()
	}
	cancel()
	if how <= 2 {
		stopped <- loop.Stop(context.Background())
	}
	wg.Wait()
	if err := <-stopped; err != nil && !errors.Is(err, journal.ErrFailed) {
		return fmt.Errorf("Stop: %w", err)
	}
	if how == 0 || how == 4 {
		w.mem = log.mem.Reopen()
	}
	return errors.Join(errs...)
}

// user is one of those who use the registers; it does one thing after the other.
type user struct {
	id   int
	rand *rand.Rand
	h    *history
	n    int64   // the last number that it used
	time int64   // the latest that it was told
	open []*sent // under a key, with an unknown outcome: they are sent again
	past []*sent // under a key, and answered
	sum  [4]int  // see TestLinearizable
}

// sent is something sent under an idempotency key.
type sent struct {
	proc     statemachine.Name
	register string
	key      string
	asked    asked
	cast     bool
	begun    int64
	out      cellOutput // once it is answered
}

// run goes on until ctx ends, or the application does.
func (u *user) run(ctx context.Context, l *eventloop.Loop, log *faultyLog) error {
	for ctx.Err() == nil && !log.isDead() {
		select {
		case <-l.Done():
			return nil
		case <-time.After(time.Duration(u.rand.IntN(3000)) * time.Microsecond):
		}
		if err := u.once(ctx, l, log.isDead); err != nil {
			return err
		}
	}
	return nil
}

// once sends one thing. What it is told once dead holds, it does not hear.
func (u *user) once(ctx context.Context, l *eventloop.Loop, dead func() bool) error {
	if u.rand.IntN(4) == 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, time.Duration(u.rand.IntN(15000))*time.Microsecond)
		defer cancel()
	}
	switch n := u.rand.IntN(100); {
	case n < 2:
		crash := cellInput{Do: []string{doCrash, doCrashGet}[n]}
		if ref, err := eventloop.RefTo[cellInput, cellOutput](l, "x"); err == nil {
			ref.Call(ctx, crash)
		}
		return nil
	case n < 20 && len(u.open) > 0:
		u.again(ctx, l, dead)
		return nil
	case n < 25 && len(u.past) > 0:
		return u.same(ctx, l, dead)
	}
	u.n++
	s := &sent{proc: "x", begun: u.h.begin(), cast: u.rand.IntN(5) == 0,
		asked: asked{act(u.rand.IntN(5)), u.n*10 + int64(u.id)}}
	if u.rand.IntN(2) == 0 {
		s.proc = "y"
	}
	s.register = fmt.Sprintf("%s%d", s.proc, u.rand.IntN(4))
	if u.rand.IntN(2) == 0 {
		s.key = fmt.Sprintf("%d-%d", u.id, u.n)
	}
	if s.asked.act <= has {
		s.cast, s.key = false, "" // nobody would hear the answer
	}
	is := s.send(ctx, l, dead)
	u.hear(s, is)
	if is != present {
		return nil
	}
	if s.out.Time != 0 && s.out.Time < u.time {
		return fmt.Errorf("it was %v when %v was done, and later it was %v", time.Unix(0, u.time), s.asked, time.Unix(0, s.out.Time))
	}
	u.time = max(u.time, s.out.Time)
	return nil
}

// send sends s and returns what became of it.
func (s *sent) send(ctx context.Context, l *eventloop.Loop, dead func() bool) fate {
	ref, err := eventloop.RefTo[cellInput, cellOutput](l, s.proc)
	if err != nil {
		return absent
	}
	ref = ref.Once(s.key)
	in := cellInput{Do: [...]string{"get", "has", "set", "del", "add"}[s.asked.act], Key: s.register, N: s.asked.n}
	if s.cast {
		err = ref.Cast(ctx, in)
	} else {
		s.out, err = ref.Call(ctx, in)
	}
	if dead() {
		return unknown
	}
	return fateOf(err)
}

// hear notes what became of s.
func (u *user) hear(s *sent, is fate) {
	switch {
	case is == unknown && s.key != "":
		u.open = append(u.open, s)
	case is == unknown:
		u.sum[1]++
		u.h.end(s.register, u.id, s.begun, s.asked, told{how: perhaps})
	case is == present:
		u.sum[0]++
		u.h.end(s.register, u.id, s.begun, s.asked, s.told())
		if s.key != "" {
			u.past = append(u.past, s)
		}
	}
}

func (s *sent) told() told {
	if s.cast || s.asked.act == set {
		return told{how: blindly}
	}
	return told{cell: cell{s.out.There, s.out.N}}
}

// again sends something again whose outcome is unknown: until that is known.
func (u *user) again(ctx context.Context, l *eventloop.Loop, dead func() bool) {
	i := u.rand.IntN(len(u.open))
	s := u.open[i]
	if s.send(ctx, l, dead) != present {
		return // that it was not applied this time says nothing of the first
	}
	u.open = append(u.open[:i], u.open[i+1:]...)
	u.sum[2]++
	u.hear(s, present)
}

// same sends something again that was answered: it is answered the same, and
// changes nothing. Under its key nothing else can be sent.
func (u *user) same(ctx context.Context, l *eventloop.Loop, dead func() bool) error {
	s := *u.past[u.rand.IntN(len(u.past))]
	was := s.out
	if u.rand.IntN(4) == 0 {
		s.asked.n++
		if is := s.send(ctx, l, dead); is == present {
			return fmt.Errorf("key %s was used for two inputs, %v the second", s.key, s.asked)
		}
		return nil
	}
	switch is := s.send(ctx, l, dead); {
	case is == present && s.out != was:
		return fmt.Errorf("%v was answered %v, and sent again under its key %v", s.asked, was, s.out)
	case is == present:
		u.sum[3]++
	}
	return nil
}

// leave clears up what is open, in an application that nobody disturbs.
func (u *user) leave(l *eventloop.Loop) error {
	ctx, alive := context.Background(), func() bool { return false }
	for len(u.open) > 0 {
		n := len(u.open)
		if u.again(ctx, l, alive); len(u.open) == n {
			return fmt.Errorf("user %d: something cannot be sent again", u.id)
		}
	}
	for range u.past {
		if err := u.same(ctx, l, alive); err != nil {
			return err
		}
	}
	return nil
}
