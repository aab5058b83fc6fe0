package genevent_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/genevent"
	"github.com/lineshaft/lineshaft/statemachine"
)

// The rules are those of OTP's gen_event that conformance/event compares by
// playing; here each has its words.

// The newest handler is the first: for events, which_handlers and the end.
func TestE1NewestHandlerFirst(t *testing.T) {
	r := run(t, config())
	r.add(add("a"), add("b"), add("c"))
	r.has("c", "b", "a")
	r.notify("x")
	r.hears("event c x", "event b x", "event a x")
	r.call(genevent.Stop[string]{})
	r.hears("terminate c stop", "exited c stop", "terminate b stop", "exited b stop", "terminate a stop", "exited a stop")
}

// An Init that fails says why, and nothing is added; the same id twice is
// accepted, and both run.
func TestE2AddHandler(t *testing.T) {
	r := run(t, config())
	out := r.call(talk.Add("a", "fail"))
	if err := out.Err(); !errors.Is(err, genevent.ErrRefused) || !strings.HasSuffix(err.Error(), ": not today") {
		t.Errorf("an Init that returns an error: %v", err)
	}
	out = r.call(talk.Add("a", "crash"))
	if err := out.Err(); !errors.Is(err, genevent.ErrExit) || !strings.HasSuffix(err.Error(), ": boom") {
		t.Errorf("an Init that panics: %v", err)
	}
	r.has()
	r.hears() // not even what they said before they failed
	r.add(add("a"), add("a"))
	r.has("a", "a")
	r.notify("x")
	r.hears("event a x", "event a x")
}

// Notify and SyncNotify give the event to all; SyncNotify says so.
func TestE3NotifyAndSyncNotify(t *testing.T) {
	r := run(t, config())
	r.add(add("a"))
	if out := r.call(genevent.SyncNotify[string]{Event: "x"}); out != (genevent.Ok{}) {
		t.Errorf("SyncNotify: %v", out)
	}
	r.notify("y")
	r.hears("event a x", "event a y")
}

// A handler that goes takes nobody with it: the others see the same event.
func TestE4OnlyThatHandlerGoes(t *testing.T) {
	r := run(t, config())
	r.add(add("a"), add("b"), add("c"), add("d"))
	r.notify("remove c")
	r.hears("event d remove c", "event c remove c", "terminate c remove_handler", "exited c remove_handler",
		"event b remove c", "event a remove c")
	r.notify("crash b")
	r.hears("event d crash b", "terminate b error boom", "report m crashed in event of t/b: boom", "exited b error m crashed in event of t/b: boom", "event a crash b")
	r.has("d", "a")
	r.notify("swap d")
	r.hears("event d swap d", "terminate d swap_handler farewell", `exited d swap_handler new n client ""`,
		"init n new after: d saw 3", "event a swap d")
	r.has("n", "a")
}

// A handler that crashes ends with the state that it had before.
func TestE4CrashKeepsTheStateBefore(t *testing.T) {
	var last talker
	k := *talk
	k.Terminate = func(_ genevent.Why, s talker, _ *statemachine.Fx) string { last = s; return "" }
	c := config()
	c.Kinds = []genevent.AnyKind[string]{&k}
	r := run(t, c)
	r.add(k.Add("a", ""))
	r.notify("x")
	r.notify("crash a")
	if last.N != 1 {
		t.Errorf("Terminate is told of %d events, not of the one before", last.N)
	}
	r.add(k.Add("b", ""))
	r.notify("remove b")
	if last.N != 1 {
		t.Errorf("after Remove, Terminate is told of %d events, not of that one", last.N)
	}
}

// Of several wishes to go the last one counts.
func TestE4LastWish(t *testing.T) {
	r := run(t, config())
	r.add(add("a"))
	r.notify("swapremove a")
	r.has()
}

// Of a long text a part is kept.
func TestE4LongReason(t *testing.T) {
	k := &genevent.Kind[string, int, none, none, none]{Name: "k"}
	k.Init = func(genevent.Start[none]) (int, error) { panic(strings.Repeat("x", 1023) + "äää") }
	c := config()
	c.Kinds = []genevent.AnyKind[string]{k}
	out := run(t, c).call(k.Add("", none{}))
	if got := out.(genevent.Failed).Detail; got != strings.Repeat("x", 1023)+"…" {
		t.Errorf("the detail is %q", got)
	}
}

