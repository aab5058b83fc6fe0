package supervisor_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// TestRandomAnswers drives random trees with answers that come in random order
// and at random times, and checks what must always be so.
func TestRandomAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newRandomLoop(t)
		l.tree.Start()
		l.drain()
		if rapid.Bool().Draw(t, "up first") {
			l.settle()
		}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			l.step()
			l.drain()
		}
		l.settle()
		l.checkQuiet()
		l.checkSaved()
		l.tree.Shutdown()
		l.settle()
		if st := l.tree.Root().Status(); st != statemachine.Down || len(l.living) > 0 {
			t.Fatalf("after the shutdown the root is %v, alive are %v", st, l.living)
		}
		for token, answers := range l.asked {
			if answers != 1 {
				t.Fatalf("request %d was answered %d times", token, answers)
			}
		}
	})
}

// randomLoop is an event loop whose every decision is drawn.
type randomLoop struct {
	*rapid.T
	tree    *supervisor.Tree
	pending []supervisor.Action // not answered
	retries []supervisor.Action
	started map[supervisor.PID]bool // all Start actions ever
	living  []supervisor.PID        // in order of starts; supervisors too
	asked   map[int]int             // answers by token
	added   int
}

func newRandomLoop(t *rapid.T) *randomLoop {
	names := 0
	root := randomSupervisor(t, 0, &names, supervisor.Never)
	root.Significant = false
	tree, err := supervisor.New(root)
	if err != nil {
		t.Fatal(err)
	}
	return &randomLoop{T: t, tree: tree, started: map[supervisor.PID]bool{}, asked: map[int]int{}}
}

func randomSupervisor(t *rapid.T, depth int, names *int, above supervisor.AutoShutdown) supervisor.Supervisor {
	s := supervisor.Supervisor{
		Name:         fresh("s", names),
		Strategy:     supervisor.Strategy(rapid.IntRange(0, 3).Draw(t, "strategy")),
		Intensity:    rapid.SampledFrom([]int{supervisor.NoRestarts, 0, 2, 5}).Draw(t, "intensity"),
		AutoShutdown: supervisor.AutoShutdown(rapid.IntRange(0, 2).Draw(t, "auto")),
		Restart:      supervisor.Restart(rapid.IntRange(0, 2).Draw(t, "restart")),
		Shutdown:     rapid.SampledFrom([]time.Duration{0, supervisor.BrutalKill, time.Second}).Draw(t, "shutdown"),
	}
	s.Significant = above != supervisor.Never && s.Restart != supervisor.Permanent
	children := rapid.IntRange(0, 4).Draw(t, "children")
	if s.Strategy == supervisor.SimpleOneForOne {
		children = 1
	}
	for range children {
		if depth < 3 && s.Strategy != supervisor.SimpleOneForOne && rapid.IntRange(0, 2).Draw(t, "nested") == 0 {
			s.Children = append(s.Children, randomSupervisor(t, depth+1, names, s.AutoShutdown))
			continue
		}
		w := supervisor.Worker{
			Name: fresh("w", names), Machine: machine{},
			Restart:  supervisor.Restart(rapid.IntRange(0, 2).Draw(t, "restart")),
			Shutdown: rapid.SampledFrom([]time.Duration{0, supervisor.BrutalKill}).Draw(t, "shutdown"),
		}
		w.Significant = s.AutoShutdown != supervisor.Never && w.Restart != supervisor.Permanent
		s.Children = append(s.Children, w)
	}
	return s
}

func fresh(kind string, names *int) Name {
	*names++
	return Name(fmt.Sprint(kind, *names))
}

// drain takes all actions, leaves most of them for later, and checks each.
func (l *randomLoop) drain() {
	for a, ok := l.tree.Next(); ok; a, ok = l.tree.Next() {
		switch a.Kind {
		case supervisor.Start:
			l.checkStart(a.PID)
			l.pending = append(l.pending, a)
		case supervisor.Terminate, supervisor.Kill:
			l.forget(a.PID) // a start that is not answered, or an earlier order
			if slices.Contains(l.living, a.PID) {
				l.pending = append(l.pending, a)
			}
		case supervisor.Guard:
			l.pending = append(l.pending, a)
		case supervisor.Retry:
			l.retries = append(l.retries, a)
		case supervisor.Exit:
			l.checkExit(a.PID)
			l.forget(a.PID)
			l.ended(a.PID)
		case supervisor.Reply:
			l.asked[a.Answer.Token.(int)]++
		}
		if a.Kind == supervisor.Kill {
			l.ended(a.PID) // a loop kills at once
			l.forget(a.PID)
			l.tree.Exited(a.PID, statemachine.Killed)
		}
	}
	l.checkOneAtATime()
}

