package supervisor

import (
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// Info returns what can be seen of n and all below it. The tree does not know
// Steps: it asks steps of every worker; nil leaves them 0. Details has more.
func (n *Node) Info(steps func(*Node) int64) statemachine.Info { return n.list(steps, (*Node).own) }

// Details returns what Info does and, of each node, how it is supervised and
// what became of it so far: for an operator who asks why.
func (n *Node) Details(steps func(*Node) int64) statemachine.Info {
	return n.list(steps, (*Node).details)
}

func (n *Node) list(steps func(*Node) int64, what func(*Node) statemachine.Info) statemachine.Info {
	type place struct {
		n    *Node
		info *statemachine.Info
	}
	var root statemachine.Info
	for todo := []place{{n, &root}}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		*p.info = what(p.n)
		if p.n.sup == nil {
			if steps != nil {
				p.info.Steps = steps(p.n)
			}
			continue
		}
		p.info.Children = make([]statemachine.Info, p.n.countChildren())
		i := 0
		for c := range p.n.Children() {
			todo = append(todo, place{c, &p.info.Children[i]})
			i++
		}
	}
	return root
}

// own returns what can be seen of n itself.
func (n *Node) own() statemachine.Info {
	i := statemachine.Info{
		Name: n.name, Type: "worker", Status: n.Status(), Restart: n.restart.String(), Restarts: n.Restarts(),
	}
	if n.sup != nil {
		i.Type, i.Strategy = "supervisor", n.sup.spec.Strategy.String()
	}
	return i
}

// details returns what can be seen of n itself, in full.
func (n *Node) details() statemachine.Info {
	i := n.own()
	i.Shutdown, i.Significant = graceText(n.spec.common().shutdown), n.significant
	if n.sup != nil {
		spec := &n.sup.spec
		intensity, period := spec.intensity()
		i.Intensity, i.Period = &intensity, (time.Duration(period) * time.Second).String()
		i.MaxRestarts = spec.MaxRestarts
	}
	if n.past != nil {
		i.LastExit, i.LastFailure = n.past.exit.info(n.past.exit.class.String()), n.past.failure.info("")
		i.Crashes, i.Tries, i.RestartedFor = n.Crashes(), n.Tries(), n.past.because
	}
	if due, ok := n.RetryTime(); ok {
		at := time.Unix(0, due).UTC()
		i.RetryAt = &at
	}
	return i
}

func graceText(d time.Duration) string {
	switch d {
	case BrutalKill:
		return "brutal_kill"
	case Infinity:
		return "infinity"
	}
	return d.String()
}

func (n *Node) countChildren() (count int) {
	for range n.Children() {
		count++
	}
	return count
}
