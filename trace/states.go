package trace

import (
	"encoding/json"
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
)

// LookBytes is how long a state may be, in bytes of JSON, to be looked at after
// every step.
const LookBytes = 1 << 10

// states is what the states were when they were looked at last, by process.
type states map[string]*state

type state struct {
	known bool // it was looked at
	value any  // then
	steps int  // since then
	wait  int  // how many there are to be before the next look, if all are not
}

// of returns what is known of a process's state.
func (s states) of(process string) *state {
	if s[process] == nil {
		s[process] = new(state)
	}
	return s[process]
}

// look looks at the state that encode appends.
func (s *state) look(encode func([]byte, codec.Format) ([]byte, error)) *look {
	text, err := encode(nil, codec.JSON)
	var now any
	if err == nil && len(text) > 0 {
		now, err = parse(text)
	}
	if err != nil {
		now = fmt.Sprintf("(%v)", err) // of one that has no JSON no more can be said
		text, _ = json.Marshal(now)
	}
	s.steps, s.wait = 0, len(text)/LookBytes
	if s.known {
		l := &look{Changes: changes(s.value, now)}
		s.value = now
		return l
	}
	if len(text) == 0 {
		return &look{} // its Init has failed
	}
	s.known, s.value = true, now
	return &look{Whole: text}
}
