package trace

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
)

// line is one step of a trace or, at its end, a process.
type line struct {
	Batch   uint64   `json:"batch,omitempty"`
	Entry   int      `json:"entry,omitempty"`
	Time    int64    `json:"time,omitempty"`
	Process string   `json:"process"`
	Input   string   `json:"input,omitempty"`
	Result  []string `json:"result,omitempty"`
	State   *look    `json:"state,omitempty"` // nil if it was not looked at
	End     bool     `json:"end,omitempty"`   // the state is that at the end
}

// look is what a state was found to be: as a whole the first time, later by how
// it differs from what it was the last time.
type look struct {
	Whole   json.RawMessage `json:"whole,omitempty"`
	Changes []string        `json:"changes,omitempty"`
}

// header is the first line of a trace.
type header struct {
	Trace int `json:"lineshaft_trace"`
}

const version = 1

// textMax is how long a text in a trace may be, in bytes.
const textMax = 200

// brief returns text, or its beginning and its digest.
func brief(text []byte) string {
	text = bytes.ToValidUTF8(text, []byte("\uFFFD")) // which JSON would do
	if len(text) <= textMax {
		return string(text)
	}
	cut := textMax
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	sum := sha256.Sum256(text)
	return fmt.Sprintf("%s… (%d bytes, sha256 %x)", text[:cut], len(text), sum[:8])
}

// lineOf returns what a trace has of a step, its state aside.
func lineOf(s eventloop.Step) line {
	l := line{Batch: s.Batch, Entry: s.Entry, Time: s.Time, Process: name(s.Process), Input: input(s)}
	l.Result = append(l.Result, result(s))
	for _, f := range s.Effects {
		l.Result = append(l.Result, effect(f))
	}
	if s.Stop != nil {
		l.Result = append(l.Result, brief(fmt.Append(nil, "stop ", s.Stop.Reason)))
	}
	return l
}

// name returns the name of a process as it is in a trace.
func name(n statemachine.Name) string { return strings.ToValidUTF8(string(n), "\uFFFD") }

// input returns what was stepped.
func input(s eventloop.Step) string {
	if s.Init {
		return "init"
	}
	text, err := s.AppendInput(nil, codec.JSON)
	if err != nil { // what is made of a message need not be anything that its codec knows
		text = fmt.Appendf(nil, "(%v)", err)
	}
	if s.Message != nil {
		_, kind, _ := strings.Cut(fmt.Sprintf("%T", s.Message), ".")
		return strings.TrimSpace(kind + " " + brief(text))
	}
	return brief(text)
}

// result returns what the step has answered.
func result(s eventloop.Step) string {
	var crash *statemachine.CrashError
	switch {
	case errors.As(s.Err, &crash):
		return brief(fmt.Append(nil, "crash: ", crash.Value))
	case s.Err != nil:
		return brief(fmt.Append(nil, "error: ", s.Err))
	case s.Init:
		return "started"
	case s.NoReply:
		return "no reply"
	}
	text, err := s.AppendOutput(nil, codec.JSON)
	if err != nil {
		text = fmt.Append(nil, "output: ", err)
	}
	return brief(text)
}

// effect returns what of an effect can be compared. The values in it are of types
// that only its machine knows; where they go to another process, that steps them.
func effect(f statemachine.Effect) string {
	text := f.String()
	if f.After > 0 {
		text += " " + f.After.String()
	}
	return brief([]byte(text))
}
