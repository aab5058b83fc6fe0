package genstatem

import (
	"runtime/debug"
	"slices"

	"github.com/lineshaft/lineshaft/statemachine"
)

// act goes through what a callback has asked for, from an action on: it sends
// replies and says whether the event is postponed. The rest is for apply, when
// the transition is made. first is 0, or where those of an enter call begin.
func (t *turn[S, D, E, R]) act(first int, enter bool) (postpone bool, bad error) {
	t.answerFirst()
	actions := t.fx.actions[first:]
	for i := range actions {
		a := &actions[i]
		switch {
		case a.kind == actReply:
			t.answer(a.from, t.fx.replies[a.reply])
		case enter && (a.kind == actPostpone || a.kind == actNextEvent):
			return false, ErrBadEnterAction
		case a.after < 0:
			return false, ErrBadAction
		case a.kind == actPostpone:
			postpone = true
		}
	}
	return postpone, nil
}

// apply sets the timeouts and inserts the events that were asked for.
func (t *turn[S, D, E, R]) apply() {
	actions := t.fx.actions
	for i := range actions {
		if a := &actions[i]; a.kind >= actSet && !overruled(actions, i) {
			t.timeout(a)
		}
	}
	for i := len(actions) - 1; i >= 0; i-- {
		if a := &actions[i]; a.kind == actNextEvent {
			t.queue = append(t.queue, Event[E]{Type: a.typ, Content: a.content, From: a.from})
		}
	}
}

// setsAnew reports whether a timeout that runs is set anew, which is then all
// that there is to do.
func (t *turn[S, D, E, R]) setsAnew(typ EventType) bool {
	for i := range t.fx.actions {
		if a := &t.fx.actions[i]; a.kind == actSet && a.typ == typ && !overruled(t.fx.actions, i) {
			return t.s.more.running(typ) != nil
		}
	}
	return false
}

// overruled reports whether a later action is about the same timeout as that at i.
func overruled[E any](actions []action[E], i int) bool {
	return slices.ContainsFunc(actions[i+1:], func(a action[E]) bool { return a.kind >= actSet && a.typ == actions[i].typ })
}

// lastingActions returns those of Init's actions that have an effect: there is
// nobody who could be answered, no event to postpone, no timeout to cancel.
func lastingActions[E any](actions []action[E]) []action[E] {
	var lasting []action[E]
	for i, a := range actions {
		if a.after < 0 || a.kind == actNextEvent || (a.kind == actSet || a.kind == actUpdate) && !overruled(actions, i) {
			lasting = append(lasting, a)
		}
	}
	return lasting
}

// timeout sets, updates or cancels a timeout.
func (t *turn[S, D, E, R]) timeout(a *action[E]) {
	switch {
	case a.kind == actCancel:
		t.cancel(a.typ)
	case a.kind == actSet && a.after > 0:
		t.zero = slices.DeleteFunc(t.zero, func(z timeout[E]) bool { return z.typ == a.typ })
		t.put(a)
		t.step.SetTimer(string(a.typ), a.after)
	case a.kind == actUpdate && t.s.more.running(a.typ) != nil:
		t.put(a)
	default:
		i := slices.IndexFunc(t.zero, func(z timeout[E]) bool { return z.typ == a.typ })
		if a.kind == actUpdate && i >= 0 {
			t.zero[i].content = a.content
			return
		}
		t.cancel(a.typ)
		t.zero = append(t.zero, timeout[E]{a.typ, a.content})
	}
}

// put makes the timeout one that runs. If it does, and carries the same, that
// costs no memory.
func (t *turn[S, D, E, R]) put(a *action[E]) {
	if content := t.s.more.running(a.typ); content == nil || !same(content, &a.content) {
		t.more().put(a.typ, a.content)
	}
}

// cancel removes a timeout that runs, or waits without time.
func (t *turn[S, D, E, R]) cancel(typ EventType) {
	if t.s.more.running(typ) != nil {
		t.more().remove(typ)
		t.step.CancelTimer(string(typ))
	} else if len(t.zero) > 0 {
		t.zero = slices.DeleteFunc(t.zero, func(z timeout[E]) bool { return z.typ == typ })
	}
}

// answerFirst replies to the caller of the event, if that was asked for first.
func (t *turn[S, D, E, R]) answerFirst() {
	if t.fx.answers {
		t.fx.answers = false
		t.answer(t.fx.from, t.fx.answer)
	}
}

// answer replies to a caller. That of the input is answered by the output of
// the step, which costs nothing, if nobody else is answered: the order of
// replies is that of the actions.
func (t *turn[S, D, E, R]) answer(to statemachine.From, r R) {
	if to == 0 {
		return
	}
	if to == t.from && !t.spoken {
		t.reply, t.direct, t.spoken = r, true, true
		return
	}
	t.spoken = true
	t.flush()
	t.step.Reply(to, r)
}

// flush makes the direct reply one like others.
func (t *turn[S, D, E, R]) flush() {
	if t.direct {
		t.direct = false
		t.step.Reply(t.from, t.reply)
	}
}

// stop ends the machine because the callback has asked for it. Of its actions,
// those from first on, only replies count.
func (t *turn[S, D, E, R]) stop(first int, s S, d D) {
	reason := t.fx.reason
	t.answerFirst()
	for _, a := range t.fx.actions[first:] {
		if a.after < 0 {
			reason = statemachine.Crash(ErrBadReplyAction)
			break
		}
		if a.kind == actReply {
			t.answer(a.from, t.fx.replies[a.reply])
		}
	}
	t.end(reason, s, d)
}

// crashed ends the machine because a callback has panicked with v.
func (t *turn[S, D, E, R]) crashed(v any) {
	reason, exits := v.(statemachine.Reason)
	if !exits {
		if t.rollback && !t.spoken {
			panic(v) // the stack is still the callback's
		}
		reason = statemachine.Crash(&statemachine.CrashError{Name: t.step.Self(), In: "step", Value: v, Stack: debug.Stack()})
	}
	t.end(reason, t.s.State, t.s.Data)
}

// end ends the machine: Terminate is told s and d. What comes before the mailbox
// waits for its next start, if states are saved.
func (t *turn[S, D, E, R]) end(r statemachine.Reason, s S, d D) {
	t.ended = true
	t.s.State, t.s.Data = s, d
	if t.m.State != nil && len(t.queue)+len(t.zero) > 0 {
		t.more().waiting = &waiting[E]{queue: slices.Clone(t.queue), zero: slices.Clone(t.zero)}
	}
	t.flush()
	t.step.StopNoReply(r)
}
