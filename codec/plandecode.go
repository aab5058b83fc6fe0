package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// msgpackReader reads values from data that checkMsgpack found no fault with:
// hence lengths are true and nothing here need look for the end.
type msgpackReader struct {
	data []byte
	pos  int // of the next value
	// fromJSON is set if data is transcoded JSON: types with msgpack methods
	// of their own then take their JSON form.
	fromJSON bool
}

// next returns the head of the next value, and goes to what follows it.
func (r *msgpackReader) next() head {
	h, _ := readHead(r.data, r.pos)
	r.pos += h.size
	return h
}

// take returns the next n bytes.
func (r *msgpackReader) take(n int) []byte {
	r.pos += n
	return r.data[r.pos-n : r.pos]
}

// decode reads the next value into v, which can be set and whose type is p's.
func (p *plan) decode(r *msgpackReader, v reflect.Value) *Error {
	switch p.op {
	case opRaw:
		raw, next, err := rawAt(r.data, r.pos)
		if err != nil {
			return err
		}
		r.pos = next
		v.Set(reflect.ValueOf(raw))
		return nil
	case opJSON:
		return p.decodeJSON(r, v)
	case opLibrary:
		if r.fromJSON {
			return p.decodeJSON(r, v)
		}
		return p.decodeLibrary(r, v)
	}
	start := r.pos
	h := r.next()
	switch {
	case h.wire == wireNil: // as in JSON, null is nil, or nothing at all
		switch p.op {
		case opPointer, opMap, opSlice, opBytes:
			v.SetZero()
		}
		return nil
	case p.op == opPointer:
		if v.IsNil() {
			v.Set(reflect.New(p.typ.Elem()))
		}
		r.pos = start
		return p.elem.decode(r, v.Elem())
	case h.wire == wireExt && p.op != opTime:
		if _, ok := extToken(r.data, start); ok {
			r.pos = start
			return p.decodeJSON(r, v)
		}
	default:
		if ok, err := p.decodeHead(r, h, v); ok || err != nil {
			return err
		}
	}
	return mismatch(r.data, start, p.expected)
}

// decodeHead reads the rest of the value whose head is h. It says false if that
// is not one that p expects.
func (p *plan) decodeHead(r *msgpackReader, h head, v reflect.Value) (ok bool, err *Error) {
	switch p.op {
	case opBool:
		ok = h.wire == wireBool
		v.SetBool(h.bits == 1)
	case opInt:
		if h.negativeZero() {
			h = head{wire: wireInt}
		}
		i := int64(h.bits)
		ok = (h.wire == wireInt || h.wire == wireUint && i >= 0) && !v.OverflowInt(i)
		v.SetInt(i)
	case opUint:
		ok = (h.wire == wireUint || h.wire == wireInt && int64(h.bits) >= 0) && !v.OverflowUint(h.bits)
		v.SetUint(h.bits)
	case opFloat:
		var f float64
		f, ok = p.float(h)
		v.SetFloat(f)
	case opString:
		if ok = h.wire == wireStr; ok {
			v.SetString(string(r.take(h.n)))
		}
	case opBytes:
		return p.decodeBytes(r, h, v)
	case opSlice:
		if ok = h.wire == wireArray; ok {
			err = p.decodeSlice(r, h.n, v)
		}
	case opArray:
		if ok = h.wire == wireArray; ok {
			err = p.decodeArray(r, h.n, v)
		}
	case opMap:
		if ok = h.wire == wireMap; ok {
			err = p.decodeMap(r, h.n, v)
		}
	case opStruct:
		if ok = h.wire == wireMap; ok {
			err = p.decodeStruct(r, h.n, v)
		}
	case opTime:
		return p.decodeTime(r, h, v)
	}
	return ok, err
}

