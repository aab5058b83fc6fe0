package event

import (
	"fmt"

	"github.com/lineshaft/lineshaft/genevent"
	"github.com/lineshaft/lineshaft/statemachine"
)

// direct is a runner without a loop: the manager is stepped through its
// Process, and has one mailbox.
type direct struct {
	p        *player
	process  statemachine.Process // nil while the manager does not run
	moment   *statemachine.Moment
	mailbox  []func()
	monitors map[statemachine.Name]bool
}

func (d *direct) runs() bool { return d.process != nil }

func (d *direct) client(statemachine.Name) {}

func (d *direct) start(m *manager) {
	d.moment = statemachine.NewMoment(func() int64 { return 1 }, nil)
	d.process = m.New("manager", d.moment)
	d.monitors = map[statemachine.Name]bool{}
	d.moment.Set(1, 1)
	if err := d.process.Init(); err != nil {
		panic(err)
	}
}

func (d *direct) send(all []mail) []genevent.Output {
	outs := make([]genevent.Output, len(all))
	for i, m := range all {
		if m.client != "" {
			d.exit(m.client, m.reason)
			continue
		}
		d.mailbox = append(d.mailbox, func() {
			out := d.step(d.process.(statemachine.Port[input, genevent.Output]).NewExchange(m.in))
			if m.call {
				outs[i] = out
			}
		})
	}
	for len(d.mailbox) > 0 && d.runs() {
		handle := d.mailbox[0]
		d.mailbox = d.mailbox[1:]
		handle()
	}
	return outs
}

// exit ends a client.
func (d *direct) exit(name statemachine.Name, r statemachine.Reason) {
	d.p.gone(name)
	if d.monitors[name] {
		d.message(statemachine.MonitorDown{Name: name, Reason: r})
	}
	delete(d.monitors, name)
}

func (d *direct) message(m statemachine.Message) {
	d.mailbox = append(d.mailbox, func() {
		x, ok, crash := d.process.FromMessage(m)
		if !ok {
			panic(fmt.Sprint("it takes no messages: ", crash))
		}
		d.step(x)
	})
}

// step steps an exchange and carries out what is asked for; the output.
func (d *direct) step(x any) genevent.Output {
	d.moment.Set(1, 1)
	if crash := d.process.Step(x); crash != nil {
		panic(crash)
	}
	for _, e := range d.moment.Effects() {
		d.carryOut(e)
	}
	if exit := d.moment.Exit(); exit != nil {
		d.end(exit.Reason)
	}
	return x.(*statemachine.Exchange[input, genevent.Output]).Out
}

func (d *direct) carryOut(e statemachine.Effect) {
	switch e.Kind {
	case statemachine.EffectMonitor:
		if !d.p.alive[e.Name] {
			panic("a monitor on a client that has gone")
		}
		d.monitors[e.Name] = true
	case statemachine.EffectReport: // of a handler that crashed
	case statemachine.EffectCast:
		d.p.heard(e.Name, e.Input().(told))
	default:
		panic("not asked for by any handler: " + e.String())
	}
}

func (d *direct) end(r statemachine.Reason) {
	if r.Class != statemachine.ClassKilled {
		if crash := d.process.Terminator(r)(); crash != nil {
			panic(crash)
		}
	}
	d.process.End()
	d.process, d.mailbox = nil, nil
	d.p.ended(r)
}
