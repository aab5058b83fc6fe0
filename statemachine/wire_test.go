package statemachine_test

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// pen encodes messages of a process, where the tills a and b are.
type pen struct {
	to    statemachine.Process
	tills map[statemachine.Name]statemachine.Process
}

func newPen(t testing.TB) pen {
	m := newOrders()
	m.Message = func(m statemachine.Message) order { return nil }
	to, _ := ordered(t, m)
	return pen{to, map[statemachine.Name]statemachine.Process{"a": up(t, newTill()), "b": up(t, newTill())}}
}

func (p pen) find(n statemachine.Name) statemachine.Process { return p.tills[n] }

func (p pen) encode(t testing.TB, m statemachine.Message) []byte {
	t.Helper()
	data, err := statemachine.AppendMessage([]byte("<"), m, p.to, p.find)
	if err != nil || data[0] != '<' {
		t.Fatalf("%+v: %q, %v", m, data, err)
	}
	return data[1:]
}

func (p pen) decode(t testing.TB, data []byte) statemachine.Message {
	t.Helper()
	m, err := statemachine.DecodeMessage(data, p.to, p.find)
	if err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	return m
}

// userError panics where others ask.
type userError struct{}

func (e userError) Error() string { panic("no text") }
func (e userError) Is(error) bool { panic("no idea") }

// failures are errors of all kinds.
func failures() []error {
	crash := &statemachine.CrashError{Name: "a", In: "step", Value: errCustom, Stack: []byte("stack")}
	exit := &statemachine.ExitError{Name: "b", Reason: statemachine.ShutdownWith(errCustom)}
	deep := error(io.EOF)
	for i := range 600 {
		deep = &statemachine.CallError{Name: statemachine.Name(fmt.Sprint(i)), Err: deep}
	}
	return []error{
		nil, errCustom, crash, exit, deep, userError{}, errors.New("\xff" + strings.Repeat("long", 1000)),
		statemachine.ErrNoProcess, statemachine.ErrVersion, fmt.Errorf("wrapped: %w", statemachine.ErrJournal),
		&statemachine.CallError{Name: "a", Outcome: statemachine.Applied, Err: crash},
		&statemachine.CallError{Name: "a", Outcome: statemachine.NotApplied, Err: exit},
		&statemachine.CallError{Name: "a", Err: errors.Join(statemachine.ErrDeadline, statemachine.ErrStopping)},
		&statemachine.CallError{Name: "a"},
		&statemachine.CrashError{Value: strings.Repeat("long", 1000)},
		(*statemachine.CallError)(nil), (*statemachine.CrashError)(nil), (*statemachine.ExitError)(nil),
	}
}

func messages() []statemachine.Message {
	all := []statemachine.Message{
		statemachine.Continue{Tag: "tag"}, statemachine.Continue{}, statemachine.Timeout{Timer: "\xff\x00"},
		statemachine.NewReply("tag", "a", total(7), nil), statemachine.NewReply("", "b", total(0), nil),
		statemachine.NewTaskDone("tag", "double", "id", "result", nil),
	}
	for _, err := range failures() {
		all = append(all,
			statemachine.MonitorDown{Name: "a", Reason: statemachine.Reason{Class: statemachine.ClassShutdownTerm, Detail: err}},
			statemachine.Exit{Name: "b", Reason: statemachine.Crash(err)},
			statemachine.Undelivered{To: "a", Err: err},
			statemachine.ChildReply{Tag: "tag", Sup: "root", Child: "a", Err: err})
		if err != nil {
			all = append(all, statemachine.NewReply("tag", "a", nil, err), statemachine.NewTaskDone("tag", "double", "id", nil, err))
		}
	}
	return all
}

