package statem

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// patience is how long a caller waits, in the scenario's time.
const patience = 24 * time.Hour

// PlayOnLoop plays a scenario on an event loop and returns the trace. wait
// returns when nothing goes on any more but what waits for time to pass: call it
// in a bubble of testing/synctest, where that is synctest.Wait. The scenario must
// be one that FitsLoop.
func PlayOnLoop(s *Scenario, wait func()) string {
	p := newPlayer(s)
	w := &loopWorld{p: p, wait: wait}
	p.world, p.tables.begin, p.tables.inbox = w, w.askForInfo, w.info1
	loop, err := eventloop.Start(eventloop.Config{OnEvent: w.event, Root: supervisor.Supervisor{
		Name: "root", Children: []supervisor.Child{supervisor.Worker{Name: "driver", Machine: w.driver()}},
	}})
	must(err)
	w.loop = loop
	for _, op := range s.Ops {
		p.do(op)
	}
	trace := p.end()
	must(loop.Stop(context.Background()))
	return trace
}

// FitsLoop reports whether the scenario can be played on a loop: not if an exit
// signal comes to a machine that does not trap exits. A loop calls Terminate then
// too, unless the machine is killed; in OTP nothing is called.
func (s Scenario) FitsLoop() bool {
	return s.Machine["trap"] != "false" || !slices.ContainsFunc(s.Ops, func(op string) bool {
		return strings.Contains(op, "_exit ")
	})
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// loopWorld is a world on a loop. The machine is a temporary child of the root.
// What is sent to it at once is sent by another process, the driver, in one
// step; if something else is to happen before it handles that, it is suspended.
// Info events are the driver's answers to calls that the machine has made
// beforehand.
type loopWorld struct {
	p       *player
	loop    *eventloop.Loop
	wait    func()
	running atomic.Bool // the machine
	crashed atomic.Bool // its Terminate

	queue     []drive
	suspended bool
	asked     []statemachine.From // calls of the machine that can be answered
}

// drive is an input of the driver: what it is to send, or an answer of the
// machine.
type drive struct {
	kind   string // call, cast, info; ask: the machine's call
	caller string
	what   string
	all    []drive // to be sent at once
	reply  *statemachine.Reply
}

const (
	theDriver  = statemachine.To[drive, string]("driver")
	theMachine = statemachine.To[content, string]("machine")
)

func (w *loopWorld) event(e eventloop.Event) {
	switch e := e.(type) {
	case eventloop.Crashed:
		if e.Name == statemachine.Name(theMachine) && e.Crash.In == "terminate" {
			w.crashed.Store(true)
		}
	case eventloop.Exited:
		if e.Name != statemachine.Name(theMachine) {
			return
		}
		how := why(e.Reason)
		if w.crashed.Load() {
			how = whyError(errTermBoom)
		}
		w.p.exited(how)
		w.running.Store(false)
	}
}

// infosMax is how many info events there can be in the life of a machine.
const infosMax = 200

// askForInfo makes the calls that info answers.
func (w *loopWorld) askForInfo(fx *effects) {
	for range infosMax {
		theDriver.Call(fx, "info", drive{kind: "ask"}, patience)
	}
}

// info1 makes an info event of an answer of the driver.
func (w *loopWorld) info1(m statemachine.Message) content {
	reply, ok := m.(statemachine.Reply)
	if !ok {
		panic(m)
	}
	what, err := theDriver.Output(reply)
	must(err)
	return content{Event: what}
}

// driver returns the machine that sends what is queued.
func (w *loopWorld) driver() *statemachine.Machine[struct{}, drive, string] {
	return &statemachine.Machine[struct{}, drive, string]{
		Step: func(in drive, s struct{}, fx *statemachine.Effects[string]) (struct{}, string) {
			switch {
			case in.kind == "ask":
				w.asked = append(w.asked, fx.NoReply())
			case in.reply != nil:
				w.replied(in.reply)
			}
			for _, d := range in.all {
				switch d.kind {
				case "call":
					theMachine.Call(fx, d.caller, content{d.what, d.caller}, patience)
				case "cast":
					theMachine.Cast(fx, content{Event: d.what})
				case "info":
					fx.Reply(w.asked[0], d.what)
					w.asked = w.asked[1:]
				}
			}
			return s, ""
		},
		Message: func(m statemachine.Message) drive {
			if reply, ok := m.(statemachine.Reply); ok {
				return drive{reply: &reply}
			}
			return drive{} // a cast to a machine that has ended
		},
		Input:  drives{},
		Output: codec.Of[string](),
	}
}

func (w *loopWorld) replied(r *statemachine.Reply) {
	out, err := theMachine.Output(*r)
	if err != nil {
		w.p.waitsInVain(r.Tag)
		return
	}
	w.p.trace.replied(r.Tag, out)
}

func (w *loopWorld) startChild(name statemachine.Name, m statemachine.Server) (bool, error) {
	return w.loop.StartChild(context.Background(), "root", supervisor.Worker{Name: name, Machine: m, Restart: supervisor.Temporary})
}

func (w *loopWorld) start(m *statemachine.Machine[state, content, string]) error {
	w.asked = nil
	w.crashed.Store(false)
	w.running.Store(true)
	running, err := w.startChild(statemachine.Name(theMachine), m)
	if err == nil && !running {
		err = statemachine.ErrIgnore
	}
	if err != nil {
		w.running.Store(false)
	}
	w.wait()
	return err
}

func (w *loopWorld) alive() bool { return w.running.Load() }

func (w *loopWorld) call(caller, what string) {
	w.queue = append(w.queue, drive{kind: "call", caller: caller, what: what})
}
func (w *loopWorld) cast(what string) { w.queue = append(w.queue, drive{kind: "cast", what: what}) }
func (w *loopWorld) info(what string) { w.queue = append(w.queue, drive{kind: "info", what: what}) }

// suspend keeps the machine from its mailbox until run.
func (w *loopWorld) suspend() {
	must(w.loop.Suspend(context.Background(), statemachine.Name(theMachine)))
	w.suspended = true
}

func (w *loopWorld) run() {
	w.flush()
	if w.suspended && w.alive() {
		must(w.loop.Resume(context.Background(), statemachine.Name(theMachine)))
	}
	w.suspended = false
	w.wait()
}

// flush sends what is queued.
func (w *loopWorld) flush() {
	if len(w.queue) > 0 {
		driver, err := eventloop.RefTo[drive, string](w.loop, statemachine.Name(theDriver))
		must(err)
		must(driver.Cast(context.Background(), drive{all: w.queue}))
		w.queue = nil
	}
	w.wait()
}

// strangerExit has a process link itself to the machine, and end.
func (w *loopWorld) strangerExit(r statemachine.Reason) {
	w.flush()
	_, err := w.startChild("stranger", &statemachine.Machine[struct{}, string, string]{
		Init: func(start statemachine.Start[struct{}]) (struct{}, error) {
			start.Fx.Link(statemachine.Name(theMachine))
			return struct{}{}, nil
		},
		Step:   statemachine.Pure(func(string, struct{}) (struct{}, string) { return struct{}{}, "" }),
		Input:  codec.Of[string](),
		Output: codec.Of[string](),
	})
	must(err)
	must(w.loop.StopProcess(context.Background(), "stranger", r))
	w.wait()
}

func (w *loopWorld) parentExit(r statemachine.Reason) { w.stop(r) }

// stop ends the machine. Why it has ended is for the events to say.
func (w *loopWorld) stop(r statemachine.Reason) {
	w.flush()
	w.loop.StopProcess(context.Background(), statemachine.Name(theMachine), r)
	w.wait()
}

func (w *loopWorld) kill() {
	w.flush()
	must(w.loop.Kill(context.Background(), statemachine.Name(theMachine)))
	w.wait()
}

func (w *loopWorld) advance(d time.Duration, _ bool) {
	w.flush()
	time.Sleep(d)
	w.wait()
}

func (w *loopWorld) state() state {
	s, err := eventloop.GetState[state](context.Background(), w.loop, statemachine.Name(theMachine))
	must(err)
	return s
}

func (w *loopWorld) replace(s state) {
	_, err := eventloop.ReplaceState(context.Background(), w.loop, statemachine.Name(theMachine), func(state) state { return s })
	must(err)
}

// drives is a codec that nobody needs.
type drives struct{}

func (drives) Append([]byte, codec.Format, drive) ([]byte, error) {
	return nil, errors.New("not encoded")
}

func (drives) Decode(codec.Format, []byte) (drive, error) {
	return drive{}, errors.New("not decoded")
}
