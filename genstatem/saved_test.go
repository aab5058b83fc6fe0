package genstatem_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/conformance/statem"
	"github.com/lineshaft/lineshaft/genstatem"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/statemachine/machinetest"
)

// restart begins another life with what the last one left.
func (r *rig) restart() *rig {
	r.t.Helper()
	if err := r.Restart(); err != nil {
		r.t.Fatal(err)
	}
	r.Run()
	return r
}

// A crash undoes its event. Postponed events and timeouts are still there.
func TestRestart(t *testing.T) {
	r := newRig(t, table{
		"a p": postpone, "a set": all(set(inState, 5, "s"), set(generic, 7, "n")), "a boom": boom, "a go": next("b"), "enter a": next(""),
	}).start()
	r.Call("p")
	r.cast("set", "boom", "later")
	r.happened("enter a a", "a call p", "a cast set", "a cast boom", "terminate a 2 crash: machine crashed in step: boom", "exit crash [1]")
	r.restart().happened("a cast later").is("a", 2).advance(5).cast("go").advance(2)
	r.happened("a state_timeout s", "a cast go", "enter b a", "b call p", "b timeout:n n")
}

// What the machine had before it, besides the event that has crashed, is
// handled when it goes on; what had been done stays done.
func TestRestartInTheMiddle(t *testing.T) {
	r := newRig(t, table{
		"a p1": postpone, "a p2": postpone, "a p3": postpone, "a go": all(insert("i"), set(generic, 0, "zero"), next("b")), "b p2": boom,
	}).start()
	r.cast("p1", "p2", "p3", "go")
	r.happened("a cast p1", "a cast p2", "a cast p3", "a cast go", "b internal i", "b cast p1", "b cast p2",
		"terminate b 4 crash: machine crashed in step: boom", "exit crash []")
	r.Cast("mailbox")
	r.restart().happened("b cast p3", "b timeout:n zero", "b cast mailbox")

	r = newRig(t, table{"a go": all(insert("stop", "rest")), "a stop": func(fx *effects) string { fx.Stop(statemachine.Shutdown); return "b" }}).start()
	r.cast("go").happened("a cast go", "a internal stop", "terminate b 2 shutdown", "exit shutdown []")
	r.restart().happened("b internal rest")
}

// A timeout that crashes its machine is over.
func TestRestartAfterTimeout(t *testing.T) {
	r := newRig(t, table{"a set": set(inState, 5, "t"), "a t": boom, "a update": func(fx *effects) string { fx.UpdateTimeout(inState, "now"); return "" }}).start()
	r.cast("set").advance(5).restart().cast("update")
	r.happened("a cast set", "a state_timeout t", "terminate a 1 crash: machine crashed in step: boom", "exit crash []",
		"a cast update", "a state_timeout now")
}

// An enter call of the first state that crashes is tried again.
func TestRestartBeforeTheBeginning(t *testing.T) {
	tried := 0
	r := newRig(t, table{"enter a": func(*effects) string {
		if tried++; tried == 1 {
			panic("boom")
		}
		return ""
	}})
	r.before = func(fx *effects) { fx.NextEvent(genstatem.Internal, "i") }
	r.start().restart()
	r.happened("enter a a", "terminate a 0 crash: machine crashed in step: boom", "exit crash []", "enter a a", "a internal i")
}

// So it is not resumed; and there is no event to postpone when it is.
func TestResumeBeforeTheBeginning(t *testing.T) {
	r := &rig{t: t}
	tried := 0
	r.run(machine{
		Enter: func(_, s string, d int, _ *effects) int {
			if tried++; tried == 1 {
				panic("boom")
			}
			r.note("enter %q", s)
			return d
		},
		Resume: func(s string, d int, fx *effects) (string, int) { r.note("resume %q", s); fx.Postpone(); return "b", d },
		HandleEvent: func(ev event, s string, d int, fx *effects) (string, int) {
			r.note("%q %s", s, ev.Content)
			panic("boom")
		},
		Event: codec.Of[string](), Reply: codec.Of[string](), State: codec.Of[string](), Data: codec.Of[int](),
	})
	r.start().restart().happened("exit crash []", `enter ""`)
	r.cast("x").restart().happened(`"" x`, "exit crash []", `resume ""`, `enter "b"`)
}

