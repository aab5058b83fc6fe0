package eventloop_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
)

// counted is the state of the second version of a server.
type counted struct {
	Old   []string `json:"old"`
	Count int      `json:"count"`
}

// spelled is an input of the second version, which writes it in another way.
var spelled = codec.Convert(codec.Of[[]string](), func(s string) []string { return []string{"v2", s} },
	func(s []string) (string, error) {
		if len(s) != 2 {
			return "", fmt.Errorf("%q is not an input of version 2", s)
		}
		return s[1], nil
	})

// second is the second version of a server: it counts.
func second(migrate func(from int, saved statemachine.Saved) (counted, error)) *statemachine.Machine[counted, string, string] {
	return &statemachine.Machine[counted, string, string]{
		Step: func(in string, s counted, fx *serverFx) (counted, string) {
			if in == "crash" {
				panic("crash")
			}
			if in != "read" {
				s.Count++
			}
			return s, fmt.Sprintf("%s %d", in, s.Count)
		},
		ReadOnly: func(in string) bool { return in == "read" },
		Message:  func(statemachine.Message) string { return "told" },
		Input:    spelled, Output: codec.Of[string](), State: codec.Of[counted](),
		Version: 2, Migrate: migrate,
	}
}

func migrates(from int, saved statemachine.Saved) (counted, error) {
	if from != 0 {
		return counted{}, fmt.Errorf("from version %d", from)
	}
	old, err := statemachine.Decode(saved, codec.Of[[]string]())
	return counted{Old: old}, err
}

// changing is an application of a server "a", which sets timers, and machines that
// it could become.
func changing(log journal.Log, d eventloop.Durability) eventloop.Config {
	first := serves(func(in string, _ []string, fx *serverFx) string {
		if in == "timer" {
			fx.SetTimer("t", patience)
		}
		return in
	})
	number := newMachine()
	forgetful := second(migrates)
	forgetful.State = nil
	same := serves(func(in string, _ []string, fx *serverFx) string { return "same " + in })
	also := serves(func(in string, _ []string, fx *serverFx) string { return "also " + in })
	return eventloop.Config{
		Root: flat(worker("a", first), worker("b", first)), Durability: d, Log: log,
		Machines: map[string]statemachine.Server{
			"first": first, "second": second(migrates), "number": number, "forgetful": forgetful, "same": same, "also": also,
			"fails":  second(func(int, statemachine.Saved) (counted, error) { return counted{}, errDisk }),
			"panics": second(func(int, statemachine.Saved) (counted, error) { panic("boom") }),
			"exits":  second(func(int, statemachine.Saved) (counted, error) { runtime.Goexit(); return counted{}, nil }),
		},
	}
}

// changes runs f on that application, in a bubble, for the durabilities None and
// Always.
func changes(t *testing.T, f func(r *rig, mem *journal.Memory)) {
	for _, d := range []eventloop.Durability{eventloop.None, eventloop.Always} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := new(journal.Memory)
				r := &rig{t: t, cfg: changing(mem, d)}
				r.loop = start(t, r.cfg)
				f(r, mem)
			})
		})
	}
}

// counts checks the state of a server of the second version.
func (r *rig) counts(name statemachine.Name, count int, old ...string) {
	r.t.Helper()
	synctest.Wait()
	s, err := eventloop.GetState[counted](r.t.Context(), r.loop, name)
	if err != nil || s.Count != count || !slices.Equal(s.Old, old) {
		r.t.Errorf("%s: %+v %v, want %d and %q", name, s, err, count, old)
	}
}

// becomes changes the code of a suspended server.
func (r *rig) becomes(name statemachine.Name, key string) {
	r.t.Helper()
	r.ok(r.loop.Suspend(r.t.Context(), name))
	r.ok(r.loop.ChangeCodeKey(r.t.Context(), name, key))
	r.ok(r.loop.Resume(r.t.Context(), name))
}

// Y5: a new version takes over a suspended process, its state migrated: what waits
// is stepped by it, handles and timers stay.
func TestY5ChangeCode(t *testing.T) {
	changes(t, func(r *rig, mem *journal.Memory) {
		ctx := r.t.Context()
		a := r.ref("a")
		r.call("a", "timer")
		r.refused(r.loop.ChangeCode(ctx, "a", r.cfg.Machines["second"]), statemachine.ErrConflict)
		r.ok(r.loop.Suspend(ctx, "a"))
		waits := r.later("a", "waits")
		r.ok(r.loop.ChangeCode(ctx, "a", r.cfg.Machines["second"]))
		if s, err := r.loop.GetStatus(ctx, "a"); err != nil || s.Version != 2 || s.Machine != "second" || !s.Suspended {
			r.t.Error(s, err)
		}
		also := r.later("a", "also")
		r.counts("a", 0, "timer")
		r.ok(r.loop.Resume(ctx, "a"))
		r.is(<-waits, "waits 1")
		r.is(<-also, "also 2")
		for range 2 {
			if out, err := a.Call(ctx, "read"); out != "read 2" || err != nil { // by a handle on the old one
				r.t.Error(out, err)
			}
		}
		if err := a.Cast(ctx, "cast"); err != nil {
			r.t.Error(err)
		}
		time.Sleep(2 * patience)
		r.counts("a", 4, "timer")
		r.is(r.call("b", "x"), "x") // of the same machine, and not changed
		if r.cfg.Durability == eventloop.None {
			r.call("a", "crash")
			r.counts("a", 0) // the next life runs it too
			return
		}
		r.call("a", "crash")
		r.counts("a", 4, "timer")
		r.cfg.Log = mem.Reopen()
		r.loop = start(r.t, r.cfg)
		r.counts("a", 4, "timer")
		r.is(r.call("a", "x"), "x 5")
		r.ok(r.loop.Stop(context.Background()))
		r.cfg.Log = r.cfg.Log.(*journal.Memory).Reopen()
		r.loop = start(r.t, r.cfg)
		r.counts("a", 5, "timer")
	})
}

