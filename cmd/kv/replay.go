package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/trace"
)

// replay steps the inputs of a file again.
type replay struct {
	File    string `arg:"" help:"The file, on which no server runs." type:"path"`
	Record  string `help:"Write to this new file what each step has done: the trace that another build is compared with." placeholder:"TRACE" type:"path" xor:"trace"`
	Against string `help:"Compare with this trace: status 1 and the first differences, if there are any." placeholder:"TRACE" type:"path" xor:"trace"`
	Exact   bool   `help:"With --record: look at large states after every step too, which takes long."`
}

// Run says whether the journal replays, or whether it does so as was recorded. It
// has status 1 if not, and 2 if it could not try.
func (r *replay) Run(ctx context.Context, std *streams) error {
	bar := newProgress(std.err, "replaying "+r.File)
	began := time.Now()
	err := offline(ctx, r.File, std, bar, func(config eventloop.Config) error {
		var text string
		var err error
		switch {
		case r.Record != "":
			text, err = r.record(config)
		case r.Against != "":
			text, err = r.compare(config, std, bar)
		default:
			text, err = r.only(config)
		}
		bar.clear()
		if err == nil {
			fmt.Fprintf(std.out, "%s: %s, in %v\n", r.File, text, time.Since(began).Round(time.Millisecond))
		}
		return err
	})
	var e *exit
	if err != nil && !errors.As(err, &e) {
		err = fmt.Errorf("%s: %w", r.File, err)
	}
	return err
}

// only replays.
func (r *replay) only(config eventloop.Config) (string, error) {
	steps := 0
	_, err := eventloop.Replay(config, func(eventloop.Step) error {
		steps++
		return nil
	})
	return fmt.Sprintf("%d steps replayed", steps), err
}

// record writes a trace.
func (r *replay) record(config eventloop.Config) (string, error) {
	f, err := os.OpenFile(r.Record, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // it has what users have sent
	if err != nil {
		return "", &exit{2, fmt.Errorf("trace %s: %w", r.Record, withoutPath(err))}
	}
	steps, err := trace.Record(config, f, trace.Options{Exact: r.Exact})
	if failed := f.Close(); err == nil {
		err = failed
	}
	if err != nil {
		os.Remove(r.Record) // half a trace is none
	}
	return fmt.Sprintf("%d steps recorded in %s", steps, r.Record), err
}

// compare compares with a trace.
func (r *replay) compare(config eventloop.Config, std *streams, bar *progress) (string, error) {
	f, err := os.Open(r.Against)
	if err != nil {
		return "", &exit{2, fmt.Errorf("trace %s: %w", r.Against, withoutPath(err))}
	}
	defer f.Close()
	report, err := trace.Compare(config, f)
	var unreadable *fs.PathError
	switch {
	case errors.Is(err, trace.ErrFormat) || errors.As(err, &unreadable):
		return "", &exit{2, fmt.Errorf("trace %s: %w", r.Against, withoutPath(err))}
	case err != nil:
		return "", err
	case report.Differs():
		bar.clear()
		fmt.Fprint(std.out, report)
		return "", fmt.Errorf("this build differs from the one that has recorded %s", r.Against)
	}
	return fmt.Sprintf("%d steps are as recorded in %s", report.Steps, r.Against), nil
}
