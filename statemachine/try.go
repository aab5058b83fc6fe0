package statemachine

// Try runs f, a part of the step that may fail without the rest. If f panics,
// that is returned as a crash, In in, and what f has asked for is forgotten. A
// runtime.Goexit in f is the crash of the whole step.
//
// It is for machines that are made of what others wrote, as a gen_event manager
// is of handlers. OTP: catch.
func (fx *Fx) Try(in string, f func()) *CrashError {
	m := fx.moment
	asked, exit, noReply, hide := len(m.effects), m.exit, m.noReply, m.hide
	crash := guard(fx.name, in, nil, f)
	if crash != nil {
		clear(m.effects[asked:])
		m.effects, m.exit, m.noReply, m.hide = m.effects[:asked], exit, noReply, hide
	}
	return crash
}
