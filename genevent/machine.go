package genevent

import (
	"fmt"
	"slices"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// Config says what a manager of events E is. Event and Kinds are required.
type Config[E any] struct {
	// Event is how events are encoded.
	Event codec.Codec[E]

	// Kinds are the kinds of handlers that there can be.
	Kinds []AnyKind[E]

	// Handlers are added, in that order, when a manager begins that has no saved
	// state. If an Init fails the manager does not start.
	Handlers []AddHandler[E]

	// Exited is called when a handler has gone: here its client is told, by a
	// cast to x.Client. It is pure, and a panic in it is a crash of the manager.
	// Nil: no process hears of it. A crash is reported without it: see the package
	// comment.
	Exited func(x Exit, fx *statemachine.Fx)

	// Tasks are the works that handlers may start.
	Tasks []statemachine.AnyTask

	_ struct{}
}

// State is the state of a manager: its handlers and their states.
type State struct {
	handlers []instance // the newest first; never changed in place
	stopped  bool       // by Stop: the next life begins anew
}

// instance is a handler.
type instance struct {
	Handler Handler
	Client  statemachine.Name
	state   any // an S of the kind
}

// New returns a manager. It panics if c is wrong: without Event or Kinds, with a
// kind that is nil, has no name or one that another has, or types that codec.Of
// cannot encode.
func New[E any](c Config[E]) *statemachine.Machine[State, Input[E], Output] {
	m := &machine[E]{Config: c, kinds: map[string]anyKind[E]{}}
	if c.Event == nil || len(c.Kinds) == 0 {
		panic("genevent: a Config without Event or Kinds")
	}
	for i, any := range c.Kinds {
		if any == nil {
			panic(fmt.Sprintf("genevent: kind %d is nil", i))
		}
		name, k := any.erase()
		if name == "" || m.kinds[name] != nil {
			panic(fmt.Sprintf("genevent: kind %d has no name or that of another: %q", i, name))
		}
		m.kinds[name] = k
	}
	return &statemachine.Machine[State, Input[E], Output]{
		Init:      m.init,
		Step:      m.step,
		Terminate: m.terminated,
		ReadOnly:  func(in Input[E]) bool { _, ok := in.(WhichHandlers[E]); return ok },
		Message:   func(msg statemachine.Message) Input[E] { return Info[E]{msg} },
		Tasks:     c.Tasks,
		Input:     inputs[E]{m},
		Output:    outputs[E]{m},
		State:     states[E]{m},
	}
}

// machine is a manager.
type machine[E any] struct {
	Config[E]
	kinds map[string]anyKind[E]
}

func (m *machine[E]) init(start statemachine.Start[State]) (State, error) {
	if start.Saved != nil && !start.Saved.stopped {
		if slices.ContainsFunc(start.Saved.handlers, func(h instance) bool { return h.Client != "" }) {
			start.Fx.Continue(watchClients)
		}
		return *start.Saved, nil
	}
	var s State
	for _, add := range m.Handlers {
		var out Output
		if s, out = m.add(s, add, nil, start.Fx); out.Err() != nil {
			return s, fmt.Errorf("handler %s: %w", add.Handler, out.Err())
		}
	}
	return s, nil
}

func (m *machine[E]) step(in Input[E], s State, fx *statemachine.Effects[Output]) (State, Output) {
	switch in := in.(type) {
	case Notify[E]:
		return m.notify(in.Event, s, &fx.Fx), Ok{}
	case SyncNotify[E]:
		return m.notify(in.Event, s, &fx.Fx), Ok{}
	case Info[E]:
		return m.info(in.Message, s, &fx.Fx), Ok{}
	case Call[E]:
		return m.call(in, s, &fx.Fx)
	case AddHandler[E]:
		return m.add(s, in, nil, &fx.Fx)
	case DeleteHandler[E]:
		return m.delete(in, s, &fx.Fx)
	case SwapHandler[E]:
		return m.swap(in, s, &fx.Fx)
	case WhichHandlers[E]:
		return s, which(s)
	case Stop[E]:
		m.terminateAll(s, &fx.Fx, m.exited)
		fx.Stop(in.Reason)
		return State{stopped: true}, Ok{}
	}
	panic(fmt.Sprintf("genevent: no such input: %T", in))
}

func (m *machine[E]) notify(e E, s State, fx *statemachine.Fx) State {
	return m.each(s, fx, "event", func(k anyKind[E], state any, hx *Fx[E]) any { return k.event(e, state, hx) })
}

// watchClients is the tag of what a life with saved handlers begins with: a monitor
// lasts no longer than a life, and with the program clients may be started later
// than their manager.
const watchClients = "genevent: watch clients"

// info tells all handlers of a message. If it is the end of a client, that
// client's handlers go first.
func (m *machine[E]) info(msg statemachine.Message, s State, fx *statemachine.Fx) State {
	if msg == (statemachine.Continue{Tag: watchClients}) {
		for _, h := range s.handlers {
			m.watch(h.Client, fx)
		}
		return s
	}
	if down, ok := msg.(statemachine.MonitorDown); ok {
		s.handlers = slices.DeleteFunc(slices.Clone(s.handlers), func(h instance) bool {
			if h.Client != down.Name || h.Client == "" {
				return false
			}
			m.terminate(h, Why{Cause: ClientExited, Reason: text(down.Reason)}, Exit{}, fx, m.exited)
			return true
		})
	}
	return m.each(s, fx, "info", func(k anyKind[E], state any, hx *Fx[E]) any { return k.info(msg, state, hx) })
}

func (m *machine[E]) call(in Call[E], s State, fx *statemachine.Fx) (State, Output) {
	i := s.find(in.Handler)
	if i < 0 {
		return s, failed(ErrBadModule, nil)
	}
	h := s.handlers[i]
	k := m.kinds[h.Handler.Kind]
	if !k.calls() {
		return s, failed(ErrBadModule, nil)
	}
	var reply any
	hx := &Fx[E]{Fx: fx}
	after, stays, crash := m.update(h, hx, "call", func() (next any) {
		next, reply = k.call(in.query, h.state, hx)
		return next
	})
	if stays {
		s.handlers = slices.Clone(s.handlers)
		s.handlers[i] = after
	} else {
		s = s.without(i)
	}
	if crash != nil {
		return s, failed(ErrExit, crash.Value)
	}
	return s, Reply{h.Handler.Kind, reply}
}

// add adds a handler in front; old is what was answered by the one in whose
// place it comes.
func (m *machine[E]) add(s State, in AddHandler[E], old Output, fx *statemachine.Fx) (State, Output) {
	m.watch(in.Client, fx)
	h, out, _ := m.begin(in, old, fx)
	if out.Err() == nil {
		s.handlers = append([]instance{h}, s.handlers...)
	}
	return s, out
}

func (m *machine[E]) delete(in DeleteHandler[E], s State, fx *statemachine.Fx) (State, Output) {
	i := s.find(in.Handler)
	if i < 0 {
		return s, failed(ErrModuleNotFound, nil)
	}
	out := m.terminate(s.handlers[i], Why{Cause: Deleted, Args: in.Args}, Exit{}, fx, m.exited)
	return s.without(i), out
}

func (m *machine[E]) swap(in SwapHandler[E], s State, fx *statemachine.Fx) (State, Output) {
	old := Output(failed(ErrModuleNotFound, nil))
	if i := s.find(in.Handler); i >= 0 {
		h := s.handlers[i]
		if in.New.Client == "" {
			in.New.Client = h.Client
		}
		by := Exit{New: &in.New.Handler, NewClient: in.New.Client}
		old = m.terminate(h, Why{Cause: Swapped, Args: in.Args}, by, fx, m.exited)
		s = s.without(i)
	}
	return m.add(s, in.New, old, fx)
}

// find returns the index of the newest handler of that name, -1 for none.
func (s State) find(h Handler) int {
	return slices.IndexFunc(s.handlers, func(i instance) bool { return i.Handler == h })
}

// without returns s without its ith handler.
func (s State) without(i int) State {
	s.handlers = slices.Concat(s.handlers[:i], s.handlers[i+1:])
	return s
}

func which(s State) Handlers {
	all := make([]Handler, len(s.handlers))
	for i, h := range s.handlers {
		all[i] = h.Handler
	}
	return Handlers{all}
}
