package genevent_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/genevent"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/statemachine/machinetest"
)

// Every input has its form, in both formats.
func TestInputs(t *testing.T) {
	disk := Counter.Add("disks", Limits{"disk", 2})
	for want, in := range map[string]Input{
		`{"notify":{"raised":{"alarm":"disk"}}}`:                                         genevent.Notify[Event]{Event: Raised{"disk"}},
		`{"sync_notify":{"cleared":{"alarm":"disk"}}}`:                                   genevent.SyncNotify[Event]{Event: Cleared{"disk"}},
		`{"add_handler":{"kind":"counter","id":"disks","args":{"only":"disk","max":2}}}`: disk,
		`{"add_handler":{"kind":"active","args":{},"client":"desk"}}`:                    Active.AddSup("desk", "", none{}),
		`{"delete_handler":{"kind":"active","args":"why"}}`:                              genevent.DeleteHandler[Event]{Handler: Active.Handler(""), Args: "why"},
		`{"swap_handler":{"kind":"active","id":"x","args":"","new":{"kind":"counter","id":"disks","args":{"only":"disk","max":2}}}}`: genevent.SwapHandler[Event]{
			Handler: Active.Handler("x"), New: disk},
		`{"call":{"kind":"counter","id":"disks","query":{}}}`: Counter.Call("disks", none{}),
		`{"which_handlers":{}}`:                               genevent.WhichHandlers[Event]{},
		`{"stop":{"reason":"shutdown"}}`:                      genevent.Stop[Event]{Reason: statemachine.Shutdown},
		`{"stop":{"reason":"crash","detail":"x"}}`:            genevent.Stop[Event]{Reason: statemachine.Crash(errors.New("x"))},
	} {
		testForms(t, Alarms.Input, in, want)
	}
	if _, err := Alarms.Input.Append(nil, codec.Msgpack, genevent.Info[Event]{}); err == nil {
		t.Error("an Info is encoded")
	}
}

// Every output has its form, in both formats.
func TestOutputs(t *testing.T) {
	step := func(in Input) genevent.Output {
		moment := statemachine.NewMoment(func() int64 { return 1 }, nil)
		p := Alarms.New("alarms", moment).(statemachine.Port[Input, genevent.Output])
		if err := p.Init(); err != nil {
			t.Fatal(err)
		}
		moment.Set(1, 1)
		out, crash := p.StepIn(in)
		if crash != nil {
			t.Fatal(crash)
		}
		return out
	}
	testForms(t, Alarms.Output, step(genevent.SyncNotify[Event]{Event: Raised{"fan"}}), `{"ok":{}}`)
	testForms(t, Alarms.Output, step(Active.Call("", none{})), `{"reply":{"kind":"active","value":null}}`)
	testForms(t, Alarms.Output, step(genevent.WhichHandlers[Event]{}), `{"handlers":{"handlers":[{"kind":"active"}]}}`)
	testForms(t, Alarms.Output, step(Active.Call("x", none{})), `{"error":{"reason":"bad_module"}}`)
	testForms(t, Alarms.Output, step(Counter.Add("x", Limits{})), `{"error":{"reason":"refused","detail":"a maximum of 0"}}`)
}

func testForms[T any](t *testing.T, c codec.Codec[T], v T, want string) {
	t.Helper()
	for _, f := range []codec.Format{codec.JSON, codec.Msgpack} {
		data, err := c.Append(nil, f, v)
		if err != nil || f == codec.JSON && string(data) != want {
			t.Errorf("%+v is encoded as %s, %v, not %s", v, data, err, want)
		}
		if back, err := c.Decode(f, data); err != nil || !reflect.DeepEqual(any(back), any(v)) {
			t.Errorf("%s comes back as %+v, %v, not %+v", f, back, err, v)
		}
	}
}

