package statem

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Generate returns the random scenario of a seed, always the same. All results,
// actions, kinds of timeouts and operations occur. It keeps clear of what Check
// refuses, and of most machines that run out of fuel.
func Generate(seed uint64) Scenario {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0x67656e73746174))}
	for {
		g.Scenario = Scenario{Name: fmt.Sprintf("r%d", seed), Machine: map[string]string{}}
		g.draw()
		g.machine()
		g.rules()
		if g.play() {
			return g.Scenario
		}
	}
}

// Check reports what keeps the scenario from being one whose trace OTP's rules
// decide:
//
//   - two timers that fire at one instant;
//   - a timeout that waits without time, and may be set to some by an event that
//     comes before it: OTP 25 loses it;
//   - without trap: an exit signal among other operations of a batch, a normal
//     one of the parent.
func (s Scenario) Check() error {
	for _, op := range s.Ops {
		switch {
		case s.Machine["trap"] != "false":
		case strings.HasPrefix(op, "batch ") && strings.Contains(op, "stranger_exit"):
			return fmt.Errorf("%s: the exit overtakes what was sent before", op)
		case op == "parent_exit normal":
			return fmt.Errorf("%s: it has no effect", op)
		}
	}
	if _, valid := play(&s, false); !valid {
		return fmt.Errorf("%s: two timers at once, or a timeout that OTP 25 may lose", s.Name)
	}
	return nil
}

// generator is a scenario being drawn.
type generator struct {
	*rand.Rand
	Scenario
	player *player

	states   []string
	messages []string // what comes from outside
	inserted []string // what the machine inserts: of an event, only later ones
	carried  []string // what timeouts carry

	// The chances that an answer changes the state, that it goes wrong, and that
	// an action is a timeout, one that takes time, an inserted event, or postpone.
	changes, faults                     float64
	timeouts, timed, inserts, postpones float64
	enter                               bool
}

func (g *generator) chance(p float64) bool { return g.Float64() < p }

func (g *generator) pick(words ...string) string { return words[g.IntN(len(words))] }

func (g *generator) number(from, to int) string { return strconv.Itoa(from + g.IntN(to-from+1)) }

// words returns prefix1, prefix2 and so on, at least two.
func (g *generator) words(prefix string, most int) (all []string) {
	for i := range 2 + g.IntN(most-1) {
		all = append(all, prefix+strconv.Itoa(i+1))
	}
	return all
}

// draw decides what the scenario is about.
func (g *generator) draw() {
	g.states = []string{"a", "b", "c", "d", "e", "f"}[:2+g.IntN(3)+g.IntN(3)]
	g.messages, g.inserted, g.carried = g.words("e", 5), g.words("i", 4), g.words("t", 4)
	g.changes, g.faults = 0.4, 0.01
	g.timeouts, g.timed, g.inserts, g.postpones = 0.35, 0.05, 0.25, 0.15
	g.enter = g.chance(0.4)
	switch g.pick("plain", "postpone", "insert", "zero", "enter", "faulty", "time", "time") {
	case "postpone":
		g.changes, g.postpones, g.timeouts = 0.55, 0.5, 0.15
	case "insert":
		g.inserts = 0.6
	case "zero":
		g.timeouts, g.timed = 0.7, 0
	case "enter":
		g.enter, g.changes = true, 0.6
	case "faulty":
		g.enter, g.faults = g.chance(0.75), 0.2
	case "time":
		g.timeouts, g.timed = 0.75, 0.8
	}
}

func (g *generator) machine() {
	if g.enter {
		g.Machine["enter"] = "true"
	}
	sometimes := func(p float64, key, value string) {
		if g.chance(p) {
			g.Machine[key] = value
		}
	}
	sometimes(0.5, "mode", "state_functions")
	sometimes(0.1, "trap", "false")
	sometimes(0.06, "term", g.pick("crash", "throw"))
	sometimes(0.03, "fuel", g.number(3, 12))
	g.Init = Answer{Result: []string{"ok", g.pick(g.states...)}}
	switch {
	case g.chance(0.03):
		g.Init.Result = strings.Fields(g.pick("stop normal", "stop crash", "stop shutdown", "stop shutdown_t", "ignore", "crash", "badret"))
		return
	case g.chance(0.3):
		g.Init.Result = append(g.Init.Result, "d="+g.number(0, 2))
	}
	for range max(0, g.IntN(6)-2) {
		g.Init.Actions = append(g.Init.Actions, g.action("init", "", false))
	}
}

func (g *generator) rules() {
	add := func(p float64, state, typ, what string) {
		if g.chance(p) {
			g.Rules = append(g.Rules, g.rule(false, state, typ, what))
		}
	}
	for _, s := range g.states {
		for _, e := range g.messages {
			add(0.75, s, g.pick("call", "call", "cast", "info", "*"), e)
		}
		for _, i := range g.inserted {
			add(0.6, s, g.pick("internal", "*", "*"), i)
		}
		for _, c := range g.carried {
			add(0.6, s, g.pick("state_timeout", "timeout", "timeout:n", "timeout:m", "timeout:*", "*"), c)
		}
	}
	add(0.3, g.pick(g.states...), "timeout", "0")
	add(0.5, "*", "*", g.pick(slices.Concat(g.messages, g.inserted, g.carried)...))
	add(0.2, g.pick(append(g.states, "*")...), g.pick("info", "cast", "call", "*"), "*")
	if !g.enter {
		return
	}
	for _, s := range g.states {
		for g.chance(0.6) {
			g.Rules = append(g.Rules, g.rule(true, s, "", g.pick(append(g.states, "*", "*", "*")...)))
		}
	}
	if g.chance(0.2) {
		again := Rule{Enter: true, State: g.pick(g.states...), Content: "*", Cond: "d<2", Answer: Answer{Result: []string{"repeat", "d+"}}}
		g.Rules = slices.Insert(g.Rules, g.IntN(len(g.Rules)+1), again)
	}
}

