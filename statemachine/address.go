package statemachine

import (
	"fmt"
	"time"
)

// To is the address of a process whose inputs are I and whose outputs are O:
// its name, and what the compiler has to know to check what is sent there.
//
//	var stock = statemachine.To[Take, Taken]("stock")
//
// That such a process is there, and of these types, shows when something is
// sent. The inputs are values of the sender's, handed over as they are: neither
// may change them.
type To[I, O any] Name

// DefaultCallTimeout is how long a machine's call waits, unless it says.
const DefaultCallTimeout = 5 * time.Second

// Cast sends in to the process, without an answer. What cannot be delivered (no
// such process, its inputs are of another type, or so much waits already that
// there is no room: ErrOverloaded) comes back as the message Undelivered. OTP:
// gen_server:cast/2.
func (to To[I, O]) Cast(fx Recorder, in I) {
	fx.Record(Effect{Kind: EffectCast, Name: Name(to), Value: exchangeOf[I, O](fx.spares(), in)})
}

// Call sends in to the process and gets its output as the message Reply{tag},
// of which Output makes an O; meanwhile other inputs are stepped. Every Call has
// its own Reply, and no more than one, which is an error if there is none within
// timeout, or no room, as for a Cast. A timeout that is not positive means
// DefaultCallTimeout. A process that goes on calling while more than 65,536
// answers are to come ends, with ErrOverloaded. OTP: gen_server:send_request/2.
func (to To[I, O]) Call(fx Recorder, tag string, in I, timeout time.Duration) {
	fx.Record(Effect{Kind: EffectCall, Name: Name(to), Tag: tag, Value: exchangeOf[I, O](fx.spares(), in), After: timeout})
}

// Output returns the output that came as r, the answer to a Call of this
// address, or r.Err.
func (to To[I, O]) Output(r Reply) (O, error) {
	out, ok := as[O](r.output)
	switch {
	case r.Err != nil:
		return *new(O), r.Err
	case !ok:
		return out, &CallError{Name: r.Name, Outcome: Applied, Err: fmt.Errorf("its output is a %T, not a %s", r.output, typeName[O]())}
	}
	return out, nil
}

// Answer replies to a caller of the process to, which has sent its From here:
// see Effects.Reply.
func (to To[I, O]) Answer(fx Recorder, from From, out O) {
	fx.Record(Effect{Kind: EffectReply, Name: Name(to), From: from, Value: out})
}
