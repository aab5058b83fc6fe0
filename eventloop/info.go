package eventloop

import (
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// Tree returns what can be seen of the whole tree, at one moment between two
// steps. Any goroutine may call it, except from inside a machine or OnEvent.
func (l *Loop) Tree() statemachine.Info {
	l.enter()
	defer l.exit()
	return l.tree.Root().Details(steps)
}

// Process returns what can be seen of the process, or the supervisor, called
// name; false if there is none. Any goroutine may call it, except from inside
// a machine or OnEvent.
func (l *Loop) Process(name statemachine.Name) (statemachine.Info, bool) {
	l.enter()
	defer l.exit()
	n := l.tree.Node(name)
	if n == nil {
		return statemachine.Info{}, false
	}
	return n.Details(steps), true
}

// steps returns how many inputs of a worker were stepped, by whomever.
func steps(n *supervisor.Node) int64 {
	p, ok := n.Owner.(*process)
	if !ok {
		return 0 // it has not been started
	}
	return p.steps + p.reads.Load()
}
