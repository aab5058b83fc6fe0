package eventloop

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// shape is how the tree differs from Config.Root: which children were added to
// it while it ran, and which of its own were deleted. The role guards it.
type shape struct {
	added   map[statemachine.Name]*addition
	below   map[statemachine.Name]map[statemachine.Name]*addition // by supervisor
	deleted places                                                // children of specs, Config.Root's and those of additions
	missing places                                                // those deleted before the tree was started
	changed map[statemachine.Name]string                          // processes whose code was changed: their machine's key
	turn    int
	none    []statemachine.Name // of a snapshot: workers of the specs that have no process
}

// places are children of specs, each with its supervisor: another's may have the
// same name.
type places map[place]bool

type place struct{ sup, child statemachine.Name }

// addition is a child that was added.
type addition struct {
	turn   int // additions are started in the order of turns
	sup    statemachine.Name
	spec   supervisor.Child
	record json.RawMessage

	unstarted bool // it did not start with the program, and is not in the tree
	whole     bool // it was added since, with all of its spec
}

func newShape() shape {
	return shape{
		added:   map[statemachine.Name]*addition{},
		below:   map[statemachine.Name]map[statemachine.Name]*addition{},
		deleted: places{},
		changed: map[statemachine.Name]string{},
	}
}

func (s *shape) add(r *request) {
	s.turn++
	s.put(r.child, &addition{turn: s.turn, sup: r.sup, spec: r.spec, record: r.record, whole: !r.boot})
}

func (s *shape) put(child statemachine.Name, a *addition) {
	s.added[child] = a
	if s.below[a.sup] == nil {
		s.below[a.sup] = map[statemachine.Name]*addition{}
	}
	s.below[a.sup][child] = a
}

// remove forgets the child, and what was added to the supervisors in it.
func (s *shape) remove(child statemachine.Name, below map[statemachine.Name]bool) {
	if a := s.added[child]; a != nil {
		delete(s.added, child)
		delete(s.below[a.sup], child)
		for sup := range below {
			s.forgetBelow(sup)
		}
		s.restore(below)
	}
}

// restore forgets what was deleted from supervisors that are no more, as they are
// forgotten for good or a like subtree is added: that is whole.
func (s *shape) restore(sups map[statemachine.Name]bool) {
	if len(sups) == 0 {
		return
	}
	maps.DeleteFunc(s.deleted, func(p place, _ bool) bool { return sups[p.sup] })
}

// forgetBelow forgets what was added to sup and what was deleted from it,
// because it has ended.
func (s *shape) forgetBelow(sup statemachine.Name) {
	for child, a := range s.below[sup] {
		s.remove(child, supervisorsOf(a.spec))
	}
	delete(s.below, sup)
	maps.DeleteFunc(s.deleted, func(p place, _ bool) bool {
		return p.sup == sup && !s.missing[p] // else its supervisor does not have it either
	})
}

// inOrder returns the additions in the order of their turns.
func (s *shape) inOrder() []*addition {
	all := make([]*addition, 0, len(s.added))
	for _, a := range s.added {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *addition) int { return cmp.Compare(a.turn, b.turn) })
	return all
}

// supervisorsOf yields the names of the supervisors in a spec.
func supervisorsOf(c supervisor.Child) map[statemachine.Name]bool {
	names := map[statemachine.Name]bool{}
	todo := []supervisor.Child{c}
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s, ok := c.(supervisor.Supervisor); ok {
			names[s.Name] = true
			todo = append(todo, s.Children...)
		}
	}
	return names
}

// workersOf returns the names of the workers in a spec.
func workersOf(c supervisor.Child) []statemachine.Name {
	var names []statemachine.Name
	todo := []supervisor.Child{c}
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch c := c.(type) {
		case supervisor.Supervisor:
			todo = append(todo, c.Children...)
		case supervisor.Worker:
			names = append(names, c.Name)
		}
	}
	return names
}

