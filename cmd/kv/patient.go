package main

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// The log is written while the loop stands still. So whoever reads it may hold it
// up, a terminal that was stopped say, or a pager, but not the stores: a line that
// is not taken within logGrace waits, and so do logLines more, without anybody's
// waiting for them; of what is beyond that the number is written.
const (
	logGrace = 200 * time.Millisecond
	logLines = 1024
)

// patient is a Writer of lines to one that may block.
type patient struct {
	lines chan line
	stuck atomic.Bool  // a line was not taken in time, and is not yet
	lost  atomic.Int64 // how many there was no room for
}

type line struct {
	text    []byte
	written chan struct{} // closed then
}

// newPatient returns a patient that writes to w until the program ends.
func newPatient(w io.Writer) *patient {
	p := &patient{lines: make(chan line, logLines)}
	go func() {
		for l := range p.lines {
			if n := p.lost.Swap(0); n > 0 {
				fmt.Fprintf(w, "kv: %d lines of the log were lost here, since nobody read it\n", n)
			}
			w.Write(l.text)
			p.stuck.Store(false)
			close(l.written)
		}
	}()
	return p
}

// Write writes a line, or has it wait. There is no error.
func (p *patient) Write(text []byte) (int, error) {
	l := line{bytes.Clone(text), make(chan struct{})}
	select {
	case p.lines <- l:
	default:
		p.lost.Add(1)
		return len(text), nil
	}
	if p.stuck.Load() {
		return len(text), nil
	}
	late := time.NewTimer(logGrace)
	defer late.Stop()
	select {
	case <-l.written:
	case <-late.C:
		p.stuck.Store(true)
	}
	return len(text), nil
}