// checkStart: no process starts twice, nor beside another of its name, nor
// without its supervisor.
func (l *randomLoop) checkStart(p supervisor.PID) {
	if l.started[p] {
		l.Fatalf("%v starts twice", p)
	}
	l.started[p] = true
	for _, q := range l.living {
		if q.Node.Name() == p.Node.Name() {
			l.Fatalf("%v starts while %v lives", p, q)
		}
	}
	if parent := p.Node.Parent(); parent != nil && !slices.Contains(l.living, parent.PID()) {
		l.Fatalf("%v starts without its supervisor", p)
	}
}

// checkExit: a supervisor is the last of its subtree to end.
func (l *randomLoop) checkExit(p supervisor.PID) {
	for _, q := range l.living {
		for n := q.Node.Parent(); n != nil; n = n.Parent() {
			if n == p.Node {
				l.Fatalf("%v ends before %v", p, q)
			}
		}
	}
}

// checkOneAtATime: but for a pool, a supervisor waits for one child at most.
func (l *randomLoop) checkOneAtATime() {
	waits := map[*supervisor.Node]int{}
	for _, a := range l.pending {
		if p := a.PID.Node.Parent(); p != nil && a.Kind != supervisor.Guard {
			s, _ := p.Supervisor()
			if waits[p]++; waits[p] > 1 && s.Strategy != supervisor.SimpleOneForOne {
				l.Fatalf("%s waits for two children: %v", p.Name(), l.pending)
			}
		}
	}
}

// forget drops what is pending for p.
func (l *randomLoop) forget(p supervisor.PID) {
	l.pending = slices.DeleteFunc(l.pending, func(a supervisor.Action) bool { return a.PID == p })
}

func (l *randomLoop) ended(p supervisor.PID) {
	l.living = slices.DeleteFunc(l.living, func(q supervisor.PID) bool { return q == p })
}

// step does one thing that a loop may do.
func (l *randomLoop) step() {
	switch rapid.IntRange(0, 9).Draw(l.T, "step") {
	case 0, 1, 2:
		if len(l.pending) > 0 {
			l.answer(rapid.IntRange(0, len(l.pending)-1).Draw(l.T, "which"))
		}
	case 3, 4:
		if p := l.pick(false); p.Node != nil {
			l.exited(p, rapid.SampledFrom(reasons).Draw(l.T, "reason"))
		}
	case 5:
		l.retry()
	case 6:
		l.tree.SetNow(rapid.Int64Range(0, 100).Draw(l.T, "now") * 1e9)
	default:
		l.order()
	}
}

var reasons = []statemachine.Reason{
	statemachine.Normal, statemachine.Shutdown, statemachine.Killed, statemachine.Crash(errCrash),
}

