package statem

import (
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// virtualWorld is a Virtual.
type virtualWorld struct {
	p       *player
	machine *statemachine.Machine[state, content, string]
	v       *Virtual[content, string]
	callers []string // by their From, which are counted from 1
}

func (w *virtualWorld) start(m *statemachine.Machine[state, content, string]) error {
	if w.v == nil {
		label := func(from statemachine.From) string { return w.callers[from-1] }
		w.v = &Virtual[content, string]{
			Replied: func(to statemachine.From, out string) { w.p.trace.replied(label(to), out) },
			Exited: func(r statemachine.Reason, waiting []statemachine.From) {
				w.p.exited(why(r))
				for _, from := range waiting {
					w.p.waitsInVain(label(from))
				}
			},
		}
	}
	w.machine, w.v.Machine = m, m
	return w.v.Start()
}

func (w *virtualWorld) tie() bool   { return w.v != nil && w.v.Tie() }
func (w *virtualWorld) alive() bool { return w.v != nil && w.v.Alive() }

func (w *virtualWorld) call(caller, what string) {
	w.callers = append(w.callers, caller)
	w.v.Call(content{what, caller})
}

func (w *virtualWorld) cast(what string) { w.v.Cast(content{Event: what}) }

func (w *virtualWorld) info(what string) {
	w.v.Tell(statemachine.MonitorDown{Name: statemachine.Name(what)})
}

func (w *virtualWorld) suspend() {} // only run has it handle anything

func (w *virtualWorld) strangerExit(r statemachine.Reason) {
	if w.v.Traps() {
		w.v.Tell(statemachine.Exit{Name: "stranger", Reason: r})
	} else if r.Class != statemachine.ClassNormal {
		w.v.Kill(r)
	}
}

func (w *virtualWorld) parentExit(r statemachine.Reason) {
	if w.v.Traps() {
		w.v.Stop(r)
	} else {
		w.v.Kill(r)
	}
}

func (w *virtualWorld) stop(r statemachine.Reason) { w.v.Stop(r) }
func (w *virtualWorld) kill()                      { w.v.Kill(statemachine.Killed) }
func (w *virtualWorld) run()                       { w.v.Run() }

func (w *virtualWorld) advance(d time.Duration, batch bool) {
	if w.v != nil {
		w.v.Advance(d, !batch)
	}
}

func (w *virtualWorld) state() state {
	s, err := w.machine.State.Decode(codec.Msgpack, w.v.Saved())
	if err != nil {
		panic(err)
	}
	return s
}

func (w *virtualWorld) replace(s state) {
	saved, err := w.machine.State.Append(nil, codec.Msgpack, s)
	if err != nil {
		panic(err)
	}
	w.v.Replace(saved)
}
