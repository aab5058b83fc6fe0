package eventloop

import (
	"iter"
	"sync"

	"github.com/lineshaft/lineshaft/statemachine"
)

// registry finds processes by name. Any goroutine may look; who holds the role
// may change it.
type registry struct{ m sync.Map }

// find returns the process called name, nil if there is none.
func (r *registry) find(name statemachine.Name) *process {
	p, _ := r.m.Load(name)
	found, _ := p.(*process)
	return found
}

func (r *registry) add(p *process) { r.m.Store(p.name, p) }

func (r *registry) remove(p *process) { r.m.CompareAndDelete(p.name, p) }

// all yields every process, in no order.
func (r *registry) all() iter.Seq[*process] {
	return func(yield func(*process) bool) {
		r.m.Range(func(_, p any) bool { return yield(p.(*process)) })
	}
}
