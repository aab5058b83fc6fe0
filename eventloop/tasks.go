package eventloop

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/lineshaft/lineshaft/statemachine"
)

// work is a task that a process has started, until its end is told.
type work struct {
	id      uint64
	proc    *process
	name    string // of the task
	task    statemachine.AnyTask
	tag     string
	arg     any
	retry   statemachine.Retry
	derived bool
	at      int64 // when it was started

	failed int                // tries
	cancel context.CancelFunc // nil unless it was begun
}

// startTask starts a task of p.
func (l *Loop) startTask(p *process, f statemachine.Effect, derived bool) {
	w := &work{id: l.id(derived), proc: p, name: string(f.Name), tag: f.Tag, arg: f.Value, retry: f.Retry, derived: derived, at: l.moment.Time()}
	w.task = p.Task(w.name)
	l.works[w.id] = w
	if !l.replays() {
		l.begin1(w)
	}
}

// cancelTasks ends all works of p of that task and tag.
func (l *Loop) cancelTasks(p *process, name, tag string) {
	for _, w := range l.works {
		if w.proc == p && w.name == name && w.tag == tag {
			l.dropWork(w)
		}
	}
}

func (l *Loop) dropWork(w *work) {
	delete(l.works, w.id)
	if w.cancel != nil {
		w.cancel()
	}
}

// begin1 has a work done as soon as there is a goroutine for it.
func (l *Loop) begin1(w *work) {
	var ctx context.Context
	ctx, w.cancel = context.WithCancel(context.Background())
	l.todo = append(l.todo, func() { l.try(ctx, w) })
	l.hire()
}

// hire starts goroutines for the works that wait for one.
func (l *Loop) hire() {
	for len(l.todo) > 0 && l.busy < l.cfg.Tasks {
		next := l.todo[0]
		l.todo[0] = nil
		l.todo = l.todo[1:]
		l.busy++
		go next()
	}
}

// try does the work once, on a goroutine of its own.
func (l *Loop) try(ctx context.Context, w *work) {
	finished := func(result any, err error) {
		l.enter()
		defer l.exit()
		l.busy--
		l.hire()
		l.tried(ctx, w, result, err)
	}
	if ctx.Err() != nil {
		finished(nil, ctx.Err())
		return
	}
	w.task.Do(ctx, l.taskID(w), w.arg, finished)
}

// taskID is the name of a work, the same whenever it is tried.
func (l *Loop) taskID(w *work) statemachine.TaskID {
	return statemachine.TaskID(fmt.Sprintf("%s-%s-%x-%x", w.proc.name, w.name, w.at, w.id))
}

// tried takes the outcome of a try.
func (l *Loop) tried(ctx context.Context, w *work, result any, err error) {
	if l.works[w.id] != w || ctx.Err() != nil || l.ended != nil {
		return
	}
	if err != nil {
		w.failed++
		if wait, again := w.retry.Next(w.failed); again {
			l.clock.after(wait, func() {
				l.enter()
				defer l.exit()
				l.todo = append(l.todo, func() { l.try(ctx, w) })
				l.hire()
			})
			return
		}
	}
	e := l.queue.fresh()
	e.kind, e.proc, e.answered, e.work = kindMessage, w.proc, true, w
	e.msg = statemachine.NewTaskDone(w.tag, w.name, l.taskID(w), result, err)
	l.queue.pushOwn(e, false)
}

// endWorks ends the works of p, whose life has ended. Those that a journaled
// process has started go on after the next start of the program.
func (l *Loop) endWorks(p *process) {
	for _, w := range l.works {
		if w.proc != p {
			continue
		}
		if w.cancel != nil {
			w.cancel()
		}
		if !l.leaving || !w.derived {
			delete(l.works, w.id)
		}
	}
}

// resumeWorks begins those that a replay has found.
func (l *Loop) resumeWorks() {
	var found []*work
	for _, w := range l.works {
		if w.cancel == nil {
			found = append(found, w)
		}
	}
	slices.SortFunc(found, func(a, b *work) int { return cmp.Compare(a.id, b.id) })
	for _, w := range found {
		l.begin1(w)
	}
}
