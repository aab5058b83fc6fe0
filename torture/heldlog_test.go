package torture_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// heldLog holds every Append while hold says so, until the test lets it go.
type heldLog struct {
	*journal.Memory
	hold     bool
	failSave bool
	held     []func(fail bool)
}

var errHeld = fmt.Errorf("%w: disk on fire", journal.ErrFailed)

func (h *heldLog) Append(b journal.Batch, done func(uint64, error)) {
	if !h.hold {
		h.Memory.Append(b, done)
		return
	}
	h.held = append(h.held, func(fail bool) {
		if fail {
			go done(0, errHeld)
			return
		}
		h.Memory.Append(b, done)
	})
}

// Save keeps its place behind the Appends.
func (h *heldLog) Save(u journal.Update, done func(error)) {
	save := func(fail bool) {
		if fail || h.failSave {
			go done(errHeld)
			return
		}
		h.Memory.Save(u, done)
	}
	if len(h.held) == 0 {
		save(false)
		return
	}
	h.held = append(h.held, save)
}

// release lets the first call that is held go, and waits until all is still.
func (h *heldLog) release(fail bool) {
	first := h.held[0]
	h.held = h.held[1:]
	first(fail)
	synctest.Wait()
}

// scene is an application in a bubble, whose log a test holds.
type scene struct {
	t    *testing.T
	log  *heldLog
	cfg  eventloop.Config
	loop *eventloop.Loop
}

// play runs f in a bubble, with an application of these children.
func play(t *testing.T, m *machine, root supervisor.Supervisor, f func(*scene)) {
	synctest.Test(t, func(t *testing.T) {
		root.Name = "root"
		s := &scene{t: t, log: &heldLog{Memory: new(journal.Memory)}}
		s.cfg = eventloop.Config{Root: root, Durability: eventloop.Always, Machines: map[string]statemachine.Server{"account": m}}
		var err error
		if s.loop, err = s.start(s.log); err != nil {
			t.Fatal(err)
		}
		f(s)
		for s.log.hold = false; len(s.log.held) > 0; {
			s.log.release(false)
		}
		s.loop.Stop(context.Background())
		<-time.After(time.Minute) // Terminates that outlive their application
	})
}

// start starts an application, on a goroutine that a replay may try to end.
func (s *scene) start(log journal.Log) (l *eventloop.Loop, err error) {
	s.cfg.Log = log
	err = errors.New("Start has ended its goroutine")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l, err = eventloop.Start(s.cfg)
	}()
	<-ended
	return l, err
}

// begin does something beside the test, and waits until it can get no further.
func begin[T any](f func() T) (result func() T) {
	c := make(chan T, 1)
	go func() { c <- f() }()
	synctest.Wait()
	return func() T { return <-c }
}

func (s *scene) target(name statemachine.Name) ref {
	s.t.Helper()
	return targetIn(s.t, s.loop, name)
}

func targetIn(t *testing.T, l *eventloop.Loop, name statemachine.Name) ref {
	t.Helper()
	r, err := eventloop.RefTo[input, output](l, name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// call begins a call whose result is its error.
func (s *scene) call(name statemachine.Name, in input) func() error {
	s.t.Helper()
	r := s.target(name)
	return begin(func() error { _, err := r.Call(context.Background(), in); return err })
}

func (s *scene) cast(name statemachine.Name, in input) func() error {
	s.t.Helper()
	r := s.target(name)
	return begin(func() error { return r.Cast(context.Background(), in) })
}

// find starts a second application on what is durable now, and returns which
// inputs name has applied there.
func (s *scene) find(name statemachine.Name) string {
	s.t.Helper()
	l, err := s.start(s.log.Memory.Reopen())
	if err != nil {
		s.t.Errorf("the new start: %v", err)
		return "nothing"
	}
	defer l.Stop(context.Background())
	r, err := eventloop.RefTo[input, output](l, name)
	if err != nil {
		return "none"
	}
	out, err := r.Call(context.Background(), input{Do: doGet})
	if err != nil {
		return "none"
	}
	return fmt.Sprint(seqs(out.Account))
}

// seqs are the inputs that an account has applied.
func seqs(a account) []int64 {
	all := []int64{}
	for _, x := range a.Applied {
		all = append(all, x.Seq)
	}
	return all
}

func (s *scene) want(name statemachine.Name, want string) {
	s.t.Helper()
	if got := s.find(name); got != want {
		s.t.Errorf("after a new start %s has applied %s, want %s", name, got, want)
	}
}
