package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
)

// export prints the states in a file.
type export struct {
	File string `arg:"" help:"The file, on which no server runs." type:"path"`
}

// Run prints a line for each process, as {"process":"kv1","state":{}}: what its
// state is once the journal is replayed. What is not printed is told on stderr.
func (e *export) Run(ctx context.Context, std *streams) error {
	bar := newProgress(std.err, "replaying "+e.File)
	return offline(ctx, e.File, std, bar, func(config eventloop.Config) error {
		past, err := eventloop.Replay(config, nil)
		bar.clear()
		if err != nil {
			return fmt.Errorf("%s: %w", e.File, err)
		}
		out := bufio.NewWriter(std.out)
		for name := range past.Names() {
			if err := exportOne(out, past, name); err != nil {
				return cmp.Or(out.Flush(), fmt.Errorf("%s: the state of %s: %w", e.File, name, err))
			}
		}
		for _, name := range past.Unclaimed() {
			fmt.Fprintf(std.err, "kv: %s: left out: a state is saved for %s, which is not in the tree\n", e.File, name)
		}
		if n := past.Waiting(); n > 0 {
			fmt.Fprintf(std.err, "kv: %s: left out: %d inputs wait for processes that are down; the next start steps them\n", e.File, n)
		}
		return out.Flush()
	})
}

func exportOne(out *bufio.Writer, past *eventloop.Replayed, name statemachine.Name) error {
	line := struct {
		Process statemachine.Name `json:"process"`
		State   json.RawMessage   `json:"state"`
	}{Process: name}
	var err error
	if line.State, err = past.AppendState(nil, name, codec.JSON); err != nil {
		return err
	}
	to := json.NewEncoder(out)
	to.SetEscapeHTML(false)
	return to.Encode(line)
}
