package backplane_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/backplane"
	"github.com/lineshaft/lineshaft/statemachine"
)

// reasons are all that there are.
var reasons = []statemachine.Reason{
	statemachine.Normal, statemachine.Shutdown, statemachine.ShutdownWith(errors.New("enough")), statemachine.Killed, fault,
}

// came returns what d has been told, in order.
func came(d *backplane.Device) string {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var all string
	for {
		m, err := d.Next(ctx)
		if err != nil {
			return all
		}
		all += fmt.Sprintf("%v %v;", m.Line, m.Reason)
	}
}

func link(t testing.TB, a, b backplane.Line, m backplane.Mode) {
	t.Helper()
	if err := a.Link(b, m); err != nil {
		t.Fatal(err)
	}
}

func wantNoProcess(t *testing.T, err error, name statemachine.Name) {
	t.Helper()
	var call *statemachine.CallError
	if !errors.Is(err, statemachine.ErrNoProcess) || !errors.As(err, &call) || call.Name != name {
		t.Errorf("%v, want no process %q", err, name)
	}
}

// forever is a function that ends when it is cancelled.
func forever(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// Who is told, in each mode, whoever of the two ends, for each reason.
func TestModes(t *testing.T) {
	for _, r := range reasons {
		for mode, told := range map[backplane.Mode]struct{ a, b bool }{
			backplane.Monitor: {a: true}, backplane.Notify: {b: true}, backplane.Peer: {a: true, b: true},
		} {
			a, b := backplane.New("a"), backplane.New("b")
			link(t, a.Line(), b.Line(), mode)
			b.Disconnect(r)
			if got, want := came(a), map[bool]string{true: "b " + r.String() + ";"}[told.a]; got != want {
				t.Errorf("mode %d, %v: a was told %q, want %q", mode, r, got, want)
			}
			a, b = backplane.New("a"), backplane.New("b")
			link(t, a.Line(), b.Line(), mode)
			a.Disconnect(r)
			if got, want := came(b), map[bool]string{true: "a " + r.String() + ";"}[told.b]; got != want {
				t.Errorf("mode %d, %v: b was told %q, want %q", mode, r, got, want)
			}
		}
	}
}

// Modes add up, and are taken back, from either end; who is told is told once.
func TestLinkAndUnlink(t *testing.T) {
	const M, N, P = backplane.Monitor, backplane.Notify, backplane.Peer
	for _, c := range []struct {
		name         string
		do           func(a, b backplane.Line)
		aTold, bTold bool
	}{
		{"upgrade", func(a, b backplane.Line) { a.Link(b, M); a.Link(b, N) }, true, true},
		{"from the other end", func(a, b backplane.Line) { a.Link(b, M); b.Link(a, M) }, true, true},
		{"twice", func(a, b backplane.Line) { a.Link(b, P); b.Link(a, P) }, true, true},
		{"downgrade", func(a, b backplane.Line) { a.Link(b, P); a.Unlink(b, N) }, true, false},
		{"downgrade from the other end", func(a, b backplane.Line) { a.Link(b, P); b.Unlink(a, N) }, false, true},
		{"unlink", func(a, b backplane.Line) { a.Link(b, P); b.Unlink(a, P) }, false, false},
		{"unlink one by one", func(a, b backplane.Line) { a.Link(b, P); a.Unlink(b, M); b.Unlink(a, M) }, false, false},
		{"and again", func(a, b backplane.Line) { a.Link(b, P); a.Unlink(b, P); a.Link(b, M) }, true, false},
		{"unlink what is not", func(a, b backplane.Line) { a.Unlink(b, P); a.Link(b, N); a.Unlink(b, M) }, false, true},
	} {
		for _, aEnds := range []bool{true, false} {
			a, b := backplane.New("a"), backplane.New("b")
			c.do(a.Line(), b.Line())
			if n, want := backplane.Links(a), map[bool]int{true: 1}[c.aTold || c.bTold]; n != want || backplane.Links(b) != want {
				t.Errorf("%s: %d links", c.name, n)
			}
			ends, hears, told := a, b, c.bTold
			if !aEnds {
				ends, hears, told = b, a, c.aTold
			}
			ends.Disconnect(fault)
			if got, want := came(hears), map[bool]string{true: string(ends.Name()) + " crash: fault;"}[told]; got != want {
				t.Errorf("%s: %s was told %q, want %q", c.name, hears.Name(), got, want)
			}
		}
	}
}

func TestLinkErrors(t *testing.T) {
	a, gone := backplane.New("a"), backplane.New("gone")
	gone.Disconnect(statemachine.Normal)
	wantNoProcess(t, a.Link(gone.Line(), backplane.Monitor), "gone")
	wantNoProcess(t, gone.Link(a.Line(), backplane.Monitor), "gone")
	wantNoProcess(t, a.Link(backplane.Line{}, backplane.Peer), "")
	wantNoProcess(t, backplane.Line{}.Link(a.Line(), backplane.Peer), "")
	wantNoProcess(t, a.Exit(gone.Line(), fault), "gone")
	wantNoProcess(t, a.Exit(backplane.Line{}, fault), "")
	if err := a.Link(backplane.New("b").Line(), 0); err == nil {
		t.Error("no mode is a mode")
	}
	if err := a.Link(backplane.New("b").Line(), 4); err == nil {
		t.Error("4 is a mode")
	}
	if err := a.Link(a.Line(), backplane.Peer); err != nil {
		t.Error(err)
	}
	a.Unlink(a.Line(), backplane.Peer)
	a.Unlink(gone.Line(), backplane.Peer)
	a.Unlink(backplane.Line{}, backplane.Peer)
	backplane.Line{}.Unlink(a.Line(), backplane.Peer)
	if got := came(a); got != "" {
		t.Errorf("told %q", got)
	}
	gone.Exit(a.Line(), fault) // which it does not take
	a.Disconnect(fault)
	a.Disconnect(statemachine.Normal)
	_, err := a.Next(context.Background())
	wantNoProcess(t, err, "a")
	wantNoProcess(t, a.Manage(context.Background(), func(context.Context) error { panic("called") }), "a")
	wantNoProcess(t, a.Watch(context.Background(), func(context.Context) error { panic("called") }), "a")
}

func TestLines(t *testing.T) {
	a, b := backplane.New("same"), backplane.New("same")
	if again := a.Line(); a.Line() != again || a.Line() == b.Line() {
		t.Error("lines are not equal as they should be")
	}
	if name := backplane.New("").Name(); name == "" || name == backplane.New("").Name() {
		t.Errorf("a device without a name is called %q", name)
	}
	link(t, a.Line(), b.Line(), backplane.Monitor)
	b.Disconnect(fault)
	m, err := a.Next(context.Background())
	if err != nil || m.Line != b.Line() || !errors.Is(&m, errFault) || m.Error() != "same disconnected: crash: fault" {
		t.Errorf("%v, %v", m, err)
	}
}

// A hub hears of all, the first linked first, and what has ended is forgotten.
func TestNextIsInOrder(t *testing.T) {
	hub := backplane.New("hub")
	var want string
	for i := range 100 {
		d := backplane.New(statemachine.Name(fmt.Sprint(i)))
		link(t, hub.Line(), d.Line(), backplane.Monitor)
		d.Disconnect(statemachine.Normal)
		want += fmt.Sprint(i, " normal;")
	}
	if got := came(hub); got != want {
		t.Errorf("told %q", got)
	}
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := backplane.New("a"), backplane.New("b")
		link(t, a.Line(), b.Line(), backplane.Monitor)
		var m backplane.Disconnected
		var err error
		next := func() <-chan struct{} {
			done := make(chan struct{})
			go func() {
				defer close(done)
				m, err = a.Next(t.Context())
			}()
			synctest.Wait()
			return done
		}
		done := next()
		b.Disconnect(fault)
		if <-done; err != nil || m.Line != b.Line() {
			t.Errorf("%v, %v", m, err)
		}
		done = next()
		a.Disconnect(fault)
		<-done
		wantNoProcess(t, err, "a")
		c := backplane.New("c")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errFault)
		if _, err := c.Next(ctx); !errors.Is(err, errFault) {
			t.Error(err)
		}
	})
}

