package main

import (
	"context"
	"fmt"
	"os"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// openFile opens a file that no server runs on, and that is there, to read it.
func openFile(path string, std *streams) (*boltlog.Log, error) {
	file, err := boltlog.Open(path, boltlog.Options{ReadOnly: true})
	if err == nil && file.Torn() != nil {
		fmt.Fprintf(std.err, "kv: %s: %v\n", tornNote, file.Torn())
	}
	return file, err
}

// tornNote is what a Log that is Torn means.
const tornNote = "the last commit is lost, if it was one that was acknowledged"

// withoutPath returns an error of the system without the file's name.
func withoutPath(err error) error {
	if pe, ok := err.(*os.PathError); ok {
		return fmt.Errorf("cannot %s: %w", pe.Op, pe.Err)
	}
	return err
}

// offline has f look at the application whose file is at path, while a progress
// says how much of that was read. The file stays as it is.
func offline(ctx context.Context, path string, std *streams, bar *progress, f func(eventloop.Config) error) error {
	file, err := openFile(path, std)
	if err != nil {
		return &exit{2, err}
	}
	defer file.Close() // nothing is written
	log, err := watch(ctx, file, bar)
	if err != nil {
		return err
	}
	config := application(newStore(false))
	config.Log = log
	defer bar.clear()
	return f(config)
}