// DeleteHandler answers what Terminate returns.
func TestE5DeleteHandler(t *testing.T) {
	r := run(t, config())
	r.add(add("a"), add("bad"))
	r.notify("x")
	r.said = nil
	del := func(id string) input { return genevent.DeleteHandler[string]{Handler: talk.Handler(id), Args: "go"} }
	r.answers(del("a"), "a saw 1", nil)
	r.hears("terminate a delete_handler go", "exited a delete_handler")
	r.answers(del("bad"), "", genevent.ErrExit)
	r.has()
	r.answers(del("a"), "", genevent.ErrModuleNotFound)
}

// Call asks one handler; one that panics goes, and the caller is told.
func TestE6Call(t *testing.T) {
	r := run(t, config())
	r.answers(talk.Call("a", "?"), "", genevent.ErrBadModule)
	r.add(add("a"), add("b"))
	r.notify("x")
	r.answers(talk.Call("a", "?"), "n=1", nil)
	r.answers(talk.Call("a", "crash a"), "", genevent.ErrExit)
	r.has("b")
	r.answers(talk.Call("a", "?"), "", genevent.ErrBadModule)
}

// The client of a handler that goes can be told; if the client ends, only its
// handlers go.
func TestE7SupervisedHandlers(t *testing.T) {
	r := run(t, config())
	r.call(sup("p", "a"))
	r.hears("monitor p", "init a")
	r.add(add("b"), sup("q", "c"), sup("p", "d"), sup("p", "e"))
	r.notify("crash e")
	r.hears("terminate e error boom", "report m crashed in event of t/e: boom", "exited e error client p m crashed in event of t/e: boom",
		"event d crash e", "event c crash e", "event b crash e", "event a crash e")
	r.message(statemachine.MonitorDown{Name: "p", Reason: statemachine.Crash(errors.New("oops"))})
	r.hears("terminate d client_exit crash: oops", "exited d client_exit client p",
		"terminate a client_exit crash: oops", "exited a client_exit client p",
		"info c statemachine.MonitorDown", "info b statemachine.MonitorDown")
	r.has("c", "b")
}

// A monitor on a name that no process can have is no client's.
func TestE7NobodysEnd(t *testing.T) {
	r := run(t, config())
	r.add(add("a"))
	r.message(statemachine.MonitorDown{})
	r.has("a")
}

// Swap gives the new handler what the old one's Terminate returned.
func TestE8SwapHandler(t *testing.T) {
	r := run(t, config())
	swap := func(old string, by genevent.AddHandler[string]) error {
		return r.call(genevent.SwapHandler[string]{Handler: talk.Handler(old), Args: "go", New: by}).Err()
	}
	r.add(add("a"), add("b"))
	r.notify("x")
	r.said = nil
	if err := swap("a", talk.Add("c", "new")); err != nil {
		t.Error(err)
	}
	r.hears("terminate a swap_handler go", `exited a swap_handler new c client ""`, "init c new after: a saw 1")
	r.has("c", "b") // the new one is the newest
	if err := swap("a", talk.Add("d", "new")); err != nil {
		t.Error(err)
	}
	r.hears("init d new after: module_not_found")
	if err := swap("b", talk.Add("e", "fail")); !errors.Is(err, genevent.ErrRefused) {
		t.Error(err)
	}
	r.has("d", "c") // both are gone
}

// A handler's own Swap keeps its place, and the new one does not see the event.
func TestE8SwapInPlace(t *testing.T) {
	r := run(t, config())
	r.add(add("a"), sup("p", "b"), add("c"))
	r.notify("swap b")
	r.hears("event c swap b", "event b swap b", "terminate b swap_handler farewell",
		`exited b swap_handler client p new n client "p"`, "init n new after: b saw 1", "event a swap b")
	r.has("c", "n", "a")
	r.notify("swapfail c")
	r.hears("event c swapfail c", "terminate c swap_handler farewell", `exited c swap_handler new n client ""`,
		"report m crashed in init of t/n: not today", "exited n error m crashed in init of t/n: not today",
		"event n swapfail c", "event a swapfail c")
	r.has("n", "a")
}