// pick draws one of those who live.
func (l *randomLoop) pick(sup bool) supervisor.PID {
	var all []supervisor.PID
	for _, p := range l.living {
		if p.Node.IsSupervisor() == sup {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return supervisor.PID{}
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(l.T, "who")]
}

// order sends something to a supervisor.
func (l *randomLoop) order() {
	p := l.pick(true)
	if p.Node == nil {
		return
	}
	var child Name = "nobody"
	if c := l.pick(false); c.Node != nil && rapid.Bool().Draw(l.T, "anyone") {
		child = c.Node.Name()
	}
	for c := range p.Node.Children() {
		if rapid.Bool().Draw(l.T, "skip") {
			child = c.Name()
		}
	}
	token, op := len(l.asked), rapid.IntRange(0, 12).Draw(l.T, "op")
	if op < 8 || op == 12 {
		l.asked[token] = 0
	}
	switch op {
	case 0:
		l.added++
		c := supervisor.Worker{Name: Name(fmt.Sprint("x", l.added)), Machine: machine{}}
		l.tree.StartChild(p.Node, token, c)
	case 1:
		l.tree.TerminateChild(p.Node, token, child)
	case 2:
		l.tree.RestartChild(p.Node, token, child)
	case 3:
		l.tree.DeleteChild(p.Node, token, child)
	case 4:
		l.tree.WhichChildren(p.Node, token)
	case 5:
		l.tree.CountChildren(p.Node, token)
	case 6:
		l.tree.GetChildSpec(p.Node, token, child)
	case 7:
		l.tree.TerminatePID(p.Node, token, l.pick(false))
	case 8:
		l.tree.Suspend(p.Node)
	case 9:
		l.tree.Resume(p.Node)
	case 10:
		l.tree.Stop(p.Node, rapid.SampledFrom(reasons).Draw(l.T, "reason"))
	case 11:
		l.tree.Expire(p)
	case 12:
		spec, _ := p.Node.Supervisor()
		l.tree.ChangeSpec(p.Node, token, l.changed(spec))
	}
}

// changed returns what a spec may become.
func (l *randomLoop) changed(s supervisor.Supervisor) supervisor.Supervisor {
	s.Children = slices.Clone(s.Children)
	if s.Strategy != supervisor.SimpleOneForOne {
		s.Strategy = supervisor.Strategy(rapid.IntRange(0, 2).Draw(l.T, "strategy"))
		s.Children = rapid.Permutation(s.Children).Draw(l.T, "children")
		s.Children = s.Children[:rapid.IntRange(0, len(s.Children)).Draw(l.T, "kept")]
		if rapid.Bool().Draw(l.T, "new") {
			l.added++
			s.Children = append(s.Children, supervisor.Worker{Name: Name(fmt.Sprint("x", l.added)), Machine: machine{}})
		}
		s.AutoShutdown = supervisor.AutoShutdown(rapid.IntRange(0, 2).Draw(l.T, "auto"))
	}
	s.Intensity = rapid.SampledFrom([]int{supervisor.NoRestarts, 0, 2, 5}).Draw(l.T, "intensity")
	for i, c := range s.Children {
		switch c := c.(type) {
		case supervisor.Worker:
			c.Restart = supervisor.Restart(rapid.IntRange(0, 2).Draw(l.T, "restart"))
			c.Significant = s.AutoShutdown != supervisor.Never && c.Restart != supervisor.Permanent
			s.Children[i] = c
		case supervisor.Supervisor:
			c.Significant = s.AutoShutdown != supervisor.Never && c.Restart != supervisor.Permanent
			s.Children[i] = l.changed(c)
		}
	}
	return s
}

// checkSaved: a quiet tree that was saved is the same when it is restored.
func (l *randomLoop) checkSaved() {
	root, _ := l.tree.Root().Supervisor()
	data := l.tree.Save()()
	tree, err := supervisor.Restore(root, data, func(_, child Name) (supervisor.Child, error) {
		n := l.tree.Node(child)
		if s, ok := n.Supervisor(); ok {
			return s, nil
		}
		w, _ := n.Worker()
		if s, _ := n.Parent().Supervisor(); s.Strategy == supervisor.SimpleOneForOne {
			return supervisor.Worker{Name: child, Machine: w.Machine}, nil
		}
		return w, nil
	})
	if err != nil {
		l.Fatalf("restore of %s with %+v: %v", data, root, err)
	}
	if again := tree.Save()(); string(again) != string(data) {
		l.Fatalf("saved %s\nrestored %s", data, again)
	}
}

// answer answers the ith pending action in one of the ways that it may be.
func (l *randomLoop) answer(i int) {
	a := l.pending[i]
	l.pending = slices.Delete(l.pending, i, i+1)
	switch a.Kind {
	case supervisor.Start:
		switch rapid.IntRange(0, 9).Draw(l.T, "start") {
		case 0:
			l.tree.Ignored(a.PID)
		case 1:
			l.tree.Started(a.PID, errors.New("init failed"))
		default:
			l.living = append(l.living, a.PID)
			l.tree.Started(a.PID, nil)
		}
		if rapid.Bool().Draw(l.T, "again") {
			l.tree.Started(a.PID, errors.New("a second answer"))
		}
	case supervisor.Terminate:
		l.exited(a.PID, rapid.SampledFrom(reasons).Draw(l.T, "reason"))
	case supervisor.Guard:
		l.tree.Expire(a.PID)
	}
}

func (l *randomLoop) exited(p supervisor.PID, r statemachine.Reason) {
	l.ended(p)
	l.forget(p)
	l.tree.Exited(p, r)
	l.tree.Exited(p, r) // a second answer
}

func (l *randomLoop) retry() {
	if len(l.retries) > 0 {
		a := l.retries[0]
		l.retries = l.retries[1:]
		l.tree.Retry(a.PID, a.Child)
	}
}

// settle resumes all and answers all until nothing is left to do.
func (l *randomLoop) settle() {
	for !l.tree.Quiet() {
		for _, p := range l.living {
			l.tree.Resume(p.Node)
		}
		if len(l.pending) > 0 {
			l.answer(0)
		}
		l.drain()
		l.retry()
		l.drain()
	}
	l.pending = slices.DeleteFunc(l.pending, func(a supervisor.Action) bool { return a.Kind == supervisor.Guard })
	if len(l.pending) > 0 {
		l.Fatalf("quiet, but %v is not answered", l.pending)
	}
}

// checkQuiet: the tree and the loop agree on who lives.
func (l *randomLoop) checkQuiet() {
	var want, got []string
	for _, p := range l.living {
		want = append(want, p.String())
	}
	for n := range l.tree.Root().All() {
		if n.PID().Alive() {
			got = append(got, n.PID().String())
		}
		if st := n.Status(); st != statemachine.Up && st != statemachine.Down {
			l.Fatalf("quiet, but %s is %v", n.Name(), st)
		}
		if l.tree.Node(n.Name()) != n {
			l.Fatalf("%s is not found", n.Name())
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		l.Fatalf("the loop has %s, the tree %s", strings.Join(want, " "), strings.Join(got, " "))
	}
}
