package supervisor_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/lineshaft/lineshaft/supervisor"
)

// TestSaveAndRestore plays what OTP played, with the tree saved and restored
// after each operation.
func TestSaveAndRestore(t *testing.T) {
	scenarios, trace := open(t, corpus), open(t, corpusOTP)
	var plain, resaved []*player
	compareWith(t, scenarios, trace, func(p *player) { plain = append(plain, p) })
	compareWith(t, scenarios, trace, func(p *player) {
		p.afterOp = p.resave
		resaved = append(resaved, p)
	})
	for i, p := range plain {
		if got := resaved[i].starts; !slices.Equal(got, p.starts) {
			t.Fatalf("%s: PIDs are %v, without saving %v", p.scn.Name, got, p.starts)
		}
	}
}

// resave replaces the tree by one that is restored from it.
func (p *player) resave() {
	if p.tree == nil {
		return
	}
	data := p.tree.Save()()
	tree, err := supervisor.Restore(specs(p.scn).Root(), data, func(parent, child Name) (supervisor.Child, error) {
		n := p.tree.Node(parent)
		if s, _ := n.Supervisor(); s.Strategy == supervisor.SimpleOneForOne {
			return supervisor.Worker{Name: child}, nil
		}
		d, ok := p.scn.Find(string(child))
		if !ok {
			return nil, errors.New("unknown")
		}
		return specs(p.scn).Child(d), nil
	})
	if err != nil {
		panic(p.scn.Name + ": " + err.Error())
	}
	if again := string(tree.Save()()); again != string(data) {
		panic(p.scn.Name + ": saved " + string(data) + "\nrestored " + again)
	}
	moved := func(pid supervisor.PID) supervisor.PID {
		if pid.Node.Present() {
			pid.Node = tree.Node(pid.Node.Name())
		}
		return pid
	}
	living := map[supervisor.PID]bool{}
	for pid := range p.living {
		living[moved(pid)] = true
	}
	for name, pid := range p.latest {
		p.latest[name] = moved(pid)
	}
	p.tree, p.living = tree, living
}

func TestRestoreRefuses(t *testing.T) {
	root := supervisor.Supervisor{Name: "root", Children: []supervisor.Child{
		supervisor.Worker{Name: "a", Machine: machine{}},
		supervisor.Worker{Name: "b", Machine: machine{}},
	}}
	for name, data := range map[string]string{
		"nothing":          ``,
		"an empty object":  `{}`,
		"another root":     `{"nodes":[{"parent":-1,"name":"boss"}]}`,
		"another child":    `{"nodes":[{"parent":-1,"name":"root","up":true},{"parent":0,"index":0,"name":"z"}]}`,
		"a child too many": `{"nodes":[{"parent":-1,"name":"root","up":true},{"parent":0,"index":2,"name":"c"}]}`,
		"a child twice": `{"nodes":[{"parent":-1,"name":"root","up":true},
			{"parent":0,"index":0,"name":"a"},{"parent":0,"index":0,"name":"a"}]}`,
		"no such parent":        `{"nodes":[{"parent":-1,"name":"root","up":true},{"parent":7,"index":0,"name":"a"}]}`,
		"a worker as parent":    `{"nodes":[{"parent":-1,"name":"root","up":true},{"parent":0,"name":"a"},{"parent":1,"name":"b"}]}`,
		"a child of one down":   `{"nodes":[{"parent":-1,"name":"root"},{"parent":0,"index":0,"name":"a"}]}`,
		"a process that is not": `{"nodes":[{"parent":-1,"name":"root","up":true},{"parent":0,"index":0,"name":"a","gone":true,"up":true}]}`,
	} {
		if _, err := supervisor.Restore(root, []byte(data), nil); !errors.Is(err, supervisor.ErrSavedState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A child that was added needs a spec.
	data := `{"nodes":[{"parent":-1,"name":"root","up":true},{"parent":0,"index":-1,"name":"x","up":true}]}`
	if _, err := supervisor.Restore(root, []byte(data), nil); !errors.Is(err, supervisor.ErrInvalidMachine) {
		t.Error(err)
	}
}
