package statem

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/genstatem"
	"github.com/lineshaft/lineshaft/statemachine"
)

// The types of the machines that are given as tables.
type (
	// content is that of all events; Caller labels who has called.
	content struct {
		Event  string `json:"event"`
		Caller string `json:"caller,omitempty"`
	}
	// data is a number, the callers that are held, and how many callbacks may
	// still follow a rule.
	data struct {
		D    int    `json:"d"`
		Fuel int    `json:"fuel"`
		Held []held `json:"held"`
	}
	held struct {
		Caller string            `json:"caller"`
		From   statemachine.From `json:"from"`
	}

	event   = genstatem.Event[content]
	effects = genstatem.Effects[content, string]
	state   = genstatem.State[string, data, content]
)

// Reasons and panics of the scenarios.
var (
	errWhy            = errors.New("why") // {shutdown, why}
	errNormal         = errors.New("normal")
	errShutdown       = errors.New("shutdown")
	errOops           = errors.New("oops")
	errBoom           = errors.New("boom")
	errTermBoom       = errors.New("term_boom")
	errBadInit        = errors.New("bad_return_from_init")
	errBadEnterReturn = errors.New("bad_state_enter_return_from_state_function")
)

// reason returns the reason that a scenario calls word.
func reason(word string) statemachine.Reason {
	switch word {
	case "normal":
		return statemachine.Normal
	case "shutdown":
		return statemachine.Shutdown
	case "shutdown_t":
		return statemachine.ShutdownWith(errWhy)
	case "crash":
		return statemachine.Crash(errOops)
	}
	panic(fmt.Sprintf("%q is no reason", word))
}

// why returns a trace's word for a reason.
func why(r statemachine.Reason) string {
	if r.Class != statemachine.ClassCrash {
		return r.Class.String()
	}
	return whyError(r.Detail)
}

func whyError(err error) string {
	if crash, ok := errors.AsType[*statemachine.CrashError](err); ok && crash.Unwrap() != nil {
		err = crash.Unwrap()
	}
	words := map[error]string{
		errWhy: "shutdown_t", errNormal: "normal", errShutdown: "shutdown", errOops: "crash", errBoom: "boom", errTermBoom: "term_boom", errBadInit: "bad_init",
		errBadEnterReturn: "bad_enter_return", genstatem.ErrBadReturn: "bad_return", genstatem.ErrBadAction: "bad_action",
		genstatem.ErrBadEnterAction: "bad_enter_action", genstatem.ErrBadReplyAction: "bad_reply_action",
	}
	for known, word := range words {
		if errors.Is(err, known) || err.Error() == known.Error() { // a message has but the text
			return word
		}
	}
	return err.Error()
}

// tables plays a scenario's machine. Its callbacks are not pure: they write the
// trace.
type tables struct {
	s     *Scenario
	trace *trace

	begin func(*effects)                     // what Init is to ask for, if anything
	inbox func(statemachine.Message) content // messages that only a world knows
}

func (t *tables) machine() *statemachine.Machine[state, content, string] {
	m := genstatem.Machine[string, data, content, string]{
		Init:      t.init,
		Message:   t.message,
		Terminate: t.terminate,
		Event:     codec.Of[content](),
		Reply:     codec.Of[string](),
		State:     codec.Of[string](),
		Data:      codec.Of[data](),
	}
	if t.s.Machine["mode"] == "state_functions" {
		m.States = map[string]genstatem.Callback[string, data, content, string]{}
		for _, s := range []string{"a", "b", "c", "d", "e", "f"} {
			m.States[s] = t.handle
		}
	} else {
		m.HandleEvent = t.handle
	}
	if t.s.Machine["enter"] == "true" {
		m.Enter = t.enter
	}
	return genstatem.New(m)
}

