package genevent_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/genevent"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// Lines are to be appended to a file.
type Lines struct {
	File  string   `json:"file"`
	Lines []string `json:"lines"`
}

// appendLines is the work of writing them. It is done beside the loop.
var appendLines = statemachine.NewTask("append", codec.Of[Lines](), codec.Of[none](),
	func(_ context.Context, _ statemachine.TaskID, in Lines) (none, error) {
		f, err := os.OpenFile(in.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return none{}, err
		}
		_, err = f.WriteString(strings.Join(in.Lines, "\n") + "\n")
		return none{}, errors.Join(err, f.Close())
	})

// Trail is a file, what waits to be written, and whether something is.
type Trail struct {
	Lines
	Writing bool
}

// next writes what waits, if nothing is being written: tasks have no order.
func (t Trail) next(fx *genevent.Fx[string]) Trail {
	if !t.Writing && len(t.Lines.Lines) > 0 {
		appendLines.Start(fx, fx.Handler.String(), t.Lines, statemachine.Retry{Tries: 3})
		t.Writing, t.Lines.Lines = true, nil
	}
	return t
}

// File writes every event into a file, and answers how many it has not written.
var File = &genevent.Kind[string, Trail, string, none, int]{
	Name: "file",
	Init: func(s genevent.Start[string]) (Trail, error) { return Trail{Lines: Lines{File: s.Args}}, nil },
	HandleEvent: func(e string, t Trail, fx *genevent.Fx[string]) Trail {
		t.Lines.Lines = append(t.Lines.Lines[:len(t.Lines.Lines):len(t.Lines.Lines)], e)
		return t.next(fx)
	},
	HandleInfo: func(m statemachine.Message, t Trail, fx *genevent.Fx[string]) Trail {
		done, ok := m.(statemachine.TaskDone)
		if !ok || done.Tag != fx.Handler.String() {
			return t // it is another handler's
		}
		if _, err := appendLines.Result(done); err != nil {
			panic(err) // which is reported
		}
		t.Writing = false
		return t.next(fx)
	},
	HandleCall: func(_ none, t Trail, _ *genevent.Fx[string]) (Trail, int) {
		waiting := len(t.Lines.Lines)
		if t.Writing {
			waiting++
		}
		return t, waiting
	},
}

// Brittle stands for a handler with a mistake.
var Brittle = &genevent.Kind[string, int, none, none, none]{
	Name: "brittle",
	HandleEvent: func(e string, n int, _ *genevent.Fx[string]) int {
		return n + len(strings.Fields(e)[1])
	},
}

// Audit tells the process desk which handlers have gone.
var Audit = genevent.New(genevent.Config[string]{
	Event: codec.Of[string](),
	Kinds: []genevent.AnyKind[string]{File, Brittle},
	Tasks: []statemachine.AnyTask{appendLines},
	Exited: func(x genevent.Exit, fx *statemachine.Fx) {
		statemachine.To[genevent.Exit, []string]("desk").Cast(fx, x)
	},
})

// Desk keeps what it is told, and answers it.
var Desk = &statemachine.Machine[[]string, genevent.Exit, []string]{
	Step: statemachine.Pure(func(x genevent.Exit, told []string) ([]string, []string) {
		if x.Handler.Kind == "" {
			return told, told // a question
		}
		told = append(told[:len(told):len(told)], fmt.Sprintf("%s: %s: %s", x.Handler, x.Why.Cause, x.Why.Reason))
		return told, told
	}),
	Input:  codec.Of[genevent.Exit](),
	Output: codec.Of[[]string](),
}

// An audit trail: events go into a file, by a task, and a handler that crashes
// is reported to another process.
func Example_audit() {
	dir, err := os.MkdirTemp("", "audit")
	check(err)
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "audit.log")

	ctx := context.Background()
	loop, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{Name: "root", Children: []supervisor.Child{
		supervisor.Worker{Name: "desk", Machine: Desk},
		supervisor.Worker{Name: "audit", Machine: Audit},
	}}})
	check(err)
	defer loop.Stop(ctx)
	audit, err := eventloop.RefTo[genevent.Input[string], genevent.Output](loop, "audit")
	check(err)
	desk, err := eventloop.RefTo[genevent.Exit, []string](loop, "desk")
	check(err)

	for _, in := range []genevent.Input[string]{
		File.AddSup("desk", "day", file), // if desk ends, so does the trail
		Brittle.Add("", none{}),
		genevent.Notify[string]{Event: "ada logs in"},
		genevent.Notify[string]{Event: "midnight"},
		genevent.Notify[string]{Event: "ada logs out"},
	} {
		out, err := audit.Call(ctx, in)
		check(errors.Join(err, out.Err()))
	}
	for waiting := 1; waiting > 0; runtime.Gosched() {
		out, err := audit.Call(ctx, File.Call("day", none{}))
		check(err)
		waiting, err = genevent.Result[int](out)
		check(err)
	}
	text, err := os.ReadFile(file)
	check(err)
	fmt.Print(string(text))
	told, err := desk.Call(ctx, genevent.Exit{})
	check(err)
	fmt.Println(strings.Join(told, "\n"))
	// Output:
	// ada logs in
	// midnight
	// ada logs out
	// brittle: error: runtime error: index out of range [1] with length 1
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
