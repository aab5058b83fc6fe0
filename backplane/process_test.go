package backplane_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/backplane"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// bubble runs f in a bubble, without a journal and with one.
func bubble(t *testing.T, f func(t *testing.T, cfg eventloop.Config)) {
	for _, d := range []eventloop.Durability{eventloop.None, eventloop.Always} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := eventloop.Config{Durability: d}
				if d != eventloop.None {
					cfg.Log = new(journal.Memory)
				}
				f(t, cfg)
			})
		})
	}
}

func wantCame(t *testing.T, d *backplane.Device, want string) {
	t.Helper()
	synctest.Wait()
	if got := came(d); got != want {
		t.Errorf("%s was told %q, want %q", d.Name(), got, want)
	}
}

// A device is told of every end of a process, whatever the reason, once.
func TestProcessEnds(t *testing.T) {
	for in, want := range map[string]string{
		"crash":      "crash: p crashed in step: crash",
		"fail":       "crash: fault",
		"normal":     "normal",
		"shutdown":   "shutdown",
		"shutdown_t": "shutdown_t: enough",
	} {
		bubble(t, func(t *testing.T, cfg eventloop.Config) {
			a := start(t, cfg, "p")
			told, deaf := backplane.New("told"), backplane.New("deaf")
			p := backplane.Process(a.Loop, "p")
			link(t, told.Line(), p, backplane.Monitor)
			link(t, deaf.Line(), p, backplane.Notify)
			a.tell("p", in)
			wantCame(t, told, "p "+want+";")
			wantCame(t, deaf, "")
		})
	}
	bubble(t, func(t *testing.T, cfg eventloop.Config) {
		ctx := context.Background()
		a := start(t, cfg, "p")
		d, p := backplane.New("d"), backplane.Process(a.Loop, "p")
		link(t, d.Line(), p, backplane.Monitor)
		a.Kill(ctx, "p")
		wantCame(t, d, "p killed;")
		link(t, d.Line(), p, backplane.Monitor) // with the next life
		a.StopProcess(ctx, "p", statemachine.Crash(errFault))
		wantCame(t, d, "p crash: fault;")
		link(t, d.Line(), p, backplane.Monitor)
		a.TerminateChild(ctx, "root", "p")
		wantCame(t, d, "p shutdown;")
		wantNoProcess(t, d.Link(p, backplane.Monitor), "p")
		wantNoProcess(t, d.Link(backplane.Process(a.Loop, "nobody"), backplane.Peer), "nobody")
		d.Unlink(p, backplane.Monitor)
		a.RestartChild(ctx, "root", "p")
		link(t, p, d.Line(), backplane.Notify) // the same from the other end
		link(t, d.Line(), backplane.Process(a.Loop, "root"), backplane.Monitor)
		a.Stop(ctx)
		wantCame(t, d, "p shutdown;root shutdown;")
		wantNoProcess(t, d.Link(p, backplane.Monitor), "p")
	})
}

// What a process does when a device ends that it is linked with: as OTP's do.
func TestDeviceEnds(t *testing.T) {
	for _, r := range reasons {
		bubble(t, func(t *testing.T, cfg eventloop.Config) {
			a := start(t, cfg, "plain", "trap", "monitored", "other")
			d := backplane.New("d")
			link(t, d.Line(), backplane.Process(a.Loop, "plain"), backplane.Peer)
			link(t, d.Line(), backplane.Process(a.Loop, "trap"), backplane.Notify)
			link(t, d.Line(), backplane.Process(a.Loop, "monitored"), backplane.Monitor)
			synctest.Wait()
			a.happened()
			d.Disconnect(r)
			synctest.Wait()
			var want string
			if r.Class != statemachine.ClassNormal {
				want = "exit plain " + r.String()
				if !r.Class.Clean() { // it is transient
					want += ", start plain"
				}
			}
			if got := a.happened(); got != want {
				t.Errorf("%v: %q, want %q", r, got, want)
			}
			if got, err := a.tell("trap", "told"); err != nil || got != "exit d "+r.String()+";;" {
				t.Errorf("%v: the process that traps exits was told %q, %v", r, got, err)
			}
		})
	}
}

