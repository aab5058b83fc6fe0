package statemachine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

type work = func(context.Context, statemachine.TaskID, int) (string, error)

func newTask(do work) statemachine.AnyTask {
	return statemachine.NewTask("work", codec.Of[int](), codec.Of[string](), do)
}

// done is what a task's Do says at its end.
type done struct {
	result any
	err    error
	times  int
}

func (d *done) is(result any, err error) { *d = done{result, err, d.times + 1} }

func TestTaskDo(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(context.Background(), key{}, "seen")
	var d done
	double.Do(ctx, "id-", 21, d.is)
	if d != (done{"id-42", nil, 1}) {
		t.Errorf("%+v", d)
	}
	d = done{}
	newTask(func(ctx context.Context, _ statemachine.TaskID, _ int) (string, error) {
		return "forgotten", fmt.Errorf("%v: %w", ctx.Value(key{}), io.EOF)
	}).Do(ctx, "", 1, d.is)
	if d.result != nil || d.err == nil || d.err.Error() != "seen: EOF" || errors.Is(d.err, io.EOF) || d.times != 1 {
		t.Errorf("%+v", d)
	}
	d = done{}
	if double.Do(ctx, "", "21", d.is); d.err == nil || !strings.Contains(d.err.Error(), "string, not a int") || d.times != 1 {
		t.Errorf("%+v", d)
	}
}

func TestTaskCrashes(t *testing.T) {
	for how, f := range map[string]func(){
		"boom":                  func() { panic("boom") },
		"runtime.Goexit":        runtime.Goexit,
		"panic called with nil": func() { panic(any(nil)) },
	} {
		var d done
		gone(func() {
			newTask(func(context.Context, statemachine.TaskID, int) (string, error) { f(); return "", nil }).Do(context.Background(), "", 1, d.is)
		})
		var crash *statemachine.CrashError
		if !errors.As(d.err, &crash) || crash.In != "task" || crash.Name != "work" || len(crash.Stack) == 0 || d.times != 1 || !strings.Contains(crash.Error(), how) {
			t.Errorf("%s: %+v", how, d)
		}
	}
}

func TestTaskResult(t *testing.T) {
	d := statemachine.NewTaskDone("tag", "double", "id", "42", nil)
	if r, err := double.Result(d); r != "42" || err != nil {
		t.Error(r, err)
	}
	if r, err := double.Result(statemachine.NewTaskDone("tag", "double", "id", "42", errCustom)); r != "" || err != errCustom {
		t.Error(r, err)
	}
	if r, err := double.Result(statemachine.NewTaskDone("tag", "double", "id", 42, nil)); r != "" || err == nil {
		t.Error(r, err)
	}
}

func TestTaskCodecs(t *testing.T) {
	data, err := double.AppendArg([]byte("<"), 7)
	if string(data) != "<\x07" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if arg, err := double.DecodeArg(data[1:]); arg != 7 || err != nil {
		t.Error(arg, err)
	}
	if data, err = double.AppendResult([]byte("<"), "r"); string(data) != "<\xa1r" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if r, err := double.DecodeResult(data[1:]); r != "r" || err != nil {
		t.Error(r, err)
	}
	for what, f := range map[string]func() (any, error){
		"an argument":   func() (any, error) { return double.AppendArg(nil, "7") },
		"a result":      func() (any, error) { return double.AppendResult(nil, 7) },
		"its encoding":  func() (any, error) { return double.DecodeArg([]byte("\xa1r")) },
		"r's encodings": func() (any, error) { return double.DecodeResult([]byte("\x07")) },
	} {
		if v, err := f(); err == nil {
			t.Errorf("%s: %v", what, v)
		}
	}
	b := statemachine.NewTask("broken", broken[int]{codec.Of[int](), "encode"}, broken[int]{codec.Of[int](), "decode"}, nil)
	var crash *statemachine.CrashError
	if _, err := b.AppendArg(nil, 1); !errors.As(err, &crash) || crash.Name != "broken" || crash.In != "encode" {
		t.Error(err)
	}
	if _, err := b.DecodeResult([]byte{1}); !errors.As(err, &crash) || crash.In != "decode" {
		t.Error(err)
	}
}

func TestValidateTasks(t *testing.T) {
	ints, texts := codec.Of[int](), codec.Of[string]()
	do := func(context.Context, statemachine.TaskID, int) (string, error) { return "", nil }
	var none *statemachine.Task[int, string]
	for want, tasks := range map[string][]statemachine.AnyTask{
		"a task is nil":               {double, nil},
		"task is nil":                 {none},
		"no name":                     {statemachine.NewTask("", ints, texts, do)},
		`two tasks are called "work"`: {newTask(do), double, newTask(do)},
		`"a" lacks a codec`:           {statemachine.NewTask("a", nil, texts, do)},
		`"b" lacks a codec`:           {statemachine.NewTask("b", ints, nil, do)},
		`"c" has no function`:         {statemachine.NewTask("c", ints, texts, nil)},
	} {
		m := newOrders()
		m.Tasks = tasks
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}

func TestRetry(t *testing.T) {
	const s, never = time.Second, time.Duration(-1)
	for _, test := range []struct {
		r     statemachine.Retry
		waits []time.Duration // after the first, second… try
	}{
		{statemachine.Retry{}, []time.Duration{never}},
		{statemachine.Retry{Tries: -1, Backoff: s}, []time.Duration{never}},
		{statemachine.Retry{Tries: 1, Backoff: s}, []time.Duration{never}},
		{statemachine.Retry{Tries: 3}, []time.Duration{0, 0, never}},
		{statemachine.Retry{Tries: 3, Backoff: -s}, []time.Duration{0, 0, never}},
		{statemachine.Retry{Tries: 5, Backoff: s}, []time.Duration{s, 2 * s, 4 * s, 8 * s, never}},
		{statemachine.Retry{Tries: 5, Backoff: 2 * s, Max: 5 * s}, []time.Duration{2 * s, 4 * s, 5 * s, 5 * s, never}},
		{statemachine.Retry{Tries: 3, Backoff: 9 * s, Max: 5 * s}, []time.Duration{5 * s, 5 * s, never}},
		{statemachine.Retry{Tries: 3, Backoff: math.MaxInt64/2 + 1}, []time.Duration{math.MaxInt64/2 + 1, math.MaxInt64, never}},
	} {
		for i, want := range test.waits {
			if wait, again := test.r.Next(i + 1); again != (want >= 0) || again && wait != want {
				t.Errorf("%+v: after %d tries: %v, %v, want %v", test.r, i+1, wait, again, want)
			}
		}
	}
	last := time.Duration(0)
	endless := statemachine.Retry{Tries: math.MaxInt, Backoff: 1}
	for failed := range 200 {
		wait, again := endless.Next(failed)
		if wait < last || !again {
			t.Errorf("after %d tries %v, then %v", failed, last, wait)
		}
		last = wait
	}
}
