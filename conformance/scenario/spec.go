package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// Specs makes the specs of a scenario's tree. The functions may be nil: then
// the specs have no Machine, and no Init.
type Specs struct {
	Scenario *Scenario
	Machine  func(Def) statemachine.Server
	Init     func(Def) func() error // of supervisors
}

// Root returns the spec of the whole tree.
func (b Specs) Root() supervisor.Supervisor {
	i := slices.IndexFunc(b.Scenario.Defs, func(d Def) bool { return d.Parent == "-" })
	return b.Child(b.Scenario.Defs[i]).(supervisor.Supervisor)
}

// Child returns what d defines, with all below it.
func (b Specs) Child(d Def) supervisor.Child {
	a := d.Attrs
	restart := index(a["restart"], "permanent", "transient", "temporary")
	if !d.Supervisor {
		w := supervisor.Worker{
			Name:        statemachine.Name(d.Name),
			Restart:     supervisor.Restart(restart),
			Shutdown:    grace(a["shutdown"]),
			Significant: a["significant"] == "true",
		}
		if b.Machine != nil {
			w.Machine = b.Machine(d)
		}
		return w
	}
	sup := supervisor.Supervisor{
		Name:         statemachine.Name(d.Name),
		Strategy:     supervisor.Strategy(index(a["strategy"], "one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one")),
		Intensity:    number(a["intensity"], 1),
		Period:       time.Duration(number(a["period"], 3600)) * time.Second,
		AutoShutdown: supervisor.AutoShutdown(index(a["auto"], "never", "any_significant", "all_significant")),
		Restart:      supervisor.Restart(restart),
		Shutdown:     grace(a["shutdown"]),
		Significant:  a["significant"] == "true",
	}
	if sup.Intensity == 0 {
		sup.Intensity = supervisor.NoRestarts
	}
	if b.Init != nil {
		sup.Init = b.Init(d)
	}
	for _, c := range b.Scenario.Defs {
		if c.Parent == d.Name {
			sup.Children = append(sup.Children, b.Child(c))
		}
	}
	return sup
}

// index returns the index of v among words; 0 for none.
func index(v string, words ...string) int {
	if v == "" {
		return 0
	}
	if i := slices.Index(words, v); i >= 0 {
		return i
	}
	panic("unknown value " + v)
}

func grace(v string) time.Duration {
	switch v {
	case "":
		return 0
	case "brutal_kill":
		return supervisor.BrutalKill
	case "infinity":
		return supervisor.Infinity
	}
	return time.Duration(number(v, 0)) * time.Millisecond
}

// number returns the number that v writes, d for none.
func number(v string, d int) int {
	if v == "" {
		return d
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		panic(fmt.Sprintf("%q is no number", v))
	}
	return n
}

// Plans are the outcomes of the next starts, by name.
type Plans map[string][]string

// Set carries out the words of a plan operation.
func (p Plans) Set(words []string) {
	p[words[1]] = strings.FieldsFunc(strings.Join(words[2:], ","), func(r rune) bool { return r == ',' })
}

// Next returns the outcome of the start of name that is now: "ok" if none is planned.
func (p Plans) Next(name string) string {
	plan := p[name]
	if len(plan) == 0 {
		return "ok"
	}
	outcome, forEver := strings.CutSuffix(plan[0], "*")
	if !forEver {
		p[name] = plan[1:]
	}
	return outcome
}
