package eventloop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// ErrGaveUp is how an application ended whose root supervisor ended by itself:
// its children failed more often than its intensity allows, or it shut down
// because significant children had ended.
var ErrGaveUp = errors.New("the root supervisor gave up")

// LateError says which processes were killed when the application was stopped:
// their Terminate had not returned when their grace, or Stop's context, ended.
// Their states were saved all the same.
type LateError struct {
	Names []statemachine.Name // in the order in which they were killed
}

// Error names the processes.
func (e *LateError) Error() string {
	names := make([]string, len(e.Names))
	for i, n := range e.Names {
		names[i] = string(n)
	}
	return "did not terminate in time: " + strings.Join(names, ", ")
}

// ending is how an application ends.
type ending struct {
	leaving bool     // the tree has been told to end
	told    bool     // the tree has been, or is about to be, told to end
	cut     bool     // Stop's context has ended
	saving  bool     // the tree has ended, and the last save is made
	unborn  error    // why the root's own Init gave no tree
	lastEnd struct { // who ended by itself, and why
		name   statemachine.Name
		reason statemachine.Reason
	}
	ended *statemachine.Reason // why the root has ended
	late  []statemachine.Name  // killed at the end of their grace while leaving
}

// ends reports whether the program ends: the tree was told to end, or its root has
// given up. What ends with it is there again in the next one.
func (l *Loop) ends() bool {
	return l.leaving || l.tree.Root().Status() == statemachine.Terminating
}

// Stop ends the application in order: what is queued is stepped and what comes
// later refused (ErrStopping; reads are answered until their process ends), then the processes terminate in reverse start
// order, each within its grace, then their states are saved. When ctx ends
// first, whatever still runs is killed. Stop returns when all this is done, and
// Done is closed: nil, or an error that says what was not in order, a
// *LateError perhaps. It may be called again, and by several goroutines at once:
// all get the same answer. Not from inside a machine or OnEvent.
func (l *Loop) Stop(ctx context.Context) error {
	l.queue.close()
	l.stopping.Store(true)
	l.nudge()
	select {
	case <-l.done:
	case <-ctx.Done():
		l.cutShort()
		<-l.done
	}
	return l.err
}

// Done is closed when the application has ended, for whatever reason, and what
// is to be saved is saved.
func (l *Loop) Done() <-chan struct{} { return l.done }

// Err returns how the application ended, once Done is closed: nil after an
// orderly Stop, an error that wraps ErrGaveUp or statemachine.ErrJournal, or
// what Stop returned.
func (l *Loop) Err() error {
	select {
	case <-l.done:
		return l.err
	default:
		return nil
	}
}

// leave does what is to be done once nothing is left to step: it ends the tree
// if Stop was called, or the application if the tree has ended.
func (l *Loop) leave() {
	switch {
	case !l.mayLeave():
	case l.ended != nil:
		l.finish()
	default:
		l.told = true
		l.own(opShutdown, false)
	}
}

// mayLeave reports whether leave has anything to do. The tree is not ended while
// a restart is under way that inputs wait for which are in the journal.
func (l *Loop) mayLeave() bool {
	if l.ended != nil {
		return !l.saving
	}
	return l.stopping.Load() && !l.told && (l.tree.Quiet() || !l.unapplied())
}

// cutShort kills what has not terminated.
func (l *Loop) cutShort() {
	l.enter()
	defer l.exit()
	if l.ended == nil {
		l.told, l.cut = true, true
		l.own(opCut, true)
	}
}

// own makes a request of the loop's own to the root: through the journal if
// there is one, so that a replay meets it at the same place.
func (l *Loop) own(op op, front bool) {
	e := &entry{kind: kindRequest, req: &request{op: op, sup: l.tree.Root().Name()}}
	if l.journals() {
		l.queue.pushOwn(e, front)
	} else {
		l.run(e)
	}
}

// rootExited takes note that the tree has ended. The application ends when what
// the journal has already is seen to.
func (l *Loop) rootExited(r statemachine.Reason) {
	if l.ended == nil { // else a commit has failed before
		l.ended = &r
	}
	if !l.replays() {
		l.queue.close()
	}
}

// finish saves what is to be saved, and ends the application.
func (l *Loop) finish() {
	l.saving = true
	err := l.howEnded(*l.ended)
	if l.cfg.Durability == None || l.unapplied() {
		// What is in the journal and waits for its process stays there: the next
		// start steps it.
		go l.closeDown(err)
		return
	}
	l.orphanedRequests()
	u, failed := l.wholeUpdate()
	if failed != nil { // then the next start replays the journal
		go l.closeDown(errors.Join(err, failed))
		return
	}
	l.cfg.Log.Save(u, func(failed error) {
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%w: %w", statemachine.ErrJournal, failed))
		}
		go l.closeDown(err)
	})
}

// howEnded makes an error of the root's exit reason.
func (l *Loop) howEnded(r statemachine.Reason) error {
	var start *supervisor.StartError
	switch {
	case errors.As(r.Detail, &start):
		return fmt.Errorf("eventloop: %w", start)
	case l.unborn != nil:
		return l.unborn
	case !l.leaving:
		return fmt.Errorf("eventloop: %w: %v; %s ended last, %v", ErrGaveUp, r, l.lastEnd.name, l.lastEnd.reason)
	case len(l.late) > 0:
		return &LateError{Names: slices.Clone(l.late)}
	}
	return nil
}

// closeDown refuses what is left and says that the application has ended.
func (l *Loop) closeDown(err error) {
	l.enter()
	defer l.role.Unlock()
	kept := l.unapplied() || errors.Is(err, statemachine.ErrJournal) // then the next start may step what is in the journal
	left := l.queue.take(l.flight, int(^uint(0)>>1))
	for _, p := range l.waiting {
		left = append(left, p.committed...)
		for e := l.queue.unhold(p); e != nil; e = l.queue.unhold(p) {
			left = append(left, e)
		}
		p.committed = nil
	}
	for _, e := range left {
		why := statemachine.ErrStopping
		if errors.Is(err, statemachine.ErrJournal) {
			why = err
		}
		if e.journaled() && kept {
			l.refuseAs(e, statemachine.Unknown, why)
		} else {
			l.refuse(e, why)
		}
	}
	for _, p := range l.procs.all() {
		for _, e := range p.inOrder() {
			if e.asked == nil {
				l.answer(e, refused(p.name, statemachine.Applied, statemachine.ErrStopping))
			}
		}
		p.callers = nil
		p.gen.Store(0)
	}
	l.outside.close(err)
	for _, w := range l.works {
		l.breakOff(w)
	}
	l.unarm()
	l.flight, l.waiting = nil, nil
	l.err = err
	close(l.done)
}
