package genstatem_test

import (
	"errors"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/genstatem"
	"github.com/lineshaft/lineshaft/statemachine"
)

// The names of these tests are those of the rules of OTP's gen_statem: see the
// package comment. All of them are compared with OTP itself in package
// conformance/statem.

const (
	inState = genstatem.StateTimeout
	inEvent = genstatem.EventTimeout
)

var generic = genstatem.Timeout("n")

func TestM1Init(t *testing.T) {
	r := newRig(t, table{"a i": next("b")})
	r.before = func(fx *effects) {
		fx.NextEvent(genstatem.Internal, "i")
		fx.SetTimeout(inState, 0, "t")
		fx.Postpone()
	}
	r.Cast("too early")
	r.start().cast("x").happened("a internal i", "b cast x").is("b", 1)

	failed := errors.New("no")
	for _, want := range []error{failed, statemachine.ErrIgnore} {
		r.run(machine{
			Init:        func(*effects) (string, int, error) { return "", 0, want },
			HandleEvent: func(_ event, s string, d int, _ *effects) (string, int) { return s, d },
			Event:       codec.Of[string](), Reply: codec.Of[string](),
		})
		if err := r.Start(); err != want {
			t.Errorf("Init returned %v, Start %v", want, err)
		}
	}
	stops := newRig(t, nil)
	stops.before = func(fx *effects) { fx.Stop(statemachine.Normal) }
	if err := stops.Start(); err == nil {
		t.Error("an Init that calls Stop has started")
	}
}

func TestM2Types(t *testing.T) {
	r := newRig(t, table{"a all": all(insert("i"), set(inState, 1, "s"), set(generic, 2, "n")), "a ev": set(inEvent, 3, "e")}).start()
	r.call("all")
	r.Tell(statemachine.MonitorDown{Name: "x"})
	r.cast("c").advance(2).cast("ev").advance(3)
	r.happened("a call all", "a internal i", "a info MonitorDown", "a cast c", "a state_timeout s", "a timeout:n n", "a cast ev", "a timeout e")
}

func TestM2StateFunctions(t *testing.T) {
	r := &rig{t: t}
	state := func(s string) genstatem.Callback[string, int, string, string] {
		return func(ev event, _ string, d int, _ *effects) (string, int) {
			r.note("%s %s", s, ev.Content)
			return ev.Content, d + 1
		}
	}
	m := machine{
		States: map[string]genstatem.Callback[string, int, string, string]{"": state("first"), "b": state("b")},
		Terminate: func(_ statemachine.Name, s string, d int, why statemachine.Reason) {
			r.note("terminate %q %d %v", s, d, errors.Is(why.Detail, genstatem.ErrBadReturn))
		},
		Event: codec.Of[string](), Reply: codec.Of[string](),
	}
	r.run(m)
	r.start().cast("b", "b", "nowhere").happened("first b", "b b", "b nowhere", `terminate "b" 2 true`, "exit crash []")

	for what, wrong := range map[string]machine{
		"neither":   {Event: m.Event, Reply: m.Reply},
		"both":      {Event: m.Event, Reply: m.Reply, States: m.States, HandleEvent: m.States["b"]},
		"no codec":  {States: m.States, Reply: m.Reply},
		"half":      {States: m.States, Event: m.Event, Reply: m.Reply, State: codec.Of[string]()},
		"nil state": {States: map[string]genstatem.Callback[string, int, string, string]{"a": nil}, Event: m.Event, Reply: m.Reply},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("New takes a machine that has %s", what)
				}
			}()
			genstatem.New(wrong)
		}()
	}
}

func TestM3Postpone(t *testing.T) {
	r := newRig(t, table{
		"a p1": postpone, "a p2": postpone, "a same": next("a"), "a again": repeat, "a go": all(next("b"), postpone),
		"b p1": postpone, "b back": next("a"),
	}).start()
	r.cast("p1", "p2", "same", "again", "go", "last")
	r.happened("a cast p1", "a cast p2", "a cast same", "a cast again", "a cast go", "b cast p1", "b cast p2", "b cast go", "b cast last")
	r.cast("back").happened("b cast back", "a cast p1")
}

func TestM4NextEvent(t *testing.T) {
	r := newRig(t, table{
		"a p": postpone, "a go": all(insert("1", "2"), next("b")), "b 1": insert("1.1", "1.2"),
	}).start()
	r.cast("p", "go", "last")
	r.happened("a cast p", "a cast go", "b internal 1", "b internal 1.1", "b internal 1.2", "b internal 2", "b cast p", "b cast last")
}

func TestM5Order(t *testing.T) {
	r := newRig(t, table{
		"a p": postpone, "a i": all(insert("i2"), set(generic, 0, "zero"), next("b")), "a go": insert("i", "older"), "enter b": next(""),
	}).start().happened("enter a a")
	r.cast("p", "go", "mailbox")
	r.happened("a cast p", "a cast go", "a internal i", "enter b a", "b internal i2", "b cast p", "b internal older",
		"b timeout:n zero", "b cast mailbox")
}