// forget ends what was known of a child that was deleted, or dropped for good,
// and of all below it: its place in the shape, its processes, and what was
// saved for them.
func (l *Loop) forget(sup, child statemachine.Name, spec supervisor.Child) {
	names, below := workersOf(spec), supervisorsOf(spec)
	maps.DeleteFunc(below, func(name statemachine.Name, _ bool) bool { return l.tree.Node(name) != nil }) // another's
	for sup := range below {
		for added, a := range l.shape.below[sup] {
			l.forget(sup, added, a.spec)
		}
	}
	if l.shape.added[child] != nil {
		l.shape.remove(child, below)
	} else {
		for sup := range below {
			l.shape.forgetBelow(sup) // the restart of its supervisor may bring it back
		}
		l.shape.deleted[place{sup, child}] = true
	}
	for _, name := range names {
		if l.hasWorker(name) {
			continue // another supervisor's child has taken the name
		}
		if p := l.procs.find(name); p != nil {
			p.gone.Store(true)
			p.node = nil // which may come back, with a new process
			if l.replays() {
				l.past.dropped[name] = p
			}
			l.procs.remove(p)
			l.forgetState(p)
		}
		delete(l.orphans, name)
		delete(l.shape.changed, name)
		for i := range l.windows {
			l.windows[i].forget(name)
		}
		l.disk.deleted = append(l.disk.deleted, string(name))
	}
	l.saveDeleted()
}

// forgetBelow forgets what was added to a supervisor that has ended. The states
// of its workers stay saved, for who is added under their names, and nothing else of them:
// for a snapshot there are no such processes either.
func (l *Loop) forgetBelow(sup statemachine.Name) {
	var names []statemachine.Name
	todo := []statemachine.Name{sup}
	for len(todo) > 0 {
		sup := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, a := range l.shape.below[sup] {
			names = append(names, workersOf(a.spec)...)
			todo = slices.AppendSeq(todo, maps.Keys(supervisorsOf(a.spec)))
		}
	}
	l.shape.forgetBelow(sup)
	for _, name := range names {
		l.vacate(name)
	}
}

// vacate forgets the process of that name, whose child is not there, and has not
// been, or has been forgotten. What is kept for it stays saved. Config.Root's worker
// of the name has a process all the same, as it would after a start.
func (l *Loop) vacate(name statemachine.Name) {
	p := l.procs.find(name)
	if p == nil || p.alive || p.dying != nil || l.hasWorker(name) {
		return
	}
	var w supervisor.Worker
	is := false
	if l.static[name] {
		w, is = l.specified(name)
	}
	if !is || p.specified != w.Machine {
		l.orphan(p)
	}
	if is && l.procs.find(name) == nil {
		l.addProcess(w)
	}
}

// specified returns the worker of that name of Config.Root, if it was not deleted.
func (l *Loop) specified(name statemachine.Name) (supervisor.Worker, bool) {
	todo := []supervisor.Child{without(l.cfg.Root, l.shape.deleted)}
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch c := c.(type) {
		case supervisor.Supervisor:
			if c.Strategy != supervisor.SimpleOneForOne { // whose child is a template
				todo = append(todo, c.Children...)
			}
		case supervisor.Worker:
			if c.Name == name {
				return c, true
			}
		}
	}
	return supervisor.Worker{}, false
}

// orphan keeps the state of p, and nothing else.
func (l *Loop) orphan(p *process) {
	if encode, ok := p.Kept(); ok {
		state, err := encode(nil)
		if err != nil {
			return // as long as the program runs it can be given to who is added
		}
		l.orphans[p.name] = state
	}
	p.gone.Store(true)
	p.node = nil
	if l.replays() {
		l.past.dropped[p.name] = p
	}
	l.procs.remove(p)
	l.forgetState(p)
	delete(l.shape.changed, p.name)
}

// supersede forgets an addition that is not in the tree, as another has its name
// now. The states of its workers stay saved.
func (l *Loop) supersede(a *addition) {
	name := nameOf(a.spec)
	for sup := range supervisorsOf(a.spec) {
		if sup == name || l.tree.Node(sup) == nil { // else it is another's
			l.forgetBelow(sup)
		}
	}
	delete(l.shape.below[a.sup], name)
	l.unstarted(a.spec)
}