// What a step is given is what it would be given after a restart of the
// program, and that encodes as it did.
func TestMessagesLast(t *testing.T) {
	p := newPen(t)
	for _, m := range messages() {
		x, ok, crash := p.to.FromMessage(m)
		if !ok || crash != nil {
			t.Fatal(crash)
		}
		data := p.encode(t, m)
		back := p.decode(t, data)
		if live := statemachine.MessageOf(x); !reflect.DeepEqual(live, back) {
			t.Errorf("live %#v\nback %#v", live, back)
		}
		if again := p.encode(t, back); string(again) != string(data) {
			t.Errorf("%T: %q is encoded again as %q", m, data, again)
		}
		if len(data) > 2000 {
			t.Errorf("%T takes %d bytes", m, len(data))
		}
	}
}

// The form of messages in journals that are about does not change.
func TestMessageForms(t *testing.T) {
	p := newPen(t)
	for want, m := range map[string]statemachine.Message{
		"\x82\xa4kind\x00\xa3tag\xc4\x01t":                                        statemachine.Continue{Tag: "t"},
		"\x82\xa4kind\x01\xa3tag\xc4\x01t":                                        statemachine.Timeout{Timer: "t"},
		"\x84\xa4kind\x02\xa3tag\xc4\x01t\xa4name\xc4\x01a\xa6output\xc4\x01\x07": statemachine.NewReply("t", "a", total(7), nil),
		"\x83\xa4kind\x03\xa4name\xc4\x01a\xa5class\x03":                          statemachine.MonitorDown{Name: "a", Reason: statemachine.Killed},
		"\x83\xa4kind\x04\xa4name\xc4\x01a\xa5class\x01":                          statemachine.Exit{Name: "a", Reason: statemachine.Shutdown},
		"\x83\xa4kind\x05\xa4name\xc4\x01a\xa3err\x82\xa4kind\x01\xa2is\x01":      statemachine.Undelivered{To: "a", Err: statemachine.ErrNoProcess},
		"\x84\xa4kind\x07\xa3tag\xc4\x01t\xa4name\xc4\x01r\xa5child\xc4\x01a":     statemachine.ChildReply{Tag: "t", Sup: "r", Child: "a"},
		"\x85\xa4kind\x06\xa3tag\xc4\x01t\xa4name\xc4\x06double\xa2id\xc4\x01i\xa6output\xc4\x02\xa1r": statemachine.NewTaskDone(
			"t", "double", "i", "r", nil),
	} {
		if got := p.encode(t, m); string(got) != want {
			t.Errorf("%T: %q, want %q", m, got, want)
		}
	}
}

// The errors of messages still say what they were.
func TestErrorsOfMessages(t *testing.T) {
	p := newPen(t)
	for _, err := range failures() {
		if _, panics := err.(userError); err == nil || panics || reflect.ValueOf(err).Kind() == reflect.Pointer && reflect.ValueOf(err).IsNil() {
			continue
		}
		back := p.decode(t, p.encode(t, statemachine.Undelivered{To: "a", Err: err})).(statemachine.Undelivered).Err
		if len(err.Error()) < 1000 && back.Error() != err.Error() {
			t.Errorf("%q became %q", err, back)
		}
		for _, s := range []error{statemachine.ErrNoProcess, statemachine.ErrVersion, statemachine.ErrJournal, statemachine.ErrDeadline, statemachine.ErrStopping, statemachine.ErrOutput} {
			if errors.Is(err, s) != errors.Is(back, s) {
				t.Errorf("%v is %v: %v", err, s, errors.Is(back, s))
			}
		}
		if statemachine.OutcomeOf(err) != statemachine.OutcomeOf(back) || errors.Is(back, errCustom) {
			t.Errorf("%v has the outcome %v", back, statemachine.OutcomeOf(back))
		}
		var was, is *statemachine.CrashError
		if errors.As(err, &was) != errors.As(back, &is) || is != nil && (is.Name != was.Name || is.In != was.In || is.Stack != nil) {
			t.Errorf("%#v became %#v", was, is)
		}
	}
}

