package backplane_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lineshaft/lineshaft/backplane"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// The benchmarks of async-backplane, by their names: benches/device.rs and
// benches/line.rs. Each makes its devices anew. What is dropped there is
// disconnected with the fault that a drop is there.

var (
	errFault = errors.New("fault")
	dropped  = statemachine.Crash(errors.New("dropped"))
	fault    = statemachine.Crash(errFault)
)

var sink backplane.Line

func BenchmarkDevice(b *testing.B) {
	b.Run("create_destroy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			backplane.New("d").Disconnect(dropped)
		}
	})
	link := func(d1, d2 *backplane.Device, m backplane.Mode) error { return d1.Link(d2.Line(), m) }
	pairs(b, "device", link)
}

func BenchmarkLine(b *testing.B) {
	b.Run("create_destroy", func(b *testing.B) {
		d := backplane.New("d")
		b.ReportAllocs()
		for b.Loop() {
			sink = d.Line()
		}
	})
	link := func(d1, d2 *backplane.Device, m backplane.Mode) error { return d1.Line().Link(d2.Line(), m) }
	pairs(b, "line", link)
}

// pairs makes two devices, links them, and ends one after the other: the first
// one first ("drop"), which nobody is told, or the second.
func pairs(b *testing.B, what string, link func(d1, d2 *backplane.Device, m backplane.Mode) error) {
	for _, bench := range []struct {
		name   string
		mode   backplane.Mode
		second bool // ends first
		reason statemachine.Reason
	}{
		{"_monitor_drop", backplane.Monitor, false, dropped},
		{"_monitor_drop_notify", backplane.Monitor, true, dropped},
		{"_monitor_error_notify", backplane.Monitor, true, fault},
		{"_peer_drop_notify", backplane.Peer, true, dropped},
		{"_peer_error_notify", backplane.Peer, true, fault},
	} {
		b.Run(what+bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d1, d2 := backplane.New("d1"), backplane.New("d2")
				if err := link(d1, d2, bench.mode); err != nil {
					b.Fatal(err)
				}
				if bench.second {
					d2.Disconnect(bench.reason)
					d1.Disconnect(dropped)
				} else {
					d1.Disconnect(dropped)
					d2.Disconnect(bench.reason)
				}
			}
		})
	}
}

// A link, a crash, and being told of it, once the devices are there.
func BenchmarkLinkCrashNotify(b *testing.B) {
	b.ReportAllocs()
	d := backplane.New("d")
	for b.Loop() {
		other := backplane.New("other")
		d.Link(other.Line(), backplane.Monitor)
		other.Disconnect(fault)
		if m, err := d.Next(context.Background()); err != nil || m.Reason.Class != statemachine.ClassCrash {
			b.Fatal(m, err)
		}
	}
}

// The same of a process of an application, which is restarted.
func BenchmarkProcess(b *testing.B) {
	l, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{Name: "root", Intensity: 1 << 30,
		Children: []supervisor.Child{supervisor.Worker{Name: "a", Machine: moody()}}}})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Stop(context.Background())
	a := backplane.Process(l, "a")
	b.Run("link_unlink", func(b *testing.B) {
		b.ReportAllocs()
		d := backplane.New("d")
		for b.Loop() {
			if err := d.Link(a, backplane.Peer); err != nil {
				b.Fatal(err)
			}
			d.Unlink(a, backplane.Peer)
		}
	})
	ref, err := eventloop.RefTo[string, string](l, "a")
	if err != nil {
		b.Fatal(err)
	}
	for _, linked := range []bool{false, true} {
		name := "crash_restart"
		if linked {
			name = "link_crash_notify_restart"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			d := backplane.New("d")
			for b.Loop() {
				if linked {
					if err := d.Link(a, backplane.Monitor); err != nil {
						b.Fatal(err)
					}
				}
				ref.Call(context.Background(), "crash")
				if linked {
					if _, err := d.Next(context.Background()); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
