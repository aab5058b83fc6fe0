package supervisor_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lineshaft/lineshaft/conformance/scenario"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// finish runs the loop and writes what happened in the present op.
func (p *player) finish() {
	p.drain()
	var results []string
	for _, r := range p.results {
		results = append(results, r.text)
	}
	p.results = nil
	rootExit := ""
	if p.started && p.rootEnd != nil {
		rootExit = p.rootEnd.Class.String()
		p.started, p.rootEnd = false, nil
	}
	p.out.Finish(results, rootExit, p.alive(), p.pool)
}

// alive returns the names of all processes, sorted.
func (p *player) alive() []string {
	if p.tree == nil {
		return nil
	}
	p.mustBeQuiet()
	var names []string
	for n := range p.tree.Root().All() {
		if n.PID().Alive() {
			names = append(names, string(n.Name()))
		}
	}
	slices.Sort(names)
	return names
}

// mustBeQuiet checks that the tree agrees with the loop when nothing is going on.
func (p *player) mustBeQuiet() {
	if !p.tree.Quiet() {
		panic(p.scn.Name + ": not quiet")
	}
	workers := 0
	for n := range p.tree.Root().All() {
		switch st := n.Status(); {
		case st != statemachine.Up && st != statemachine.Down:
			panic(fmt.Sprintf("%s: %s is %s", p.scn.Name, n.Name(), st))
		case n.PID().Alive() && !n.IsSupervisor():
			workers++
			if !p.living[n.PID()] {
				panic(fmt.Sprintf("%s: %s should not be alive", p.scn.Name, n.Name()))
			}
		}
	}
	if workers != len(p.living) {
		panic(fmt.Sprintf("%s: the tree knows %d workers, the loop %d", p.scn.Name, workers, len(p.living)))
	}
}

// pool returns the pool that the latest process of that name belongs to.
func (p *player) pool(name string) string {
	pid, ok := p.latest[Name(name)]
	if !ok || pid.Node.Parent() == nil || pid.Node.IsSupervisor() {
		return ""
	}
	s, _ := pid.Node.Parent().Supervisor()
	if s.Strategy != supervisor.SimpleOneForOne {
		return ""
	}
	return string(s.Name)
}

// answer writes an answer as the trace does.
func (r *result) answer(a *supervisor.Answer) string {
	var exit *supervisor.ExitError
	switch {
	case errors.As(a.Err, &exit):
		return "exit " + exit.Reason.Class.String()
	case a.Err != nil:
		return "error " + scenario.ErrorText(a.Err)
	case r.op == "which":
		return scenario.WhichText(a.Children, r.pool)
	case r.op == "count":
		return scenario.CountText(a.Count)
	case (r.op == "start_child" || r.op == "restart_child") && a.PID == supervisor.PID{}:
		return "ok undefined"
	}
	return "ok"
}

// drawRoot writes the tree: ! is down, ? restarting.
func (p *player) drawRoot() string {
	if !p.started {
		return "noproc"
	}
	return draw(p.tree.Root())
}

func draw(n *supervisor.Node) string {
	var words []string
	for c := range n.Children() {
		switch {
		case c.Status() == statemachine.Down:
			words = append(words, string(c.Name())+"!")
		case c.Status() == statemachine.Restarting:
			words = append(words, string(c.Name())+"?")
		case c.IsSupervisor():
			words = append(words, draw(c))
		default:
			words = append(words, string(c.Name()))
		}
	}
	if s, _ := n.Supervisor(); s.Strategy == supervisor.SimpleOneForOne {
		slices.Sort(words)
	}
	return string(n.Name()) + "(" + strings.Join(words, " ") + ")"
}