// Y5: one that cannot take over changes nothing.
func TestY5OldOneStays(t *testing.T) {
	changes(t, func(r *rig, mem *journal.Memory) {
		ctx := r.t.Context()
		r.call("a", "x")
		r.ok(r.loop.Suspend(ctx, "a"))
		for key, want := range map[string]error{
			"fails": statemachine.ErrNotChanged, "panics": statemachine.ErrNotChanged, "exits": statemachine.ErrNotChanged,
			"number": statemachine.ErrConflict, "forgetful": statemachine.ErrConflict, "nothing": statemachine.ErrInput,
		} {
			r.refused(r.loop.ChangeCodeKey(ctx, "a", key), want)
		}
		r.refused(r.loop.ChangeCode(ctx, "a", nil), statemachine.ErrInput)
		r.refused(r.loop.ChangeCode(ctx, "a", (*server)(nil)), statemachine.ErrInput)
		r.refused(r.loop.ChangeCodeKey(ctx, "nobody", "second"), statemachine.ErrNoProcess)
		err := r.loop.ChangeCodeKey(ctx, "a", "fails")
		if !errors.Is(err, errDisk) {
			r.t.Error(err)
		}
		if r.cfg.Durability != eventloop.None {
			r.refused(r.loop.ChangeCode(ctx, "a", second(migrates)), statemachine.ErrInput) // a replay would not find it
		}
		r.ok(r.loop.Resume(ctx, "a"))
		r.is(r.call("a", "y"), "y")
		r.saw("a", "x", "y")
		if r.cfg.Durability != eventloop.None {
			r.sameAfterKill(mem)
		}
	})
}

// A machine of the same state and version takes it as it is, and back again.
func TestChangeCodeOfTheSameVersion(t *testing.T) {
	changes(t, func(r *rig, mem *journal.Memory) {
		r.call("a", "x")
		r.becomes("a", "same")
		r.is(r.call("a", "y"), "same y")
		r.becomes("a", "first")
		r.is(r.call("a", "z"), "z")
		r.saw("a", "x", "y", "z")
		if r.cfg.Durability != eventloop.None {
			r.sameAfterKill(mem)
		}
	})
}

// What the next life is to begin with is taken over too.
func TestChangeCodeTakesOverWhatIsKept(t *testing.T) {
	for _, key := range []string{"second", "same"} {
		synctest.Test(t, func(t *testing.T) {
			r := &rig{t: t, cfg: changing(new(journal.Memory), eventloop.AtShutdown)}
			r.loop = start(t, r.cfg)
			r.call("a", "kept")
			r.call("a", "crash")
			r.call("a", "lost")
			r.becomes("a", key)
			r.ok(r.loop.Kill(t.Context(), "a"))
			if key == "second" {
				r.counts("a", 0, "kept")
			} else {
				r.saw("a", "kept")
			}
		})
	}
}

// Inputs in flight are written by the code that will step them.
func TestChangeCodeInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		r := &rig{t: t, cfg: changing(log, eventloop.Always)}
		r.loop = start(t, r.cfg)
		r.ok(r.loop.Suspend(t.Context(), "a"))
		log.hold()
		answers := []<-chan string{r.later("a", "1"), r.later("a", "2")}
		changed := inBackground(func() error { return r.loop.ChangeCodeKey(context.Background(), "a", "second") })
		answers = append(answers, r.later("a", "3"), r.later("a", "4"))
		resumed := inBackground(func() error { return r.loop.Resume(context.Background(), "a") })
		answers = append(answers, r.later("a", "5"))
		log.release()
		r.ok(<-changed)
		r.ok(<-resumed)
		for i, a := range answers {
			r.is(<-a, fmt.Sprintf("%d %d", i+1, i+1))
		}
		r.cfg.Log = mem.Reopen()
		r.loop = start(t, r.cfg)
		r.counts("a", 5)
	})
}

