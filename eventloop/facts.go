package eventloop

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
)

// What a message in the journal is the end of: the first byte of its data, which
// the number of the timer, call or work follows.
const (
	factTimer   = 't' // it was due; its name follows
	factTimeout = 'o' // the time of a call is over
	factReply   = 'r' // the reply to a call, which follows
	factWork    = 'w' // the end of a work, which follows
	factTold    = 'm' // a message, which follows; the number is 0
	factAnswer  = 'a' // the reply to a caller, the number, which follows
)

// writeMessage adds what a process is told, of something that a replay would
// not know.
func (l *Loop) writeMessage(w *journal.Builder, e *entry, now int64) bool {
	p := e.proc
	switch {
	case l.told || !l.stands(e): // what was told comes again after the next start of the program
		l.answer(e, nil)
		return false
	case !p.open():
		l.wait(e)
		return false
	}
	if err := l.undecodable(e); err != nil {
		return l.unwritten(w, e, now, err)
	}
	err := w.AddFunc(journal.KindMessage, string(p.name), func(dst []byte) ([]byte, error) { return l.appendFact(dst, e) })
	if err != nil {
		return l.unwritten(w, e, now, err)
	}
	e.time, e.seed = now, seedOf(now, w.Len())
	return true
}

// undecodable says why nobody can encode the value of e, a message, nor decode it in
// a replay; nil if somebody can.
func (l *Loop) undecodable(e *entry) error {
	switch m := e.msg.(type) {
	case statemachine.Reply:
		if m.Err == nil && l.procs.find(m.Name) == nil {
			return fmt.Errorf("%w any more", statemachine.ErrNoProcess)
		}
	case statemachine.TaskDone:
		if m.Err == nil && e.proc.Task(m.Task) == nil {
			return noTask(m.Task)
		}
	}
	return nil
}

// noTask says that a machine lacks the task of a work, which another has started.
func noTask(name string) error { return fmt.Errorf("the machine has no task %q any more", name) }

func (l *Loop) appendFact(dst []byte, e *entry) ([]byte, error) {
	switch {
	case e.timer != nil && e.timer.call != nil:
		return binary.AppendUvarint(append(dst, factTimeout), e.timer.call.id), nil
	case e.timer != nil:
		return append(binary.AppendUvarint(append(dst, factTimer), e.id), e.timer.name...), nil
	case e.asked != nil:
		return l.appendMessage(binary.AppendUvarint(append(dst, factReply), e.asked.id), e)
	case e.work != nil:
		return l.appendMessage(binary.AppendUvarint(append(dst, factWork), e.work.id), e)
	}
	return l.appendMessage(append(dst, factTold, 0), e)
}

// writeAnswer adds the reply to a caller that one has given who is not journaled.
func (l *Loop) writeAnswer(w *journal.Builder, e *entry, now int64) bool {
	err := w.AddFunc(journal.KindMessage, string(e.proc.name), func(dst []byte) ([]byte, error) {
		return e.proc.AppendOutputValue(binary.AppendUvarint(append(dst, factAnswer), uint64(e.from)), codec.Msgpack, e.out)
	})
	if err != nil { // it is none: as a replay has it
		e.out = nil
		if err := w.Add(journal.KindMessage, string(e.proc.name), binary.AppendUvarint([]byte{factAnswer}, uint64(e.from))); err != nil {
			panic(err) // its name is that of a process
		}
	}
	e.time = now
	return true
}

// unwritten makes an error of a message whose value cannot be encoded.
func (l *Loop) unwritten(w *journal.Builder, e *entry, now int64, err error) bool {
	if !e.fails(err) {
		panic(err) // names and texts are bounded
	}
	return l.writeMessage(w, e, now)
}

// fails makes an error of the value of e, a message, because of err. False: it has none.
func (e *entry) fails(err error) bool {
	err = fmt.Errorf("%w: %w", statemachine.ErrOutput, err)
	switch m := e.msg.(type) {
	case statemachine.Reply:
		if m.Err == nil {
			e.msg = statemachine.NewReply(m.Tag, m.Name, nil, refused(m.Name, statemachine.Applied, err))
			return true
		}
	case statemachine.TaskDone:
		if m.Err == nil {
			e.msg = statemachine.NewTaskDone(m.Tag, m.Task, m.ID, nil, err)
			return true
		}
	}
	return false
}

