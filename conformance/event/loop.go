package event

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/genevent"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// patience is how long an operation may take, in the scenario's time.
const patience = time.Hour

// PlayOnLoop plays a scenario on an event loop and returns the trace. wait
// returns when nothing goes on any more: call it in a bubble of
// testing/synctest, where that is synctest.Wait.
func PlayOnLoop(s Scenario, wait func()) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p := newPlayer(&s)
	l := &onLoop{p: p, wait: wait, ctx: ctx}
	p.runner = l
	loop, err := eventloop.Start(eventloop.Config{OnEvent: l.event, Root: supervisor.Supervisor{
		Name: "root", Children: []supervisor.Child{supervisor.Worker{Name: "driver", Machine: l.driver()}},
	}})
	must(err)
	l.loop = loop
	p.play()
	must(loop.Stop(ctx))
	return p.out.String()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// onLoop is a runner on a loop. The manager and the clients are temporary
// children of the root; batches are sent by a process too, in one step.
type onLoop struct {
	p       *player
	loop    *eventloop.Loop
	wait    func()
	ctx     context.Context
	running bool // the manager

	batch []mail
	outs  []genevent.Output // of the batch
}

func (l *onLoop) event(e eventloop.Event) {
	if e, ok := e.(eventloop.Exited); ok && e.Name == "manager" {
		l.running = false
		l.p.ended(e.Reason)
	}
}

func (l *onLoop) runs() bool { return l.running }

func (l *onLoop) startChild(name statemachine.Name, m statemachine.Server) {
	_, err := l.loop.StartChild(l.ctx, "root", supervisor.Worker{Name: name, Machine: m, Restart: supervisor.Temporary})
	must(err)
}

func (l *onLoop) start(m *manager) {
	l.startChild("manager", m)
	l.running = true
}

func (l *onLoop) client(name statemachine.Name) {
	if l.p.alive[name] {
		return
	}
	l.startChild(name, &statemachine.Machine[struct{}, told, bool]{
		Step: func(in told, s struct{}, fx *statemachine.Effects[bool]) (struct{}, bool) {
			l.p.heard(fx.Self(), in)
			return s, true
		},
		Input:  codec.Of[told](),
		Output: codec.Of[bool](),
	})
}

func (l *onLoop) end(r statemachine.Reason) {
	if r.Class == statemachine.ClassKilled {
		must(l.loop.Kill(l.ctx, "manager"))
	} else {
		must(l.loop.StopProcess(l.ctx, "manager", r))
	}
	l.wait()
}

// send has a batch sent by the driver. If a client exits in between, the manager
// is suspended until all is sent.
func (l *onLoop) send(all []mail) []genevent.Output {
	defer l.wait()
	if len(all) == 1 {
		return []genevent.Output{l.one(all[0])}
	}
	l.batch, l.outs = all, make([]genevent.Output, len(all))
	exits := func(m mail) bool { return m.client != "" }
	if !slices.ContainsFunc(all, exits) {
		l.drive(0, len(all))
		return l.outs
	}
	must(l.loop.Suspend(l.ctx, "manager"))
	for i := 0; i < len(all); i++ {
		first := i
		for i < len(all) && !exits(all[i]) {
			i++
		}
		l.drive(first, i)
		if i < len(all) {
			l.one(all[i])
			l.wait()
		}
	}
	must(l.loop.Resume(l.ctx, "manager"))
	l.wait()
	return l.outs
}

// drive has the driver send a part of the batch.
func (l *onLoop) drive(from, to int) {
	driver, err := eventloop.RefTo[drive, bool](l.loop, "driver")
	must(err)
	must(driver.Cast(l.ctx, drive{from: from, to: to}))
	l.wait()
}

// one does one operation from outside.
func (l *onLoop) one(m mail) genevent.Output {
	if m.client != "" {
		l.p.gone(m.client)
		must(l.loop.StopProcess(l.ctx, m.client, m.reason))
		return nil
	}
	ref, err := eventloop.RefTo[input, genevent.Output](l.loop, "manager")
	must(err)
	if !m.call {
		must(ref.Cast(l.ctx, m.in))
		return nil
	}
	out, err := ref.Call(l.ctx, m.in)
	must(err)
	return out
}

// drive is the input of the driver: a reply, or what of the batch it is to send.
type drive struct {
	reply    *statemachine.Reply
	from, to int
}

// driver returns a machine that sends the batch when it is told to.
func (l *onLoop) driver() *statemachine.Machine[struct{}, drive, bool] {
	const manager = statemachine.To[input, genevent.Output]("manager")
	return &statemachine.Machine[struct{}, drive, bool]{
		Step: func(in drive, s struct{}, fx *statemachine.Effects[bool]) (struct{}, bool) {
			if in.reply != nil {
				i, err := strconv.Atoi(in.reply.Tag)
				must(err)
				l.outs[i], err = manager.Output(*in.reply)
				must(err)
				return s, true
			}
			for i := in.from; i < in.to; i++ {
				if m := l.batch[i]; m.call {
					manager.Call(fx, strconv.Itoa(i), m.in, patience)
				} else {
					manager.Cast(fx, m.in)
				}
			}
			return s, true
		},
		Message: func(m statemachine.Message) drive {
			reply, ok := m.(statemachine.Reply)
			if !ok {
				panic(m)
			}
			return drive{reply: &reply}
		},
		Input:  drives{},
		Output: codec.Of[bool](),
	}
}

// drives is a codec that nobody needs.
type drives struct{}

func (drives) Append([]byte, codec.Format, drive) ([]byte, error) {
	return nil, errors.New("not encoded")
}

func (drives) Decode(codec.Format, []byte) (drive, error) {
	return drive{}, errors.New("not decoded")
}
