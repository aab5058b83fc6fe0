package event

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Generate returns the random scenario of a seed, always the same, one that
// passes Check. Each operation is drawn when those before it have been played,
// so that it is mostly about handlers that are there.
func Generate(seed uint64) Scenario {
	for again := uint64(0); ; again++ {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 0x6c696e65736861+again))}
		g.Name = fmt.Sprintf("e%d", seed)
		g.draw()
		g.rules()
		g.operations()
		if g.Check() == nil {
			return g.Scenario
		}
	}
}

// generator is a scenario being drawn.
type generator struct {
	*rand.Rand
	Scenario
	p *player // has played the operations so far

	handlers, events, queries, clients []string
	tame                               bool // few handlers go of themselves
}

func (g *generator) chance(p float64) bool { return g.Float64() < p }

func (g *generator) pick(words ...string) string { return words[g.IntN(len(words))] }

// some returns n words of a letter and a number.
func some(letter string, n int) (words []string) {
	for i := range n {
		words = append(words, fmt.Sprint(letter, i+1))
	}
	return words
}

func (g *generator) draw() {
	g.handlers = some("h", 2+g.IntN(5))
	g.events = some("e", 1+g.IntN(4))
	g.queries = some("q", 1+g.IntN(3))
	g.clients = some("p", 1+g.IntN(3))
	g.tame = g.chance(0.4)
}

// rules draws the tables of all handlers.
func (g *generator) rules() {
	for _, h := range g.handlers {
		if g.chance(0.25) {
			g.Defs = append(g.Defs, Def{h, g.pick("ok", "crash", "crash", "throw")})
		}
		for _, e := range g.events {
			if g.chance(0.5) {
				g.rule("event", h, e)
			}
			if g.chance(0.3) {
				g.rule("info", h, e)
			}
		}
		for _, q := range g.queries {
			if g.chance(0.6) {
				g.rule("call", h, q)
			}
		}
		for _, c := range g.clients {
			if g.chance(0.15) {
				g.rule("info", h, "exit:"+c+":"+g.reason())
			}
		}
	}
	if g.chance(0.4) {
		g.rule(g.pick("event", "info", "call"), g.pick("*", g.pick(g.handlers...)), "*")
	}
	g.Shuffle(len(g.Rules), func(i, j int) { g.Rules[i], g.Rules[j] = g.Rules[j], g.Rules[i] })
	if g.chance(0.7) { // what is general comes last: the first that fits counts
		slices.SortStableFunc(g.Rules, func(a, b Rule) int {
			return strings.Count(a.Handler+a.Content, "*") - strings.Count(b.Handler+b.Content, "*")
		})
	}
}

func (g *generator) reason() string { return g.pick("normal", "shutdown", "shutdown_t", "crash") }

func (g *generator) rule(kind, h, content string) {
	r := Rule{Kind: kind, Handler: h, Content: content, Throw: g.chance(0.1)}
	if g.chance(0.25) {
		r.Cond = g.pick("d<", "d>=", "d=") + fmt.Sprint(g.IntN(4))
	}
	stays := 0.4
	if g.tame {
		stays = 0.85
	}
	var change []string
	if g.chance(0.6) {
		change = []string{g.pick("d+", "d+", fmt.Sprint("d=", g.IntN(5)))}
	}
	var reply []string
	if kind == "call" {
		reply = []string{g.pick("yes", "no", "r")}
	}
	word := map[bool]string{true: "reply", false: "ok"}[kind == "call"]
	switch x := g.Float64(); {
	case x < stays:
		r.Result = slices.Concat([]string{g.pick(word, word, word, "hibernate")}, reply, change)
	case x < stays+0.2*(1-stays):
		r.Result = slices.Concat([]string{"remove"}, reply)
	case x < stays+0.55*(1-stays):
		r.Result = slices.Concat([]string{"swap"}, reply, []string{g.pick("t", "u"), g.pick(g.handlers...), g.pick("i", "j")}, change)
	case x < stays+0.7*(1-stays):
		r.Result = []string{"badret"}
	case x < stays+0.85*(1-stays):
		r.Result, r.Throw = []string{"exit", g.reason()}, false
	default:
		r.Result, r.Throw = []string{"crash"}, false
	}
	g.Rules = append(g.Rules, r)
}