// forgetDropped forgets children that were added and have ended for good:
// temporary ones, and those of SimpleOneForOne supervisors.
func (l *Loop) forgetDropped() {
	for _, p := range l.departed {
		if a := l.shape.added[p.name]; a != nil && !p.gone.Load() && !p.alive && !l.leaving && l.ended == nil && !p.node.Present() {
			l.forget(a.sup, p.name, supervisor.Worker{Name: p.name})
		}
	}
	clear(l.departed)
	l.departed = l.departed[:0]
}

// savedShape is a shape in a snapshot, with the supervisors' memory if it was
// taken in the middle of a run.
type savedShape struct {
	Added   []savedAddition                         `json:"added,omitempty"`
	Deleted map[statemachine.Name]statemachine.Name `json:"deleted,omitempty"` // as it was written before there was Gone: the supervisor, by child
	Missing map[statemachine.Name]statemachine.Name `json:"missing,omitempty"`
	Gone    savedPlaces                             `json:"gone,omitempty"`
	Absent  savedPlaces                             `json:"absent,omitempty"`
	Changed map[statemachine.Name]string            `json:"changed,omitempty"`
	None    []statemachine.Name                     `json:"none,omitempty"` // workers of the specs that have no process
	Tree    json.RawMessage                         `json:"tree,omitempty"`
	Kept    *kept                                   `json:"kept,omitempty"`
	Bounds  *bounds                                 `json:"bounds,omitempty"` // earlier versions have none
}

// savedPlaces are children by supervisor.
type savedPlaces map[statemachine.Name][]statemachine.Name

func (p places) saved() savedPlaces {
	all := savedPlaces{}
	for at := range p {
		all[at.sup] = append(all[at.sup], at.child)
	}
	for _, children := range all {
		slices.Sort(children)
	}
	return all
}

// places is the inverse of saved; old is what was written before.
func (s savedPlaces) places(old map[statemachine.Name]statemachine.Name) places {
	all := places{}
	for sup, children := range s {
		for _, child := range children {
			all[place{sup, child}] = true
		}
	}
	for child, sup := range old {
		all[place{sup, child}] = true
	}
	return all
}

type savedAddition struct {
	Sup       statemachine.Name `json:"sup"`
	Spec      json.RawMessage   `json:"spec"`
	Unstarted bool              `json:"unstarted,omitempty"`
	Whole     bool              `json:"whole,omitempty"`
}

