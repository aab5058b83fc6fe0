package statemachine

import (
	"fmt"
	"time"
)

// Effect is one thing that a step asked for, to be carried out by the loop. Of
// its fields those count that its Kind names.
type Effect struct {
	Kind  EffectKind
	On    bool
	Name  Name          // a process or a task
	Tag   string        // the machine's own word for what it asks
	After time.Duration // not negative
	From  From
	Retry Retry
	Value any // see Input
}

// Input returns the input that an EffectCast or EffectCall sends. Its Value may be
// that, or an Exchange with it, as To records it: so nothing is boxed, and nothing
// copied, on the way.
func (e *Effect) Input() any {
	if c, ok := e.Value.(carrier); ok {
		return c.input()
	}
	return e.Value
}

// EffectKind is what an [Effect] asks for.
type EffectKind uint8

// The kinds, and the fields that count.
const (
	EffectContinue    EffectKind = 1 + iota // Tag
	EffectSetTimer                          // Tag: its name; After
	EffectSetPeriodic                       // Tag: its name; After, positive
	EffectCancelTimer                       // Tag: its name
	EffectMonitor                           // Name
	EffectDemonitor                         // Name
	EffectLink                              // Name
	EffectUnlink                            // Name
	EffectTrapExits                         // On
	EffectReply                             // Name: the process that was called; From, not zero; Value: the output
	EffectCast                              // Name; Value: see Input
	EffectCall                              // Name; Tag; After: the timeout, positive; Value: see Input
	EffectStartTask                         // Name: the task's; Tag; Value: the argument; Retry
	EffectCancelTask                        // Name: the task's; Tag
	EffectChild                             // Name: a supervisor; Tag; Value: what is asked of it, in the loop's terms
	EffectReport                            // Value: a *CrashError

	effectLast = EffectReport
)

// String returns OTP's word for the kind, or the nearest to it.
func (k EffectKind) String() string {
	words := [...]string{"", "continue", "set_timer", "set_periodic", "cancel_timer", "monitor", "demonitor", "link",
		"unlink", "trap_exits", "reply", "cast", "call", "start_task", "cancel_task", "child", "report"}
	if k == 0 || int(k) >= len(words) {
		return fmt.Sprintf("effect(%d)", uint8(k))
	}
	return words[k]
}

// String returns the kind, the name and the tag, of those that there are.
func (e Effect) String() string {
	text := e.Kind.String()
	if e.Name != "" {
		text += " " + short(e.Name)
	}
	if e.Tag != "" {
		text += " " + fmt.Sprintf("%q", shorten(e.Tag, MaxNameBytes))
	}
	return text
}
