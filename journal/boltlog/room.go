package boltlog

import (
	"bytes"
	"unsafe"

	"github.com/lineshaft/lineshaft/journal"
)

// roomBytes is the address space of a room: the largest state, and those before it that one step writes.
const roomBytes = journal.MaxStateBytes + journal.MaxStateBytes/8

// room is memory into which the states of one Save are encoded. It is as large as the largest state may be, and costs what
// is used of it: an encoder that appends to it never has to move what it has, which for a state of 1 GiB would take three
// to four times the memory, and halt all goroutines for as long as a copy takes. Where there is none the zero room is as
// good, at that price.
type room struct {
	b    []byte // nil: none
	used int
}

// rest is an empty slice with what is left.
func (r *room) rest() []byte { return r.b[r.used:r.used:len(r.b)] }

// keep keeps a value, if it was appended to rest, until reset.
func (r *room) keep(value []byte) {
	if r.b != nil && len(value) > 0 && unsafe.SliceData(value) == unsafe.SliceData(r.rest()) {
		r.used += len(value)
	}
}

// reset makes all of it free, but returns value in memory of its own.
func (r *room) reset(value []byte) []byte {
	r.used = 0
	return bytes.Clone(value)
}
