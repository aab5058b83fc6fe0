package statemachine

import (
	"errors"
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
)

// wireMessage is a message in journals and snapshots. Its form is there for
// ever: fields and kinds are added, not changed. Texts are bytes since they need
// not be UTF-8.
type wireMessage struct {
	Kind   messageKind `json:"kind"`
	Tag    []byte      `json:"tag,omitempty"`
	Name   []byte      `json:"name,omitempty"`
	Child  []byte      `json:"child,omitempty"`
	ID     []byte      `json:"id,omitempty"`
	Class  Class       `json:"class,omitempty"`
	Err    *wireError  `json:"err,omitempty"`
	Output []byte      `json:"output,omitempty"` // or result, encoded
}

type messageKind uint8

const (
	kindContinue messageKind = iota
	kindTimeout
	kindReply
	kindMonitorDown
	kindExit
	kindUndelivered
	kindTaskDone
	kindChildReply
)

// wireError is such an error as lasting returns.
type wireError struct {
	Kind    errorKind  `json:"kind"`
	Name    []byte     `json:"name,omitempty"`
	In      []byte     `json:"in,omitempty"`
	Text    []byte     `json:"text,omitempty"`
	Is      uint64     `json:"is,omitempty"` // which sentinels, a bit for each
	Outcome Outcome    `json:"outcome,omitempty"`
	Class   Class      `json:"class,omitempty"`
	Err     *wireError `json:"err,omitempty"`
}

type errorKind uint8

const (
	kindRemembered errorKind = iota
	kindSentinel
	kindCallError
	kindExitError
	kindCrashError
)

var wireMessages = codec.Of[wireMessage]()

// AppendMessage appends the encoding (msgpack) of m, a message to the process
// to. Processes returns the process of a name, nil if there is none: an output
// is encoded by the process that was called, a result by the task, which is one
// of to's. If that is not there any more, an error takes the place of the value:
// of a Reply, a *CallError that wraps ErrNoProcess, with the outcome Applied. A
// value that its codec refuses is an error of AppendMessage.
func AppendMessage(dst []byte, m Message, to Process, processes func(Name) Process) ([]byte, error) {
	var w wireMessage
	var err error
	switch m := m.(type) {
	case Continue:
		w = wireMessage{Kind: kindContinue, Tag: []byte(m.Tag)}
	case Timeout:
		w = wireMessage{Kind: kindTimeout, Tag: []byte(m.Timer)}
	case Reply:
		w, err = replyToWire(m, processes(m.Name))
	case MonitorDown:
		w = wireMessage{Kind: kindMonitorDown, Name: []byte(m.Name), Class: m.Reason.Class, Err: errorToWire(m.Reason.Detail)}
	case Exit:
		w = wireMessage{Kind: kindExit, Name: []byte(m.Name), Class: m.Reason.Class, Err: errorToWire(m.Reason.Detail)}
	case Undelivered:
		w = wireMessage{Kind: kindUndelivered, Name: []byte(m.To), Err: errorToWire(m.Err)}
	case TaskDone:
		w, err = taskDoneToWire(m, to.Task(m.Task))
	case ChildReply:
		w = wireMessage{Kind: kindChildReply, Tag: []byte(m.Tag), Name: []byte(m.Sup), Child: []byte(m.Child), Err: errorToWire(m.Err)}
	default:
		err = errors.New("it is nil")
	}
	if err == nil {
		var data []byte
		if data, err = wireMessages.Append(dst, codec.Msgpack, w); err == nil {
			return data, nil
		}
	}
	return dst, fmt.Errorf("a message cannot be encoded: %w", err)
}

func replyToWire(m Reply, callee Process) (w wireMessage, err error) {
	if m.Err == nil && callee == nil {
		m.Err = lostOutput(m.Name)
	}
	w = wireMessage{Kind: kindReply, Tag: []byte(m.Tag), Name: []byte(m.Name), Err: errorToWire(m.Err)}
	if m.Err == nil {
		w.Output, err = callee.AppendOutputValue(nil, codec.Msgpack, m.output)
	}
	return w, err
}

func taskDoneToWire(m TaskDone, task AnyTask) (w wireMessage, err error) {
	if m.Err == nil && task == nil {
		m.Err = lostResult(m.Task)
	}
	w = wireMessage{Kind: kindTaskDone, Tag: []byte(m.Tag), Name: []byte(m.Task), ID: []byte(m.ID), Err: errorToWire(m.Err)}
	if m.Err == nil {
		w.Output, err = task.AppendResult(nil, m.result)
	}
	return w, err
}

