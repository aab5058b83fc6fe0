package genevent

import (
	"github.com/lineshaft/lineshaft/statemachine"
)

// This file calls the functions of handlers, each so that its panic is its own.

// each calls f for every handler, the newest first, and returns the state with
// what is left of them.
func (m *machine[E]) each(s State, fx *statemachine.Fx, in string, f func(k anyKind[E], state any, hx *Fx[E]) any) State {
	next := make([]instance, 0, len(s.handlers))
	hx := &Fx[E]{Fx: fx}
	for _, h := range s.handlers {
		k := m.kinds[h.Handler.Kind]
		after, stays, _ := m.update(h, hx, in, func() any { return f(k, h.state, hx) })
		if stays {
			next = append(next, after)
		}
	}
	s.handlers = next
	return s
}

// update calls a function of a handler, which is given hx and returns its new
// state. It returns the handler that stands in its place then, if one does, and
// the crash.
func (m *machine[E]) update(h instance, hx *Fx[E], in string, f func() any) (after instance, stays bool, crash *statemachine.CrashError) {
	*hx = Fx[E]{Fx: hx.Fx, Handler: h.Handler}
	crash = hx.Try(in, func() { after.state = f() })
	if crash != nil {
		crash.In += " of " + h.Handler.String()
		m.terminate(h, Why{Cause: Crashed, Reason: text(crash.Value)}, Exit{Crash: crash}, hx.Fx, m.exited)
		return instance{}, false, crash
	}
	h.state = after.state
	switch {
	case !hx.goes:
		return h, true, nil
	case hx.replace == nil:
		m.terminate(h, Why{Cause: Removed}, Exit{}, hx.Fx, m.exited)
		return instance{}, false, nil
	}
	after, stays = m.replace(h, hx.args, *hx.replace, hx.Fx)
	return after, stays, nil
}

// replace puts another handler in the place of h, which has asked for it, unless
// its Init fails. The client is watched already.
func (m *machine[E]) replace(h instance, args string, by AddHandler[E], fx *statemachine.Fx) (instance, bool) {
	by.Client = h.Client
	old := m.terminate(h, Why{Cause: Swapped, Args: args}, Exit{New: &by.Handler, NewClient: by.Client}, fx, m.exited)
	after, out, crash := m.begin(by, old, fx)
	f, failed := out.(Failed)
	if failed { // whoever sent the event does not learn of it
		m.exited(Exit{Handler: by.Handler, Why: Why{Cause: Crashed, Reason: f.Detail}, Crash: crash}, fx)
	}
	return after, !failed
}

// begin calls the Init of a new handler. The output is Ok, or says what failed;
// crash is its panic, or the error that it has returned.
func (m *machine[E]) begin(add AddHandler[E], old Output, fx *statemachine.Fx) (h instance, out Output, crash *statemachine.CrashError) {
	h = instance{Handler: add.Handler, Client: add.Client}
	var err error
	crash = fx.Try("init", func() {
		k := m.kinds[add.Handler.Kind]
		if k == nil {
			panic("there is no such kind: " + add.Handler.Kind)
		}
		h.state, err = k.init(Start[any]{Handler: add.Handler, Client: add.Client, Args: add.args, Old: old, Fx: fx})
		if err != nil {
			panic(err) // so that nothing is done that it has asked for
		}
	})
	if crash != nil {
		crash.In += " of " + h.Handler.String()
	}
	switch {
	case err != nil:
		return h, failed(ErrRefused, err), crash
	case crash != nil:
		return h, failed(ErrExit, crash.Value), crash
	}
	return h, Ok{}, nil
}

// watch monitors a client.
func (m *machine[E]) watch(client statemachine.Name, fx *statemachine.Fx) {
	if client != "" {
		fx.Monitor(client)
	}
}

// terminate calls the Terminate of a handler that goes, and then exited, with x
// completed. It returns what DeleteHandler answers.
func (m *machine[E]) terminate(h instance, why Why, x Exit, fx *statemachine.Fx, exited func(Exit, *statemachine.Fx)) Output {
	var value any
	crash := fx.Try("terminate", func() { value = m.kinds[h.Handler.Kind].terminate(why, h.state, fx) })
	x.Handler, x.Client, x.Why = h.Handler, h.Client, why
	exited(x, fx)
	if crash != nil {
		return failed(ErrExit, crash.Value)
	}
	return Reply{h.Handler.Kind, value}
}

// exited reports that a handler has gone.
func (m *machine[E]) exited(x Exit, fx *statemachine.Fx) {
	if x.Crash != nil {
		fx.Report(x.Crash)
	}
	if m.Exited != nil {
		m.Exited(x, fx)
	}
}

func (m *machine[E]) terminateAll(s State, fx *statemachine.Fx, exited func(Exit, *statemachine.Fx)) {
	for _, h := range s.handlers {
		m.terminate(h, Why{Cause: Stopped}, Exit{}, fx, exited)
	}
}

// terminated is the Terminate of the manager, which is ended from outside. The
// handlers get an Fx that belongs to no loop.
func (m *machine[E]) terminated(name statemachine.Name, s State, _ statemachine.Reason) {
	last := &statemachine.Machine[struct{}, struct{}, struct{}]{
		Step: func(_, none struct{}, fx *statemachine.Effects[struct{}]) (struct{}, struct{}) {
			m.terminateAll(s, &fx.Fx, func(Exit, *statemachine.Fx) {})
			return none, none
		},
		Tasks: m.Tasks,
	}
	moment := statemachine.NewMoment(func() int64 { return 0 }, nil)
	_, crash := last.New(name, moment).(statemachine.Port[struct{}, struct{}]).StepIn(struct{}{})
	if crash != nil {
		panic(crash)
	}
}
