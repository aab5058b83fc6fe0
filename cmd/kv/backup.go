package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// backup copies a file, of a running server or of one that does not run.
type backup struct {
	Addr string `help:"Address of the server." default:"127.0.0.1:8080"`
	Data string `help:"Copy this file instead, on which no server runs." type:"path"`
	Copy string `arg:"" help:"The copy to make, which must not exist: a file like any other." type:"path"`
}

// Validate checks the flags beyond their types.
func (b *backup) Validate() error {
	if b.Data != "" {
		return nil
	}
	return checkAddr(b.Addr)
}

// Run makes the copy. It is there, checked and on disk, or not at all.
func (b *backup) Run(ctx context.Context, std *streams) error {
	if b.Data == "" {
		return b.fetch(ctx, std)
	}
	file, err := openFile(b.Data, std)
	if err != nil {
		return err
	}
	defer file.Close() // nothing is written
	var size int64
	if info, err := os.Stat(b.Data); err == nil {
		size = info.Size()
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(file.Backup(w, nil)) }()
	err = write(ctx, std, r, b.Copy, size)
	r.Close() // ends the Backup, before the file is closed
	return err
}

// fetch gets the copy from a server.
func (b *backup) fetch(ctx context.Context, std *streams) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.Addr+"/v1/backup", nil)
	if err != nil {
		return err
	}
	res, err := new(http.Client).Do(req)
	if err != nil {
		return fmt.Errorf("getting a backup of the server at %s: %w", b.Addr, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		var problem struct{ Detail string }
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<16))
		if err := json.Unmarshal(text, &problem); err != nil || problem.Detail == "" {
			return fmt.Errorf("the server at %s answered status %d", b.Addr, res.StatusCode)
		}
		return fmt.Errorf("the server at %s: %s", b.Addr, problem.Detail)
	}
	return write(ctx, std, res.Body, b.Copy, 0)
}

// restore makes a file of a copy.
type restore struct {
	Copy string `arg:"" help:"The copy, as kv backup has made it." type:"path"`
	File string `arg:"" help:"The file to make, which must not exist." type:"path"`
}

// Run makes the file: it is there, checked and on disk, or not at all.
func (r *restore) Run(ctx context.Context, std *streams) error {
	if info, err := os.Stat(r.Copy); err == nil && !info.Mode().IsRegular() { // to open a named pipe would wait
		return fmt.Errorf("copy %s: it is not a regular file", r.Copy)
	}
	// What a server writes to meanwhile is no copy; what is wrong with another file is told once it is read.
	switch held, err := openFile(r.Copy, std); {
	case errors.Is(err, journal.ErrLocked):
		return fmt.Errorf("%w; kv backup makes a copy while a server runs on it", err)
	case err == nil:
		defer held.Close() // nothing is written
	}
	from, err := os.Open(r.Copy)
	if err != nil {
		return fmt.Errorf("copy %s: %w", r.Copy, withoutPath(err))
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	return write(ctx, std, from, r.File, info.Size())
}

// write makes the file at path of a copy that from reads, of a size that is 0 if
// it is not known.
func write(ctx context.Context, std *streams, from io.Reader, path string, size int64) error {
	reading, checking := newProgress(std.err, "writing "+path), newProgress(std.err, "checking "+path)
	var bytes int64
	err := boltlog.Restore(&interruptible{ctx, from}, path, func(done, total int64) {
		if total == 0 { // it is being read
			bytes = done
			reading.tell(done, size)
		} else {
			bytes = total
			reading.drawn = false
			checking.tell(done, total)
		}
	})
	reading.clear()
	checking.clear()
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%s: %d bytes, intact\n", path, bytes)
	return nil
}

// interruptible is a Reader that ends with a context.
type interruptible struct {
	ctx  context.Context
	from io.Reader
}

func (r *interruptible) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, errors.New("interrupted")
	}
	return r.from.Read(p)
}