// Which machine runs is in a checkpoint.
func TestChangedCodeInACheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		r := &rig{t: t, cfg: changing(log, eventloop.Always)}
		r.cfg.SnapshotBytes = 1
		r.loop = start(t, r.cfg)
		r.call("a", "x")
		r.becomes("a", "second")
		r.call("a", "1")
		synctest.Wait() // for the checkpoint
		log.setSaves(saveLost)
		r.call("a", "2")
		r.call("a", "crash")
		r.call("a", "3")
		r.cfg.Log = mem.Reopen()
		r.loop = start(t, r.cfg)
		r.counts("a", 3, "x")

		// A program that does not have the machine any more, but its like in the spec.
		r.ok(r.loop.Stop(context.Background()))
		r.cfg.Log = r.cfg.Log.(*journal.Memory).Reopen()
		r.cfg.Root = flat(worker("a", second(migrates)), worker("b", r.cfg.Machines["first"]))
		r.cfg.Machines = nil
		r.loop = start(t, r.cfg)
		r.counts("a", 3, "x")
	})
}

// A child that was changed and deleted begins with its spec's machine.
func TestChangedCodeIsForgotten(t *testing.T) {
	changes(t, func(r *rig, mem *journal.Memory) {
		ctx := r.t.Context()
		r.becomes("a", "second")
		r.ok(r.loop.TerminateChild(ctx, "root", "a"))
		r.ok(r.loop.DeleteChild(ctx, "root", "a"))
		_, err := r.loop.StartChild(ctx, "root", worker("a", r.cfg.Machines["first"]))
		r.ok(err)
		r.is(r.call("a", "x"), "x")
		if r.cfg.Durability != eventloop.None {
			r.sameAfterKill(mem)
			r.startsWith(mem, "first")
		}
	})
}

// startsWith checks which machine a runs after an orderly end.
func (r *rig) startsWith(mem *journal.Memory, key string) {
	r.t.Helper()
	r.ok(r.loop.Stop(context.Background()))
	r.cfg.Log = mem.Reopen()
	r.loop = start(r.t, r.cfg)
	if s, err := r.loop.GetStatus(r.t.Context(), "a"); err != nil || s.Machine != key {
		r.t.Error(s, err)
	}
}

// ChangeSupervisor's machine is the next life's, whatever the code was changed to.
func TestChangedCodeAndSpec(t *testing.T) {
	changes(t, func(r *rig, mem *journal.Memory) {
		r.call("a", "x")
		r.becomes("a", "same")
		r.ok(r.loop.ChangeSupervisor(r.t.Context(), "root", flat(worker("a", r.cfg.Machines["second"]), worker("b", r.cfg.Machines["first"]))))
		r.is(r.call("a", "y"), "same y")
		r.call("a", "crash")
		r.is(r.call("a", "z"), "z 1")
	})
	changes(t, func(r *rig, mem *journal.Memory) {
		r.becomes("a", "same")
		r.ok(r.loop.ChangeSupervisor(r.t.Context(), "root", flat(worker("a", r.cfg.Machines["also"]), worker("b", r.cfg.Machines["first"]))))
		r.call("a", "crash")
		r.is(r.call("a", "z"), "also z")
		if r.cfg.Durability != eventloop.None {
			r.startsWith(mem, "first") // ChangeSupervisor is for as long as the program runs
		}
	})
}

// A call that has begun when the code is changed is not stepped by the old one.
func TestChangeCodeDuringACall(t *testing.T) {
	old, next := second(migrates), second(migrates)
	next.Step = func(in string, s counted, fx *serverFx) (counted, string) { return s, "next" }
	var change func()
	old.ReadOnly = func(string) bool { // it is asked before a call takes the loop
		if f := change; f != nil {
			change = nil
			f()
		}
		return false
	}
	l := start(t, eventloop.Config{Root: flat(worker("a", old))})
	r := &rig{t: t, loop: l}
	change = func() {
		r.ok(l.Suspend(t.Context(), "a"))
		r.ok(l.ChangeCode(t.Context(), "a", next))
		r.ok(l.Resume(t.Context(), "a"))
	}
	r.is(r.call("a", "x"), "next")
}

// Readers of a process that was resumed, or changed, do without the loop again.
func TestReadersAfterResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		l := start(t, eventloop.Config{Root: flat(worker("a", second(migrates)), worker("gate", g.machine()))})
		r := &rig{t: t, loop: l}
		a, gate := r.ref("a"), refTo(t, l, "gate")
		r.ok(l.Suspend(t.Context(), "a"))
		r.ok(l.ChangeCode(t.Context(), "a", second(migrates)))
		r.ok(l.Resume(t.Context(), "a"))
		blocked := inBackground(func() error {
			_, err := gate.Call(context.Background(), input{Add: 1})
			return err
		})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if out, err := a.Call(ctx, "read"); out != "read 0" || err != nil {
			t.Error(out, err)
		}
		g.open <- struct{}{}
		r.ok(<-blocked)
	})
}
