package statemachine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/lineshaft/lineshaft/codec"
)

// Task is blocking work that a machine may have done: on a goroutine beside the
// loop, where I/O is allowed. A step starts it and goes on; the result comes
// back as the message TaskDone. Each start is a work of its own.
//
//	var resize = statemachine.NewTask("resize", codec.Of[Image](), codec.Of[Thumbnail](),
//		func(ctx context.Context, id statemachine.TaskID, in Image) (Thumbnail, error) { … })
//
// A Task is declared once and listed in Machine.Tasks. It does not change, and
// any number of machines may use it.
type Task[A, R any] struct {
	name   string
	arg    codec.Codec[A]
	result codec.Codec[R]
	do     func(context.Context, TaskID, A) (R, error)
}

// TaskID names one work, in all its tries: it stays the same when the program
// starts again and the work with it. No other work of the application has it, so
// that a server at the other end can tell that it has done this already.
type TaskID string

// NewTask returns a task. Its name is what a work that waits for the next start
// of the program is found again by: unique within a machine, not empty, not to
// be changed. Do is called on any goroutine, many at a time. Its ctx ends when
// nobody waits for the result any more; it should then return. An error of it, a
// panic and a runtime.Goexit are a try that failed. If the program ends before
// the result is kept, do is called again after the next start, with the same id,
// when the process lives again. If its machine does not list a task of that name
// any more, the work ends with an error.
//
// NewTask refuses nothing; Machine.Validate does.
func NewTask[A, R any](name string, arg codec.Codec[A], result codec.Codec[R], do func(ctx context.Context, id TaskID, arg A) (R, error)) *Task[A, R] {
	return &Task[A, R]{name: name, arg: arg, result: result, do: do}
}

// Start starts a work, and has its end told as TaskDone{tag}. Works of one tag
// do not hinder one another. If the life of the process ends first, and the
// program goes on, its ctx ends, and nothing is told. A nil task, and one that
// Machine.Tasks does not list, is a crash of the step.
func (t *Task[A, R]) Start(fx Recorder, tag string, arg A, r Retry) {
	fx.Record(Effect{Kind: EffectStartTask, Name: Name(t.name), Tag: tag, Value: arg, Retry: r})
}

// Cancel ends the ctx of all works of that task and tag, which the process has
// started. No TaskDone comes of them, even if they were done already.
func (t *Task[A, R]) Cancel(fx Recorder, tag string) {
	fx.Record(Effect{Kind: EffectCancelTask, Name: Name(t.name), Tag: tag})
}

// Result returns the result that came as d, the end of a work of this task, or d.Err.
func (t *Task[A, R]) Result(d TaskDone) (R, error) {
	r, ok := as[R](d.result)
	switch {
	case d.Err != nil:
		return *new(R), d.Err
	case !ok:
		return r, fmt.Errorf("the result of the task %q is a %T, not a %s", d.Task, d.result, typeName[R]())
	}
	return r, nil
}

// Retry says how often a work is tried whose tries fail. The zero value is once.
type Retry struct {
	// Tries is how many there are at most, the first among them; a new start of the
	// program counts anew. Zero, or less, means one.
	Tries int
	// Backoff is the time between the end of the first try and the second; it
	// doubles from try to try. Zero, or less, means none.
	Backoff time.Duration
	// Max is the longest of these times. Zero, or less, means any.
	Max time.Duration
}

// Next returns how long to wait after so many tries that failed, one or more,
// and whether there is another at all.
func (r Retry) Next(failed int) (wait time.Duration, again bool) {
	if failed >= r.Tries {
		return 0, false
	}
	doubled := max(failed-1, 0)
	wait = max(r.Backoff, 0)
	if longest := time.Duration(math.MaxInt64); wait > longest>>doubled {
		wait = longest
	} else {
		wait <<= doubled
	}
	if r.Max > 0 {
		wait = min(wait, r.Max)
	}
	return wait, true
}