func TestResume(t *testing.T) {
	resumed := 0
	r := &rig{t: t}
	m := machine{
		Init: func(*effects) (string, int, error) { return "connected", 1, nil },
		HandleEvent: func(ev event, s string, d int, fx *effects) (string, int) {
			r.note("%s %s", s, ev.Content)
			switch ev.Content {
			case "crash":
				panic("crash")
			case "again":
				fx.NextEvent(genstatem.Internal, "crash")
				fx.NextEvent(genstatem.Internal, "rest")
			}
			return s, d
		},
		Enter: func(old, s string, d int, fx *effects) int { r.note("enter %s %s", s, old); return d },
		Resume: func(s string, d int, fx *effects) (string, int) {
			r.note("resume %s", s)
			if resumed++; resumed == 2 {
				panic("resume")
			}
			return "gone", d + 1
		},
		Event: codec.Of[string](), Reply: codec.Of[string](), State: codec.Of[string](), Data: codec.Of[int](),
	}
	r.run(m)
	r.start().cast("again").restart().cast("x").is("gone", 2)
	r.happened("enter connected connected", "connected again", "connected crash", "exit crash []",
		"resume connected", "enter gone connected", "gone rest", "gone x")
	r.cast("again").restart().restart().is("gone", 3)
	r.happened("gone again", "gone crash", "exit crash []", "resume gone", "exit crash []", "resume gone", "gone rest")
}

// A saved state is of any of the callers that the machine's codecs are for.
func TestEncodedState(t *testing.T) {
	r := newRig(t, table{
		"a p1": postpone, "a p2": postpone, "a set": all(set(inState, 5, "s"), set(inEvent, 6, "e"), set(generic, 7, "n")),
	}).start()
	r.Call("p1")
	r.cast("p2", "set")
	const want = `{"state":"a","data":3,` +
		`"postponed":[{"type":"call","content":"p1","from":1},{"type":"cast","content":"p2"}],` +
		`"timeouts":[{"type":"state_timeout","content":"s"},{"type":"timeout","content":"e"},{"type":"timeout:n","content":"n"}]}`
	c := r.machine.State
	got, err := c.Append(nil, codec.JSON, r.saved())
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	for _, f := range []codec.Format{codec.JSON, codec.Msgpack} {
		data, err := c.Append(nil, f, r.saved())
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Decode(f, data)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := c.Append(nil, codec.JSON, s); string(again) != want || err != nil {
			t.Errorf("by way of %v: %s, %v", f, again, err)
		}
	}
}

