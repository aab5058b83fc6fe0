// Package genevent is OTP's gen_event: a manager of handlers, which come and go
// while it runs, and each of which is given every event.
//
//	// Its events, state, arguments, queries and replies.
//	var active = &genevent.Kind[Event, []string, struct{}, struct{}, []string]{
//		Name:        "active",
//		HandleEvent: func(e Event, alarms []string, _ *genevent.Fx[Event]) []string { … },
//		HandleCall:  func(_ struct{}, alarms []string, _ *genevent.Fx[Event]) ([]string, []string) { return alarms, alarms },
//	}
//
//	var alarms = genevent.New(genevent.Config[Event]{
//		Event:    events, // their codec
//		Kinds:    []genevent.AnyKind[Event]{active, audit},
//		Handlers: []genevent.AddHandler[Event]{active.Add("", struct{}{})},
//	})
//
// New returns a machine like any other: it is a worker of some supervisor, its
// state (the handlers and theirs) is saved, journaled and replayed, and it is
// there over HTTP:
//
//	curl --json '{"notify":{"raised":{"alarm":"disk"}}}'               localhost:8080/v1/cast/alarms
//	curl --json '{"add_handler":{"kind":"audit","args":{"file":"a"}}}' localhost:8080/v1/call/alarms
//	curl --json '{"call":{"kind":"active","query":{}}}'                localhost:8080/v1/call/alarms
//
// A [Kind] says what a kind of handler does; it is declared once, and a [Config]
// lists those that a manager knows. A [Handler] is the name of one: a kind and
// an id. Requests are inputs, of which Kind.Add, Kind.AddSup and Kind.Call make
// those whose arguments are typed by the kind.
//
// # What happens to an event
//
// All handlers are given it in one step, the newest first. A handler's function
// returns its new state. It may ask to go (Fx.Remove) or to be replaced, in
// place, by another, which does not see that event (Fx.Swap); if it panics it
// goes too. Whoever goes, its Terminate is told [Why], and Config.Exited is
// called. The other handlers, and the manager, go on. What a function that
// panicked has asked of its fx is not done.
//
// A panic is reported where that of a process is: to eventloop.Config's OnEvent,
// as a Crashed with the manager's name, In "event of audit" for example. (OTP: an
// error report.) So is an Init that fails when its handler was to take the place
// of one that has asked for that, since nobody else learns of it; if whoever adds
// a handler is told, that is all.
//
// Handlers are pure, as all that is stepped: they print and write by what they
// ask for, a cast to a process or a task. A runtime.Goexit in a handler is a
// crash of the manager.
//
// # Supervised handlers
//
// A handler that was added with a Client, a process of the tree, is supervised
// by it. If the client ends, for whatever reason, its handlers go, with the
// cause ClientExited; then every remaining handler gets the MonitorDown as
// HandleInfo. If the handler goes, the client is told: by Config.Exited, which
// knows what the client's inputs are.
//
//	Exited: func(x genevent.Exit, fx *statemachine.Fx) {
//		if x.Client != "" {
//			statemachine.To[desk.Input, desk.Output](x.Client).Cast(fx, desk.HandlerGone{x})
//		}
//	}
//
// # Restarts
//
// A manager whose state is kept has its handlers after a restart, of itself or
// the program, with the states that they had: no Init is called. It monitors
// their clients anew, once all that is started with it is, so that the handlers of
// a client that is no more go then.
// Without a saved state, and after the input Stop, it begins with
// Config.Handlers.
//
// # Differences from OTP
//
//   - A client is monitored, not linked: the end of the manager is none of the
//     client. Who wants to know of it monitors the manager, or links to it.
//   - Clients hear of a Stop, but not of an end from outside (a supervisor's,
//     that of the program, a kill): no effect can be carried out any more then.
//   - Handlers are kept over restarts, where states are. OTP's manager begins
//     without any.
//   - There is no wrong return value: a handler that fails panics. Of an Init,
//     what is not {ok, State} is an error.
//   - What a delete or a swap tells the old handler is a text, and messages are
//     those of the loop.
//   - A handler can end its manager, by fx.Stop.
package genevent
