package supervisor

import "github.com/lineshaft/lineshaft/statemachine"

// The functions of this file are OTP's API of a supervisor for machines: a step
// asks, and the answer comes as the message statemachine.ChildReply with the
// tag, whose Err is what the loop's method of the same name returns.

// ChildEffect is the Value of a statemachine.EffectChild.
type ChildEffect struct {
	Op    ChildOp
	Child statemachine.Name
	Spec  Child // of OpStart
}

// ChildOp is what is asked of a supervisor.
type ChildOp uint8

// The requests that a machine can make.
const (
	OpStart ChildOp = iota
	OpTerminate
	OpRestart
	OpDelete
)

// StartChild has the supervisor sup start a child (OTP: start_child).
func StartChild(fx statemachine.Recorder, tag string, sup statemachine.Name, c Child) {
	name := statemachine.Name("")
	switch c := c.(type) {
	case Worker:
		name = c.Name
	case Supervisor:
		name = c.Name
	}
	ask(fx, tag, sup, ChildEffect{OpStart, name, c})
}

// TerminateChild has the supervisor sup end a child (OTP: terminate_child).
func TerminateChild(fx statemachine.Recorder, tag string, sup, child statemachine.Name) {
	ask(fx, tag, sup, ChildEffect{Op: OpTerminate, Child: child})
}

// RestartChild has the supervisor sup start a child that is down (OTP: restart_child).
func RestartChild(fx statemachine.Recorder, tag string, sup, child statemachine.Name) {
	ask(fx, tag, sup, ChildEffect{Op: OpRestart, Child: child})
}

// DeleteChild has the supervisor sup forget a child that is down (OTP: delete_child).
func DeleteChild(fx statemachine.Recorder, tag string, sup, child statemachine.Name) {
	ask(fx, tag, sup, ChildEffect{Op: OpDelete, Child: child})
}

func ask(fx statemachine.Recorder, tag string, sup statemachine.Name, c ChildEffect) {
	fx.Record(statemachine.Effect{Kind: statemachine.EffectChild, Name: sup, Tag: tag, Value: c})
}