// A value whose codec has gone leaves an error, so that the rest can go on.
func TestLostValues(t *testing.T) {
	p := newPen(t)
	reply, done := statemachine.NewReply("tag", "a", total(7), nil), statemachine.NewTaskDone("tag", "double", "id", "result", nil)
	replied, finished := p.encode(t, reply), p.encode(t, done)
	plain := newOrders()
	plain.Tasks = nil
	poor, _ := ordered(t, plain)
	without := pen{to: poor}
	for when, m := range map[string][2]statemachine.Message{
		"decoded": {without.decode(t, replied), without.decode(t, finished)},
		"encoded": {p.decode(t, without.encode(t, reply)), p.decode(t, without.encode(t, done))},
	} {
		r, d := m[0].(statemachine.Reply), m[1].(statemachine.TaskDone)
		if r.Tag != "tag" || r.Name != "a" || statemachine.OutcomeOf(r.Err) != statemachine.Applied || !errors.Is(r.Err, statemachine.ErrNoProcess) {
			t.Errorf("%s: %+v", when, r)
		}
		if d.Tag != "tag" || d.ID != "id" || d.Err == nil || !strings.Contains(d.Err.Error(), `"double"`) {
			t.Errorf("%s: %+v", when, d)
		}
	}
}

func TestMessagesThatAreRefused(t *testing.T) {
	p := newPen(t)
	for what, m := range map[string]statemachine.Message{
		"it is nil":              nil,
		"a string is not a":      statemachine.NewReply("tag", "a", "text", nil),
		"double: a int is not a": statemachine.NewTaskDone("tag", "double", "id", 7, nil),
		"a <nil> is not a":       statemachine.NewReply("tag", "a", nil, nil),
	} {
		if data, err := statemachine.AppendMessage([]byte("<"), m, p.to, p.find); err == nil || string(data) != "<" || !strings.Contains(err.Error(), what) {
			t.Errorf("%v: %q, %v", m, data, err)
		}
	}
	for what, data := range map[string]string{
		"unknown kind 8":             "\x81\xa4kind\x08",
		"unknown kind 9":             "\x82\xa4kind\x05\xa3err\x81\xa4kind\x09",
		"unknown kind 1 (0x3)":       "\x82\xa4kind\x05\xa3err\x82\xa4kind\x01\xa2is\x03",
		"reply of a cannot be":       "\x84\xa4kind\x02\xa3tag\xc4\x01t\xa4name\xc4\x01a\xa6output\xc4\x01\xc1",
		`task "double" cannot be`:    "\x83\xa4kind\x06\xa4name\xc4\x06double\xa6output\xc4\x01\xc1",
		"found the end of the input": "\x82\xa4kind",
		"unknown field":              "\x81\xa3new\x01",
		"expected the end":           "\x81\xa4kind\x00\x00",
	} {
		if m, err := statemachine.DecodeMessage([]byte(data), p.to, p.find); m != nil || err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("want %s, got %v, %v", what, m, err)
		}
	}
}

func FuzzDecodeMessage(f *testing.F) {
	p := newPen(f)
	for _, m := range messages() {
		f.Add(p.encode(f, m))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := statemachine.DecodeMessage(data, p.to, p.find)
		if err != nil {
			return
		}
		if back := p.decode(t, p.encode(t, m)); fmt.Sprint(back) != fmt.Sprint(m) {
			t.Errorf("%+v became %+v", m, back)
		}
	})
}

// What comes of a codec that panics.
func TestMessagesOfBrokenCodecs(t *testing.T) {
	p := newPen(t)
	m := newTill()
	m.Output = broken[total]{codec.Of[total](), "encode"}
	p.tills["a"] = up(t, m)
	var crash *statemachine.CrashError
	_, err := statemachine.AppendMessage(nil, statemachine.NewReply("tag", "a", total(7), nil), p.to, p.find)
	if !errors.As(err, &crash) || crash.In != "encode" || crash.Name != "till" {
		t.Error(err)
	}
}
