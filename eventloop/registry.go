package eventloop

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/lineshaft/lineshaft/statemachine"
)

// registry finds processes by name. Any goroutine may look; who holds the role
// may change it. The zero registry is empty.
type registry struct {
	mu      sync.RWMutex
	m       map[statemachine.Name]*process
	changes uint64 // of m
}

// find returns the process called name, nil if there is none.
func (r *registry) find(name statemachine.Name) *process {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.m[name]
}

// here is find for who holds the role.
func (r *registry) here(name statemachine.Name) *process { return r.m[name] }

// peer is here, faster for the one that p has sent to last.
func (r *registry) peer(p *process, name statemachine.Name) *process {
	if to := p.peer; to != nil && p.peerSince == r.changes && to.name == name {
		return to
	}
	p.peer, p.peerSince = r.m[name], r.changes
	return p.peer
}

func (r *registry) add(p *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m == nil {
		r.m = map[statemachine.Name]*process{}
	}
	r.m[p.name] = p
	r.changes++
}

// remove removes p, unless its name is another's by now.
func (r *registry) remove(p *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m[p.name] == p {
		delete(r.m, p.name)
		r.changes++
	}
}

// all returns every process, in no order.
func (r *registry) all() []*process {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Collect(maps.Values(r.m))
}

// inOrder returns every process, in the order of their names.
func (r *registry) inOrder() []*process {
	return slices.SortedFunc(slices.Values(r.all()), func(p, q *process) int { return cmp.Compare(p.name, q.name) })
}