// float returns the number that h is, rounded to p's type, or false if that
// cannot hold it.
func (p *plan) float(h head) (f float64, ok bool) {
	single := p.typ.Kind() == reflect.Float32
	switch h.wire {
	case wireInt:
		if single {
			return float64(float32(int64(h.bits))), true
		}
		return float64(int64(h.bits)), true
	case wireUint:
		if single {
			return float64(float32(h.bits)), true
		}
		return float64(h.bits), true
	case wireFloat32, wireFloat64:
		f = h.float()
	default:
		return 0, false
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false
	}
	if single && float64(float32(f)) != f {
		// Round the decimal digits, once, as a reader of JSON does.
		rounded, err := strconv.ParseFloat(string(appendFloat(nil, f)), 32)
		return rounded, err == nil
	}
	return f, true
}

// decodeBytes accepts binary data and what encoding/json takes for bytes: text
// in base64, and an array of numbers.
func (p *plan) decodeBytes(r *msgpackReader, h head, v reflect.Value) (bool, *Error) {
	switch h.wire {
	case wireBin:
		v.SetBytes(append(make([]byte, 0, h.n), r.take(h.n)...))
		return true, nil
	case wireStr:
		b, err := base64.StdEncoding.AppendDecode([]byte{}, r.data[r.pos:r.pos+h.n])
		if err != nil {
			return false, nil
		}
		r.take(h.n)
		v.SetBytes(b)
		return true, nil
	case wireArray:
		b := make([]byte, h.n)
		copy(b, v.Bytes()) // null leaves an element as it is
		for i := range b {
			start := r.pos
			switch h := r.next(); {
			case h.wire == wireNil:
			case h.wire == wireUint && h.bits <= math.MaxUint8:
				b[i] = byte(h.bits)
			case h.wire == wireInt && h.bits <= math.MaxUint8:
				b[i] = byte(h.bits)
			default:
				return false, mismatch(r.data, start, "an integer from 0 to 255").withinIndex(i)
			}
		}
		v.SetBytes(b)
		return true, nil
	}
	return false, nil
}

func (p *plan) decodeSlice(r *msgpackReader, n int, v reflect.Value) *Error {
	if v.IsNil() || v.Cap() < n {
		grown := reflect.MakeSlice(p.typ, n, n)
		reflect.Copy(grown, v)
		v.Set(grown)
	}
	v.SetLen(n)
	for i := range n {
		if err := p.elem.decode(r, v.Index(i)); err != nil {
			return err.withinIndex(i)
		}
	}
	return nil
}

// decodeArray drops elements that the array has no room for and zeroes those
// that are missing, as encoding/json does.
func (p *plan) decodeArray(r *msgpackReader, n int, v reflect.Value) *Error {
	for i := range n {
		if i >= v.Len() {
			r.pos = valueEnd(r.data, r.pos)
		} else if err := p.elem.decode(r, v.Index(i)); err != nil {
			return err.withinIndex(i)
		}
	}
	for i := n; i < v.Len(); i++ {
		v.Index(i).SetZero()
	}
	return nil
}

func (p *plan) decodeStruct(r *msgpackReader, n int, v reflect.Value) *Error {
	for i := range n {
		start := r.pos
		key, err := r.key()
		if err != nil {
			return err
		}
		f := p.lookup(key, i)
		if f == nil {
			err := mismatch(r.data, start, "one of the fields "+p.names())
			if len(p.fields) == 0 {
				err.Expected = "an object without fields"
			}
			err.Found = "the unknown field " + quote(string(key))
			return err
		}
		if err := f.plan.decode(r, v.Field(f.position)); err != nil {
			return err.within(f.name)
		}
	}
	return nil
}

// key reads the key of a map.
func (r *msgpackReader) key() ([]byte, *Error) {
	start := r.pos
	h := r.next()
	if h.wire == wireStr {
		return r.take(h.n), nil
	}
	if token, ok := []byte(nil), false; h.wire == wireExt {
		if token, ok = extToken(r.data, start); ok && token[0] == '"' {
			r.take(h.n)
			var key string
			if json.Unmarshal(token, &key) == nil {
				return []byte(key), nil
			}
		}
	}
	return nil, mismatch(r.data, start, "a string as a key")
}

