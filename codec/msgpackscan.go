package codec

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// wire is a family of msgpack's types.
type wire uint8

const (
	wireInvalid wire = iota
	wireNil
	wireBool
	wireInt  // head.bits is an int64
	wireUint // head.bits is a uint64
	wireFloat32
	wireFloat64
	wireStr
	wireBin
	wireArray
	wireMap
	wireExt
)

// head is the beginning of a msgpack value: all of a scalar, all but the
// contents of the others.
type head struct {
	wire wire
	ext  int8   // the type of a wireExt
	size int    // bytes that the head takes
	n    int    // bytes of a str, bin or ext; elements of an array; pairs of a map
	bits uint64 // a scalar's value
}

// readHead returns the head of the value at pos, or false if data ends within
// it. A code that msgpack does not define is wireInvalid.
func readHead(data []byte, pos int) (head, bool) {
	if pos >= len(data) {
		return head{}, false
	}
	c := data[pos]
	switch {
	case c <= msgpcode.PosFixedNumHigh:
		return head{wire: wireUint, size: 1, bits: uint64(c)}, true
	case c >= msgpcode.NegFixedNumLow:
		return head{wire: wireInt, size: 1, bits: uint64(int8(c))}, true
	case c >= msgpcode.FixedStrLow && c <= msgpcode.FixedStrHigh:
		return head{wire: wireStr, size: 1, n: int(c & msgpcode.FixedStrMask)}, true
	case c >= msgpcode.FixedArrayLow && c <= msgpcode.FixedArrayHigh:
		return head{wire: wireArray, size: 1, n: int(c & msgpcode.FixedArrayMask)}, true
	case c <= msgpcode.FixedMapHigh:
		return head{wire: wireMap, size: 1, n: int(c & msgpcode.FixedMapMask)}, true
	}
	shape := shapes[c-msgpcode.Nil]
	h := head{wire: shape.wire, size: 1 + int(shape.width)}
	if h.wire == wireExt {
		h.size++
	}
	if len(data)-pos < h.size {
		return head{}, false
	}
	bits := bigEndian(data[pos+1:], shape.width)
	switch h.wire {
	case wireInvalid, wireNil:
	case wireBool:
		h.bits = uint64(c & 1)
	case wireInt:
		unused := 64 - 8*uint(shape.width)
		h.bits = uint64(int64(bits<<unused) >> unused)
	case wireUint, wireFloat32, wireFloat64:
		h.bits = bits
	case wireExt:
		h.ext = int8(data[pos+h.size-1])
		h.n = length(bits)
		if shape.width == 0 {
			h.n = 1 << (c - msgpcode.FixExt1)
		}
	default:
		h.n = length(bits)
	}
	return h, true
}

// shapes says what follows each of the codes 0xc0 to 0xdf: a number of width
// bytes, which is the value or the length.
var shapes = [32]struct {
	wire  wire
	width uint8
}{
	{wireNil, 0}, {wireInvalid, 0}, {wireBool, 0}, {wireBool, 0},
	{wireBin, 1}, {wireBin, 2}, {wireBin, 4}, {wireExt, 1},
	{wireExt, 2}, {wireExt, 4}, {wireFloat32, 4}, {wireFloat64, 8},
	{wireUint, 1}, {wireUint, 2}, {wireUint, 4}, {wireUint, 8},
	{wireInt, 1}, {wireInt, 2}, {wireInt, 4}, {wireInt, 8},
	{wireExt, 0}, {wireExt, 0}, {wireExt, 0}, {wireExt, 0},
	{wireExt, 0}, {wireStr, 1}, {wireStr, 2}, {wireStr, 4},
	{wireArray, 2}, {wireArray, 4}, {wireMap, 2}, {wireMap, 4},
}

// length returns bits as an int, of which twice fits an int too: on a machine
// of 32 bits a greater length is still greater than any document.
func length(bits uint64) int { return int(min(bits, math.MaxInt/2)) }