// Stop ends all handlers, and then the manager.
func TestE9Stop(t *testing.T) {
	r := run(t, config())
	r.add(sup("p", "a"))
	reason := statemachine.Crash(errors.New("enough"))
	if out := r.call(genevent.Stop[string]{Reason: reason}); out != (genevent.Ok{}) {
		t.Errorf("Stop: %v", out)
	}
	r.hears("terminate a stop", "exited a stop client p")
	if exit := r.moment.Exit(); exit == nil || exit.Reason != reason || exit.NoReply {
		t.Errorf("the manager ends so: %+v", exit)
	}
}

// A manager that is ended from outside ends its handlers too.
func TestE9EndFromOutside(t *testing.T) {
	var ended []string
	k := *talk
	k.Terminate = func(why genevent.Why, s talker, fx *statemachine.Fx) string {
		ended = append(ended, s.ID+" "+string(why.Cause))
		say(fx, "this reaches nobody")
		if fx.Self() != "m" {
			t.Errorf("fx is of %q", fx.Self())
		}
		panic("not even this hinders")
	}
	c := config()
	c.Kinds = []genevent.AnyKind[string]{&k}
	r := run(t, c)
	r.add(k.Add("a", ""), k.Add("b", ""))
	if crash := r.process.Terminator(statemachine.Shutdown)(); crash != nil {
		t.Error(crash)
	}
	if strings.Join(ended, ", ") != "b stop, a stop" {
		t.Errorf("ended: %q", ended)
	}
}

// Other messages are for every handler.
func TestE10OtherMessages(t *testing.T) {
	r := run(t, config())
	r.add(add("a"), add("b"), add("c"))
	r.message(statemachine.Timeout{Timer: "remove b"})
	r.hears("info c statemachine.Timeout", "info b statemachine.Timeout", "terminate b remove_handler", "exited b remove_handler",
		"info a statemachine.Timeout")
	r.has("c", "a")
}

// The client is monitored also if Init fails: its end is then told to all.
func TestR2MonitoredThoughInitFailed(t *testing.T) {
	r := run(t, config())
	r.add(add("a"))
	r.call(talk.AddSup("p", "b", "crash"))
	r.hears("monitor p")
	r.message(statemachine.MonitorDown{Name: "p"})
	r.hears("info a statemachine.MonitorDown")
}

// Operations by name mean the newest of that name, and then the one before.
func TestR3NewestOfAName(t *testing.T) {
	r := run(t, config())
	r.add(add("a"))
	r.notify("x")
	r.add(add("a"))
	r.answers(talk.Call("a", "?"), "n=0", nil)
	r.answers(genevent.DeleteHandler[string]{Handler: talk.Handler("a")}, "a saw 0", nil)
	r.answers(talk.Call("a", "?"), "n=1", nil)
}

// SwapHandler keeps the client, unless it names another.
func TestR5SwapKeepsTheClient(t *testing.T) {
	r := run(t, config())
	r.add(sup("p", "a"))
	r.call(genevent.SwapHandler[string]{Handler: talk.Handler("a"), New: add("b")})
	r.hears("terminate a swap_handler", `exited a swap_handler client p new b client "p"`, "monitor p", "init b after: a saw 0")
	r.call(genevent.SwapHandler[string]{Handler: talk.Handler("b"), New: sup("q", "c")})
	r.hears("terminate b swap_handler", `exited b swap_handler client p new c client "q"`, "monitor q", "init c after: b saw 0")
}

// A panic in Terminate changes nothing but what it answers.
func TestR6BadEnd(t *testing.T) {
	r := run(t, config())
	r.add(add("bad"))
	r.call(genevent.SwapHandler[string]{Handler: talk.Handler("bad"), New: add("b")})
	r.hears(`exited bad swap_handler new b client ""`, "init b after: exit: a bad end")
	r.has("b")
}

// A call that makes its handler go still has its reply.
func TestR7ReplyOfOneThatGoes(t *testing.T) {
	r := run(t, config())
	r.add(add("a"), add("b"))
	r.answers(talk.Call("a", "remove a"), "n=0", nil)
	r.answers(talk.Call("b", "swap b"), "n=0", nil)
	r.has("n")
}
