package backplane

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
)

// node is what can be linked: a device, or one life of a process.
type node struct {
	id   uint64 // two nodes are locked in this order
	name statemachine.Name
	life *eventloop.Life // nil of a device

	mu          sync.Mutex
	gone        bool
	first, last *link
	degree      int // how many links

	// Of a device.
	inbox []Disconnected // told, and not taken
	wake  chan struct{}  // capacity 1: something has changed; nil until somebody waits
	run   *run           // what Manage or Watch is at
}

// run is a function that a device runs.
type run struct {
	managed bool // only a fault is of interest
	cancel  context.CancelCauseFunc
	cause   *Disconnected // why it was cancelled
}

// link is an edge between two nodes.
//
// Invariant: both nodes have it on their lists, or neither. Both locks guard it;
// ends never changes.
type link struct {
	ends       [2]*node
	told       [2]bool // whether ends[i] is, that the other disconnects
	next, prev [2]*link
}

var ids atomic.Uint64

// called returns the node's name; one without has a number.
func (n *node) called() statemachine.Name {
	if n.name == "" {
		return statemachine.Name(fmt.Sprintf("device-%d", n.id))
	}
	return n.name
}

// line returns the line by which others know the node.
func (n *node) line() Line {
	if n.life != nil {
		return Process(n.life.Loop, n.life.Name)
	}
	return Line{node: n}
}

// lock locks two nodes.
func lock(a, b *node) {
	if a.id > b.id {
		a, b = b, a
	}
	a.mu.Lock()
	b.mu.Lock()
}

func unlock(a, b *node) {
	a.mu.Unlock()
	b.mu.Unlock()
}

// side returns which end of the link n is.
func (k *link) side(n *node) int {
	if k.ends[0] == n {
		return 0
	}
	return 1
}

// add puts k at the end of n's list.
func (n *node) add(k *link) {
	i := k.side(n)
	k.prev[i] = n.last
	if n.last == nil {
		n.first = k
	} else {
		n.last.next[n.last.side(n)] = k
	}
	n.last = k
	n.degree++
}

func (n *node) remove(k *link) {
	i := k.side(n)
	prev, next := k.prev[i], k.next[i]
	if prev == nil {
		n.first = next
	} else {
		prev.next[prev.side(n)] = next
	}
	if next == nil {
		n.last = prev
	} else {
		next.prev[next.side(n)] = prev
	}
	k.next[i], k.prev[i] = nil, nil
	n.degree--
}

// find returns the link of two nodes, nil if there is none. It looks through the
// shorter list of the two: a hub is linked with many, but those with few.
func find(a, b *node) *link {
	if a.degree > b.degree {
		a, b = b, a
	}
	for k := a.first; k != nil; k = k.next[k.side(a)] {
		if k.ends[1-k.side(a)] == b {
			return k
		}
	}
	return nil
}

// connect is Link.
func connect(a, b *node, m Mode) error {
	if a == b {
		return a.there()
	}
	lock(a, b)
	defer unlock(a, b)
	for _, n := range [...]*node{a, b} {
		if n.gone {
			return noProcess(n.called())
		}
	}
	k := find(a, b)
	if k == nil {
		k = &link{ends: [2]*node{a, b}}
		a.add(k)
		b.add(k)
	}
	i := k.side(a)
	k.told[i] = k.told[i] || m&Monitor != 0
	k.told[1-i] = k.told[1-i] || m&Notify != 0
	return nil
}

// there returns an error if n has left.
func (n *node) there() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone {
		return noProcess(n.called())
	}
	return nil
}

// separate is Unlink.
func separate(a, b *node, m Mode) {
	if a == b {
		return
	}
	lock(a, b)
	defer unlock(a, b)
	k := find(a, b)
	if k == nil {
		return
	}
	i := k.side(a)
	k.told[i] = k.told[i] && m&Monitor == 0
	k.told[1-i] = k.told[1-i] && m&Notify == 0
	if !k.told[0] && !k.told[1] {
		a.remove(k)
		b.remove(k)
	}
}

// disconnect ends n, and tells its links, the first one first.
func (n *node) disconnect(r statemachine.Reason) {
	first, _ := n.leave()
	n.tellAll(first, r)
}

// leave takes n off the backplane: from now on it gets no link, and hears of
// nothing. It returns the first of the links that are to be told, and how many
// there are; none if it was off already.
func (n *node) leave() (first *link, degree int) {
	n.mu.Lock()
	if n.gone {
		n.mu.Unlock()
		return nil, 0
	}
	n.gone, n.inbox = true, nil
	n.rouse()
	r, first, degree := n.run, n.first, n.degree
	n.mu.Unlock()
	if r != nil {
		r.cancel(noProcess(n.called()))
	}
	return first, degree
}

// tellAll tells the links of n, which has left, from k on.
func (n *node) tellAll(k *link, r statemachine.Reason) {
	m := Disconnected{n.line(), r}
	for k != nil {
		to := k.ends[1-k.side(n)]
		lock(n, to)
		var cancelled *run
		if n.first == k { // else it has been removed meanwhile
			n.remove(k)
			to.remove(k)
			if k.told[k.side(to)] {
				cancelled = to.tell(m)
			}
		}
		k = n.first
		unlock(n, to)
		cancelled.stop()
	}
}

// tell tells n, which is locked. What it returns is to be stopped once it is not.
func (n *node) tell(m Disconnected) *run {
	r := n.run
	switch {
	case n.gone:
	case n.life != nil:
		n.life.Exit(m.Line.Name(), m.Reason)
	case r != nil && r.managed && (r.cause != nil || !m.fault()):
		// one fault is enough
	case r != nil && r.cause == nil:
		cause := m // it alone is to be on the heap
		r.cause = &cause
		return r
	default:
		n.inbox = append(n.inbox, m)
		n.rouse()
	}
	return nil
}

// rouse wakes who waits.
func (n *node) rouse() {
	if n.wake != nil {
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

// stop cancels the function, because of what it was told. The zero run is none.
func (r *run) stop() {
	if r != nil {
		r.cancel(r.cause)
	}
}

// aside is how many links the end of a process may have that the loop itself
// tells.
const aside = 32

// Ended is for the loop: the life that n stands for has ended.
func (n *node) Ended(r statemachine.Reason) {
	if first, degree := n.leave(); degree > aside {
		go n.tellAll(first, r)
	} else {
		n.tellAll(first, r)
	}
}