// operations draws them, and plays each.
func (g *generator) operations() {
	g.p = newPlayer(&g.Scenario)
	g.p.runner = &direct{p: g.p}
	g.say("start")
	for range 4 + g.IntN(20) {
		if !g.p.runner.runs() {
			g.dead()
			continue
		}
		g.say(g.op())
	}
}

func (g *generator) say(op string) {
	g.Ops = append(g.Ops, op)
	g.p.do(op)
}

// dead draws an operation on a manager that does not run.
func (g *generator) dead() {
	switch x := g.Float64(); {
	case x < 0.7:
		g.say("start")
	case x < 0.8:
		g.say(g.plan())
	default:
		g.say(g.one())
	}
}

func (g *generator) op() string {
	switch x := g.Float64(); {
	case x < 0.12:
		return g.plan()
	case x < 0.28:
		return g.batch()
	case x < 0.285:
		return "start"
	case x < 0.29:
		return "kill"
	case x < 0.30:
		return "parent_exit " + g.reason()
	case x < 0.315:
		return "stop " + g.reason()
	}
	return g.one()
}

func (g *generator) plan() string {
	var outcomes []string
	for range 1 + g.IntN(3) {
		outcomes = append(outcomes, g.pick("ok", "hibernate", "throw", "error", "other", "crash"))
	}
	return "plan " + g.pick(g.handlers...) + " " + strings.Join(outcomes, ",")
}

// batch draws operations that are sent before the first is handled: either
// clients exit among them, or something may link the manager to a client.
func (g *generator) batch() string {
	exits := g.chance(0.5)
	var ops, gone []string
	for range 1 + g.IntN(6) {
		op := g.one()
		f := strings.Fields(op)
		links := f[0] == "add_sup" || f[0] == "swap" || f[0] == "swap_sup"
		if f[0] == "client_exit" {
			if !exits || slices.Contains(gone, f[1]) {
				continue
			}
			gone = append(gone, f[1])
		}
		if !links || !exits {
			ops = append(ops, op)
		}
	}
	if len(ops) == 0 {
		return "which"
	}
	return "batch " + strings.Join(ops, " ; ")
}

// handler returns the name of a handler, mostly of one that is there.
func (g *generator) handler() string {
	if g.p.runner.runs() && g.chance(0.8) {
		if all := g.p.current(); len(all) > 0 {
			return all[g.IntN(len(all))].H
		}
	}
	return g.pick(g.handlers...)
}

// one draws an operation that can be part of a batch.
func (g *generator) one() string {
	arg := g.pick("a", "b", "c")
	switch x := g.Float64(); {
	case x < 0.2:
		return "notify " + g.pick(g.events...)
	case x < 0.28:
		return "sync_notify " + g.pick(g.events...)
	case x < 0.4:
		return "add " + g.pick(g.handlers...) + " " + arg
	case x < 0.52:
		return "add_sup " + g.pick(g.clients...) + " " + g.pick(g.handlers...) + " " + arg
	case x < 0.58:
		return "delete " + g.handler() + " " + arg
	case x < 0.65:
		return fmt.Sprintf("swap %s %s %s %s", g.handler(), arg, g.pick(g.handlers...), g.pick("i", "j"))
	case x < 0.71:
		return fmt.Sprintf("swap_sup %s %s %s %s %s", g.pick(g.clients...), g.handler(), arg, g.pick(g.handlers...), g.pick("i", "j"))
	case x < 0.86:
		return "call " + g.handler() + " " + g.pick(g.queries...)
	case x < 0.91:
		return "info " + g.pick(g.events...)
	case x < 0.97:
		return "client_exit " + g.pick(g.clients...) + " " + g.reason()
	}
	return "which"
}
