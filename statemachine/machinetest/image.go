package machinetest

import (
	"errors"
	"fmt"

	"github.com/lineshaft/lineshaft/codec"
)

// image is what can be seen of a value at one moment.
type image struct {
	json     string // its encoding; empty if it has none
	contents string
}

// images makes the images of a kind of values.
type images[T any] struct {
	codec codec.Codec[T] // nil: there is none
	deep  bool           // look into types of other modules too
}

// of returns the image of v. That it cannot be encoded is for roundTrip to find.
func (k images[T]) of(v T) image {
	im := image{contents: contents(&v, k.deep)}
	if k.codec != nil {
		if data, err := encode(k.codec, codec.JSON, v); err == nil {
			im.json = string(data)
		}
	}
	return im
}

// show returns what a Problem calls v.
func (k images[T]) show(v T) string {
	im := k.of(v)
	if im.json != "" {
		return excerpt(im.json, 0)
	}
	return excerpt(im.contents, 0)
}

// diff returns the parts of two images to be shown; equal if the images are.
func (want image) diff(got image) (string, string) {
	if want.json != got.json {
		return differing(want.json, got.json)
	}
	return differing(want.contents, got.contents)
}

// roundTrip returns what happens to v on the way through its codec that should
// not, and the two values; an empty text if nothing does.
func (k images[T]) roundTrip(v T) (text, want, got string) {
	for _, f := range []codec.Format{codec.JSON, codec.Msgpack} {
		data, err := encode(k.codec, f, v)
		if err != nil {
			return fmt.Sprintf("it cannot be encoded in %s: %v", f, err), "", ""
		}
		back, err := decode(k.codec, f, data)
		if err != nil {
			return fmt.Sprintf("its encoding in %s cannot be decoded: %v", f, err), "", ""
		}
		if w, g := contents(&v, false), contents(&back, false); w != g {
			want, got = differing(w, g)
			return fmt.Sprintf("it comes back from %s as another value", f), want, got
		}
		for _, g := range []codec.Format{codec.JSON, codec.Msgpack} {
			before, _ := encode(k.codec, g, v)
			if f == g && string(before) != string(data) {
				want, got = differing(fmt.Sprintf("%q", data), fmt.Sprintf("%q", before))
				return fmt.Sprintf("it has two encodings in %s", f), want, got
			}
			after, err := encode(k.codec, g, back)
			if err != nil || string(before) != string(after) {
				want, got = differing(fmt.Sprintf("%q", before), fmt.Sprintf("%q", after))
				return fmt.Sprintf("what comes back from %s has another encoding in %s", f, g), want, got
			}
		}
	}
	return "", "", ""
}

// encode returns the encoding of v. It sees to it that Append appends.
func encode[T any](c codec.Codec[T], f codec.Format, v T) (data []byte, err error) {
	const before = "<" // what is there already
	crash := attempt(func() { data, err = c.Append([]byte(before), f, v) })
	switch {
	case crash != nil:
		return nil, fmt.Errorf("panic: %v", crash)
	case err != nil:
		return nil, err
	case len(data) < len(before) || string(data[:len(before)]) != before:
		return nil, errors.New("the codec's Append does not append")
	}
	return data[len(before):], nil
}

// decode returns the value that data encodes. It sees to it that Decode keeps
// no reference to data.
func decode[T any](c codec.Codec[T], f codec.Format, data []byte) (v T, err error) {
	data = append([]byte(nil), data...)
	crash := attempt(func() { v, err = c.Decode(f, data) })
	if crash != nil {
		return v, fmt.Errorf("panic: %v", crash)
	}
	for i := range data {
		data[i] = '#'
	}
	return v, err
}