// saveShape takes note of what a snapshot keeps of the application beside its
// states, the supervisors' memory too if it is taken in the middle of a run. The
// function encodes it, on any goroutine. An error is that of a machine's codec.
func (l *Loop) saveShape(running bool) (encode func() []byte, err error) {
	s := savedShape{Gone: l.shape.deleted.saved(), Absent: l.shape.missing.saved(), Changed: maps.Clone(l.shape.changed), Bounds: new(l.bounds)}
	err = aside(l.cfg.Root.Name, "encode", func() (err error) { // codecs do
		s.Kept, err = l.keep()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", journal.ErrRefused, err)
	}
	for _, a := range l.shape.inOrder() {
		s.Added = append(s.Added, savedAddition{a.sup, a.record, a.unstarted, a.whole})
	}
	s.None = l.processless()
	tree := func() []byte { return nil }
	if running {
		tree = l.tree.Save()
	}
	return func() []byte {
		s.Tree = tree()
		s.Kept.Keys = keepKeys(s.Kept.noted)
		data, err := json.Marshal(s)
		if err != nil {
			panic(err) // it is made of JSON
		}
		return data
	}, nil
}

// loadShape is the inverse of saveShape.
func (l *Loop) loadShape(app []byte) (tree []byte, k *kept, err error) {
	l.shape = newShape()
	if len(app) == 0 {
		return nil, nil, nil
	}
	var s savedShape
	if err := json.Unmarshal(app, &s); err != nil {
		return nil, nil, err
	}
	l.shape.deleted = s.Gone.places(s.Deleted)
	maps.Copy(l.shape.changed, s.Changed)
	l.shape.none = s.None
	if s.Bounds != nil {
		l.bounds = *s.Bounds
	}
	l.shape.missing = s.Absent.places(s.Missing)
	for _, a := range s.Added {
		spec, err := l.cfg.decodeSpec(a.Spec)
		if err != nil {
			return nil, nil, err
		}
		l.shape.add(&request{sup: a.Sup, child: nameOf(spec), spec: spec, record: a.Spec})
		added := l.shape.added[nameOf(spec)]
		added.unstarted, added.whole = a.Unstarted, a.Whole
	}
	return s.Tree, s.Kept, nil
}

// populate makes the processes of the tree that a snapshot is of, and no others:
// whether there is one decides what becomes of what is sent to it.
func (l *Loop) populate() {
	l.procs = registry{}
	l.addProcesses(without(l.cfg.Root, l.shape.deleted).Children)
	for _, a := range l.shape.inOrder() {
		if !a.unstarted { // else who is there by its name is another's
			l.addAdded(a)
		}
	}
	for _, name := range l.shape.none {
		if p := l.procs.find(name); p != nil {
			l.procs.remove(p)
		}
	}
	l.shape.none = nil
}

// processless returns the workers of the specs that have no process, such as
// temporary ones of Config.Root whose name was used for another child since.
func (l *Loop) processless() []statemachine.Name {
	specs := append([]supervisor.Child{}, without(l.cfg.Root, l.shape.deleted))
	for _, a := range l.shape.added {
		specs = append(specs, a.spec)
	}
	var none []statemachine.Name
	for _, spec := range specs {
		for _, name := range workersOf(spec) {
			if l.procs.find(name) == nil {
				none = append(none, name)
			}
		}
	}
	slices.Sort(none)
	return slices.Compact(none)
}

func nameOf(c supervisor.Child) statemachine.Name {
	switch c := c.(type) {
	case supervisor.Worker:
		return c.Name
	case supervisor.Supervisor:
		return c.Name
	}
	return ""
}

// root is Config.Root without the children that were deleted before it is started.
func (l *Loop) root() supervisor.Supervisor { return without(l.cfg.Root, l.shape.missing) }

// present is what a was added with, without the children that were deleted before
// the tree was started.
func (l *Loop) present(a *addition) supervisor.Child {
	if s, ok := a.spec.(supervisor.Supervisor); ok && !a.whole {
		return without(s, l.shape.missing)
	}
	return a.spec
}

func without(s supervisor.Supervisor, missing places) supervisor.Supervisor {
	if len(missing) == 0 {
		return s
	}
	kept := make([]supervisor.Child, 0, len(s.Children))
	for _, c := range s.Children {
		if missing[place{s.Name, nameOf(c)}] {
			continue
		}
		if sub, ok := c.(supervisor.Supervisor); ok {
			c = without(sub, missing)
		}
		kept = append(kept, c)
	}
	s.Children = kept
	return s
}

// startAdded starts the children that were added before the program started.
// One that does not start stays in the shape, to be tried at the next start.
func (l *Loop) startAdded() {
	for _, a := range l.shape.inOrder() {
		n, name := l.tree.Node(a.sup), nameOf(a.spec)
		if n == nil || l.ended != nil {
			continue
		}
		if l.tree.Node(name) != nil { // it was down, or a temporary child that had ended, when the addition took its name
			_, is := a.spec.(supervisor.Supervisor)
			a.unstarted = true
			tell(l, StartFailed{Name: name, Supervisor: is, Err: supervisor.ErrDuplicateName})
			l.unstarted(a.spec)
			continue
		}
		l.hand(n, &request{op: opStart, sup: a.sup, child: name, spec: l.present(a), record: a.record, boot: true})
		l.settle()
	}
	l.booting = false
	l.settle()
}