func bigEndian(b []byte, width uint8) uint64 {
	switch width {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	case 8:
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// values returns how many values lie directly in a container, 0 in others.
func (h head) values() int {
	switch h.wire {
	case wireArray:
		return h.n
	case wireMap:
		return 2 * h.n
	}
	return 0
}

// payload returns how many bytes of contents follow the head of a str, bin or
// ext, 0 for others.
func (h head) payload() int {
	switch h.wire {
	case wireStr, wireBin, wireExt:
		return h.n
	}
	return 0
}

// checkMsgpack reports why data is not one msgpack value, no deeper than
// MaxDepth, whose lengths are true and whose strings are UTF-8. It does not
// recurse, and allocates only for documents of unusual depth.
func checkMsgpack(data []byte) *Error {
	left := make([]int, 0, 16) // values still to come in each open container
	pos := 0
	for {
		h, ok := readHead(data, pos)
		if !ok {
			return malformed(Msgpack, data, len(data), "a complete value")
		}
		if err := checkHead(data, pos, h); err != nil {
			return err
		}
		pos += h.size + h.payload()
		if n := h.values(); n > 0 {
			if len(left) == MaxDepth {
				return tooDeep(Msgpack, pos-h.size)
			}
			left = append(left, n)
			continue
		} else if len(left) == MaxDepth && (h.wire == wireArray || h.wire == wireMap) {
			return tooDeep(Msgpack, pos-h.size)
		}
		for len(left) > 0 {
			left[len(left)-1]--
			if left[len(left)-1] > 0 {
				break
			}
			left = left[:len(left)-1]
		}
		if len(left) == 0 {
			break
		}
	}
	if pos < len(data) {
		return malformed(Msgpack, data, pos, endOfData)
	}
	return nil
}

// checkHead reports a code that is not defined, a length that the document is
// too short for, and a string that is not UTF-8.
func checkHead(data []byte, pos int, h head) *Error {
	rest := len(data) - pos - h.size
	switch h.wire {
	case wireInvalid:
		e := malformed(Msgpack, data, pos, "a value")
		e.Found = "the code 0xc1, which msgpack does not use"
		return e
	case wireStr, wireBin, wireExt:
		if h.n > rest {
			return tooShort(pos, h.n, rest, " bytes")
		}
	case wireArray, wireMap:
		if h.values() > rest {
			return tooShort(pos, h.values(), rest, " values")
		}
	}
	if h.wire == wireStr && !utf8.Valid(data[pos+h.size:pos+h.size+h.n]) {
		return &Error{Format: Msgpack, Kind: Malformed, Offset: pos, Expected: "a string in UTF-8"}
	}
	return nil
}

func tooShort(pos, declared, rest int, unit string) *Error {
	return &Error{
		Format: Msgpack, Kind: Malformed, Offset: pos,
		Expected: "the " + strconv.Itoa(declared) + unit + " that are announced",
		Found:    strconv.Itoa(rest) + " bytes until " + endOfData,
	}
}

// valueEnd returns the position after the value at pos, in data that
// checkMsgpack found no fault with.
func valueEnd(data []byte, pos int) int {
	for todo := 1; todo > 0; todo-- {
		h, _ := readHead(data, pos)
		pos += h.size + h.payload()
		todo += h.values()
	}
	return pos
}

// msgpackDepth returns how many containers of data, which checkMsgpack found no
// fault with, lie within one another.
func msgpackDepth(data []byte) int {
	var few [16]int
	left, deepest := few[:0], 0
	for pos := 0; pos < len(data); {
		h, _ := readHead(data, pos)
		pos += h.size + h.payload()
		for len(left) > 0 && left[len(left)-1] == 0 {
			left = left[:len(left)-1]
		}
		if len(left) > 0 {
			left[len(left)-1]--
		}
		if h.wire == wireArray || h.wire == wireMap {
			left = append(left, h.values())
			deepest = max(deepest, len(left))
		}
	}
	return deepest
}
