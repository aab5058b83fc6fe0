//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package boltlog

func newRoom() *room { return &room{} }

func (r *room) free() { *r = room{} }