func TestM6StateTimeout(t *testing.T) {
	r := newRig(t, table{
		"a set": set(inState, 5, "t"), "a go": all(set(inState, 5, "of b"), next("b")), "a other": next("c"), "a same": next("a"),
	}).start()
	r.cast("set", "same", "x").advance(5).happened("a cast set", "a cast same", "a cast x", "a state_timeout t")
	r.cast("set", "other").advance(9).happened("a cast set", "a cast other")
	r = newRig(t, table{"a set": set(inState, 5, "t"), "a go": all(set(inState, 5, "of b"), next("b"))}).start()
	r.cast("set", "go").advance(5).happened("a cast set", "a cast go", "b state_timeout of b")
}

func TestM7EventTimeout(t *testing.T) {
	r := newRig(t, table{
		"a set": set(inEvent, 5, "t"), "a zero": set(inEvent, 0, "0"), "a both": all(set(inEvent, 0, "0"), insert("i")),
	}).start()
	r.cast("set").advance(5).happened("a cast set", "a timeout t")
	r.cast("set", "any").advance(9).happened("a cast set", "a cast any")
	r.cast("zero", "mailbox").happened("a cast zero", "a timeout 0", "a cast mailbox")
	r.cast("both").happened("a cast both", "a internal i")
}

func TestM8GenericTimeout(t *testing.T) {
	other := genstatem.Timeout("m")
	r := newRig(t, table{
		"a set":    all(set(generic, 5, "n"), set(other, 6, "m")),
		"a go":     next("b"),
		"b update": func(fx *effects) string { fx.UpdateTimeout(generic, "updated"); return "" },
		"b cancel": func(fx *effects) string { fx.CancelTimeout(other); return "" },
		"b inf":    func(fx *effects) string { fx.SetTimeout(generic, genstatem.Infinity, ""); return "" },
		"b zeros":  all(set(generic, 0, "1"), set(inState, 0, "2"), set(other, 0, "3")),
		"b again":  all(set(generic, 0, "1"), set(other, 0, "2"), insert("i")),
		"b i":      set(generic, 0, "1, later"),
	}).start()
	r.cast("set", "go").advance(3)
	r.cast("update", "cancel").advance(9).happened("a cast set", "a cast go", "b cast update", "b cast cancel", "b timeout:n updated")
	r.cast("update").happened("b cast update", "b timeout:n updated") // none ran
	r.cast("zeros").happened("b cast zeros", "b timeout:n 1", "b state_timeout 2", "b timeout:m 3")
	r.cast("again").happened("b cast again", "b internal i", "b timeout:m 2", "b timeout:n 1, later")
	r = newRig(t, table{"a set": set(generic, 5, "n"),
		"a stop": func(fx *effects) string { fx.SetTimeout(generic, genstatem.Infinity, ""); return "" }}).start()
	r.cast("set", "stop").advance(9).happened("a cast set", "a cast stop")
}

func TestM9Enter(t *testing.T) {
	entered := 0
	r := newRig(t, table{
		"enter a": set(inState, 3, "t"), "a go": next("b"), "a same": next("a"), "a again": repeat,
		"enter b": func(fx *effects) string {
			if entered++; entered == 1 {
				fx.Repeat()
			}
			fx.Reply(1, "entered")
			return ""
		},
		"enter c": postpone, "b go": next("c"),
	}).start().happened("enter a a")
	r.cast("same", "again").advance(3).happened("a cast same", "a cast again", "enter a a", "a state_timeout t")
	r.call("go")
	r.happened("a call go", "enter b a", "enter b a", "reply 1 entered")
	r.cast("go").happened("b cast go", "enter c b", "terminate c 4 crash: bad_state_enter_action_from_state_function", "exit crash []")
}

func TestM10Replies(t *testing.T) {
	r := newRig(t, table{
		"a hold": next(""),
		"a free": func(fx *effects) string { fx.Reply(1, "first"); fx.Reply(2, "second"); fx.Reply(1, "again"); return "" },
		"a stop": func(fx *effects) string {
			fx.Reply(3, "bye")
			fx.Reply(4, "bye, too")
			fx.NextEvent(genstatem.Internal, "dropped")
			fx.Stop(statemachine.Shutdown)
			return "z"
		},
	}).start()
	r.call("hold")
	r.call("free")
	r.happened("a call hold", "a call free", "reply 1 first", "reply 2 second")
	r.call("hold")
	r.call("stop")
	r.happened("a call hold", "a call stop", "reply 3 bye", "reply 4 bye, too", "terminate z 4 shutdown", "exit shutdown []")

	// In the order of the actions, whoever is answered.
	both := func(fx *effects) string { fx.Reply(1, "held"); fx.Reply(2, "own"); fx.Reply(2, "again"); return "" }
	r = newRig(t, table{"a hold": next(""), "a both": both}).start()
	r.call("hold")
	r.call("both")
	r.happened("a call hold", "a call both", "reply 1 held", "reply 2 own")
	own := func(fx *effects) string { fx.Reply(2, "own"); fx.Reply(2, "again"); fx.Reply(1, "held"); return "" }
	r = newRig(t, table{"a hold": next(""), "a own": own}).start()
	r.call("hold")
	r.call("own")
	r.happened("a call hold", "a call own", "reply 2 own", "reply 1 held")

	bad := newRig(t, table{"a bad": all(set(inState, -1, ""), func(fx *effects) string { fx.Stop(statemachine.Normal); return "" })}).start()
	bad.cast("bad").happened("a cast bad", "terminate a 1 crash: bad_reply_action_from_state_function", "exit crash []")
}