// Whatever races, who is linked is told once, and who could not be linked never.
func TestLinkRacesWithDisconnect(t *testing.T) {
	for range 2000 {
		a, b, c := backplane.New("a"), backplane.New("b"), backplane.New("c")
		var wg sync.WaitGroup
		var err error
		wg.Go(func() { err = a.Link(b.Line(), backplane.Peer) })
		wg.Go(func() { b.Disconnect(fault) })
		wg.Go(func() { b.Link(c.Line(), backplane.Peer) })
		wg.Go(func() { c.Disconnect(fault) })
		wg.Wait()
		got, want := came(a), "b crash: fault;"
		if err != nil {
			want = ""
			wantNoProcess(t, err, "b")
		}
		if got != want {
			t.Fatalf("told %q; link: %v", got, err)
		}
	}
}

// Links that both ends make, and take back, at once.
func TestLinkRacesWithItself(t *testing.T) {
	for range 200 {
		a, b := backplane.New("a"), backplane.New("b")
		var wg sync.WaitGroup
		for _, ends := range [][2]*backplane.Device{{a, b}, {b, a}} {
			wg.Go(func() {
				for range 200 {
					ends[0].Link(ends[1].Line(), backplane.Peer)
					ends[1].Unlink(ends[0].Line(), backplane.Peer)
				}
				ends[0].Link(ends[1].Line(), backplane.Peer)
				ends[0].Disconnect(fault)
			})
		}
		wg.Wait()
		if backplane.Links(a) != 0 || backplane.Links(b) != 0 {
			t.Fatal("links are left")
		}
	}
}