// message makes an info event of a message: see world.info.
func (t *tables) message(m statemachine.Message) content {
	switch m := m.(type) {
	case statemachine.MonitorDown:
		return content{Event: string(m.Name)}
	case statemachine.Exit:
		return content{Event: "exit:" + why(m.Reason)}
	}
	return t.inbox(m)
}

func (t *tables) init(fx *effects) (string, data, error) {
	fx.TrapExits(t.s.Machine["trap"] != "false")
	if t.begin != nil {
		t.begin(fx)
	}
	d := data{Fuel: 100}
	if n, ok := t.s.Machine["fuel"]; ok {
		d.Fuel, _ = strconv.Atoi(n)
	}
	result := t.s.Init.Result
	if len(result) == 0 {
		result = []string{"ok", "a"}
	}
	if result[0] != "ok" {
		t.trace.line("init %s", result[0])
	}
	switch result[0] {
	case "ok":
		d = d.change(result[2:])
		t.trace.line("init %s d=%d", result[1], d.D)
		t.actions(t.s.Init.Actions, event{}, false, d, fx)
		return result[1], d, nil
	case "ignore":
		return "", d, statemachine.ErrIgnore
	case "crash":
		panic(errBoom)
	case "badret":
		return "", d, errBadInit
	}
	if r := reason(result[1]); r.Detail != nil {
		return "", d, r.Detail
	}
	return "", d, map[string]error{"normal": errNormal, "shutdown": errShutdown}[result[1]]
}

func (t *tables) handle(ev event, s string, d data, fx *effects) (string, data) {
	typ := string(ev.Type)
	if ev.Type == genstatem.Call {
		typ += ":" + ev.Content.Caller
	}
	t.trace.line("event %s %s %s d=%d", s, typ, ev.Content.Event, d.D)
	t.trace.arrived(ev)
	a, d := t.find(false, s, string(ev.Type), ev.Content.Event, d)
	return t.answer(a, ev, false, s, d, fx)
}

func (t *tables) enter(old, s string, d data, fx *effects) data {
	t.trace.line("enter %s %s d=%d", s, old, d.D)
	a, d := t.find(true, s, "", old, d)
	_, d = t.answer(a, event{}, true, s, d, fx)
	return d
}

func (t *tables) terminate(_ statemachine.Name, s string, d data, r statemachine.Reason) {
	t.trace.line("terminate %s %s d=%d", why(r), s, d.D)
	if t.s.Machine["term"] == "crash" {
		panic(errTermBoom)
	}
}

// find returns what the table says, nil for nothing, and the data with less fuel.
func (t *tables) find(enter bool, s, typ, what string, d data) (*Answer, data) {
	if d.Fuel == 0 {
		return nil, d
	}
	d.Fuel--
	return t.s.find(enter, s, typ, what, d.D), d
}

// answer returns what the table says that a callback returns. What Go's types
// exclude is played as a Stop, since that tells Terminate what is returned.
func (t *tables) answer(a *Answer, ev event, enter bool, s string, d data, fx *effects) (string, data) {
	if a == nil {
		return s, d
	}
	result := a.Result
	if result[0] == "throw" {
		result = result[1:]
	}
	kind, args := result[0], result[1:]
	next := s
	if len(args) > 0 && (kind == "next" || !strings.HasPrefix(args[0], "d")) {
		next, args = args[0], args[1:]
	}
	switch kind {
	case "keep", "next", "repeat":
		if enter && next != s && kind == "next" {
			fx.Stop(statemachine.Crash(errBadEnterReturn))
			return s, d
		}
		if kind == "repeat" {
			fx.Repeat()
		}
		return next, t.actions(a.Actions, ev, enter, d, fx).change(args)
	case "stop":
		if len(result) == 1 {
			fx.Stop(statemachine.Normal)
			return s, d
		}
		fx.Stop(reason(next))
		return s, d.change(args)
	case "stop_reply":
		fx.Stop(reason(next))
		return s, t.actions(replies(a.Actions), ev, enter, d, fx).change(args)
	case "crash":
		panic(errBoom)
	case "exit":
		panic(reason(next))
	case "badret":
		if !enter && t.s.Machine["mode"] == "state_functions" {
			return "nowhere", d.change([]string{"d+"})
		}
		fx.Stop(statemachine.Crash(genstatem.ErrBadReturn))
		return s, d
	}
	panic(fmt.Sprintf("%q is no result", kind))
}

