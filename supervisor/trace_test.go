package supervisor_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// finish runs the loop and writes what happened in the present op.
func (p *player) finish() {
	p.drain()
	for _, e := range p.canonical() {
		p.out.WriteString(strings.TrimSpace(fmt.Sprintf("%s %s %s", e.what, e.name, e.more)) + "\n")
	}
	for _, r := range p.results {
		fmt.Fprintf(&p.out, "result %s\n", r.text)
	}
	p.trace, p.results = nil, nil
	if p.started && p.rootEnd != nil {
		fmt.Fprintf(&p.out, "root_exit %s\n", p.rootEnd.Class)
		p.started, p.rootEnd = false, nil
	}
	p.out.WriteString(strings.Join(append([]string{"alive"}, p.alive()...), " ") + "\n")
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
		panic(p.scn.name + ": not quiet")
	}
	workers := 0
	for n := range p.tree.Root().All() {
		switch st := n.Status(); {
		case st != statemachine.Up && st != statemachine.Down:
			panic(fmt.Sprintf("%s: %s is %s", p.scn.name, n.Name(), st))
		case n.PID().Alive() && !n.IsSupervisor():
			workers++
			if !p.living[n.PID()] {
				panic(fmt.Sprintf("%s: %s should not be alive", p.scn.name, n.Name()))
			}
		}
	}
	if workers != len(p.living) {
		panic(fmt.Sprintf("%s: the tree knows %d workers, the loop %d", p.scn.name, workers, len(p.living)))
	}
}

// canonical sorts the ends of a pool's children, whose order OTP leaves open.
func (p *player) canonical() []event {
	pool := func(e event) Name {
		pid, ok := p.latest[e.name]
		if !ok || e.what == "init" || pid.Node.Parent() == nil || pid.Node.IsSupervisor() {
			return ""
		}
		parent := pid.Node.Parent()
		if s, _ := parent.Supervisor(); s.Strategy != supervisor.SimpleOneForOne {
			return ""
		}
		return parent.Name()
	}
	for i := 0; i < len(p.trace); i++ {
		j := i
		for s := pool(p.trace[i]); s != "" && j < len(p.trace) && pool(p.trace[j]) == s; {
			j++
		}
		if j > i {
			slices.SortStableFunc(p.trace[i:j], func(a, b event) int { return strings.Compare(string(a.name), string(b.name)) })
			i = j - 1
		}
	}
	return p.trace
}

// answer writes an answer as the trace does.
func (r *result) answer(a *supervisor.Answer) string {
	var exit *supervisor.ExitError
	switch {
	case errors.As(a.Err, &exit):
		return "exit " + exit.Reason.Class.String()
	case a.Err != nil:
		return "error " + errorText(a.Err)
	case r.op == "which":
		return r.which(a.Children)
	case r.op == "count":
		c := a.Count
		return fmt.Sprintf("specs=%d active=%d supervisors=%d workers=%d", c.Specs, c.Active, c.Supervisors, c.Workers)
	case (r.op == "start_child" || r.op == "restart_child") && a.PID == supervisor.PID{}:
		return "ok undefined"
	}
	return "ok"
}

// which writes the answer to which_children; a pool's in order of name.
func (r *result) which(children []supervisor.ChildInfo) string {
	var words []string
	for _, c := range children {
		name := string(c.Name)
		if r.pool && c.Status == statemachine.Restarting {
			name = "_"
		}
		words = append(words, name+"="+c.Status.String())
	}
	if r.pool {
		slices.Sort(words)
	}
	return "[" + strings.Join(words, " ") + "]"
}

// errorText writes an error as the trace does.
func errorText(err error) string {
	var start *supervisor.StartError
	var spec *supervisor.SpecError
	switch {
	case errors.As(err, &start):
		return fmt.Sprintf("failed_to_start_child %s %s", start.Name, errorText(start.Err))
	case errors.As(err, &spec):
		if errors.Is(err, supervisor.ErrDuplicateName) {
			return "duplicate_child_name " + string(spec.Path[len(spec.Path)-1])
		}
		return errorText(errors.Unwrap(spec))
	}
	for _, e := range []error{
		supervisor.ErrAlreadyStarted, supervisor.ErrAlreadyPresent, supervisor.ErrNotFound, supervisor.ErrRunning,
		supervisor.ErrRestarting, supervisor.ErrSimpleOneForOne, supervisor.ErrBadCombination, supervisor.ErrBadStartSpec,
	} {
		if errors.Is(err, e) {
			return strings.ReplaceAll(e.Error(), " ", "_")
		}
	}
	return err.Error()
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