func TestM11Crash(t *testing.T) {
	// A panic undoes the event, but not those before it.
	r := newRig(t, table{"a go": all(insert("i1", "i2"), next("b")), "b i2": boom}).start()
	r.call("go")
	r.happened("a call go", "b internal i1", "b internal i2", "terminate b 1 crash: machine crashed in step: boom", "exit crash [1]")

	// That of an enter call too, but replies have been sent.
	r = newRig(t, table{"a go": func(fx *effects) string { fx.Reply(1, "yes"); return "b" }, "enter b": boom}).start()
	r.call("go")
	r.happened("enter a a", "a call go", "enter b a", "reply 1 yes", "terminate a 0 crash: machine crashed in step: boom", "exit crash []")

	// OTP: exit(Reason).
	r = newRig(t, table{"a go": func(*effects) string { panic(statemachine.ShutdownWith(errors.New("done"))) }}).start()
	r.cast("go").happened("a cast go", "terminate a 0 shutdown_t: done", "exit shutdown_t []")

	r = newRig(t, table{"a bad": all(set(inState, -1, "past"), next("b"))}).start()
	r.cast("bad").happened("a cast bad", "terminate b 1 crash: bad_action_from_state_function", "exit crash []")

	r = newRig(t, nil)
	r.before = func(fx *effects) { fx.SetTimeout(inState, -1, "past"); fx.SetTimeout(inState, 1, "overruled") }
	r.start().happened("terminate a 0 crash: bad_action_from_state_function", "exit crash []")

	// What no state machine has: a type that there is not.
	r = newRig(t, table{"a bad": func(fx *effects) string { fx.NextEvent("nonsense", ""); return "" },
		"a worse": func(fx *effects) string { fx.SetTimeout(genstatem.Internal, 1, ""); return "" }}).start()
	r.cast("bad").happened("a cast bad", "terminate a 0 crash: machine crashed in step: there is no event type nonsense", "exit crash []")
	r.start().cast("worse").happened("a cast worse", "terminate a 0 crash: machine crashed in step: there is no timeout of the type internal", "exit crash []")
}

func TestM12GetAndReplaceState(t *testing.T) {
	r := newRig(t, table{"a p": postpone, "a set": set(inState, 5, "t"), "b back": next("a"), "enter b": next("")}).start()
	r.cast("p", "set").is("a", 2)
	s := r.saved()
	s.State, s.Data = "b", 7
	data, err := r.machine.State.Append(nil, codec.Msgpack, s)
	if err != nil {
		t.Fatal(err)
	}
	r.Replace(data)
	r.is("b", 7).cast("x").advance(5) // not entered, nothing retried or cancelled
	r.cast("back").happened("enter a a", "a cast p", "a cast set", "b cast x", "b state_timeout t", "b cast back", "enter a b", "a cast p")
}

func TestM13NoAutomaticReplies(t *testing.T) {
	r := newRig(t, nil)
	var froms []statemachine.From
	r.run(machine{
		Init: func(*effects) (string, int, error) { return "a", 0, nil },
		HandleEvent: func(ev event, s string, d int, fx *effects) (string, int) {
			froms = append(froms, ev.From)
			switch {
			case s == "a" && ev.Type == genstatem.Call:
				fx.Postpone()
			case s == "a":
				return "b", d
			case ev.Content == "insert":
				fx.NextEvent(genstatem.Call, "inserted")
			default:
				fx.Reply(ev.From, ev.Content)
			}
			return s, d
		},
		Event: codec.Of[string](), Reply: codec.Of[string](),
	})
	r.start()
	r.call("postponed")
	r.happened()
	r.cast("go").happened("reply 1 postponed")
	r.call("insert")
	r.happened("reply 2 inserted")
	want := []statemachine.From{1, 0, 1, 2, 2}
	for i, from := range froms {
		if from != want[i] {
			t.Errorf("the events are from %v, want %v", froms, want)
			break
		}
	}
}

func TestM14TheLastOneWins(t *testing.T) {
	r := newRig(t, table{
		"a set": all(set(inState, 9, "first"), set(generic, 1, "n"), set(inState, 2, "last")),
		"a two": all(postpone, postpone, next("b")),
	}).start()
	r.cast("set").advance(20).happened("a cast set", "a timeout:n n", "a state_timeout last")
	r.cast("two").happened("a cast two", "b cast two")
	// OTP 25 loses this one.
	r = newRig(t, table{"a zero": all(set(inState, 0, "now"), insert("i")), "a i": set(inState, 3, "later")}).start()
	r.cast("zero").advance(3).happened("a cast zero", "a internal i", "a state_timeout later")
}