func (l *Loop) appendMessage(dst []byte, e *entry) ([]byte, error) {
	return statemachine.AppendMessage(dst, e.msg, e.proc, l.processNamed)
}

func (l *Loop) processNamed(name statemachine.Name) statemachine.Process {
	p := l.procs.find(name)
	if p == nil && l.replays() {
		p = l.past.dropped[name] // its reply was written before what dropped it was stepped: both are in one batch
	}
	if p == nil {
		return nil
	}
	return p.Process
}

// readMessage is the inverse of writeMessage. What is not waited for any more
// leaves e nothing to do.
func (l *Loop) readMessage(data []byte, e *entry) error {
	kind, id, rest, err := cutMessage(data)
	if err != nil {
		return err
	}
	switch kind {
	case factTimer:
		if t := e.proc.timers.get(string(rest)); t != nil {
			e.kind, e.timer, e.id = kindMessage, t, id
		}
		return nil
	case factTimeout:
		if a := l.calls[id]; a != nil && a.timer != nil {
			e.kind, e.timer, e.id = kindMessage, a.timer, a.timer.id
		}
		return nil
	case factReply:
		e.asked = l.calls[id]
	case factWork:
		e.work = l.works[id]
	case factLink, factUnlink:
		return l.readBind(data, e)
	case factAnswer:
		e.kind, e.from = kindAnswer, statemachine.From(id)
		if len(rest) > 0 {
			e.out, err = e.proc.DecodeOutput(rest)
		}
		return err
	}
	if e.asked == nil && e.work == nil && kind != factTold {
		return nil
	}
	m, err := statemachine.DecodeMessage(rest, e.proc, l.processNamed)
	if err != nil {
		return err
	}
	e.kind, e.msg = kindMessage, m
	return nil
}

// cutMessage takes the data of a message apart: what it is the end of, the number
// of that, and what follows.
func cutMessage(data []byte) (kind byte, id uint64, rest []byte, err error) {
	if len(data) == 0 {
		return 0, 0, nil, errors.New("a message without data")
	}
	switch kind = data[0]; kind {
	case factTimer, factTimeout, factReply, factWork, factTold, factAnswer, factLink, factUnlink:
	default:
		return 0, 0, nil, fmt.Errorf("a message of the unknown kind %q", kind)
	}
	id, n := binary.Uvarint(data[1:])
	if n <= 0 {
		return 0, 0, nil, errors.New("a message without a number")
	}
	return kind, id, data[1+n:], nil
}

// concernsLife reports whether a message is about one life of its process, and so
// about nothing once that has ended.
func concernsLife(data []byte) bool {
	return len(data) > 0 && (data[0] == factLink || data[0] == factUnlink || data[0] == factAnswer)
}

// fullReason marks the class of a reason that is written in full. Those of
// before have the text of their detail behind the class.
const fullReason = 0x80

// appendReason appends a reason: what a message keeps of it.
func appendReason(dst []byte, r statemachine.Reason) []byte {
	if r.Detail == nil {
		return append(dst, byte(r.Class))
	}
	dst, err := statemachine.AppendMessage(append(dst, byte(r.Class)|fullReason), statemachine.MonitorDown{Reason: r}, nil, nil)
	if err != nil {
		panic(err) // texts are bounded
	}
	return dst
}

// readReason is the inverse of appendReason.
func readReason(data []byte) (statemachine.Reason, error) {
	switch {
	case len(data) == 0:
		return statemachine.Killed, nil
	case data[0]&fullReason != 0:
		m, err := statemachine.DecodeMessage(data[1:], nil, nil)
		down, ok := m.(statemachine.MonitorDown)
		if err == nil && !ok {
			err = errors.New("a message that is no reason")
		}
		return down.Reason, err
	}
	r := statemachine.Reason{Class: statemachine.Class(data[0])}
	if len(data) > 1 {
		r.Detail = errors.New(string(data[1:]))
	}
	return r, nil
}
