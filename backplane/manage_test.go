package backplane_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/backplane"
	"github.com/lineshaft/lineshaft/statemachine"
)

// manage runs f in d's Manage on a goroutine, and returns what Manage will.
func manage(d *backplane.Device, f func(context.Context) error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- d.Manage(context.Background(), f) }()
	return done
}

// wantGone checks that a function ended because line disconnected for r.
func wantGone(t *testing.T, err error, line backplane.Line, r statemachine.Reason) {
	t.Helper()
	var gone *backplane.Disconnected
	if !errors.As(err, &gone) || gone.Line != line || gone.Reason.String() != r.String() {
		t.Errorf("%v, want %v disconnected: %v", err, line, r)
	}
}

// How a managed function ends is how its device disconnects.
func TestManageDisconnects(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(context.Context) error
		told string
	}{
		{"nil", func(context.Context) error { return nil }, "d normal;"},
		{"error", func(context.Context) error { return errFault }, "d crash: fault;"},
		{"panic", func(context.Context) error { panic("oh") }, "d crash: d crashed in manage: oh;"},
		{"goexit", func(context.Context) error { runtime.Goexit(); return nil }, "d crash: the function called runtime.Goexit;"},
	} {
		d, peer := backplane.New("d"), backplane.New("peer")
		link(t, d.Line(), peer.Line(), backplane.Peer)
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			err = d.Manage(context.Background(), c.f)
		}()
		<-done
		if got := came(peer); got != c.told {
			t.Errorf("%s: the peer was told %q, want %q", c.name, got, c.told)
		}
		var crash *statemachine.CrashError
		switch c.name {
		case "error":
			if err != errFault {
				t.Error(err)
			}
		case "panic":
			if !errors.As(err, &crash) || crash.Value != "oh" || len(crash.Stack) == 0 {
				t.Error(err)
			}
		default:
			if err != nil {
				t.Error(err)
			}
		}
		wantNoProcess(t, peer.Link(d.Line(), backplane.Monitor), "d")
	}
	d, peer := backplane.New("d"), backplane.New("peer")
	link(t, d.Line(), peer.Line(), backplane.Peer)
	if err := d.Manage(context.Background(), func(context.Context) error {
		d.Disconnect(statemachine.Shutdown)
		return nil
	}); err != nil {
		t.Error(err)
	}
	if got := came(peer); got != "d shutdown;" {
		t.Errorf("told %q", got)
	}
}

// What a peer's end does to a managed function, for each reason, whether it comes
// before the function or while it runs.
func TestManageHears(t *testing.T) {
	for _, r := range reasons {
		for _, before := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				d, peer, witness := backplane.New("d"), backplane.New("peer"), backplane.New("witness")
				link(t, d.Line(), peer.Line(), backplane.Monitor)
				link(t, d.Line(), witness.Line(), backplane.Peer)
				if before {
					peer.Disconnect(r)
				}
				ctx, release := context.WithCancel(context.Background())
				called := false
				done := manage(d, func(ctx2 context.Context) error {
					called = true
					select {
					case <-ctx2.Done():
						return ctx2.Err()
					case <-ctx.Done():
						return nil
					}
				})
				synctest.Wait()
				if !before {
					peer.Disconnect(r)
				}
				synctest.Wait()
				release()
				err, told := <-done, "d "+r.String()+";"
				if r.Class == statemachine.ClassNormal {
					if err != nil || !called {
						t.Errorf("a normal end: %v", err)
					}
				} else {
					wantGone(t, err, peer.Line(), r)
					if called == before {
						t.Errorf("%v before: %v; called: %v", r, before, called)
					}
				}
				if got := came(witness); got != told {
					t.Errorf("%v: the witness was told %q, want %q", r, got, told)
				}
			})
		}
	}
}

var errCause = errors.New("the context's cause")

// A managed function that was cancelled says what else it has to say.
func TestManageAfterItWasCancelled(t *testing.T) {
	for _, c := range []struct {
		returns error
		want    string
	}{
		{nil, "peer disconnected: crash: fault"},
		{context.Canceled, "peer disconnected: crash: fault"},
		{errCause, "peer disconnected: crash: fault"},
		{fmt.Errorf("reading: %w", context.Canceled), "peer disconnected: crash: fault"},
		{errors.New("cannot close"), "peer disconnected: crash: fault; then cannot close"},
	} {
		d, peer := backplane.New("d"), backplane.New("peer")
		link(t, d.Line(), peer.Line(), backplane.Peer)
		err := d.Manage(context.Background(), func(ctx context.Context) error {
			peer.Disconnect(fault)
			<-ctx.Done()
			if c.returns == errCause {
				return context.Cause(ctx)
			}
			return c.returns
		})
		wantGone(t, err, peer.Line(), fault)
		if err.Error() != c.want {
			t.Errorf("%q, want %q", err, c.want)
		}
	}
}