func (g *generator) rule(enter bool, state, typ, what string) Rule {
	r := Rule{Enter: enter, State: state, Type: typ, Content: what}
	if g.chance(0.15) {
		r.Cond = g.pick("d<2", "d<3", "d>=1", "d>=2", "d=0", "d=1")
	}
	result := g.result(enter)
	r.Answer.Result = strings.Fields(result)
	kind := r.Answer.Result[0]
	ends := slices.Contains([]string{"stop", "crash", "exit", "badret"}, kind)
	if enter && ends && r.Cond == "" && g.chance(0.7) {
		r.Cond = g.pick("d>=1", "d>=2") // not at once
	}
	switch {
	case ends:
	case typ == "call" && !enter && g.chance(g.faults/2+0.01):
		r.Answer.Result = append([]string{"stop_reply", g.pick("normal", "shutdown", "crash")}, change(g)...)
		for range g.IntN(4) {
			r.Answer.Actions = append(r.Answer.Actions, strings.Fields(g.pick("reply r1", "reply r2", "free f1", "free f2", "hold")))
		}
		if g.chance(0.1) {
			r.Answer.Actions = append(r.Answer.Actions, []string{"badaction"})
		}
	default:
		for range []int{0, 1, 1, 1, 2, 2, 3, 4}[g.IntN(8)] {
			r.Answer.Actions = append(r.Answer.Actions, g.action(typ, what, enter))
		}
		if g.chance(g.faults / 4) {
			bad := strings.Fields(g.pick("badaction", "badaction", "postpone", "postpone true", "event internal i1"))
			r.Answer.Actions = slices.Insert(r.Answer.Actions, g.IntN(len(r.Answer.Actions)+1), bad)
		}
	}
	return r
}

// change returns what a result says of the number.
func change(g *generator) []string {
	return strings.Fields(g.pick("", "", "", "d+", "d+", "d="+g.number(0, 3)))
}

func (g *generator) result(enter bool) string {
	with := func(result string) string { return strings.Join(append([]string{result}, change(g)...), " ") }
	state := g.pick(g.states...)
	switch x := g.Float64(); {
	case g.chance(g.faults):
		faults := []string{"stop", "stop normal", "stop shutdown d+", "stop shutdown_t", "stop crash d=7", "crash", "exit crash",
			"exit shutdown", "badret", "throw stop normal", "throw keep d+", "next " + state, "throw next " + state + " d+"}
		return g.pick(faults...)
	case enter:
		return with("keep")
	case x < g.changes:
		return with("next " + state)
	case x < g.changes+0.07:
		return with("repeat")
	}
	return with("keep")
}

// action returns one for a callback that gets an event of that type and content.
func (g *generator) action(typ, what string, enter bool) []string {
	later := g.inserted
	if i := slices.Index(g.inserted, what); i >= 0 && g.chance(0.95) {
		later = g.inserted[i+1:]
	}
	action := ""
	switch x := g.Float64(); {
	case typ == "call" && g.chance(0.5):
		action = g.pick("reply r"+g.number(1, 9), "reply r"+g.number(1, 9), "reply r0", "hold")
	case x < g.timeouts:
		return g.timeout()
	case x < g.timeouts+0.08:
		action = "free f" + g.number(1, 9)
	case enter:
		return g.timeout()
	case x < g.timeouts+0.08+g.inserts && len(later) > 0:
		types := []string{"internal", "internal", "cast", "info", "state_timeout", "timeout", "timeout:n", "timeout:m"}
		if typ == "call" {
			types = append(types, "call", "call")
		}
		action = "event " + g.pick(types...) + " " + g.pick(later...)
	case g.chance(g.postpones / 0.5):
		action = g.pick("postpone", "postpone", "postpone", "postpone", "postpone true", "postpone false")
	case g.chance(0.1):
		action = "hibernate"
	default:
		return g.timeout()
	}
	return strings.Fields(action)
}

func (g *generator) timeout() []string {
	kind := g.pick("state_timeout", "state_timeout", "timeout", "timeout", "timeout:n", "timeout:n", "timeout:m")
	content := g.pick(g.carried...)
	switch x := g.Float64(); {
	case x < 0.07:
		return []string{kind, "cancel"}
	case x < 0.11:
		return []string{kind, "infinity", content}
	case x < 0.22:
		return []string{kind, "update", content}
	case g.chance(g.timed):
		return []string{kind, g.number(1, 40) + g.number(0, 9), content} // up to 409 ms
	case g.chance(0.05):
		return []string{"bare", "0"}
	}
	return []string{kind, "0", content}
}
