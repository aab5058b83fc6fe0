package supervisor

import "github.com/lineshaft/lineshaft/statemachine"

// Info returns what can be seen of n and all below it. The tree does not know
// Steps: it asks steps of every worker; nil leaves them 0.
func (n *Node) Info(steps func(*Node) int64) statemachine.Info {
	type place struct {
		n    *Node
		info *statemachine.Info
	}
	var root statemachine.Info
	for todo := []place{{n, &root}}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		*p.info = p.n.own()
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

func (n *Node) countChildren() (count int) {
	for range n.Children() {
		count++
	}
	return count
}
