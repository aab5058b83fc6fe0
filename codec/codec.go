package codec

import "strconv"

// Format is one of the two encodings that every Codec speaks.
type Format uint8

const (
	JSON    Format = iota // RFC 8259
	Msgpack               // msgpack.org
)

// String returns "json" or "msgpack".
func (f Format) String() string {
	if f == Msgpack {
		return "msgpack"
	}
	return "json"
}

// MaxDepth is how many arrays and objects may lie within one another, in
// either format: the outermost is the first. Deeper documents are refused
// before anything recurses into them, and deeper values are not encoded, so
// that whatever was encoded can be decoded.
const MaxDepth = 512

var maxDepthText = "no more than " + strconv.Itoa(MaxDepth) + " nested arrays and objects"

// Codec turns values of T into bytes and back, in both formats. Any goroutine
// may use it.
type Codec[T any] interface {
	// Append appends the encoding of v to dst and returns the longer slice.
	// On an error dst's contents beyond its length are undefined.
	Append(dst []byte, f Format, v T) ([]byte, error)
	// Decode returns the value that data, the whole of it, encodes. It keeps
	// no reference to data. Its errors are *Error.
	Decode(f Format, data []byte) (T, error)
}