// Both ends of links that end at once.
func TestBothDisconnect(t *testing.T) {
	for range 3000 {
		a, b := backplane.New("a"), backplane.New("b")
		for range 3 { // more to do, so that they meet
			link(t, a.Line(), backplane.New("").Line(), backplane.Monitor)
			link(t, b.Line(), backplane.New("").Line(), backplane.Monitor)
		}
		link(t, a.Line(), b.Line(), backplane.Peer)
		var ready, wg sync.WaitGroup
		ready.Add(2)
		for _, d := range []*backplane.Device{a, b} {
			wg.Go(func() {
				ready.Done()
				ready.Wait()
				d.Disconnect(fault)
			})
		}
		wg.Wait()
		if backplane.Links(a) != 0 || backplane.Links(b) != 0 {
			t.Fatal("links are left")
		}
	}
}

// Many devices that link, unlink and end at once come to an end, and forget
// each other.
func TestChurn(t *testing.T) {
	hub := backplane.New("hub")
	devices := make([]*backplane.Device, 64)
	for i := range devices {
		devices[i] = backplane.New("")
	}
	var wg sync.WaitGroup
	for i, d := range devices {
		wg.Go(func() {
			d.Link(hub.Line(), backplane.Peer)
			for j := range devices {
				to := devices[(i*j+1)%len(devices)].Line()
				d.Link(to, backplane.Mode(j%3+1))
				if j%2 == 0 {
					d.Unlink(to, backplane.Peer)
				}
			}
			d.Disconnect(statemachine.Normal)
		})
	}
	wg.Wait()
	for range devices {
		if _, err := hub.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if n := backplane.Links(hub); n != 0 {
		t.Errorf("the hub has %d links yet", n)
	}
	for _, d := range devices {
		if n := backplane.Links(d); n != 0 {
			t.Errorf("%s has %d links yet", d.Name(), n)
		}
	}
}

// Devices cost no goroutine.
func TestNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	hub := backplane.New("hub")
	var devices []*backplane.Device
	for range 1000 {
		d := backplane.New("")
		link(t, hub.Line(), d.Line(), backplane.Peer)
		devices = append(devices, d)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines more", n-before)
	}
	hub.Disconnect(fault)
	for _, d := range devices {
		if came(d) != "hub crash: fault;" {
			t.Fatal("not told")
		}
	}
}

// A link with oneself is none, and none at all for who has disconnected.
func TestLinkWithOneself(t *testing.T) {
	d := backplane.New("d")
	link(t, d.Line(), d.Line(), backplane.Peer)
	d.Disconnect(statemachine.Normal)
	wantNoProcess(t, d.Link(d.Line(), backplane.Peer), "d")
}
