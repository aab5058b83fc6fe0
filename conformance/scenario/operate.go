package scenario

import (
	"slices"
	"strings"
)

// This file draws the operations of a random scenario.

func (g *generator) say(words ...string) { g.Ops = append(g.Ops, strings.Join(words, " ")) }

// begin starts the tree, and fills its pools.
func (g *generator) begin() {
	if g.chance(0.06) {
		g.plan(g.pick(append(slices.Clone(g.workers), append(g.sups, g.pools...)...)...))
	}
	g.say("start")
	for _, p := range g.pools {
		for range g.IntN(g.members + 1) {
			g.say("start_child", p, g.member(p))
		}
	}
}

// member returns the name of a new child of a pool.
func (g *generator) member(pool string) string {
	d := g.fresh("d")
	g.dynamic[pool] = append(g.dynamic[pool], d)
	g.hang[d] = g.hang[pool]
	return d
}

// added returns all that were ever added to pools.
func (g *generator) added() []string {
	var all []string
	for _, p := range g.pools {
		all = append(all, g.dynamic[p]...)
	}
	return all
}

// anyWorker returns some worker: "w0", which is not, if there is none.
func (g *generator) anyWorker() string {
	all := append(g.added(), g.workers...)
	if len(all) == 0 {
		return "w0"
	}
	return g.pick(all...)
}

func (g *generator) anySup() string { return g.pick(append(slices.Clone(g.sups), g.pools...)...) }

// op draws one operation, or two that belong together.
func (g *generator) op() {
	switch x := g.Float64(); {
	case x < 0.48:
		g.say(g.act(g.anyWorker()))
	case x < 0.70:
		g.say(g.ask(g.anySup(), false))
	case x < 0.84:
		g.planned()
	case x < 0.88:
		g.stop(g.anySup(), g.reason())
	case x < 0.91:
		g.say("tree")
	case x < 0.92:
		g.stop("root", g.reason())
	case x < 0.94:
		g.start()
	case x < 0.96 && len(g.pools) > 0:
		p := g.pick(g.pools...)
		d := g.member(p)
		g.say("plan", d, g.pick("ignore", "fail", "crash", "badret", "ok,fail", "ok,crash,fail"))
		g.say("start_child", p, d)
	default:
		g.batch()
	}
}

func (g *generator) reason() string { return g.pick("normal", "shutdown", "shutdown_t", "crash") }

// act draws something that ends a worker, or does not.
func (g *generator) act(w string) string {
	if g.hang[w] {
		return g.pick("kill "+w, "call "+w+" ping")
	}
	switch x := g.Float64(); {
	case x < 0.4:
		return "call " + w + " crash"
	case x < 0.6:
		return "call " + w + " exit_" + g.reason()
	case x < 0.7:
		return "call " + w + " noreply_" + g.pick("normal", "crash")
	case x < 0.8:
		return "kill " + w
	case x < 0.92:
		return "stop " + w + " " + g.reason()
	}
	return "call " + w + " ping"
}

// planned draws a plan, and mostly what makes it happen.
func (g *generator) planned() {
	name := g.anyWorker()
	sup := g.chance(0.2)
	if sup {
		name = g.anySup()
	}
	g.plan(name)
	switch {
	case g.chance(0.2):
	case sup:
		g.stop(name, "crash")
	default:
		g.say(g.act(name))
	}
}

// plan draws outcomes of the next starts.
func (g *generator) plan(name string) {
	outcomes := []string{"fail", "crash", "fail,fail", "ok,fail", "fail,ok,crash", "fail*", "crash,crash,fail,fail,crash"}
	member, _ := g.Find(name)
	if member.Name != "" {
		outcomes = append(outcomes, "ignore", "ok,ignore", "fail,ignore")
		if !member.Supervisor {
			outcomes = append(outcomes, "badret", "badret,ok,badret")
		}
	}
	g.say("plan", name, g.pick(outcomes...))
}

// ask draws a request to a supervisor, alone or in a batch.
func (g *generator) ask(s string, batch bool) string {
	if slices.Contains(g.pools, s) {
		return g.askPool(s, batch)
	}
	kids := g.kids[s]
	if len(kids) == 0 || g.chance(0.2) {
		return g.pick("which "+s, "count "+s, "restart_child "+s+" "+g.anyWorker(), "terminate_child "+s+" "+g.anyWorker(),
			"delete_child "+s+" "+g.anyWorker(), "terminate_child_id "+s+" "+g.anyWorker())
	}
	op := g.pick("start_child", "terminate_child", "terminate_child", "restart_child", "delete_child")
	return op + " " + s + " " + g.pick(kids...)
}

func (g *generator) askPool(p string, batch bool) string {
	switch x := g.Float64(); {
	case x < 0.5:
		return "start_child " + p + " " + g.member(p)
	case x < 0.75 && len(g.added()) > 0:
		g.lost[p] = g.lost[p] || batch
		return "terminate_child " + p + " " + g.pick(g.added()...)
	case x < 0.85 && !g.lost[p]:
		return "count " + p
	}
	return g.pick("which "+p, "restart_child "+p+" x", "delete_child "+p+" x", "terminate_child_id "+p+" x")
}

// stop ends a supervisor. The root is started again.
func (g *generator) stop(s, reason string) {
	g.say("stop", s, reason)
	if s == "root" {
		g.start()
	}
}

// start starts the root, if it has ended; no child of a pool is spoken of any
// more then.
func (g *generator) start() {
	g.say("start")
	clear(g.dynamic)
}

// batch draws operations that a supervisor meets all at once.
func (g *generator) batch() {
	s := g.anySup()
	kids := g.dynamic[s]
	if !slices.Contains(g.pools, s) {
		kids = slices.DeleteFunc(slices.Clone(g.kids[s]), func(k string) bool { return !slices.Contains(g.workers, k) })
	}
	kids = slices.DeleteFunc(slices.Clone(kids), func(k string) bool { return g.hang[k] })
	var ops []string
	if len(kids) > 0 && g.chance(0.4) { // requests that meet a child that is restarting
		k := g.pick(kids...)
		g.plan(k)
		ops = append(ops, "call "+k+" crash")
		for range g.IntN(3) {
			ops = append(ops, g.askAbout(s, k))
		}
	}
	for range 2 + g.IntN(4) {
		switch {
		case len(kids) > 0 && g.chance(0.5):
			k := g.pick(kids...)
			if g.chance(0.4) {
				g.plan(k)
			}
			ops = append(ops, g.act(k))
		default:
			ops = append(ops, g.ask(s, true))
		}
	}
	g.say("batch", s, strings.Join(ops, " ; "))
}

// askAbout draws a request to s about its child k, in a batch.
func (g *generator) askAbout(s, k string) string {
	if !slices.Contains(g.pools, s) {
		return g.pick("terminate_child", "restart_child", "delete_child", "start_child") + " " + s + " " + k
	}
	if g.chance(0.5) {
		return "which " + s
	}
	g.lost[s] = true
	return "terminate_child " + s + " " + k
}