// replies returns those of the actions that a stop_reply uses.
func replies(actions [][]string) [][]string {
	used := []string{"hold", "reply", "free", "badaction"}
	return slices.DeleteFunc(slices.Clone(actions), func(a []string) bool { return !slices.Contains(used, a[0]) })
}

// change returns the data as the words say that it becomes.
func (d data) change(words []string) data {
	if len(words) == 0 {
		return d
	}
	if n, ok := strings.CutPrefix(words[0], "d="); ok {
		d.D, _ = strconv.Atoi(n)
	} else {
		d.D++
	}
	return d
}

// actions asks for the actions, and returns the data with those who are held now.
func (t *tables) actions(actions [][]string, ev event, enter bool, d data, fx *effects) data {
	call := ev.Type == genstatem.Call
	for i, a := range actions {
		switch {
		case a[0] == "reply" && call:
			t.reply(held{ev.Content.Caller, ev.From}, a[1], fx)
		case a[0] == "hold" && call:
			d.Held = append(slices.Clip(d.Held), held{ev.Content.Caller, ev.From})
		case a[0] == "free" && len(d.Held) > 0:
			t.reply(d.Held[0], a[1], fx)
			d.Held = d.Held[1:]
		case a[0] == "event" && a[1] == "call" && call:
			fx.NextEvent(genstatem.Call, content{a[2], ev.Content.Caller})
		case a[0] == "event" && a[1] != "call":
			fx.NextEvent(genstatem.EventType(a[1]), content{Event: a[2]})
		case a[0] == "postpone":
			t.trace.postponed[string(ev.Type)] = true
			t.postpone(a, actions[i+1:], enter, fx)
		case a[0] == "badaction":
			badAction(fx)
		case a[0] == "bare":
			t.timeout([]string{"timeout", a[1], a[1]}, fx)
		case strings.HasPrefix(a[0], "timeout") || a[0] == "state_timeout":
			t.timeout(a, fx)
		}
	}
	if len(d.Held) == 0 {
		d.Held = nil
	}
	return d
}

func (t *tables) reply(to held, r string, fx *effects) {
	t.trace.replies(to.Caller, r)
	fx.Reply(to.From, r)
}

func badAction(fx *effects) { fx.SetTimeout(genstatem.StateTimeout, -1, content{}) }

// postpone plays one of several postpone actions. OTP has a false one, which
// takes it back; and another name for a true one in an enter call.
func (t *tables) postpone(a []string, later [][]string, enter bool, fx *effects) {
	again := slices.ContainsFunc(later, func(a []string) bool { return a[0] == "postpone" })
	switch yes := len(a) == 1 || a[1] == "true"; {
	case !yes || again && !enter:
	case enter && len(a) == 2:
		badAction(fx)
	default:
		fx.Postpone()
	}
}

func (t *tables) timeout(a []string, fx *effects) {
	typ := genstatem.EventType(a[0])
	switch a[1] {
	case "cancel":
		fx.CancelTimeout(typ)
	case "update":
		fx.UpdateTimeout(typ, content{Event: a[2]})
	case "infinity":
		fx.SetTimeout(typ, genstatem.Infinity, content{Event: a[2]})
	default:
		ms, err := strconv.Atoi(a[1])
		if err != nil {
			panic(fmt.Sprintf("%q is no time", a[1]))
		}
		fx.SetTimeout(typ, time.Duration(ms)*time.Millisecond, content{Event: a[2]})
	}
	t.trace.sets(a)
}