func (p *plan) decodeMap(r *msgpackReader, n int, v reflect.Value) *Error {
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(p.typ, n))
	}
	key := reflect.New(p.typ.Key()).Elem()
	elem := reflect.New(p.typ.Elem()).Elem()
	for range n {
		start := r.pos
		text, err := r.key()
		if err != nil {
			return err
		}
		if !setKey(key, string(text)) {
			return mismatch(r.data, start, fmt.Sprintf("a key that is a %s", key.Type()))
		}
		elem.SetZero()
		if err := p.elem.decode(r, elem); err != nil {
			return err.within(truncate(string(text), quoteMax))
		}
		v.SetMapIndex(key, elem)
	}
	return nil
}

// setKey says false if text is not a key of its type.
func setKey(key reflect.Value, text string) bool {
	switch {
	case key.CanInt():
		i, err := strconv.ParseInt(text, 10, 64)
		key.SetInt(i)
		return err == nil && !key.OverflowInt(i)
	case key.CanUint():
		u, err := strconv.ParseUint(text, 10, 64)
		key.SetUint(u)
		return err == nil && !key.OverflowUint(u)
	}
	key.SetString(text)
	return true
}

// decodeTime accepts RFC 3339 text, and msgpack's own timestamps, in UTC.
func (p *plan) decodeTime(r *msgpackReader, h head, v reflect.Value) (bool, *Error) {
	var t time.Time
	switch {
	case h.wire == wireStr:
		if t.UnmarshalText(r.take(h.n)) != nil {
			return false, nil
		}
	case h.wire == wireExt && h.ext == timestampExt:
		var nanoseconds uint64
		var seconds int64
		switch b := r.take(h.n); h.n {
		case 4:
			seconds = int64(binary.BigEndian.Uint32(b))
		case 8:
			bits := binary.BigEndian.Uint64(b)
			nanoseconds, seconds = bits>>34, int64(bits&(1<<34-1))
		case 12:
			nanoseconds = uint64(binary.BigEndian.Uint32(b))
			seconds = int64(binary.BigEndian.Uint64(b[4:]))
		default:
			return false, nil
		}
		const year0, year10000 = -62167219200, 253402300800 // what RFC 3339 can say
		if nanoseconds >= 1e9 || seconds < year0 || seconds >= year10000 {
			return false, nil
		}
		t = time.Unix(seconds, int64(nanoseconds)).UTC()
	default:
		return false, nil
	}
	v.Set(reflect.ValueOf(t))
	return true, nil
}

// decodeJSON gives the next value's JSON text to encoding/json.
func (p *plan) decodeJSON(r *msgpackReader, v reflect.Value) *Error {
	start := r.pos
	text, next, refused := appendJSON(nil, r.data, start)
	if refused != nil {
		return refused
	}
	if err := decodeJSONInto(text, v.Addr().Interface()); err != nil {
		e := meaningless(Msgpack, err)
		e.Offset = start
		if e.Path == "" {
			e.Found = describe(r.data, start)
		}
		if p.op != opJSON && p.op != opLibrary { // an extension in the place of a scalar
			e.Expected, e.Err = p.expected, nil
		}
		return e
	}
	r.pos = next
	return nil
}

// decodeLibrary gives the next value to the type's own methods.
func (p *plan) decodeLibrary(r *msgpackReader, v reflect.Value) *Error {
	start := r.pos
	doc := r.take(valueEnd(r.data, start) - start)
	src := bytes.NewReader(doc)
	dec := msgpack.GetDecoder()
	defer msgpack.PutDecoder(dec)
	dec.Reset(src)
	dec.SetCustomStructTag("json")
	dec.DisallowUnknownFields(true)
	err := dec.Decode(v.Addr().Interface())
	if err == nil && src.Len() > 0 {
		err = fmt.Errorf("%s left bytes of its value unread", p.typ)
	}
	if err != nil {
		e := meaningless(Msgpack, err)
		e.Offset = start
		return e
	}
	return nil
}