// A device tells its links in order, the first linked first.
func TestDisconnectIsInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, cfg eventloop.Config) {
		names := []statemachine.Name{"c", "a", "d", "b"}
		a := start(t, cfg, names...)
		d := backplane.New("d")
		for _, name := range names {
			link(t, d.Line(), backplane.Process(a.Loop, name), backplane.Notify)
		}
		a.happened()
		d.Disconnect(statemachine.Shutdown)
		synctest.Wait()
		if got, want := a.happened(), "exit c shutdown, exit a shutdown, exit d shutdown, exit b shutdown"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// What a goroutine sends a process after its device has ended comes after that.
func TestSignalsAndCallsAreInOrder(t *testing.T) {
	a := start(t, eventloop.Config{}, "trap")
	for i := range 200 {
		d := backplane.New(statemachine.Name(fmt.Sprint(i)))
		link(t, d.Line(), backplane.Process(a.Loop, "trap"), backplane.Peer)
		d.Disconnect(statemachine.Normal)
		got, err := a.tell("trap", "told")
		if err != nil || !strings.HasSuffix(got, fmt.Sprintf("exit %d normal;;", i)) {
			t.Fatalf("%d: told %q, %v", i, got, err)
		}
	}
}

// A link is with a life: the next one is not concerned, and can be linked anew.
func TestLinksAreWithLives(t *testing.T) {
	bubble(t, func(t *testing.T, cfg eventloop.Config) {
		a := start(t, cfg, "p")
		d, p := backplane.New("d"), backplane.Process(a.Loop, "p")
		link(t, d.Line(), p, backplane.Peer)
		a.tell("p", "crash")
		a.tell("p", "crash")
		wantCame(t, d, "p crash: p crashed in step: crash;")
		if n := backplane.Links(d); n != 0 {
			t.Errorf("%d links are left", n)
		}
		synctest.Wait()
		a.happened()
		d.Disconnect(fault)
		synctest.Wait()
		if got := a.happened(); got != "" {
			t.Errorf("the third life: %s", got)
		}
	})
}

// Modes add up, and are taken back, as between devices.
func TestLinkAndUnlinkProcesses(t *testing.T) {
	bubble(t, func(t *testing.T, cfg eventloop.Config) {
		a := start(t, cfg, "p")
		d, p := backplane.New("d"), backplane.Process(a.Loop, "p")
		link(t, d.Line(), p, backplane.Monitor)
		link(t, p, d.Line(), backplane.Monitor)
		d.Unlink(p, backplane.Monitor)
		a.tell("p", "crash")
		wantCame(t, d, "")
		link(t, d.Line(), p, backplane.Peer)
		p.Unlink(d.Line(), backplane.Monitor)
		synctest.Wait()
		a.happened()
		d.Exit(p, statemachine.Normal)
		if n := backplane.Links(d); n != 1 {
			t.Errorf("%d links", n)
		}
		d2 := backplane.New("d2")
		link(t, d2.Line(), p, backplane.Peer)
		d.Disconnect(fault)
		wantCame(t, d2, "")
		if got := a.happened(); got != "" {
			t.Errorf("ended: %s", got)
		}
		if err := d2.Exit(p, statemachine.Killed); err != nil {
			t.Error(err)
		}
		wantCame(t, d2, "p killed;")
	})
}

// Processes are linked from outside too, of two applications at that.
func TestLinkProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := start(t, eventloop.Config{}, "a", "b"), start(t, eventloop.Config{}, "c", "trap")
		a, b, c := backplane.Process(one.Loop, "a"), backplane.Process(one.Loop, "b"), backplane.Process(two.Loop, "c")
		link(t, a, b, backplane.Peer)
		link(t, b, c, backplane.Peer)
		link(t, c, backplane.Process(two.Loop, "trap"), backplane.Notify)
		one.happened()
		two.happened()
		one.tell("a", "fail")
		synctest.Wait()
		if got, want := one.happened(), "exit a crash: fault, start a, exit b crash: fault, start b"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got, want := two.happened(), "exit c crash: fault, start c"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got, _ := two.tell("trap", "told"); got != "exit c crash: fault;;" {
			t.Errorf("told %q", got)
		}
		if backplane.Process(one.Loop, "a") != a || a == b {
			t.Error("lines are not equal as they should be")
		}
	})
}

// A session's connection: whichever of the two ends takes the other along.
func TestManageWithAProcess(t *testing.T) {
	bubble(t, func(t *testing.T, cfg eventloop.Config) {
		a := start(t, cfg, "session")
		session := backplane.Process(a.Loop, "session")
		conn := backplane.New("conn")
		link(t, conn.Line(), session, backplane.Peer)
		done := manage(conn, forever)
		synctest.Wait()
		a.happened()
		a.tell("session", "shutdown")
		wantGone(t, <-done, session, statemachine.Shutdown)
		synctest.Wait()
		if got := a.happened(); got != "exit session shutdown" {
			t.Errorf("%q", got)
		}
		a.RestartChild(context.Background(), "root", "session")
		a.happened()
		conn = backplane.New("conn")
		link(t, conn.Line(), session, backplane.Peer)
		if err := conn.Manage(context.Background(), func(context.Context) error { return errFault }); err != errFault {
			t.Error(err)
		}
		synctest.Wait()
		if got := a.happened(); got != "exit session crash: fault, start session" {
			t.Errorf("%q", got)
		}
	})
}

