package genstatem_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/conformance/statem"
	"github.com/lineshaft/lineshaft/genstatem"
	"github.com/lineshaft/lineshaft/statemachine"
)

// The machines of these tests have states, events and replies that are words.
type (
	machine = genstatem.Machine[string, int, string, string]
	state   = genstatem.State[string, int, string]
	event   = genstatem.Event[string]
	effects = genstatem.Effects[string, string]
	does    = func(fx *effects) string
)

// rig runs a machine in virtual time, and notes what happens to it.
type rig struct {
	*statem.Virtual[string, string]
	t       *testing.T
	machine *statemachine.Machine[state, string, string]
	log     []string
	before  func(fx *effects) // Init's, if any
}

// table says what a machine does: of "state type content", or "state content"
// whatever the type, what it asks for and the next state, "" for the same. A key
// "enter state" is an enter call.
type table map[string]does

func newRig(t *testing.T, what table) *rig {
	r := &rig{t: t}
	m := machine{
		Init: func(fx *effects) (string, int, error) {
			if r.before != nil {
				r.before(fx)
			}
			return "a", 0, nil
		},
		HandleEvent: func(ev event, s string, d int, fx *effects) (string, int) {
			r.note("%s %s %s", s, ev.Type, ev.Content)
			do := what[s+" "+string(ev.Type)+" "+ev.Content]
			if do == nil {
				do = what[s+" "+ev.Content]
			}
			if do == nil {
				return s, d
			}
			if next := do(fx); next != "" {
				s = next
			}
			return s, d + 1
		},
		Terminate: func(_ statemachine.Name, s string, d int, why statemachine.Reason) {
			r.note("terminate %s %d %v", s, d, why)
		},
		Message: func(m statemachine.Message) string { return fmt.Sprintf("%T", m)[len("statemachine."):] },
		Event:   codec.Of[string](),
		Reply:   codec.Of[string](),
		State:   codec.Of[string](),
		Data:    codec.Of[int](),
	}
	for key := range what {
		if strings.HasPrefix(key, "enter ") {
			m.Enter = func(old, s string, d int, fx *effects) int {
				r.note("enter %s %s", s, old)
				if do := what["enter "+s]; do != nil {
					do(fx)
				}
				return d
			}
		}
	}
	r.run(m)
	return r
}

// run makes m what the rig runs.
func (r *rig) run(m machine) {
	r.machine = genstatem.New(m)
	r.Virtual = &statem.Virtual[string, string]{
		Machine: r.machine,
		Replied: func(to statemachine.From, out string) { r.note("reply %d %s", to, out) },
		Exited: func(why statemachine.Reason, waiting []statemachine.From) {
			r.note("exit %v %v", why.Class, waiting)
		},
	}
}

func (r *rig) note(format string, args ...any) { r.log = append(r.log, fmt.Sprintf(format, args...)) }

// start starts the machine, and has it do what it does then.
func (r *rig) start() *rig {
	r.t.Helper()
	if err := r.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.Run()
	return r
}

// cast sends events at once.
func (r *rig) cast(events ...string) *rig {
	for _, e := range events {
		r.Cast(e)
	}
	r.Run()
	return r
}

func (r *rig) call(what string) statemachine.From {
	from := r.Call(what)
	r.Run()
	return from
}

func (r *rig) advance(seconds int) *rig {
	r.Advance(time.Duration(seconds)*time.Second, true)
	return r
}

// happened checks what has happened since it was asked last.
func (r *rig) happened(want ...string) *rig {
	r.t.Helper()
	if got := strings.Join(r.log, "\n"); got != strings.Join(want, "\n") {
		r.t.Errorf("got:\n\t%s\nwant:\n\t%s", strings.Join(r.log, "\n\t"), strings.Join(want, "\n\t"))
	}
	r.log = nil
	return r
}

// is checks the state and the data.
func (r *rig) is(s string, d int) *rig {
	r.t.Helper()
	if got := r.saved(); got.State != s || got.Data != d {
		r.t.Errorf("it is %s %d, want %s %d", got.State, got.Data, s, d)
	}
	return r
}

func (r *rig) saved() state {
	r.t.Helper()
	s, err := r.machine.State.Decode(codec.Msgpack, r.Saved())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// Words for tables.

func next(s string) does          { return func(*effects) string { return s } }
func postpone(fx *effects) string { fx.Postpone(); return "" }
func repeat(fx *effects) string   { fx.Repeat(); return "" }
func insert(contents ...string) does {
	return func(fx *effects) string {
		for _, c := range contents {
			fx.NextEvent(genstatem.Internal, c)
		}
		return ""
	}
}
func set(t genstatem.EventType, seconds int, content string) does {
	return func(fx *effects) string {
		fx.SetTimeout(t, time.Duration(seconds)*time.Second, content)
		return ""
	}
}
func all(does ...does) does {
	return func(fx *effects) (s string) {
		for _, do := range does {
			if next := do(fx); next != "" {
				s = next
			}
		}
		return s
	}
}
func boom(*effects) string { panic("boom") }
