// Command kv serves supervised key-value stores over HTTP, kept in one file.
//
//	kv                      serve (the default): prints how to use it
//	kv demo                 a crash and a restart, as a transcript
//	kv call NAME JSON       send an input to a running server
//
//	kv backup COPY          copy the file of a running server, with --data of one that does not run
//	kv restore COPY FILE    make a file of a copy
//	kv check FILE           say what is wrong with a file, and where
//	kv export FILE          print the stores in a file as lines of JSON
//	kv replay FILE          step the inputs in a file again, by this build
//
// kv help serve lists the flags, kv help replay how builds are compared.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// cli is the command line.
type cli struct {
	Serve serve `cmd:"" default:"withargs" help:"Serve the stores over HTTP (default)."`
	Demo  demo  `cmd:"" help:"Print the transcript of a store that crashes and is restarted."`
	Call  call  `cmd:"" help:"Send one input to a running server and print its output."`

	Backup  backup  `cmd:"" help:"Copy the file of a running server, or of one that does not run."`
	Restore restore `cmd:"" help:"Make a file of a backup."`
	Check   check   `cmd:"" help:"Say what is wrong with a file, and where: status 0 nothing, 1 something, 2 it cannot be read."`
	Export  export  `cmd:"" help:"Print the stores in a file as lines of JSON."`
	Replay  replay  `cmd:"" help:"Step the inputs in a file again, by this build, without changing it."`
}

// streams are the program's standard streams.
type streams struct {
	out, err io.Writer
}

func main() {
	ends := []os.Signal{syscall.SIGTERM}
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(sig) { // as nohup has it, and a shell for what it runs behind a script
			ends = append(ends, sig)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	status := Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	os.Exit(status)
}

// Main runs the program with these arguments until it is done, or ctx ends, and
// returns its exit status: 0 when all is well, 2 for a wrong command line, 1
// for everything else; but see check and replay. What failed is one line on stderr.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	exited := -1 // by --help
	parser, err := kong.New(&cli{}, kong.Name("kv"),
		kong.Description("Supervised key-value stores over HTTP, kept in one file."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { exited = code }),
		kong.Vars{"queue": strconv.Itoa(eventloop.DefaultQueueLen), "snapshot": strconv.Itoa(eventloop.DefaultSnapshotBytes),
			"compact": strconv.Itoa(boltlog.DefaultCompactBytes)}, kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(&streams{stdout, stderr}))
	if err != nil {
		panic(err) // the command line's own description is wrong
	}
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	command, err := parser.Parse(args)
	switch {
	case exited >= 0:
		return exited
	case err != nil:
		return fail(stderr, 2, err)
	}
	if err := command.Run(); err != nil {
		var e *exit
		if errors.As(err, &e) {
			return fail(stderr, e.status, err)
		}
		return fail(stderr, 1, err)
	}
	return 0
}

// fail prints err as one line and returns status.
func fail(stderr io.Writer, status int, err error) int {
	fmt.Fprintf(stderr, "kv: %s\n", oneLine(err))
	return status
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// exit is an error with an exit status of its own.
type exit struct {
	status int
	error
}

func (e *exit) Unwrap() error { return e.error }
