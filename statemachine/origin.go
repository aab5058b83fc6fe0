package statemachine

// From returns who waits for the output of this step, as NoReply does, but keeps
// nobody waiting. Zero: nobody, since the input is a cast's, or a message.
func (fx *Effects[O]) From() From { return fx.moment.from }

// Message returns the message that the input of this step was made of, so that a
// machine need not tell it from what others send by its input alone. Nil: it is
// a call's, or a cast's.
func (fx *Fx) Message() Message { return fx.moment.message }
