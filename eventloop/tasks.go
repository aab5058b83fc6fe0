package eventloop

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/lineshaft/lineshaft/statemachine"
)

// pool is the tasks that have not ended.
type pool struct {
	works map[uint64]*work
	todo  []*work // which wait for a goroutine
	idle  int     // of them: those that were dropped
	busy  int     // goroutines that work
}

// work is a task that a process has started, until its end is told.
type work struct {
	id      uint64
	proc    *process
	name    string               // of the task
	task    statemachine.AnyTask // what encodes the argument; nil if that was read by a machine without such a task
	tag     string
	arg     any
	encoded []byte // the argument, if task is nil
	retry   statemachine.Retry
	derived bool
	at      int64 // when it was started

	failed int // tries
	ctx    context.Context
	cancel context.CancelFunc // nil unless it was begun
	wake   func()             // cancels the timer of the next try
	queued bool               // it waits for a goroutine
}

// startTask starts a task of p.
func (l *Loop) startTask(p *process, f *statemachine.Effect, derived bool) {
	w := &work{id: l.id(derived), proc: p, name: string(f.Name), tag: f.Tag, arg: f.Value, retry: f.Retry, derived: derived, at: l.moment.Time()}
	w.task = p.Task(w.name)
	l.addWork(w)
	if !l.replays() {
		l.beginWork(w)
	}
}

func (l *Loop) addWork(w *work) {
	l.works[w.id] = w
	if w.proc.works == nil {
		w.proc.works = map[uint64]*work{}
	}
	w.proc.works[w.id] = w
}

// cancelTasks ends all works of p of that task and tag.
func (l *Loop) cancelTasks(p *process, name, tag string) {
	for _, w := range p.works {
		if w.name == name && w.tag == tag {
			l.dropWork(w)
		}
	}
}

// dropWork ends w, of which nothing more is told.
func (l *Loop) dropWork(w *work) {
	delete(l.works, w.id)
	delete(w.proc.works, w.id)
	l.breakOff(w)
}

// breakOff ends the tries of w.
func (l *Loop) breakOff(w *work) {
	if w.cancel == nil {
		return
	}
	w.cancel()
	w.wake()
	if w.queued {
		w.queued = false
		if l.idle++; l.idle > len(l.todo)/2 { // they may wait for long, and be many
			l.todo = slices.DeleteFunc(l.todo, func(w *work) bool { return !w.queued })
			l.idle = 0
		}
	}
}

// beginWork has a work done as soon as there is a goroutine for it.
func (l *Loop) beginWork(w *work) {
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.wake = func() {}
	l.queueWork(w)
}

func (l *Loop) queueWork(w *work) {
	w.queued = true
	l.todo = append(l.todo, w)
	l.hire()
}

// hire starts goroutines for the works that wait for one.
func (l *Loop) hire() {
	for len(l.todo) > 0 && l.busy < l.cfg.Tasks {
		w := l.todo[0]
		l.todo[0] = nil
		l.todo = l.todo[1:]
		if !w.queued {
			l.idle--
			continue
		}
		w.queued = false
		l.busy++
		go l.try(w)
	}
}

// adapt makes w one of the machine that its process runs now, which may be another
// than the one that has started it.
func (w *work) adapt() error {
	task := w.proc.Task(w.name)
	if task == nil {
		return noTask(w.name)
	}
	if task == w.task {
		return nil
	}
	return aside(w.proc.name, "decode", func() error {
		data, err := w.appendArg(nil)
		if err != nil {
			return err
		}
		arg, err := task.DecodeArg(data)
		if err == nil {
			w.task, w.arg, w.encoded = task, arg, nil
		}
		return err
	})
}

func (w *work) appendArg(dst []byte) ([]byte, error) {
	if w.task == nil {
		return append(dst, w.encoded...), nil
	}
	return w.task.AppendArg(dst, w.arg)
}

// try does the work once, on a goroutine of its own.
func (l *Loop) try(w *work) {
	w.task.Do(w.ctx, w.taskID(), w.arg, func(result any, err error) {
		l.enter()
		defer l.exit()
		l.busy--
		l.hire()
		l.tried(w, result, err)
	})
}

// taskID is the name of a work, the same whenever it is tried.
func (w *work) taskID() statemachine.TaskID {
	return statemachine.TaskID(fmt.Sprintf("%s-%s-%x-%x", w.proc.name, w.name, w.at, w.id))
}

// tried takes the outcome of a try.
func (l *Loop) tried(w *work, result any, err error) {
	if l.works[w.id] != w || w.ctx.Err() != nil || l.ended != nil {
		return
	}
	if err != nil {
		w.failed++
		if wait, again := w.retry.Next(w.failed); again {
			w.wake = l.clock.after(wait, func() { l.tryAgain(w) })
			return
		}
	}
	l.endWork(w, result, err)
}

// endWork has the end of w told.
func (l *Loop) endWork(w *work, result any, err error) {
	if !l.lastWords() {
		return // it is done again after the next start of the program, if the state lasts
	}
	e := l.letters.get()
	e.kind, e.proc, e.answered, e.work = kindMessage, w.proc, true, w
	e.msg = statemachine.NewTaskDone(w.tag, w.name, w.taskID(), result, err)
	l.queue.pushOwn(e, false)
}

// tryAgain is called beside the loop when the time between two tries is over.
func (l *Loop) tryAgain(w *work) {
	l.enter()
	defer l.exit()
	if w.ctx.Err() == nil {
		l.queueWork(w)
	}
}

// endWorks ends the works of p, whose life has ended. If the program ends too
// they are done in its next life, where the state lasts.
func (l *Loop) endWorks(p *process) {
	for _, w := range p.works {
		if l.ends() && l.lasts(p) {
			l.breakOff(w)
		} else {
			l.dropWork(w)
		}
	}
}

// resumeWorks begins those of p that were under way when the program ended: as p
// lives again, so that there is somebody to be told.
func (l *Loop) resumeWorks(p *process) {
	if len(p.works) == 0 || l.replays() {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(p.works)) {
		w := p.works[id]
		if err := w.adapt(); err != nil {
			l.endWork(w, nil, fmt.Errorf("the work cannot be resumed: %w", err))
			continue
		}
		l.beginWork(w)
	}
}
