package codec

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/vmihailenco/msgpack/v5"
)

// Variant is one of the types of a Union: see Case.
type Variant struct {
	tag  string
	typ  reflect.Type
	body body
	// What a value begins with, up to its body.
	json, msgpack string
}

// body is a typed[V] whose V is forgotten.
type body interface {
	appendAny(dst []byte, f Format, v any) ([]byte, error)
	decodeAny(f Format, data []byte) (any, *Error)
}

// Case returns the variant of a Union whose values are V's. Of says which types
// V may be. It panics if V is not one of them, or the tag is empty or not UTF-8.
func Case[V any](tag string) Variant {
	t := reflect.TypeFor[V]()
	if tag == "" {
		panic(fmt.Sprintf("codec: Case[%s]: the tag is empty", t))
	}
	key, err := appendJSONOf(nil, tag)
	text, packErr := msgpack.Marshal(tag)
	if err != nil || packErr != nil || strings.ToValidUTF8(tag, "") != tag {
		panic(fmt.Sprintf("codec: Case[%s]: the tag %q is not UTF-8", t, tag))
	}
	return Variant{
		tag:     tag,
		typ:     t,
		body:    newTyped[V]("Case"),
		json:    "{" + string(key) + ":",
		msgpack: "\x81" + string(text),
	}
}

func (c typed[V]) appendAny(dst []byte, f Format, v any) ([]byte, error) {
	value := v.(V)
	return c.append(dst, f, &value, 1)
}

func (c typed[V]) decodeAny(f Format, data []byte) (any, *Error) {
	v, err := c.decode(f, data)
	if err != nil {
		return nil, err
	}
	return *v, nil
}

// Union returns the codec of a sealed sum type: an interface T, and the types
// that implement it. A value is an object of one key, the tag of its type, as
// {"store":{"key":"x","value":1}}; a struct without fields is {"ok":{}}. Tags
// are matched exactly.
//
// Encoding nil, or a type that is not listed, is an error. Union panics if T is
// not an interface, a variant does not implement it, there are no variants, or
// two have the same tag or type.
func Union[T any](variants ...Variant) Codec[T] {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Interface {
		panic(fmt.Sprintf("codec: Union[%s]: %s is not an interface", t, t))
	}
	if len(variants) == 0 {
		panic(fmt.Sprintf("codec: Union[%s]: no variants", t))
	}
	u := &union[T]{byTag: make(map[string]*Variant), byType: make(map[reflect.Type]*Variant)}
	tags := make([]string, len(variants))
	for i, v := range variants {
		switch {
		case v.body == nil:
			panic(fmt.Sprintf("codec: Union[%s]: variant %d was not made by Case", t, i))
		case !v.typ.Implements(t):
			panic(fmt.Sprintf("codec: Union[%s]: %s, the variant %q, does not implement %s", t, v.typ, v.tag, t))
		case u.byTag[v.tag] != nil:
			panic(fmt.Sprintf("codec: Union[%s]: two variants have the tag %q", t, v.tag))
		case u.byType[v.typ] != nil:
			panic(fmt.Sprintf("codec: Union[%s]: two variants are %s", t, v.typ))
		}
		u.byTag[v.tag], u.byType[v.typ] = &v, &v
		tags[i] = v.tag
	}
	u.tags = strings.Join(tags, ", ")
	return u
}

type union[T any] struct {
	byTag  map[string]*Variant
	byType map[reflect.Type]*Variant
	tags   string // all, for errors
}

func (u *union[T]) Append(dst []byte, f Format, v T) ([]byte, error) {
	variant := u.byType[reflect.TypeOf(v)]
	if variant == nil {
		t := reflect.TypeFor[T]()
		if any(v) == nil {
			return dst, fmt.Errorf("codec: encode %s as %s: the value is nil", t, f)
		}
		return dst, fmt.Errorf("codec: encode %s as %s: %T is not one of its variants (%s)", t, f, v, u.tags)
	}
	prefix := variant.json
	if f == Msgpack {
		prefix = variant.msgpack
	}
	out, err := variant.body.appendAny(append(dst, prefix...), f, v)
	if err != nil {
		return dst, err
	}
	if f == JSON {
		out = append(out, '}')
	}
	return out, nil
}

func (u *union[T]) Decode(f Format, data []byte) (v T, err error) {
	var tag string
	var start, end int // of the body
	var variant *Variant
	var refused *Error
	if f == Msgpack {
		variant, tag, start, refused = u.openMsgpack(data)
		end = len(data)
	} else {
		variant, tag, start, end, refused = u.openJSON(data)
	}
	if refused != nil {
		return v, refused
	}
	decoded, refused := variant.body.decodeAny(f, data[start:end])
	if refused != nil {
		if refused.Offset >= 0 {
			refused.Offset += start
		}
		return v, refused.within(tag)
	}
	return decoded.(T), nil
}

// openMsgpack checks data and returns the variant that its one key names, and
// where the body starts.
func (u *union[T]) openMsgpack(data []byte) (v *Variant, tag string, start int, err *Error) {
	if err := checkMsgpack(data); err != nil {
		return nil, "", 0, err
	}
	r := msgpackReader{data: data}
	h := r.next()
	if h.wire != wireMap {
		return nil, "", 0, u.notTagged(Msgpack, 0, describe(data, 0))
	}
	if h.n != 1 {
		return nil, "", 0, u.notTagged(Msgpack, 0, keys(h.n))
	}
	keyPos := r.pos
	key, err := r.key()
	if err != nil {
		return nil, "", 0, err
	}
	if v = u.byTag[string(key)]; v == nil {
		return nil, "", 0, u.unknown(Msgpack, keyPos, string(key))
	}
	return v, v.tag, r.pos, nil
}

// openJSON is openMsgpack for JSON. The body ends before the closing brace.
func (u *union[T]) openJSON(data []byte) (v *Variant, tag string, start, end int, err *Error) {
	members, err := checkJSON(data)
	if err != nil {
		return nil, "", 0, 0, err
	}
	pos := skipSpace(data, 0)
	if data[pos] != '{' {
		return nil, "", 0, 0, u.notTagged(JSON, pos, describeJSON(data[pos:]))
	}
	if members != 1 {
		return nil, "", 0, 0, u.notTagged(JSON, pos, keys(members))
	}
	keyPos := skipSpace(data, pos+1)
	keyEnd := stringEnd(data, keyPos)
	if v = u.byTag[string(data[keyPos+1:keyEnd-1])]; v == nil {
		key := decodeKey(data[keyPos:keyEnd])
		if v = u.byTag[key]; v == nil {
			return nil, "", 0, 0, u.unknown(JSON, keyPos, key)
		}
	}
	start = skipSpace(data, skipSpace(data, keyEnd)+1)
	for end = len(data) - 1; data[end] != '}'; {
		end--
	}
	return v, v.tag, start, end, nil
}

func keys(n int) string {
	if n == 0 {
		return "an object without a key"
	}
	return "an object with " + strconv.Itoa(n) + " keys"
}

func (u *union[T]) notTagged(f Format, offset int, found string) *Error {
	return &Error{
		Format: f, Kind: Meaningless, Offset: offset,
		Expected: "an object whose one key is one of the tags " + u.tags, Found: found,
	}
}

func (u *union[T]) unknown(f Format, offset int, tag string) *Error {
	return &Error{
		Format: f, Kind: Meaningless, Offset: offset,
		Expected: "one of the tags " + u.tags, Found: "the unknown tag " + quote(tag),
	}
}
