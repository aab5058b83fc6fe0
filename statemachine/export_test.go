package statemachine

// MessageOf returns the message that the exchange x of an orders' process was made of.
func MessageOf(x any) Message {
	return x.(*Exchange[func(*Effects[string]), string]).message
}
