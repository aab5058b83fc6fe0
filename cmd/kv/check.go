package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// check says what is wrong with a file.
type check struct {
	File string `arg:"" help:"The file." type:"path"`
}

// Run prints a line for each problem: of the file's pages and checksums, and of
// what in it the program cannot decode. It has status 2 if it could not look.
func (c *check) Run(ctx context.Context, std *streams) error {
	bar := newProgress(std.err, "checking "+c.File)
	found := &problems{out: std.out, bar: bar}
	sum, err := boltlog.Check(c.File, bar.tell, func(p boltlog.Problem) { found.tell(p.Err) })
	bar.clear()
	if err != nil && !errors.Is(err, journal.ErrDamaged) {
		return &exit{2, err}
	}
	damaged := err
	err = offline(ctx, c.File, std, bar, func(config eventloop.Config) error { return eventloop.Verify(config, found.tell) })
	found.end()
	switch {
	case damaged != nil: // then what could be decoded was, and why no more could was told
		return damaged
	case err != nil:
		return &exit{2, err}
	case found.n > 0:
		return fmt.Errorf("journal file %s: intact, but %d things in it cannot be read by this program", c.File, found.n)
	}
	fmt.Fprintf(std.out, "%s is intact: %d bytes, %d states, %d batches of %d entries behind them\n",
		c.File, sum.FileBytes, sum.States, sum.Batches, sum.Entries)
	return nil
}

// problemsMax is how many problems are printed.
const problemsMax = 100

// problems prints problems, a line each.
type problems struct {
	out io.Writer
	bar *progress
	n   int
}

func (p *problems) tell(err error) {
	if p.n++; p.n <= problemsMax {
		p.bar.clear()
		fmt.Fprintln(p.out, oneLine(err))
	}
}

func (p *problems) end() {
	if p.n > problemsMax {
		fmt.Fprintf(p.out, "and %d more\n", p.n-problemsMax)
	}
}
