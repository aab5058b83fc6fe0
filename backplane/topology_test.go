package backplane_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/backplane"
	"github.com/lineshaft/lineshaft/statemachine"
)

// A topology is some devices, each managing a function, and their links. When
// one has ended by a fault, those who did not end with it are left; all others,
// when it has ended normally.
func TestTopologies(t *testing.T) {
	const M, N, P = backplane.Monitor, backplane.Notify, backplane.Peer
	type links = map[string]backplane.Mode // "a b": a.Link(b, mode)
	for _, c := range []struct {
		name, devices string
		links         links
		ends          string
		left          string
	}{
		{"a chain of monitors", "a b c d", links{"b a": M, "c b": M, "d c": M}, "a", ""},
		{"a chain of monitors, in the middle", "a b c d", links{"b a": M, "c b": M, "d c": M}, "c", "a b"},
		{"a chain of notifiers", "a b c d", links{"a b": N, "b c": N, "c d": N}, "b", "a"},
		{"a ring of peers", "a b c d e", links{"a b": P, "b c": P, "c d": P, "d e": P, "e a": P}, "d", ""},
		{"two rings", "a b c d", links{"a b": P, "c d": P}, "c", "a b"},
		{"a star, a ray ends", "hub a b c", links{"hub a": P, "hub b": P, "hub c": P}, "b", ""},
		{"a star that monitors its rays", "hub a b c", links{"hub a": M, "hub b": M, "hub c": M}, "b", "a c"},
		{"a star whose rays monitor it", "hub a b c", links{"a hub": M, "b hub": M, "c hub": M}, "b", "hub a c"},
		{"a star whose rays monitor it, the hub ends", "hub a b c", links{"a hub": M, "b hub": M, "c hub": M}, "hub", ""},
		{"notify only", "a b", links{"a b": N}, "b", "a"},
		{"a complete graph", "a b c d", links{"a b": P, "a c": P, "a d": P, "b c": P, "b d": P, "c d": P}, "a", ""},
		{"nothing", "a b", nil, "a", "b"},
	} {
		for _, r := range reasons {
			want := c.left
			if r.Class == statemachine.ClassNormal {
				all := slices.DeleteFunc(strings.Fields(c.devices), func(name string) bool { return name == c.ends })
				want = strings.Join(all, " ")
			}
			synctest.Test(t, func(t *testing.T) {
				if got := whoIsLeft(t, c.devices, c.links, c.ends, r); got != want {
					t.Errorf("%s: when %s ended (%v) %q were left, want %q", c.name, c.ends, r, got, want)
				}
			})
		}
	}
}

// whoIsLeft has devices manage functions, ends one of them, and returns those
// that did not end because of that.
func whoIsLeft(t *testing.T, names string, links map[string]backplane.Mode, ends string, r statemachine.Reason) string {
	devices := map[string]*backplane.Device{}
	for name := range strings.FieldsSeq(names) {
		devices[name] = backplane.New(statemachine.Name(name))
	}
	for ends, mode := range links {
		a, b, _ := strings.Cut(ends, " ")
		link(t, devices[a].Line(), devices[b].Line(), mode)
	}
	stop, done := make(chan struct{}), map[string]<-chan error{}
	for name, d := range devices {
		done[name] = manage(d, func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-stop:
				return nil
			}
		})
	}
	synctest.Wait()
	devices[ends].Disconnect(r)
	synctest.Wait()
	var left []string
	for name := range strings.FieldsSeq(names) {
		select {
		case err := <-done[name]:
			// The reason is that of the first, however long the way.
			if name != ends && !strings.HasSuffix(err.Error(), "disconnected: "+r.String()) {
				t.Errorf("%s ended because of %v", name, err)
			}
		default:
			left = append(left, name)
		}
	}
	close(stop)
	for _, name := range left {
		if err := <-done[name]; err != nil {
			t.Error(err)
		}
	}
	return strings.Join(left, " ")
}

// The topology of the crate's guide: device with device, device with line, line
// with line. It is linked while all are at work.
func TestMixedTopology(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c, d := backplane.New("a"), backplane.New("b"), backplane.New("c"), backplane.New("d")
		lines := make(chan backplane.Line, 1)
		all := []<-chan error{
			manage(a, forever), manage(b, forever),
			manage(c, func(ctx context.Context) error {
				for range 2 { // who sends it a line is linked with it
					if err := c.Link(<-lines, backplane.Peer); err != nil {
						return err
					}
				}
				return forever(ctx)
			}),
		}
		link(t, a.Line(), b.Line(), backplane.Peer)
		lines <- b.Line()
		lines <- d.Line()
		synctest.Wait()
		d.Disconnect(fault)
		for i, by := range []*backplane.Device{b, c, d} {
			wantGone(t, <-all[i], by.Line(), fault)
		}
	})
}

// A manager that starts again what fails, and gives up with its workers when it
// is asked to.
func TestManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, boss := backplane.New("manager"), backplane.New("boss")
		var started []string
		spawn := func(i int) {
			w := backplane.New(statemachine.Name(fmt.Sprint("worker-", i)))
			started = append(started, string(w.Name()))
			link(t, manager.Line(), w.Line(), backplane.Peer)
			manage(w, func(ctx context.Context) error {
				if i < 5 {
					return errFault
				}
				return forever(ctx)
			})
		}
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			spawn(1)
			for i := 2; ; i++ {
				m, err := manager.Next(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				if m.Line == boss.Line() {
					manager.Disconnect(m.Reason)
					return
				}
				spawn(i)
			}
		}()
		synctest.Wait()
		if got := strings.Join(started, " "); got != "worker-1 worker-2 worker-3 worker-4 worker-5" {
			t.Errorf("started %q", got)
		}
		if err := boss.Exit(manager.Line(), statemachine.Shutdown); err != nil {
			t.Error(err)
		}
		<-finished // and the bubble does not end before the last worker does
	})
}
