package statemachine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/lineshaft/lineshaft/codec"
)

// ErrVersion: a saved state is of a version that the machine cannot read.
var ErrVersion = errors.New("the saved state is of another version")

// Saved is a state as an older version of the machine has saved it. It is valid
// until Migrate returns.
type Saved struct {
	name Name
	data []byte
}

// Decode returns the state that was saved, by the codec of that version.
func Decode[T any](s Saved, c codec.Codec[T]) (T, error) {
	return decode(s.name, c, codec.Msgpack, s.data)
}

// A saved state of version 0 is its msgpack. One of another version has before
// it an extension value of msgpack, of 4 bytes: the version, the highest byte
// first. An extension alone is a state of version 0, whatever it means.
const (
	fixExt4    = 0xd6
	versionExt = 'V'
	versionLen = 6 // bytes
	versionMax = math.MaxInt32
)

func appendVersion(dst []byte, version int) []byte {
	if version == 0 {
		return dst
	}
	return binary.BigEndian.AppendUint32(append(dst, fixExt4, versionExt), uint32(version))
}

func splitVersion(data []byte) (version int, state []byte) {
	if len(data) <= versionLen || data[0] != fixExt4 || data[1] != versionExt {
		return 0, data
	}
	return int(binary.BigEndian.Uint32(data[2:])), data[versionLen:]
}

// restored returns the state that data encodes, in the machine's version.
func (p *process[S, I, O]) restored(data []byte) (s S, err error) {
	version, data := splitVersion(data)
	switch {
	case version == p.m.Version:
		return decode(p.fx.name, p.m.State, codec.Msgpack, data)
	case version > p.m.Version:
		return s, fmt.Errorf("%w: %d, newer than the machine's %d", ErrVersion, version, p.m.Version)
	case p.m.Migrate == nil:
		return s, fmt.Errorf("%w: %d, and the machine, at %d, has no Migrate", ErrVersion, version, p.m.Version)
	}
	crash := guard(p.fx.name, "migrate", nil, func() { s, err = p.m.Migrate(version, Saved{name: p.fx.name, data: data}) })
	if crash != nil {
		return s, crash
	}
	if err != nil {
		return s, fmt.Errorf("the saved state cannot be migrated from version %d to %d: %w", version, p.m.Version, err)
	}
	return s, nil
}