// AnyTask is a [Task] whose types are hidden. Only *Task implements it. All of
// it may be called on any goroutine. Arguments and results are encoded in
// msgpack. A *CrashError in it has the task's name.
type AnyTask interface {
	// Name returns the task's name.
	Name() string
	// AppendArg appends the encoding of an argument. A value that is none is an error.
	AppendArg(dst []byte, arg any) ([]byte, error)
	// DecodeArg returns the argument that data encodes.
	DecodeArg(data []byte) (any, error)
	// AppendResult and DecodeResult do the same with results.
	AppendResult(dst []byte, result any) ([]byte, error)
	// DecodeResult returns the result that data encodes.
	DecodeResult(data []byte) (any, error)
	// Do calls the task's function, and then done: once, on the same goroutine,
	// with what it returned, or with the *CrashError, In "task", of its panic.
	// Of runtime.Goexit too, after which Do does not return. Any other err is what
	// a message keeps of it.
	Do(ctx context.Context, id TaskID, arg any, done func(result any, err error))

	validate() error
	takes(arg any) bool
}

// Name returns the task's name.
func (t *Task[A, R]) Name() string { return t.name }

// AppendArg appends the encoding of an argument.
func (t *Task[A, R]) AppendArg(dst []byte, arg any) ([]byte, error) {
	return encodeAny(Name(t.name), t.arg, dst, codec.Msgpack, arg)
}

// DecodeArg returns the argument that data encodes.
func (t *Task[A, R]) DecodeArg(data []byte) (any, error) {
	return decodeAny(Name(t.name), t.arg, codec.Msgpack, data)
}

// AppendResult appends the encoding of a result.
func (t *Task[A, R]) AppendResult(dst []byte, result any) ([]byte, error) {
	return encodeAny(Name(t.name), t.result, dst, codec.Msgpack, result)
}

// DecodeResult returns the result that data encodes.
func (t *Task[A, R]) DecodeResult(data []byte) (any, error) {
	return decodeAny(Name(t.name), t.result, codec.Msgpack, data)
}

// Do calls the task's function, and then done.
func (t *Task[A, R]) Do(ctx context.Context, id TaskID, arg any, done func(result any, err error)) {
	a, ok := as[A](arg)
	if !ok {
		done(nil, fmt.Errorf("the argument of the task %q is a %T, not a %s", t.name, arg, typeName[A]()))
		return
	}
	crashed := func(crash *CrashError) { done(nil, crash) }
	var r R
	var err error
	switch crash := guard(Name(t.name), "task", crashed, func() { r, err = t.do(ctx, id, a) }); {
	case crash != nil:
		crashed(crash)
	case err != nil:
		done(nil, lasting(err))
	default:
		done(r, nil)
	}
}

func (t *Task[A, R]) takes(arg any) bool {
	_, ok := as[A](arg)
	return ok
}

func (t *Task[A, R]) validate() error {
	switch {
	case t == nil:
		return errors.New("a task is nil")
	case t.name == "":
		return errors.New("a task has no name")
	case t.arg == nil || t.result == nil:
		return fmt.Errorf("the task %q lacks a codec", t.name)
	case t.do == nil:
		return fmt.Errorf("the task %q has no function", t.name)
	}
	return nil
}

// validateTasks reports what is wrong with a machine's tasks.
func validateTasks(tasks []AnyTask) error {
	for i, t := range tasks {
		if t == nil {
			return errors.New("a task is nil")
		}
		if err := t.validate(); err != nil {
			return err
		}
		if findTask(tasks[:i], t.Name()) != nil {
			return fmt.Errorf("two tasks are called %q", t.Name())
		}
	}
	return nil
}

// findTask returns the task of that name, nil if there is none.
func findTask(tasks []AnyTask, name string) AnyTask {
	for _, t := range tasks {
		if t.Name() == name {
			return t
		}
	}
	return nil
}

// as returns v as a T. A T that is a nil interface is a nil any.
func as[T any](v any) (t T, ok bool) {
	if t, ok = v.(T); ok {
		return t, true
	}
	return t, v == nil && any(t) == nil
}

func typeName[T any]() string { return reflect.TypeFor[T]().String() }
