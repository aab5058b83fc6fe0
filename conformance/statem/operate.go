package statem

import (
	"fmt"
	"strings"
)

// play draws operations, each when those before it have been played. It says
// false if the scenario is not worth it.
func (g *generator) play() bool {
	g.player = newPlayer(&g.Scenario)
	w := &virtualWorld{p: g.player}
	g.player.world = w
	for i := range 4 + g.IntN(13) {
		op := "start"
		if i > 0 {
			op = g.op()
		}
		g.Ops = append(g.Ops, op)
		g.player.do(op)
		if !w.alive() && g.chance(0.1) {
			break
		}
	}
	dry := w.alive() && w.state().Data.Fuel == 0
	return g.Check() == nil && !(dry && g.Machine["fuel"] == "" && g.chance(0.97)) && strings.Count(g.player.trace.out.String(), "\n") > 8
}

// send returns a message; more often than not one that there is a rule for.
func (g *generator) send() string {
	if w := g.player.world; g.chance(0.6) && w.alive() {
		state := w.state().State
		var known []string
		for _, r := range g.Rules {
			if r.Enter || r.State != state || r.Content == "*" {
				continue
			}
			switch r.Type {
			case "call", "cast", "info":
				known = append(known, r.Type+" "+r.Content)
			case "*":
				known = append(known, g.pick("call", "cast", "info")+" "+r.Content)
			}
		}
		if len(known) > 0 {
			return g.pick(known...)
		}
	}
	what := g.pick(g.messages...)
	if g.chance(0.05) {
		what = g.pick(g.inserted...)
	}
	return g.pick("call", "call", "cast", "cast", "info") + " " + what
}

func (g *generator) advance() string { return fmt.Sprintf("advance %d", 1+g.IntN(400)) }

func (g *generator) op() string {
	if !g.player.world.alive() && g.chance(0.8) {
		return "start"
	}
	traps := g.Machine["trap"] != "false"
	switch x := g.Float64(); {
	case g.chance(g.timed / 2):
		return g.advance()
	case x < 0.55:
		return g.send()
	case x < 0.86:
		var items []string
		for range 2 + g.IntN(4) {
			switch {
			case g.chance(g.timed / 6):
				items = append(items, g.advance())
			case traps && g.chance(0.03):
				items = append(items, "stranger_exit "+g.pick("normal", "shutdown", "crash"))
			default:
				items = append(items, g.send())
			}
		}
		return "batch " + strings.Join(items, " ; ")
	case x < 0.91:
		return strings.Join(append([]string{"replace", g.pick(g.states...)}, strings.Fields(g.pick("", "d=0", "d=2"))...), " ")
	case x < 0.93:
		return "stranger_exit " + g.pick("normal", "shutdown", "shutdown_t", "crash")
	case x < 0.96:
		return g.pick("stop normal", "stop shutdown", "stop shutdown_t", "stop crash", "kill", "parent_exit shutdown", "parent_exit crash")
	case x < 0.97:
		return "start" // it is up already
	}
	return g.advance()
}
