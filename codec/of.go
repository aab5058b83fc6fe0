package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Of returns the codec of a type that encoding/json can encode and decode:
// structs, scalars, slices, maps, pointers, Raw, and types that encode
// themselves. The package comment has the rules. It panics if some part of T
// has no encoding: channels, functions, complex numbers, and interfaces, which
// do not say what to decode (use Raw or Union).
func Of[T any]() Codec[T] { return newTyped[T]("Of") }

// typed is the codec of T by reflection.
type typed[T any] struct{ plan *plan }

func newTyped[T any](caller string) typed[T] {
	t := reflect.TypeFor[T]()
	p, err := planOf(t)
	if err != nil {
		panic(fmt.Sprintf("codec: %s[%s]: %v", caller, t, err))
	}
	return typed[T]{p}
}

func (c typed[T]) Append(dst []byte, f Format, v T) ([]byte, error) {
	return c.append(dst, f, &v, 0)
}

func (c typed[T]) Decode(f Format, data []byte) (v T, err error) {
	if f == Msgpack {
		if err := checkMsgpack(data); err != nil {
			return v, err
		}
	} else if _, err := checkJSON(data); err != nil {
		return v, err
	}
	p, refused := c.decode(f, data)
	if refused != nil {
		return v, refused
	}
	return *p, nil
}

// append appends *v, as it is within depth containers.
func (c typed[T]) append(dst []byte, f Format, v *T, depth int) ([]byte, error) {
	var out []byte
	var err error
	if f == Msgpack {
		out, err = c.appendMsgpack(dst, v, depth)
	} else {
		out, err = c.appendJSON(dst, v, depth)
	}
	if err != nil {
		return dst, fmt.Errorf("codec: encode %s as %s: %w", c.plan.typ, f, err)
	}
	return out, nil
}

func (c typed[T]) appendMsgpack(dst []byte, v *T, depth int) ([]byte, error) {
	w := getMsgpackWriter(dst, depth)
	err := c.plan.encode(w, reflect.ValueOf(v).Elem())
	return w.release(), err
}

// replaced is how encoding/json spells a byte that is not UTF-8, and only that:
// it does not escape a U+FFFD that was in the string.
var replaced = []byte(`\ufffd`)

func (c typed[T]) appendJSON(dst []byte, v *T, depth int) ([]byte, error) {
	var out []byte
	var err error
	if raw, ok := any(v).(*Raw); ok {
		out = append(dst, raw.String()...)
	} else if out, err = appendJSONOf(dst, v); err != nil {
		return dst, err
	}
	text := out[len(dst):]
	if c.plan.deep {
		if depth+jsonDepth(text) > MaxDepth {
			return dst, errDepth
		}
		if !utf8.Valid(text) { // a type's own MarshalJSON
			return dst, errUTF8
		}
	}
	if bytes.Contains(text, replaced) {
		if _, err := c.appendMsgpack(nil, v, depth); errors.Is(err, errUTF8) {
			return dst, err
		}
	}
	return out, nil
}

// decode decodes data that is known to be well-formed.
func (c typed[T]) decode(f Format, data []byte) (*T, *Error) {
	v := new(T)
	if f == Msgpack {
		return v, c.plan.decode(&msgpackReader{data: data}, reflect.ValueOf(v).Elem())
	}
	if raw, ok := any(v).(*Raw); ok {
		*raw = checkedRaw(data)
		return v, nil
	}
	if err := decodeJSONInto(bytes.TrimRight(data, " \n\t\r"), v); err != nil {
		return v, c.explain(data, err)
	}
	return v, nil
}

// explain makes an Error of encoding/json's err. It asks the msgpack side, which
// knows the path of every kind of error.
func (c typed[T]) explain(data []byte, err error) *Error {
	e := meaningless(JSON, err)
	w := getMsgpackWriter(nil, 0)
	if writeJSON(w.enc, string(data)) == nil {
		r := msgpackReader{data: w.sink.b, fromJSON: true}
		if told := c.plan.decode(&r, reflect.ValueOf(new(T)).Elem()); told != nil {
			told.Format, told.Offset = JSON, e.Offset
			e = told
		}
	}
	w.release()
	return e
}

// meaningless makes an Error of what a decoder said of a well-formed document.
func meaningless(f Format, err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		e := *own
		e.Format, e.Kind, e.Offset = f, Meaningless, noOffset
		return &e
	}
	e := &Error{Format: f, Kind: Meaningless, Offset: noOffset}
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		if f == JSON {
			e.Offset = int(mistyped.Offset)
		}
		e.Path = truncate(mistyped.Field, pathMax)
		e.Expected = "a value for the type " + mistyped.Type.String()
		e.Found = withArticle(truncate(mistyped.Value, quoteMax))
		return e
	}
	e.Err = bounded{strings.TrimPrefix(err.Error(), "json: "), err}
	return e
}

// withArticle takes one of encoding/json's descriptions: "number 5", "object".
func withArticle(found string) string {
	switch {
	case strings.HasPrefix(found, "number "):
		return "the " + found
	case found == "object" || found == "array":
		return "an " + found
	}
	return "a " + found
}

// bounded is an error whose text may repeat much of a document, made short.
type bounded struct {
	text string
	err  error
}

func (b bounded) Error() string { return truncate(b.text, causeMax) }
func (b bounded) Unwrap() error { return b.err }