// Inside OnEvent, where the loop stands still, everything but waiting is allowed.
func TestInsideOnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := backplane.New("d")
		var loop *eventloop.Loop
		var errs []error
		cfg := eventloop.Config{Root: supervisor.Supervisor{Name: "root", Intensity: 10}}
		for _, n := range []statemachine.Name{"a", "b"} {
			cfg.Root.Children = append(cfg.Root.Children, supervisor.Worker{Name: n, Machine: moody()})
		}
		cfg.OnEvent = func(e eventloop.Event) {
			if e, ok := e.(eventloop.Restarting); ok && loop != nil {
				errs = append(errs, d.Link(backplane.Process(loop, e.Name), backplane.Peer))
				b := backplane.Process(loop, "b")
				errs = append(errs, d.Link(b, backplane.Monitor), d.Exit(b, statemachine.Killed))
			}
		}
		l, err := eventloop.Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		loop = l
		ref, _ := eventloop.RefTo[string, string](l, "a")
		ref.Call(t.Context(), "crash")
		synctest.Wait()
		l.Stop(context.Background())
		if len(errs) < 3 || !errors.Is(errs[0], statemachine.ErrNoProcess) || errs[1] != nil || errs[2] != nil {
			t.Errorf("%v", errs)
		}
		if m, err := d.Next(t.Context()); err != nil || m.Line != backplane.Process(l, "b") || m.Reason != statemachine.Killed {
			t.Errorf("%v, %v", m, err)
		}
	})
}

// The loop goes on at once when a process ends that very many have attached to.
func TestManyAttached(t *testing.T) {
	a := start(t, eventloop.Config{}, "p")
	p := backplane.Process(a.Loop, "p")
	var devices []*backplane.Device
	for i := range 1000 {
		d := backplane.New(statemachine.Name(fmt.Sprint(i)))
		link(t, d.Line(), p, backplane.Peer)
		devices = append(devices, d)
	}
	release := backplane.Hold(devices[0]) // who would tell it waits
	answered := make(chan error, 1)
	go func() {
		_, err := a.tell("p", "fail")
		answered <- err
	}()
	select {
	case err := <-answered:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("the loop waits")
	}
	release()
	for _, d := range devices {
		if m, err := d.Next(t.Context()); err != nil || m.Line != p || m.Reason.Class != statemachine.ClassCrash {
			t.Errorf("told %v, %v", m, err)
		}
	}
}

// Attaching to a process that is ending gives an error or, later, its end:
// never both, never neither.
func TestAttachRacesWithTheEnd(t *testing.T) {
	a := start(t, eventloop.Config{Root: supervisor.Supervisor{Intensity: 1 << 30}}, "p")
	p := backplane.Process(a.Loop, "p")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				a.tell("p", []string{"crash", "fail"}[i%2])
			}
		}
	})
	var refused, told int
	var clients sync.WaitGroup
	var mu sync.Mutex
	for range 4 {
		clients.Go(func() {
			for range 500 {
				d := backplane.New("d")
				err := d.Link(p, backplane.Monitor)
				if err == nil {
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					m, nextErr := d.Next(ctx)
					if cancel(); nextErr != nil || m.Line != p || m.Reason.Class != statemachine.ClassCrash {
						t.Errorf("told %v, %v", m, nextErr)
						return
					}
				} else if !errors.Is(err, statemachine.ErrNoProcess) {
					t.Error(err)
				}
				if got := came(d); got != "" {
					t.Errorf("told too: %q", got)
				}
				mu.Lock()
				if err == nil {
					told++
				} else {
					refused++
				}
				mu.Unlock()
				d.Disconnect(statemachine.Normal)
			}
		})
	}
	clients.Wait()
	close(stop)
	wg.Wait()
	t.Logf("%d were told, %d refused", told, refused)
	if told == 0 {
		t.Error("none was told")
	}
}

// The same with the end of the application: everyone is told, then refused.
func TestAttachRacesWithStop(t *testing.T) {
	for range 100 {
		a := start(t, eventloop.Config{}, "p")
		p := backplane.Process(a.Loop, "p")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					d := backplane.New("d")
					if err := d.Link(p, backplane.Peer); err != nil {
						if !errors.Is(err, statemachine.ErrNoProcess) {
							t.Error(err)
						}
						return
					}
					if err := d.Manage(context.Background(), forever); !strings.Contains(err.Error(), "disconnected: shutdown") {
						t.Error(err)
					}
				}
			})
		}
		if err := a.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
}

// What ends because of a device is a matter of the journal: after a kill -9 it is
// as it was, and links are gone.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(journal.Memory)
		cfg := eventloop.Config{Durability: eventloop.Always, Log: log}
		a := start(t, cfg, "p", "trap")
		d := backplane.New("d")
		link(t, d.Line(), backplane.Process(a.Loop, "p"), backplane.Peer)
		link(t, d.Line(), backplane.Process(a.Loop, "trap"), backplane.Peer)
		a.tell("p", "told one")
		d.Disconnect(fault)
		a.tell("p", "told two")
		want, _ := a.tell("trap", "told three")
		cfg.Log = log.Reopen()
		b := start(t, cfg, "p", "trap")
		if got, _ := b.tell("trap", "look"); got != want || got != "exit d crash: fault;three;" {
			t.Errorf("told %q, before: %q", got, want)
		}
		if got, _ := b.tell("p", "look"); got != "one;two;" {
			t.Errorf("told %q", got)
		}
	})
}
