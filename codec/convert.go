package codec

import "fmt"

// Convert returns the codec of a type whose encoded form is another type: an
// immutable map as a plain map, a set as a list. To and from must be inverse
// to one another, pure, and safe for any goroutine. An error from makes a
// document Meaningless; it is that *Error's Err.
//
// It panics if an argument is nil.
func Convert[T, W any](w Codec[W], to func(T) W, from func(W) (T, error)) Codec[T] {
	if w == nil || to == nil || from == nil {
		panic(fmt.Sprintf("codec: Convert[%T]: an argument is nil", *new(T)))
	}
	return converted[T, W]{w, to, from}
}

type converted[T, W any] struct {
	wire Codec[W]
	to   func(T) W
	from func(W) (T, error)
}

func (c converted[T, W]) Append(dst []byte, f Format, v T) ([]byte, error) {
	return c.wire.Append(dst, f, c.to(v))
}

func (c converted[T, W]) Decode(f Format, data []byte) (v T, err error) {
	w, err := c.wire.Decode(f, data)
	if err != nil {
		return v, err
	}
	v, err = c.from(w)
	if err != nil {
		var zero T
		return zero, &Error{Format: f, Kind: Meaningless, Offset: noOffset, Err: err}
	}
	return v, nil
}
