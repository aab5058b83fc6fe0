package eventloop_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// patience is how long something takes that a test waits for.
const patience = 5 * time.Second

// server is a machine whose state is what it has seen.
type server = statemachine.Machine[[]string, string, string]

type serverFx = statemachine.Effects[string]

// serves returns a machine that notes every input, after "told " if it is made of
// a message, and then does as more says.
func serves(more func(in string, seen []string, fx *serverFx) (out string)) *server {
	return &server{
		Step: func(in string, seen []string, fx *serverFx) ([]string, string) {
			if in == "crash" {
				panic("crash")
			}
			seen = append(slices.Clip(seen), in)
			return seen, more(in, seen, fx)
		},
		Message: func(m statemachine.Message) string {
			switch m := m.(type) {
			case statemachine.Continue:
				return "continue " + m.Tag
			case statemachine.Timeout:
				return "timeout " + m.Timer
			case statemachine.Exit:
				return "exit " + string(m.Name) + " " + m.Reason.Class.String()
			case statemachine.Undelivered:
				return "undelivered " + string(m.To)
			case statemachine.Reply:
				out, err := statemachine.To[string, string](m.Name).Output(m)
				return fmt.Sprintf("reply %s %v", out, err)
			}
			return "told"
		},
		Input: codec.Of[string](), Output: codec.Of[string](), State: codec.Of[[]string](),
	}
}

// ends is what Terminates were told, in order, by "name reason state".
type ends chan string

func (e ends) terminate(name statemachine.Name, seen []string, r statemachine.Reason) {
	e <- fmt.Sprintf("%s %v %v", name, r.Class, seen)
}

// all returns what has been told.
func (e ends) all() (all []string) {
	synctest.Wait()
	for len(e) > 0 {
		all = append(all, <-e)
	}
	return all
}

// rig is an application of servers.
type rig struct {
	t    *testing.T
	loop *eventloop.Loop
	cfg  eventloop.Config
	ends ends
}

// play runs f, in a bubble, for the durabilities None and Always; then it kills the
// program, starts it again, and demands that all servers have the states that they
// had. Machines may use r's ends.
func play(t *testing.T, machines func(r *rig) map[string]*server, f func(r *rig)) {
	for _, d := range []eventloop.Durability{eventloop.None, eventloop.Always} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &rig{t: t, ends: make(ends, 100)}
				r.cfg = eventloop.Config{Durability: d, Machines: map[string]statemachine.Server{},
					Root: supervisor.Supervisor{Name: "root", Intensity: 1000}}
				mem := new(journal.Memory)
				if d != eventloop.None {
					r.cfg.Log = mem
				}
				all := machines(r)
				for name, m := range all {
					r.cfg.Machines[name] = m
				}
				for _, name := range slices.Sorted(maps.Keys(all)) {
					if !strings.HasPrefix(name, "later") {
						r.cfg.Root.Children = append(r.cfg.Root.Children, worker(statemachine.Name(name), all[name]))
					}
				}
				r.loop = start(t, r.cfg)
				f(r)
				synctest.Wait()
				if d != eventloop.None {
					r.sameAfterKill(mem)
				}
				r.loop.Stop(context.Background())
			})
		})
	}
}

// sameAfterKill starts the application from what its log has now.
func (r *rig) sameAfterKill(mem *journal.Memory) {
	r.t.Helper()
	states := map[statemachine.Name]string{}
	for _, c := range r.loop.Tree().Children {
		if c.Status == statemachine.Up {
			states[c.Name] = strings.Join(r.seen(c.Name), "; ")
		}
	}
	cfg := r.cfg
	cfg.Log = mem.Reopen()
	again := *r
	again.loop = start(r.t, cfg)
	for name, want := range states {
		if got := strings.Join(again.seen(name), "; "); got != want {
			r.t.Errorf("%s after kill -9: %q, want %q", name, got, want)
		}
	}
	again.loop.Stop(context.Background())
}

// seen is the state of a server.
func (r *rig) seen(name statemachine.Name) []string {
	r.t.Helper()
	s, err := eventloop.GetState[[]string](r.t.Context(), r.loop, name)
	if err != nil {
		r.t.Errorf("the state of %s: %v", name, err)
	}
	return s
}

// saw checks the state of a server.
func (r *rig) saw(name statemachine.Name, want ...string) {
	r.t.Helper()
	synctest.Wait()
	if got := r.seen(name); !slices.Equal(got, want) {
		r.t.Errorf("%s has seen %q, want %q", name, got, want)
	}
}

func (r *rig) ended(want ...string) {
	r.t.Helper()
	if got := r.ends.all(); !slices.Equal(got, want) {
		r.t.Errorf("terminated: %q, want %q", got, want)
	}
}

func (r *rig) ref(name statemachine.Name) eventloop.Ref[string, string] {
	r.t.Helper()
	ref, err := eventloop.RefTo[string, string](r.loop, name)
	if err != nil {
		r.t.Fatal(err)
	}
	return ref
}

// call calls a server and returns the answer, or the error in words.
func (r *rig) call(name statemachine.Name, in string) string {
	r.t.Helper()
	out, err := r.ref(name).Call(r.t.Context(), in)
	if err != nil {
		return err.Error()
	}
	return out
}

// later calls a server in the background.
func (r *rig) later(name statemachine.Name, in string) <-chan string {
	out := make(chan string, 1)
	ref := r.ref(name)
	go func() {
		got, err := ref.Call(context.Background(), in)
		if err != nil {
			got = err.Error()
		}
		out <- got
	}()
	synctest.Wait()
	return out
}

func (r *rig) cast(name statemachine.Name, in string) {
	r.t.Helper()
	if err := r.ref(name).Cast(r.t.Context(), in); err != nil {
		r.t.Error(err)
	}
}

// is checks an answer.
func (r *rig) is(got, want string) {
	r.t.Helper()
	if got != want {
		r.t.Errorf("got %q, want %q", got, want)
	}
}

// ok checks that there is no error.
func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Error(err)
	}
}

func (r *rig) refused(err, want error) {
	r.t.Helper()
	var c *statemachine.CallError
	if !errors.Is(err, want) || !errors.As(err, &c) || c.Outcome != statemachine.NotApplied {
		r.t.Errorf("%v, want %v, not applied", err, want)
	}
}

// echoing only answers.
func echoing(in string, _ []string, _ *serverFx) string { return in }

// one is the machines of an application of the server "a".
func one(more func(in string, seen []string, fx *serverFx) string) func(*rig) map[string]*server {
	return func(r *rig) map[string]*server {
		m := serves(more)
		m.Terminate = r.ends.terminate
		return map[string]*server{"a": m}
	}
}
