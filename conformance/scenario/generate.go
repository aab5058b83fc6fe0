package scenario

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Generate returns the random scenario of a seed, always the same. Trees have
// up to four levels of supervisors and up to thirty children under one; every
// operation, exit reason, outcome of a start and kind of terminate occurs. It
// keeps clear of what is a race in OTP, what OTP 25 has wrong, and what takes
// real time:
//
//   - what Check refuses; and no name is started under two supervisors;
//   - a child of a pool whose restart gives ignore (OTP 25 keeps it, and
//     crashes later);
//   - count of a pool after a terminate_child that may have found its child
//     restarting (OTP 25 loses count);
//   - sleep.
func Generate(seed uint64) Scenario {
	g := &generator{
		Rand: rand.New(rand.NewPCG(seed, 0x6c696e65736861)), kids: map[string][]string{}, hang: map[string]bool{},
		dynamic: map[string][]string{}, lost: map[string]bool{},
	}
	g.draw()
	g.sup("-", 0, "never")
	g.declared()
	g.Name = fmt.Sprintf("r%d", seed)
	g.begin()
	for range g.ops {
		g.op()
	}
	return g.Scenario
}

// generator is a scenario being drawn, and what is known of it without playing it.
type generator struct {
	*rand.Rand
	Scenario
	names int

	// The shape: how many levels of supervisors, how many children each has, the
	// chance that one of them is a supervisor, and that this is a pool; how many
	// children pools begin with; the intensities; the number of operations.
	levels, children int
	nested, pooled   float64
	members          int
	intensities      []string
	ops              int

	sups    []string            // no pools
	pools   []string            //
	workers []string            // in no pool
	kids    map[string][]string // of a supervisor: the children that operations may add to it or ask it about
	dynamic map[string][]string // of a pool: all that were ever added
	hang    map[string]bool     // workers whose terminate hangs
	lost    map[string]bool     // pools of which OTP 25 may have lost count
}

// chance is true with probability p.
func (g *generator) chance(p float64) bool { return g.Float64() < p }

// pick returns one of words.
func (g *generator) pick(words ...string) string { return words[g.IntN(len(words))] }

// draw decides on the shape.
func (g *generator) draw() {
	g.levels, g.children, g.nested, g.pooled, g.members, g.ops = 3, 5, 0.3, 0.15, 3, 4+g.IntN(14)
	switch x := g.Float64(); {
	case x < 0.2: // deep
		g.levels, g.children, g.nested = 4, 3, 0.6
	case x < 0.3: // wide
		g.children, g.nested = 30, 0.06
	case x < 0.4: // pools
		g.children, g.nested, g.pooled, g.members = 5, 0.6, 0.8, 12
	}
	g.intensities = []string{"0", "1", "1", "2", "3", "5", "10"}
	if g.chance(0.3) { // tight
		g.intensities = []string{"0", "1", "1"}
	}
	if g.chance(0.1) {
		g.ops *= 4
	}
}

func (g *generator) fresh(prefix string) string {
	g.names++
	return fmt.Sprint(prefix, g.names)
}

// define adds a definition; attrs are key=value, or "" for none.
func (g *generator) define(sup bool, name, parent string, attrs ...string) {
	d := Def{Name: name, Parent: parent, Supervisor: sup, Attrs: map[string]string{}}
	for _, kv := range attrs {
		if k, v, ok := strings.Cut(kv, "="); ok {
			d.Attrs[k] = v
		}
	}
	g.Defs = append(g.Defs, d)
}

// life draws restart type and significance of a child of a supervisor with
// that auto shutdown.
func (g *generator) life(parent, auto string) (restart, significant string) {
	restart = g.pick("permanent", "permanent", "permanent", "transient", "transient", "temporary")
	switch {
	case parent == "@" && g.chance(0.2): // it may be refused
		significant = "significant=true"
	case auto != "never" && restart != "permanent" && g.chance(0.6):
		significant = "significant=true"
	}
	return "restart=" + restart, significant
}

// worker defines a worker.
func (g *generator) worker(parent, auto string) string {
	template := slices.Contains(g.pools, parent)
	w := g.fresh("w")
	restart, significant := g.life(parent, auto)
	kind, kind2 := "", ""
	switch x := g.Float64(); {
	case x < 0.06:
		kind = "shutdown=brutal_kill"
	case x < 0.12:
		kind = "trap=false"
	case x < 0.17:
		kind = "term=crash"
	case x < 0.20:
		kind = "shutdown=infinity"
	case x < 0.205:
		kind, kind2 = "shutdown=20", "term=hang"
		g.hang[w] = true
	}
	g.define(false, w, parent, restart, significant, kind, kind2)
	if !template {
		g.workers = append(g.workers, w)
		g.adopt(parent, w)
	}
	return w
}

func (g *generator) adopt(parent, child string) {
	if parent != "-" && parent != "@" {
		g.kids[parent] = append(g.kids[parent], child)
	}
}

// sup defines a supervisor and what is below it.
func (g *generator) sup(parent string, depth int, above string) string {
	name, restart, significant := "root", "", ""
	if parent != "-" {
		name = g.fresh("s")
		restart, significant = g.life(parent, above)
		g.adopt(parent, name)
	}
	auto := g.pick("never", "never", "never", "never", "never", "any_significant", "all_significant")
	intensity := g.pick(g.intensities...)
	if parent == "-" && g.chance(0.8) { // little happens once the root has ended
		intensity, auto = g.pick("5", "10", "20"), "never"
	}
	strategy := g.pick("one_for_one", "one_for_all", "rest_for_one")
	pool := parent != "-" && g.chance(g.pooled) || parent == "-" && g.chance(0.02)
	if pool {
		strategy = "simple_one_for_one"
		g.pools = append(g.pools, name)
	} else {
		g.sups = append(g.sups, name)
	}
	g.define(true, name, parent, "strategy="+strategy, "intensity="+intensity, "auto="+auto, restart, significant)
	if pool {
		template := g.worker(name, auto)
		g.hang[name] = g.hang[template] // so are all of its children
		return name
	}
	n := g.IntN(g.children + 1)
	if g.children > 10 && depth > 0 {
		n = g.IntN(4) // one is wide, the others are not
	} else if depth == 0 {
		n = max(n, 2)
	}
	for range n {
		if depth+1 < g.levels && g.chance(g.nested) {
			g.sup(name, depth+1, auto)
		} else {
			g.worker(name, auto)
		}
	}
	return name
}

// declared defines children that operations may add, each under one supervisor.
func (g *generator) declared() {
	homes := slices.Clone(g.sups)
	if len(homes) == 0 {
		return
	}
	for range g.IntN(3) {
		g.adopt(g.pick(homes...), g.worker("@", "never"))
	}
	if g.chance(0.3) {
		g.adopt(g.pick(homes...), g.sup("@", g.levels-1, "never"))
	}
}
