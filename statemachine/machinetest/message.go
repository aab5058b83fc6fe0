package machinetest

import (
	"fmt"

	"github.com/lineshaft/lineshaft/statemachine"
)

// everyMessage returns one of every kind and, of those that can be an error or
// not, both.
func everyMessage() []statemachine.Message {
	gone := &statemachine.CallError{Name: "another", Outcome: statemachine.NotApplied, Err: statemachine.ErrNoProcess}
	return []statemachine.Message{
		statemachine.Continue{Tag: "tag"},
		statemachine.Timeout{Timer: "timer"},
		statemachine.NewReply("tag", "another", nil, nil),
		statemachine.NewReply("tag", "another", nil, gone),
		statemachine.MonitorDown{Name: "another"},
		statemachine.MonitorDown{Name: "another", Reason: statemachine.NoProcess},
		statemachine.Exit{Name: "another"},
		statemachine.Exit{Name: "another", Reason: statemachine.Killed},
		statemachine.Undelivered{To: "another", Err: gone},
		statemachine.NewTaskDone("tag", "task", "id", nil, nil),
		statemachine.NewTaskDone("tag", "task", "id", nil, gone),
		statemachine.ChildReply{Tag: "tag", Sup: "root", Child: "another"},
		statemachine.ChildReply{Tag: "tag", Sup: "root", Child: "another", Err: statemachine.ErrConflict},
	}
}

// messages checks the function Message.
func (c *checker[S, I, O]) messages() bool {
	if c.m.Message == nil {
		return true
	}
	for _, m := range everyMessage() {
		if !c.message(m) {
			return false
		}
	}
	return true
}

func (c *checker[S, I, O]) message(m statemachine.Message) bool {
	var was image
	for i := range 3 {
		if i == 2 {
			c.passTime()
		}
		in, ok := c.fromMessage(m)
		if !ok {
			return false
		}
		if i == 0 {
			was = c.ins.of(in)
		} else if !c.same(Deterministic, fmt.Sprintf("of the same %T the function Message makes another input", m), was, c.ins.of(in)) {
			return false
		}
	}
	return true
}

// fromMessage calls the function Message.
func (c *checker[S, I, O]) fromMessage(m statemachine.Message) (in I, ok bool) {
	if crash := attempt(func() { in = c.m.Message(m) }); crash != nil {
		return in, c.problem(Message, fmt.Sprintf("the function Message, of a %T, ends with %s", m, ending(crash)), "", "")
	}
	return in, true
}

// dueMax is how many messages wait to be tried.
const dueMax = 16

// expect has the messages tried that what was asked for may bring about. What
// another process or a task would answer is not known: here all of them fail.
func (c *checker[S, I, O]) expect(a asked) {
	if c.m.Message == nil {
		return
	}
	for _, e := range a.Effects {
		if m := answer(e, c.i); m != nil && len(c.due) < dueMax {
			c.due = append(c.due, m)
		}
	}
}

// answer returns a message that e may bring about, nil if it brings about none.
func answer(e statemachine.Effect, step int) statemachine.Message {
	late := &statemachine.CallError{Name: e.Name, Err: statemachine.ErrDeadline}
	switch e.Kind {
	case statemachine.EffectContinue:
		return statemachine.Continue{Tag: e.Tag}
	case statemachine.EffectSetTimer, statemachine.EffectSetPeriodic:
		return statemachine.Timeout{Timer: e.Tag}
	case statemachine.EffectMonitor:
		return statemachine.MonitorDown{Name: e.Name, Reason: statemachine.NoProcess}
	case statemachine.EffectLink:
		return statemachine.Exit{Name: e.Name, Reason: statemachine.NoProcess}
	case statemachine.EffectCast:
		return statemachine.Undelivered{To: e.Name, Err: late}
	case statemachine.EffectCall:
		return statemachine.NewReply(e.Tag, e.Name, nil, late)
	case statemachine.EffectStartTask:
		return statemachine.NewTaskDone(e.Tag, string(e.Name), statemachine.TaskID(fmt.Sprint(step)), nil, late)
	case statemachine.EffectChild:
		return statemachine.ChildReply{Tag: e.Tag, Sup: e.Name, Err: statemachine.ErrConflict}
	}
	return nil
}
