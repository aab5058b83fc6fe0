package torture_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// actor is the state of a machine that does everything that machines can ask
// for, at random, and notes what is still to come of it.
type actor struct {
	Mark    int64                        `json:"mark"` // depends on all that it was stepped with
	Life    int64                        `json:"life"` // a number that no other life has
	Next    int64                        `json:"next"`
	Calls   map[string]string            `json:"calls"`   // tags, and who was called
	Timers  map[string]int64             `json:"timers"`  // when each is due, at the earliest
	Ticks   map[string]int64             `json:"ticks"`   // how often each periodic one is to come yet
	Tasks   map[string]bool              `json:"tasks"`   // whether this life has started it
	Asks    map[string]bool              `json:"asks"`    // of supervisors
	Watches map[string]bool              `json:"watches"` // of this life
	Must    []string                     `json:"must"`    // what it is to continue with
	Sent    map[string]int64             `json:"sent"`
	Got     map[string]int64             `json:"got"`
	Waiting map[string]statemachine.From `json:"waiting"` // callers, by the tags of their calls
}

// cue is an input of an actor.
type cue struct {
	Do   string            `json:"do"` // see step
	From string            `json:"from"`
	Seq  int64             `json:"seq"`
	Tag  string            `json:"tag"`
	Who  statemachine.From `json:"who"`
	TTL  int               `json:"ttl"` // how many more such may come of it
}

// told is the output: the tag of the input, or the whole state.
type says struct {
	Tag   string `json:"tag"`
	Actor actor  `json:"actor"`
}

type actorFx = statemachine.Effects[says]

// troupe is the actors of one round: who they are, and who watches them.
type troupe struct {
	*shadow
	durable, volatile *statemachine.Machine[actor, cue, says]
	names             []statemachine.Name
	lossy             bool // queues are short: casts may be refused
	slow              func() time.Duration
	tasks             []*statemachine.Task[string, string]
}

// Those that may be down for good; of the rest each cast arrives.
func mayBeDown(name string) bool {
	return name == "t" || strings.HasPrefix(name, "p") || name == "nobody"
}

func isVolatile(name string) bool { return strings.HasPrefix(name, "v") }

func newTroupe(s *shadow, slow func() time.Duration) *troupe {
	t := &troupe{shadow: s, slow: slow}
	t.tasks = []*statemachine.Task[string, string]{statemachine.NewTask("work", codec.Of[string](), codec.Of[string](), t.work)}
	t.durable, t.volatile = t.machine(codec.Of[actor]()), t.machine(nil)
	return t
}

func (t *troupe) machine(state codec.Codec[actor]) *statemachine.Machine[actor, cue, says] {
	m := &statemachine.Machine[actor, cue, says]{
		Init:     t.init,
		Step:     t.step,
		ReadOnly: func(in cue) bool { return in.Do == "get" },
		Message:  func(statemachine.Message) cue { return cue{Do: "message"} },
		Tasks:    []statemachine.AnyTask{t.tasks[0]},
		Input:    codec.Of[cue](), Output: codec.Of[says](), State: state,
	}
	if t.slow != nil {
		m.Terminate = func(statemachine.Name, actor, statemachine.Reason) {
			if d := t.slow(); d > 0 {
				<-time.After(d)
			}
		}
	}
	return m
}

// work is what tasks do: the argument says what, who has started it and its tag.
func (t *troupe) work(ctx context.Context, id statemachine.TaskID, arg string) (string, error) {
	t.worked(string(id), arg)
	switch how, _, _ := strings.Cut(arg, " "); how {
	case "fail":
		return "", errors.New("failed")
	case "panic":
		panic("work")
	case "goexit":
		runtime.Goexit()
	case "slow":
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return arg, nil
}

func (t *troupe) init(s statemachine.Start[actor]) (actor, error) {
	var a actor
	if s.Saved != nil {
		a = *s.Saved
	}
	before := a.Mark
	a.Life = int64(s.Fx.Rand() >> 12)
	what := fmt.Sprintf("init at %d of %x", s.Fx.Now().UnixNano(), a.Life)
	a.Mark = t.see(s.Name, before, s.Saved == nil, what)
	a.Watches, a.Must, a.Waiting = nil, nil, nil
	for tag := range a.Tasks {
		a.Tasks = with(a.Tasks, tag, false) // they end with a life, but not with the program
	}
	b := body{t: t, fx: s.Fx, a: &a, name: string(s.Name)}
	if b.chance(3) {
		b.goOn()
	}
	if b.chance(4) {
		b.setTimer()
	}
	return a, nil
}

func with[V any](m map[string]V, k string, v V) map[string]V {
	n := maps.Clone(m)
	if n == nil {
		n = map[string]V{}
	}
	n[k] = v
	return n
}

func without[V any](m map[string]V, k string) map[string]V {
	n := maps.Clone(m)
	delete(n, k)
	return n
}

// step notes what it is stepped with, and does what comes to its mind.
func (t *troupe) step(in cue, a actor, fx *actorFx) (actor, says) {
	if in.Do == "get" {
		return a, says{Actor: a}
	}
	msg := fx.Message()
	what := fmt.Sprintf("step at %d of %x with %v", fx.Now().UnixNano(), fx.Rand(), in)
	if msg != nil {
		what += " " + t.describe(msg)
	}
	what += fmt.Sprintf(" for %d", fx.From()&1) // whose number a replay gives again, or not
	b := body{t: t, fx: &fx.Fx, out: fx, a: &a, name: string(fx.Self())}
	a.Mark = t.see(fx.Self(), a.Mark, false, what)
	b.mustContinue(msg)
	if msg != nil {
		b.hear(msg)
	} else {
		b.do(in)
	}
	return a, says{Tag: in.Tag}
}

// describe has all of a message that its receiver can see.
func (t *troupe) describe(m statemachine.Message) string {
	switch m := m.(type) {
	case statemachine.Reply:
		out, err := statemachine.To[cue, says](m.Name).Output(m)
		return fmt.Sprint("reply ", m.Tag, m.Name, out, describeError(err))
	case statemachine.TaskDone:
		out, err := t.tasks[0].Result(m)
		return fmt.Sprint("task ", m.Tag, m.Task, m.ID, out, describeError(err))
	case statemachine.MonitorDown:
		return fmt.Sprint("down ", m.Name, m.Reason.Class, describeError(m.Reason.Detail))
	case statemachine.Exit:
		return fmt.Sprint("exit ", m.Name, m.Reason.Class, describeError(m.Reason.Detail))
	case statemachine.Undelivered:
		return fmt.Sprint("undelivered ", m.To, describeError(m.Err))
	case statemachine.ChildReply:
		return fmt.Sprint("child ", m.Tag, m.Sup, m.Child, describeError(m.Err))
	}
	return fmt.Sprint(m)
}

func describeError(err error) string {
	text := fmt.Sprintf(" %T: %v", err, err)
	for _, s := range []error{statemachine.ErrNoProcess, statemachine.ErrOverloaded, statemachine.ErrStopping, statemachine.ErrDeadline, statemachine.ErrConflict} {
		if errors.Is(err, s) {
			text += " is " + s.Error()
		}
	}
	if err := errors.Unwrap(err); err != nil {
		return text + describeError(err)
	}
	return text
}
