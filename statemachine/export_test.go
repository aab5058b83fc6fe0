package statemachine

// MessageOf returns the message that the exchange x was made of.
func MessageOf(x any) Message { return x.(interface{ of() Message }).of() }

func (x *Exchange[I, O]) of() Message { return x.message }