func TestStateRefused(t *testing.T) {
	c := genstatem.StateCodec(codec.Of[string](), codec.Of[*int](), codec.Of[string]())
	for text, want := range map[string]string{
		`{"state":"a"}`:           "missing",
		`{"state":1,"data":null}`: "string",
		`{"state":"a","data":null,"postponed":[{"type":"nonsense","content":"x"}]}`:                     "nonsense",
		`{"state":"a","data":null,"timeouts":[{"type":"call","content":"x"}]}`:                          "no timeout",
		`{"state":"a","data":null,"postponed":[{"type":"call","content":5}]}`:                           "string",
		`{"state":"a","data":null,"waiting":{"actions":[{"kind":77,"type":"internal","content":"x"}]}}`: "77",
		`{"state":"a","data":null`: "malformed",
	} {
		_, err := c.Decode(codec.JSON, []byte(text))
		if refused := new(codec.Error); !errors.As(err, &refused) || !strings.Contains(err.Error()+refused.Kind.String(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if s, err := c.Decode(codec.JSON, []byte(`{"state":"a","data":null}`)); err != nil || s.State != "a" || s.Data != nil {
		t.Error(s, err)
	}
	failing := genstatem.StateCodec(codec.Of[string](), codec.Of[float64](), codec.Of[string]())
	nan := 0.0
	if _, err := failing.Append(nil, codec.JSON, genstatem.State[string, float64, string]{Data: nan / nan}); err == nil {
		t.Error("what cannot be encoded is no error")
	}
}

// States that were saved by an older version are those of another Machine.
func TestMigrate(t *testing.T) {
	type data struct{ N int }
	older := newRig(t, table{"a p": postpone}).start().cast("p")
	saved := older.Saved()
	m := genstatem.Machine[string, data, string, string]{
		HandleEvent: func(ev event, s string, d data, _ *effects) (string, data) { return "b", data{d.N + 1} },
		Version:     1,
		Migrate: func(_ int, saved statemachine.Saved) (genstatem.State[string, data, string], error) {
			old, err := statemachine.Decode(saved, genstatem.StateCodec(codec.Of[string](), codec.Of[int](), codec.Of[string]()))
			return genstatem.WithData(old, old.State, data{old.Data}), err
		},
		Event: codec.Of[string](), Reply: codec.Of[string](), State: codec.Of[string](), Data: codec.Of[data](),
	}
	newer := genstatem.New(m)
	p := newer.New("newer", statemachine.NewMoment(func() int64 { return 1 }, nil)).(statemachine.Port[string, string])
	if err := errors.Join(p.Load(saved), p.Init()); err != nil {
		t.Fatal(err)
	}
	p.StepIn("go") // the postponed event is retried
	data7, err := p.Current()(nil)
	if err != nil || !strings.Contains(string(data7), "\xa1N\x03") {
		t.Errorf("%q, %v", data7, err)
	}
}

// A state that no callback is for does not start.
func TestSavedStateUnknown(t *testing.T) {
	here := func(_ event, s string, d int, _ *effects) (string, int) { return s, d }
	m := machine{
		States: map[string]genstatem.Callback[string, int, string, string]{"here": here},
		Init:   func(*effects) (string, int, error) { return "nowhere", 0, nil },
		Event:  codec.Of[string](), Reply: codec.Of[string](), State: codec.Of[string](), Data: codec.Of[int](),
	}
	p := genstatem.New(m).New("p", statemachine.NewMoment(nil, nil))
	if err := p.Init(); !errors.Is(err, genstatem.ErrBadReturn) {
		t.Errorf("Init: %v", err)
	}
	if err := p.Load([]byte("\x82\xa5state\xa4gone\xa4data\x00")); err != nil {
		t.Fatal(err)
	}
	if err := p.Init(); !errors.Is(err, genstatem.ErrBadReturn) {
		t.Errorf("a saved state: %v", err)
	}
}

// A timeout that is cancelled is no timer any more; what is the machine's own is
// no message to it.
func TestTimersAreCancelled(t *testing.T) {
	m := machine{
		HandleEvent: func(ev event, s string, d int, fx *effects) (string, int) {
			if ev.Content == "set" {
				fx.SetTimeout(generic, 5, "t")
			} else {
				fx.CancelTimeout(generic)
			}
			return s, d
		},
		Message: func(m statemachine.Message) string { t.Errorf("a message: %v", m); return "" },
		Event:   codec.Of[string](), Reply: codec.Of[string](),
	}
	moment := statemachine.NewMoment(func() int64 { return 1 }, nil)
	p := genstatem.New(m).New("p", moment).(statemachine.Port[string, string])
	if err := p.Init(); err != nil {
		t.Fatal(err)
	}
	moment.Set(1, 1)
	p.StepIn("set")
	set := fmt.Sprint(moment.Effects())
	moment.Set(1, 1)
	p.StepIn("cancel")
	if cancelled := fmt.Sprint(moment.Effects()); set != `[set_timer "timeout:n"]` || cancelled != `[cancel_timer "timeout:n"]` {
		t.Errorf("it asks for %s, then for %s", set, cancelled)
	}
	for _, m := range []statemachine.Message{statemachine.Timeout{Timer: string(generic)}, statemachine.Continue{Tag: "genstatem"}} {
		if _, ok, crash := p.FromMessage(m); !ok || crash != nil {
			t.Error(ok, crash)
		}
	}
}

// What contents cannot be compared are taken to differ.
func TestContentsThatCannotBeCompared(t *testing.T) {
	type content struct{ v any }
	var got []any
	m := genstatem.New(genstatem.Machine[string, int, content, string]{
		HandleEvent: func(ev genstatem.Event[content], s string, d int, fx *genstatem.Effects[content, string]) (string, int) {
			if ev.Type == inState {
				got = append(got, ev.Content.v)
			} else {
				fx.SetTimeout(inState, 5, ev.Content)
			}
			return s, d
		},
		Event: codec.Convert(codec.Of[int](), func(content) int { return 0 }, func(int) (content, error) { return content{}, nil }),
		Reply: codec.Of[string](),
	})
	v := &statem.Virtual[content, string]{Machine: m}
	if err := v.Start(); err != nil {
		t.Fatal(err)
	}
	v.Cast(content{[]int{1}})
	v.Cast(content{[]int{2}})
	v.Run()
	v.Advance(5, true)
	if !v.Alive() || fmt.Sprint(got) != "[[2]]" {
		t.Errorf("alive: %v, the timeouts carry %v", v.Alive(), got)
	}
}

// What is nobody's is dropped.
func TestDropped(t *testing.T) {
	r := newRig(t, nil).start()
	r.Tell(statemachine.Timeout{Timer: string(inState)})
	r.Tell(statemachine.Timeout{Timer: "tick"})
	r.Tell(statemachine.Continue{Tag: "genstatem"})
	r.Tell(statemachine.Continue{Tag: "user's"})
	r.Run()
	r.happened("a info Timeout", "a info Continue")
	m := machine{
		HandleEvent: func(event, string, int, *effects) (string, int) { r.note("handled"); return "", 0 },
		Event:       codec.Of[string](), Reply: codec.Of[string](),
	}
	r.run(m)
	r.start().Tell(statemachine.MonitorDown{})
	r.Run()
	r.happened()
}

func TestGoexit(t *testing.T) {
	var crash *statemachine.CrashError
	m := genstatem.New(machine{
		HandleEvent: func(event, string, int, *effects) (string, int) { runtime.Goexit(); return "", 0 },
		Event:       codec.Of[string](), Reply: codec.Of[string](),
	})
	p := m.New("p", statemachine.NewMoment(nil, func(c *statemachine.CrashError) { crash = c })).(statemachine.Port[string, string])
	if err := p.Init(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.StepIn("x")
	}()
	if <-done; crash == nil || crash.In != "step" {
		t.Errorf("the crash is %v", crash)
	}
}

// A machine that does everything is pure if its callbacks are.
func TestPure(t *testing.T) {
	does := map[string]func(fx *effects, from statemachine.From){
		"postpone": func(fx *effects, _ statemachine.From) { fx.Postpone() },
		"insert": func(fx *effects, _ statemachine.From) {
			fx.NextEvent(genstatem.Internal, "x")
			fx.NextEvent(genstatem.Call, "reply")
		},
		"reply":   func(fx *effects, from statemachine.From) { fx.Reply(from, "r"); fx.Reply(from, "r2") },
		"state":   func(fx *effects, _ statemachine.From) { fx.SetTimeout(inState, 5, "t") },
		"event":   func(fx *effects, _ statemachine.From) { fx.SetTimeout(inEvent, 0, "t") },
		"generic": func(fx *effects, _ statemachine.From) { fx.SetTimeout(generic, 7, "t") },
		"update":  func(fx *effects, _ statemachine.From) { fx.UpdateTimeout(generic, "u") },
		"stop": func(fx *effects, _ statemachine.From) {
			fx.NextEvent(genstatem.Internal, "x")
			fx.Stop(statemachine.Shutdown)
		},
		"crash": func(fx *effects, _ statemachine.From) { fx.NextEvent(genstatem.Internal, "panic") },
		"panic": func(*effects, statemachine.From) { panic("panic") },
	}
	m := genstatem.New(machine{
		Init: func(fx *effects) (string, int, error) { fx.SetTimeout(generic, 9, "i"); return "a", 0, nil },
		HandleEvent: func(ev event, s string, d int, fx *effects) (string, int) {
			if do := does[ev.Content]; do != nil {
				do(fx, ev.From)
			} else if ev.Content == "go" {
				return string('a' + ('b' - s[0])), d + 1
			}
			return s, d
		},
		Enter:   func(_, _ string, d int, fx *effects) int { fx.SetTimeout(inState, 3, "e"); return d + 1 },
		Message: func(m statemachine.Message) string { return "go" },
		Event:   codec.Of[string](), Reply: codec.Of[string](), State: codec.Of[string](), Data: codec.Of[int](),
	})
	machinetest.Check(t, m, []string{"postpone", "insert", "reply", "state", "event", "generic", "update", "stop", "crash", "panic", "go", "nothing"})
}
