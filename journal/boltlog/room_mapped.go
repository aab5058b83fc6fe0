//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package boltlog

import (
	"math/bits"
	"syscall"
)

// newRoom maps a room. It returns one of no size where the system does not give as much, which is no error.
func newRoom() *room {
	if bits.UintSize < 64 {
		return &room{}
	}
	b, err := syscall.Mmap(-1, 0, roomBytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return &room{}
	}
	return &room{b: b}
}

// free gives it back. Nothing may refer to it any more.
func (r *room) free() {
	if r.b != nil {
		_ = syscall.Munmap(r.b) // it is a mapping of ours
	}
	*r = room{}
}