// DecodeMessage returns the message that data, all of it, encodes: see
// AppendMessage. A value that its codec refuses is an error.
func DecodeMessage(data []byte, to Process, processes func(Name) Process) (Message, error) {
	w, err := wireMessages.Decode(codec.Msgpack, data)
	if err != nil {
		return nil, fmt.Errorf("a message cannot be decoded: %w", err)
	}
	failure, err := errorFromWire(w.Err)
	if err != nil {
		return nil, err
	}
	tag, name := string(w.Tag), Name(w.Name)
	switch w.Kind {
	case kindContinue:
		return Continue{Tag: tag}, nil
	case kindTimeout:
		return Timeout{Timer: tag}, nil
	case kindReply:
		return replyFromWire(NewReply(tag, name, nil, failure), w.Output, processes(name))
	case kindMonitorDown:
		return MonitorDown{Name: name, Reason: Reason{Class: w.Class, Detail: failure}}, nil
	case kindExit:
		return Exit{Name: name, Reason: Reason{Class: w.Class, Detail: failure}}, nil
	case kindUndelivered:
		return Undelivered{To: name, Err: failure}, nil
	case kindTaskDone:
		return taskDoneFromWire(NewTaskDone(tag, string(name), TaskID(w.ID), nil, failure), w.Output, to.Task(string(name)))
	case kindChildReply:
		return ChildReply{Tag: tag, Sup: name, Child: Name(w.Child), Err: failure}, nil
	}
	return nil, fmt.Errorf("a message cannot be decoded: it is of the unknown kind %d", w.Kind)
}

func replyFromWire(m Reply, output []byte, callee Process) (Message, error) {
	if m.Err == nil && callee == nil {
		m.Err = lostOutput(m.Name)
	}
	if m.Err != nil {
		return m, nil
	}
	var err error
	if m.output, err = callee.DecodeOutput(output); err != nil {
		return nil, fmt.Errorf("a reply of %s cannot be decoded: %w", short(m.Name), err)
	}
	return m, nil
}

func taskDoneFromWire(m TaskDone, result []byte, task AnyTask) (Message, error) {
	if m.Err == nil && task == nil {
		m.Err = lostResult(m.Task)
	}
	if m.Err != nil {
		return m, nil
	}
	var err error
	if m.result, err = task.DecodeResult(result); err != nil {
		return nil, fmt.Errorf("a result of the task %q cannot be decoded: %w", m.Task, err)
	}
	return m, nil
}

func lostOutput(name Name) error {
	return &CallError{Name: name, Outcome: Applied, Err: remember(fmt.Errorf("%w any more: its output is lost", ErrNoProcess))}
}

func lostResult(task string) error {
	return remember(fmt.Errorf("the machine has no task %q any more: its result is lost", task))
}

func errorToWire(err error) *wireError {
	switch err := lasting(err).(type) {
	case nil:
		return nil
	case *remembered:
		return &wireError{Kind: kindRemembered, Text: []byte(err.text), Is: err.is}
	case *CallError:
		return &wireError{Kind: kindCallError, Name: []byte(err.Name), Outcome: err.Outcome, Err: errorToWire(err.Err)}
	case *ExitError:
		return &wireError{Kind: kindExitError, Name: []byte(err.Name), Class: err.Reason.Class, Err: errorToWire(err.Reason.Detail)}
	case *CrashError:
		return &wireError{Kind: kindCrashError, Name: []byte(err.Name), In: []byte(err.In), Text: []byte(rememberedValue(err.Value))}
	default:
		return &wireError{Kind: kindSentinel, Is: sentinelBits(err)}
	}
}

func errorFromWire(w *wireError) (error, error) {
	if w == nil {
		return nil, nil
	}
	cause, err := errorFromWire(w.Err)
	if err != nil {
		return nil, err
	}
	switch w.Kind {
	case kindRemembered:
		return &remembered{text: string(w.Text), is: w.Is}, nil
	case kindCallError:
		return &CallError{Name: Name(w.Name), Outcome: w.Outcome, Err: cause}, nil
	case kindExitError:
		return &ExitError{Name: Name(w.Name), Reason: Reason{Class: w.Class, Detail: cause}}, nil
	case kindCrashError:
		return &CrashError{Name: Name(w.Name), In: string(w.In), Value: panicText(w.Text)}, nil
	case kindSentinel:
		for i, s := range sentinels {
			if w.Is == 1<<i {
				return s, nil
			}
		}
	}
	return nil, fmt.Errorf("a message cannot be decoded: an error of the unknown kind %d (%#x)", w.Kind, w.Is)
}
