package genevent_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/genevent"
	"github.com/lineshaft/lineshaft/statemachine"
)

// A talking handler says what is done with it by casts to the process log. An
// event, call or message "do ID" makes the handler of that id do something: see
// obey.
type talker struct {
	ID string `json:"id"`
	N  int    `json:"n"` // events seen
}

type input = genevent.Input[string]

var (
	talk = &genevent.Kind[string, talker, string, string, string]{
		Name: "t",
		Init: func(s genevent.Start[string]) (talker, error) {
			say(s.Fx, "init", s.Handler.ID, s.Args, oldText(s.Old))
			switch s.Args {
			case "fail":
				return talker{}, errors.New("not today")
			case "crash":
				panic("boom")
			}
			return talker{ID: s.Handler.ID}, nil
		},
		Terminate: func(why genevent.Why, s talker, fx *statemachine.Fx) string {
			say(fx, "terminate", s.ID, string(why.Cause), why.Args, why.Reason)
			if s.ID == "bad" {
				panic("a bad end")
			}
			return fmt.Sprintf("%s saw %d", s.ID, s.N)
		},
	}
)

// What refers to talk itself cannot be in its declaration.
func init() {
	talk.HandleEvent = func(e string, s talker, fx *genevent.Fx[string]) talker {
		say(fx, "event", s.ID, e)
		s.N++
		obey(e, s, fx)
		return s
	}
	talk.HandleCall = func(q string, s talker, fx *genevent.Fx[string]) (talker, string) {
		obey(q, s, fx)
		return s, fmt.Sprint("n=", s.N)
	}
	talk.HandleInfo = func(m statemachine.Message, s talker, fx *genevent.Fx[string]) talker {
		say(fx, "info", s.ID, fmt.Sprintf("%T", m))
		if m, ok := m.(statemachine.Timeout); ok {
			obey(m.Timer, s, fx)
		}
		return s
	}
}

func say(fx statemachine.Recorder, words ...string) {
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	statemachine.To[string, bool]("log").Cast(fx, strings.Join(words, " "))
}

func oldText(old genevent.Output) string {
	if old == nil {
		return ""
	}
	value, err := genevent.Result[string](old)
	if err != nil {
		return "after: " + err.Error()
	}
	return "after: " + value
}

// obey does what an event says: crash, remove, swap (by n).
func obey(e string, s talker, fx *genevent.Fx[string]) {
	do, id, _ := strings.Cut(e, " ")
	if id != s.ID {
		return
	}
	switch do {
	case "crash":
		fx.SetTimer("of one that crashes", 1)
		panic("boom")
	case "remove":
		fx.Remove()
	case "swap":
		fx.Swap("farewell", talk.Add("n", "new"))
	case "swapremove":
		fx.Swap("farewell", talk.Add("n", "new"))
		fx.Remove()
	case "swapfail":
		fx.Swap("farewell", talk.Add("n", "fail"))
	}
}

// config is a manager of talking handlers.
func config() genevent.Config[string] {
	return genevent.Config[string]{
		Event: codec.Of[string](),
		Kinds: []genevent.AnyKind[string]{talk},
		Exited: func(x genevent.Exit, fx *statemachine.Fx) {
			text := fmt.Sprintf("exited %s %s", x.Handler.ID, x.Why.Cause)
			if x.Client != "" {
				text += " client " + string(x.Client)
			}
			if x.New != nil {
				text += fmt.Sprintf(" new %s client %q", x.New.ID, x.NewClient)
			}
			if x.Crash != nil {
				text += " " + x.Crash.Error()
			}
			say(fx, text)
		},
	}
}

// running is a manager without a loop.
type running struct {
	*testing.T
	moment  *statemachine.Moment
	process statemachine.Port[input, genevent.Output]
	said    []string // to log, since it was read, and other effects
}

func run(t *testing.T, c genevent.Config[string]) *running {
	t.Helper()
	r := prepare(t, c)
	r.begin()
	return r
}

// prepare makes a manager that has not begun.
func prepare(t *testing.T, c genevent.Config[string]) *running {
	moment := statemachine.NewMoment(func() int64 { return 1 }, nil)
	return &running{T: t, moment: moment, process: genevent.New(c).New("m", moment).(statemachine.Port[input, genevent.Output])}
}

func (r *running) begin() {
	r.Helper()
	r.moment.Set(1, 1)
	if err := r.process.Init(); err != nil {
		r.Fatal(err)
	}
	r.carryOut()
}

func (r *running) carryOut() {
	for _, e := range r.moment.Effects() {
		if e.Kind == statemachine.EffectCast && e.Name == "log" {
			r.said = append(r.said, e.Input().(string))
		} else if e.Kind == statemachine.EffectReport {
			r.said = append(r.said, "report "+e.Value.(error).Error())
		} else {
			r.said = append(r.said, e.String())
		}
	}
}

// call steps an input; its output.
func (r *running) call(in input) genevent.Output {
	r.Helper()
	r.moment.Set(1, 1)
	out, crash := r.process.StepIn(in)
	if crash != nil {
		r.Fatal(crash)
	}
	r.carryOut()
	return out
}

// add adds handlers, and forgets what they have said.
func (r *running) add(all ...genevent.AddHandler[string]) {
	r.Helper()
	for _, a := range all {
		if err := r.call(a).Err(); err != nil {
			r.Fatal(err)
		}
	}
	r.said = nil
}

func (r *running) notify(e string) { r.Helper(); r.call(genevent.Notify[string]{Event: e}) }

func (r *running) message(m statemachine.Message) {
	r.Helper()
	x, ok, crash := r.process.FromMessage(m)
	if !ok {
		r.Fatal(crash)
	}
	r.moment.Set(1, 1)
	if crash := r.process.Step(x); crash != nil {
		r.Fatal(crash)
	}
	r.carryOut()
}

// hears checks what was said since it was asked last.
func (r *running) hears(want ...string) {
	r.Helper()
	if !slices.Equal(r.said, want) {
		r.Errorf("it says\n\t%s\nnot\n\t%s", strings.Join(r.said, "\n\t"), strings.Join(want, "\n\t"))
	}
	r.said = nil
}

// has checks which handlers there are.
func (r *running) has(want ...string) {
	r.Helper()
	out := r.call(genevent.WhichHandlers[string]{})
	var got []string
	for _, h := range out.(genevent.Handlers).Handlers {
		got = append(got, h.ID)
	}
	if !slices.Equal(got, want) {
		r.Errorf("the handlers are %q, not %q", got, want)
	}
}

// answers checks the output of a talking handler.
func (r *running) answers(in input, want string, wantErr error) {
	r.Helper()
	got, err := genevent.Result[string](r.call(in))
	if got != want || !errors.Is(err, wantErr) {
		r.Errorf("%T: %q, %v, not %q, %v", in, got, err, want, wantErr)
	}
}

func add(id string) genevent.AddHandler[string] { return talk.Add(id, "") }

func sup(client statemachine.Name, id string) genevent.AddHandler[string] {
	return talk.AddSup(client, id, "")
}
