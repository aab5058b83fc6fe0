package eventloop_test

import (
	"fmt"
	"testing"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// A tree of 10,000 levels starts, is looked at, restarts from its top, and ends.
func TestDeepTree(t *testing.T) {
	const levels = 10_000
	m := newMachine()
	below := []supervisor.Child{worker("bottom", m)}
	for i := range levels {
		below = []supervisor.Child{supervisor.Supervisor{Name: statemachine.Name(fmt.Sprint("s", i)), Children: below}}
	}
	root := flat(append([]supervisor.Child{worker("top", m)}, below...)...)
	root.Strategy = supervisor.OneForAll
	l := start(t, eventloop.Config{Root: root})
	bottom := refTo(t, l, "bottom")
	call(t, bottom, input{Add: 1})
	refTo(t, l, "top").Call(t.Context(), input{Crash: "custom"})
	if got := call(t, bottom, input{Add: 1}); got.Sum != 1 {
		t.Errorf("after a restart of all: %+v", got)
	}
	deep := l.Tree()
	for depth := 0; ; depth++ {
		if len(deep.Children) == 0 {
			if depth != levels+1 || deep.Name != "bottom" {
				t.Errorf("at depth %d is %s", depth, deep.Name)
			}
			break
		}
		deep = deep.Children[len(deep.Children)-1]
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