// What is refused is told with its place.
func TestInputsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"notify":{"raised":{"alarm":7}}}`:                     "at notify.raised.alarm",
		`{"notify":{"risen":{}}}`:                               "at notify: expected one of the tags raised, cleared",
		`{"add_handler":{"kind":"nosuch","args":{}}}`:           `at add_handler.kind: expected one of the kinds active, counter, found "nosuch"`,
		`{"add_handler":{"kind":"counter","args":{"max":"2"}}}`: "at add_handler.args.max",
		`{"add_handler":{"kind":"counter","argument":{}}}`:      "at add_handler",
		`{"swap_handler":{"kind":"active","new":{"kind":"x"}}}`: "at swap_handler.new.kind",
		`{"swap_handler":{"kind":"x","new":{"kind":"active"}}}`: "at swap_handler.kind",
		`{"delete_handler":{"kind":"x"}}`:                       "at delete_handler.kind",
		`{"call":{"kind":"counter","query":{"a":1}}}`:           "at call.query",
		`{"stop":{"reason":"because"}}`:                         `at stop.reason: expected normal, shutdown, shutdown_t, killed or crash, found "because"`,
		`{"info":{}}`:                                           "found the unknown tag",
	} {
		_, err := Alarms.Input.Decode(codec.JSON, []byte(text))
		if refused := new(codec.Error); !errors.As(err, &refused) || refused.Kind != codec.Meaningless || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, which does not say %q", text, err, want)
		}
	}
}

// A manager is a machine like others: pure, and it keeps nothing from its codecs.
func TestMachine(t *testing.T) {
	machinetest.Check(t, Alarms, []Input{
		genevent.Notify[Event]{Event: Raised{"disk"}},
		genevent.SyncNotify[Event]{Event: Cleared{"disk"}},
		Active.Add("", none{}),
		Active.AddSup("desk", "2", none{}),
		Counter.Add("", Limits{"disk", 3}),
		Counter.Add("", Limits{}),
		Active.Call("", none{}),
		Counter.Call("", none{}),
		genevent.DeleteHandler[Event]{Handler: Counter.Handler("")},
		genevent.SwapHandler[Event]{Handler: Active.Handler("2"), New: Counter.Add("", Limits{"fan", 5})},
		genevent.WhichHandlers[Event]{},
	})
}

// A manager goes on with the handlers and states that were saved, and monitors
// their clients anew.
func TestSavedState(t *testing.T) {
	c := config()
	c.Handlers = []genevent.AddHandler[string]{add("first")}
	r := run(t, c)
	r.add(sup("p", "a"), talk.Add("b", ""))
	r.notify("x")
	r.notify("remove first")
	again := restarted(r, c)
	again.hears(`continue "genevent: watch clients"`) // and no Init
	again.message(statemachine.Continue{Tag: "genevent: watch clients"})
	again.hears("monitor p") // and no handler is told
	again.has("b", "a")
	again.answers(talk.Call("a", "?"), "n=2", nil)

	r.call(genevent.Stop[string]{})
	again = restarted(r, c)
	again.hears("init first")
	again.has("first")
}

// restarted returns a manager that begins with what r has saved.
func restarted(r *running, c genevent.Config[string]) *running {
	r.Helper()
	data, err := r.process.Current()(nil)
	if err != nil {
		r.Fatal(err)
	}
	again := prepare(r.T, c)
	if err := again.process.Load(data); err != nil {
		r.Fatal(err)
	}
	again.begin()
	return again
}

// A state with a handler whose kind is not listed any more does not load.
func TestSavedStateOfAnUnknownKind(t *testing.T) {
	r := run(t, config())
	r.add(add("a"))
	data, err := r.process.Current()(nil)
	if err != nil {
		t.Fatal(err)
	}
	other := *talk
	other.Name = "other"
	c := config()
	c.Kinds = []genevent.AnyKind[string]{&other}
	err = prepare(t, c).process.Load(data)
	if err == nil || !strings.Contains(err.Error(), `handlers[0].kind: expected one of the kinds other, found "t"`) {
		t.Errorf("Load: %v", err)
	}
}

// If one of the first handlers does not begin, the manager does not start.
func TestFirstHandlerFails(t *testing.T) {
	c := config()
	c.Handlers = []genevent.AddHandler[string]{add("a"), talk.Add("b", "fail")}
	r := prepare(t, c)
	if err := r.process.Init(); !errors.Is(err, genevent.ErrRefused) || !strings.Contains(err.Error(), "handler t/b: ") {
		t.Errorf("Init: %v", err)
	}
}

// A kind that is interested in nothing is a kind.
func TestEmptyKind(t *testing.T) {
	empty := &genevent.Kind[string, int, none, none, none]{Name: "empty"}
	c := config()
	c.Kinds = []genevent.AnyKind[string]{empty, talk}
	r := run(t, c)
	r.add(empty.Add("", none{}))
	r.notify("x")
	r.message(statemachine.Timeout{})
	if err := r.call(empty.Call("", none{})).Err(); !errors.Is(err, genevent.ErrBadModule) {
		t.Errorf("Call: %v", err)
	}
	if _, err := genevent.Result[none](r.call(genevent.DeleteHandler[string]{Handler: empty.Handler("")})); err != nil {
		t.Errorf("DeleteHandler: %v", err)
	}
}

// What another kind of the same name has made takes nobody else with it.
func TestTwoKindsOfOneName(t *testing.T) {
	twin := &genevent.Kind[string, int, int, int, int]{Name: "t"}
	r := run(t, config())
	r.add(add("a"), add("b"))
	if err := r.call(twin.Add("c", 7)).Err(); !errors.Is(err, genevent.ErrExit) {
		t.Errorf("Add: %v", err)
	}
	if err := r.call(twin.Call("a", 7)).Err(); !errors.Is(err, genevent.ErrExit) {
		t.Errorf("Call: %v", err)
	}
	stranger := &genevent.Kind[string, int, int, int, int]{Name: "stranger"}
	if err := r.call(stranger.Add("c", 7)).Err(); !errors.Is(err, genevent.ErrExit) {
		t.Errorf("Add of a kind that is not listed: %v", err)
	}
	if _, err := genevent.Result[int](r.call(talk.Call("b", "?"))); err == nil {
		t.Error("Result of another type")
	}
	r.has("b")
}

// What is wrong with a Config is a mistake of the program.
func TestNewPanics(t *testing.T) {
	var missing *genevent.Kind[string, int, none, none, none]
	for name, change := range map[string]func(*genevent.Config[string]){
		"no codec": func(c *genevent.Config[string]) { c.Event = nil },
		"no kinds": func(c *genevent.Config[string]) { c.Kinds = nil },
		"nil":      func(c *genevent.Config[string]) { c.Kinds = append(c.Kinds, nil) },
		"nil kind": func(c *genevent.Config[string]) { c.Kinds = append(c.Kinds, missing) },
		"no name": func(c *genevent.Config[string]) {
			c.Kinds = append(c.Kinds, &genevent.Kind[string, int, none, none, none]{})
		},
		"same name": func(c *genevent.Config[string]) { c.Kinds = append(c.Kinds, talk) },
	} {
		func() {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "genevent: ") {
					t.Errorf("%s: New panics with %q", name, text)
				}
			}()
			c := config()
			change(&c)
			genevent.New(c)
		}()
	}
}