// A device that is taken off the backplane takes its function along.
func TestDisconnectCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := backplane.New("d")
		done := manage(d, forever)
		synctest.Wait()
		d.Disconnect(fault)
		wantNoProcess(t, <-done, "d")
	})
}

// One fault is enough, many normal ends are nothing, and Manage keeps none.
func TestManageKeepsNothing(t *testing.T) {
	d := backplane.New("d")
	err := d.Manage(context.Background(), func(ctx context.Context) error {
		for i := range 10 {
			other := backplane.New("other")
			link(t, d.Line(), other.Line(), backplane.Monitor)
			r := statemachine.Normal
			if i > 5 {
				r = fault
			}
			other.Disconnect(r)
			if n := backplane.Inbox(d); n != 0 {
				t.Errorf("%d in the inbox", n)
			}
		}
		return nil
	})
	if !errors.Is(err, errFault) {
		t.Error(err)
	}
}

func TestWatch(t *testing.T) {
	ctx := context.Background()
	d, peer := backplane.New("d"), backplane.New("peer")
	if err := d.Watch(ctx, func(context.Context) error { return errFault }); err != errFault {
		t.Error(err)
	}
	var crash *statemachine.CrashError
	if err := d.Watch(ctx, func(context.Context) error { panic("oh") }); !errors.As(err, &crash) || crash.In != "watch" {
		t.Error(err)
	}
	for _, r := range reasons { // while it runs
		peer = backplane.New("peer")
		link(t, d.Line(), peer.Line(), backplane.Monitor)
		wantGone(t, d.Watch(ctx, func(ctx context.Context) error {
			peer.Disconnect(r)
			return forever(ctx)
		}), peer.Line(), r)
	}
	// What comes after the first is for the next, which is not even called.
	peers := []*backplane.Device{backplane.New("1"), backplane.New("2"), backplane.New("3")}
	for _, p := range peers {
		link(t, d.Line(), p.Line(), backplane.Peer)
	}
	wantGone(t, d.Watch(ctx, func(ctx context.Context) error {
		for _, p := range peers {
			p.Disconnect(statemachine.Normal)
		}
		return nil
	}), peers[0].Line(), statemachine.Normal)
	wantGone(t, d.Watch(ctx, func(ctx context.Context) error { panic("called") }), peers[1].Line(), statemachine.Normal)
	if got := came(d); got != "3 normal;" {
		t.Errorf("left %q", got)
	}
	// The device is still there.
	link(t, d.Line(), backplane.New("more").Line(), backplane.Peer)
}

// The caller's context is the function's too.
func TestFunctionsHaveTheCallersContext(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), key{}, 7))
	d := backplane.New("d")
	f := func(ctx context.Context) error {
		if ctx.Value(key{}) != 7 {
			t.Error("the value is not there")
		}
		cancel(errFault)
		return forever(ctx)
	}
	if err := d.Watch(ctx, f); err != errFault {
		t.Error(err)
	}
	if err := d.Manage(ctx, f); err != errFault {
		t.Error(err)
	}
}

func TestOneFunctionAtATime(t *testing.T) {
	ctx := context.Background()
	d := backplane.New("d")
	panics := func(f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		f()
	}
	d.Watch(ctx, func(context.Context) error {
		panics(func() { d.Next(ctx) })
		panics(func() { d.Watch(ctx, forever) })
		if err := d.Link(backplane.New("other").Line(), backplane.Peer); err != nil { // nothing is locked
			t.Error(err)
		}
		return nil
	})
	d.Manage(ctx, func(context.Context) error {
		panics(func() { d.Next(ctx) })
		return nil
	})
}

// A request to shut down, and other signals.
func TestExit(t *testing.T) {
	for _, r := range reasons {
		synctest.Test(t, func(t *testing.T) {
			boss, d, plain := backplane.New("boss"), backplane.New("d"), backplane.New("plain")
			if err := boss.Exit(plain.Line(), r); err != nil {
				t.Error(err)
			}
			if got, want := came(plain), "boss "+r.String()+";"; got != want {
				t.Errorf("told %q, want %q", got, want)
			}
			done := manage(d, forever)
			synctest.Wait()
			if err := boss.Exit(d.Line(), r); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if r.Class == statemachine.ClassNormal {
				select {
				case err := <-done:
					t.Error(err)
				default:
				}
				d.Disconnect(r)
				return
			}
			wantGone(t, <-done, boss.Line(), r)
			if err := boss.Link(plain.Line(), backplane.Peer); err != nil {
				t.Error(err) // they are there yet
			}
		})
	}
}
