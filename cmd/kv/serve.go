package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/signal"
	"syscall"
	"time"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/httpapi"
	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// stopGrace is how long requests under way, and then processes, may take to
// end once the server is told to.
const stopGrace = 10 * time.Second

// serve is the server.
type serve struct {
	Addr          string               `help:"Address to listen on." default:"127.0.0.1:8080"`
	Data          string               `help:"File that keeps the stores." default:"kv.db" type:"path"`
	Durability    eventloop.Durability `help:"What survives: none; shutdown (an orderly end); always (every acknowledged input)." default:"always"`
	Queue         int                  `help:"How many inputs may wait." default:"${queue}"`
	SnapshotBytes int64                `help:"How long the journal may grow, in bytes, before the stores are saved whole." default:"${snapshot}"`
	CompactBytes  int64                `help:"How large the file must be, in bytes, to be made small by itself when most of it is no longer needed; less than 0: never." default:"${compact}"`
	Sys           bool                 `help:"Let whoever can connect look into the stores and change them, below /v1/sys."`
	Backup        string               `help:"Answer GET /v1/backup, that is kv backup: ${enum}; auto is on only if it listens on a loopback address." enum:"auto,on,off" default:"auto"`
	DeliberateBug bool                 `help:"Make a lookup of \"crash\" crash the store."`
}

// Validate checks the flags beyond their types.
func (s *serve) Validate() error {
	switch {
	case s.Queue < 1:
		return fmt.Errorf("--queue=%d: must be at least 1", s.Queue)
	case s.SnapshotBytes < 1:
		return fmt.Errorf("--snapshot-bytes=%d: must be at least 1", s.SnapshotBytes)
	case s.CompactBytes == 0:
		return errors.New("--compact-bytes=0: must be at least 1, or less than 0 for never")
	case s.Data == "":
		return errors.New("--data: must name a file")
	}
	return nil
}

// Run serves until ctx ends, or the root supervisor gives up.
func (s *serve) Run(ctx context.Context, std *streams) (err error) {
	signal.Ignore(syscall.SIGPIPE) // who reads the log may go: that must not end the server, least of all while it stops
	log := slog.New(slog.NewTextHandler(newPatient(std.err), nil))
	ln, err := net.Listen("tcp", s.Addr)
	if err != nil {
		return err
	}
	defer ln.Close()
	disk, err := s.openLog(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()

	config := application(newStore(s.DeliberateBug))
	config.QueueLen, config.SnapshotBytes = s.Queue, s.SnapshotBytes
	config.Durability, config.Log = s.Durability, disk
	config.OnEvent = func(e eventloop.Event) { record(log, e) }
	loop, err := eventloop.Start(config)
	if err != nil {
		return err
	}
	api := httpapi.New(loop, s.http(loop, disk, ln.Addr()))
	served := make(chan error, 1)
	go func() { served <- api.Serve(ln) }()
	s.greet(std.out, ln.Addr())

	select {
	case <-ctx.Done():
		log.Info("stopping")
	case <-loop.Done():
	case err = <-served:
	}
	return errors.Join(err, shutdown(api, loop))
}

// http returns what is served besides the stores' own inputs and outputs. Backups
// are on where they are asked for, or where only programs of this computer can
// connect, which can read every store as it is: a backup has too what was deleted.
func (s *serve) http(loop *eventloop.Loop, disk journal.Log, addr net.Addr) (c httpapi.Config) {
	if s.Sys {
		c.Sys = loop
	}
	tcp, _ := addr.(*net.TCPAddr)
	file, kept := disk.(*boltlog.Log)
	if kept && (s.Backup == "on" || s.Backup == "auto" && tcp != nil && tcp.IP.IsLoopback()) {
		c.Backup = func(w io.Writer) error { return file.Backup(w, nil) }
	}
	return c
}

// shutdown ends in order: first what comes in, then what it is for.
func shutdown(api *httpapi.Server, loop *eventloop.Loop) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	err := api.Shutdown(ctx)
	ctx, cancel = context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	return errors.Join(err, loop.Stop(ctx))
}

// openLog opens the file; without durability there is none.
func (s *serve) openLog(log *slog.Logger) (journal.Log, error) {
	if s.Durability == eventloop.None {
		return new(journal.Memory), nil
	}
	file, err := boltlog.Open(s.Data, boltlog.Options{
		CompactBytes: s.CompactBytes,
		OnCompact: func(before, after int64, err error) {
			if err != nil {
				log.Error("compact failed", "error", err)
				return
			}
			log.Info("compacted", "before", before, "after", after)
		},
	})
	if err != nil {
		return nil, err
	}
	if torn := file.Torn(); torn != nil {
		log.Warn(tornNote, "error", torn)
	}
	return file, nil
}

// greet prints how to use the server.
func (s *serve) greet(out io.Writer, addr net.Addr) {
	kept := "in memory"
	if s.Durability != eventloop.None {
		kept = fmt.Sprintf("in %s (durability %v)", s.Data, s.Durability)
	}
	fmt.Fprintf(out, "Serving kv1, kv2 and kv3 on http://%v, kept %s. Try:\n\n", addr, kept)
	for _, input := range []string{`{"store":{"key":"x","value":1}}`, `{"lookup":{"key":"x"}}`} {
		fmt.Fprintf(out, "  curl --json '%s' http://%v/v1/call/kv2\n", input, addr)
	}
	fmt.Fprintln(out)
}

// record logs an event.
func record(log *slog.Logger, e eventloop.Event) {
	switch e := e.(type) {
	case eventloop.Restarting:
		log.Info("restarting", "name", e.Name, "because", e.Because)
	case eventloop.Started:
		log.Info("started", "name", e.Name)
	case eventloop.StartFailed:
		log.Error("start failed", "name", e.Name, "error", e.Err)
	case eventloop.Crashed:
		log.Error("crashed", "name", e.Name, "in", e.Crash.In, "panic", e.Crash.Value, "stack", string(e.Crash.Stack))
	case eventloop.Terminating:
		log.Info("terminating", "name", e.Name, "reason", e.Reason)
	case eventloop.Exited:
		log.Info("exited", "name", e.Name, "reason", e.Reason)
	case eventloop.Unclaimed:
		log.Warn("a state is saved for a process that is not in the tree", "name", e.Name)
	case eventloop.SaveFailed:
		log.Error("save failed", "error", e.Err)
	}
}
