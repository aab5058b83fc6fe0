package supervisor_test

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

type Name = statemachine.Name

// def is a definition line of a scenario: a supervisor or a worker.
type def struct {
	name, parent string
	sup          bool
	attrs        map[string]string
}

// scenario is one scenario of the format that the conformance files of
// testdata/otp are written in.
type scenario struct {
	name string
	defs []def
	ops  []string
}

// readScenarios parses a file of scenarios.
func readScenarios(r io.Reader) ([]scenario, error) {
	var all []scenario
	var s scenario
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case f[0] == "scenario":
			s = scenario{name: f[1]}
		case f[0] == "sup" || f[0] == "worker":
			d := def{name: f[1], parent: f[2], sup: f[0] == "sup", attrs: map[string]string{}}
			for _, kv := range f[3:] {
				k, v, ok := strings.Cut(kv, "=")
				if !ok {
					return nil, fmt.Errorf("scenario %s: %q is not key=value", s.name, kv)
				}
				d.attrs[k] = v
			}
			s.defs = append(s.defs, d)
		case f[0] == "end":
			all = append(all, s)
		default:
			s.ops = append(s.ops, strings.Join(f, " "))
		}
	}
	return all, lines.Err()
}

// find returns the first definition of that name.
func (s *scenario) find(name string) (def, bool) {
	i := slices.IndexFunc(s.defs, func(d def) bool { return d.name == name })
	if i < 0 {
		return def{}, false
	}
	return s.defs[i], true
}

// root returns the spec of the whole tree.
func (s *scenario) root() supervisor.Supervisor {
	i := slices.IndexFunc(s.defs, func(d def) bool { return d.parent == "-" })
	return s.spec(s.defs[i]).(supervisor.Supervisor)
}

// spec returns what d defines, with all below it.
func (s *scenario) spec(d def) supervisor.Child {
	a := d.attrs
	restart := value(a["restart"], "permanent", "transient", "temporary")
	if !d.sup {
		return supervisor.Worker{
			Name:        Name(d.name),
			Machine:     machine{},
			Restart:     supervisor.Restart(restart),
			Shutdown:    grace(a["shutdown"]),
			Significant: a["significant"] == "true",
		}
	}
	sup := supervisor.Supervisor{
		Name:         Name(d.name),
		Strategy:     supervisor.Strategy(value(a["strategy"], "one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one")),
		Intensity:    1,
		Period:       time.Hour,
		AutoShutdown: supervisor.AutoShutdown(value(a["auto"], "never", "any_significant", "all_significant")),
		Restart:      supervisor.Restart(restart),
		Shutdown:     grace(a["shutdown"]),
		Significant:  a["significant"] == "true",
	}
	if v := a["intensity"]; v != "" {
		sup.Intensity = number(v)
		if sup.Intensity == 0 {
			sup.Intensity = supervisor.NoRestarts
		}
	}
	if v := a["period"]; v != "" {
		sup.Period = time.Duration(number(v)) * time.Second
	}
	for _, c := range s.defs {
		if c.parent == d.name {
			sup.Children = append(sup.Children, s.spec(c))
		}
	}
	return sup
}

// value returns the index of v among words; 0 for none.
func value(v string, words ...string) int {
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
	return time.Duration(number(v)) * time.Millisecond
}

func number(v string) int {
	n, err := strconv.Atoi(v)
	if err != nil {
		panic(err)
	}
	return n
}

// machine stands for a machine that the tests play themselves.
type machine struct{}

func (machine) New(Name, *statemachine.Moment) statemachine.Process { return nil }
func (machine) Validate() error                                     { return nil }
