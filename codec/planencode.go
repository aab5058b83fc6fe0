package codec

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"
)

var (
	errDepth  = errors.New("more than " + strconv.Itoa(MaxDepth) + " nested arrays and objects")
	errUTF8   = errors.New("a string that is not UTF-8")
	errFinite = errors.New("a number that is not finite")
)

// encode writes v, whose type is p's.
func (p *plan) encode(w *msgpackWriter, v reflect.Value) error {
	switch p.op {
	case opBool:
		return w.enc.EncodeBool(v.Bool())
	case opInt:
		return w.enc.EncodeInt(v.Int())
	case opUint:
		return w.enc.EncodeUint(v.Uint())
	case opFloat:
		return p.encodeFloat(w, v.Float())
	case opString:
		return w.str(v.String())
	case opBytes:
		if v.IsNil() {
			return w.enc.EncodeNil()
		}
		return w.enc.EncodeBytes(v.Bytes())
	case opPointer:
		if v.IsNil() {
			return w.enc.EncodeNil()
		}
		return p.elem.encode(w, v.Elem())
	case opRaw:
		return p.encodeRaw(w, v)
	case opLibrary:
		return p.encodeLibrary(w, v)
	case opJSON, opTime:
		return p.encodeJSON(w, v)
	}
	if w.depth == MaxDepth {
		return errDepth
	}
	w.depth++
	var err error
	switch p.op {
	case opSlice, opArray:
		err = p.encodeElements(w, v)
	case opMap:
		err = p.encodeMap(w, v)
	default:
		err = p.encodeStruct(w, v)
	}
	w.depth--
	return err
}

func (w *msgpackWriter) str(s string) error {
	if !utf8.ValidString(s) {
		return errUTF8
	}
	return w.enc.EncodeString(s)
}

func (p *plan) encodeFloat(w *msgpackWriter, f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return errFinite
	}
	if p.typ.Kind() == reflect.Float32 {
		return w.enc.EncodeFloat32(float32(f))
	}
	return w.enc.EncodeFloat64(f)
}

func (p *plan) encodeElements(w *msgpackWriter, v reflect.Value) error {
	if p.op == opSlice && v.IsNil() {
		return w.enc.EncodeNil()
	}
	n := v.Len()
	if err := w.enc.EncodeArrayLen(n); err != nil {
		return err
	}
	for i := range n {
		if err := p.elem.encode(w, v.Index(i)); err != nil {
			return atField{"[" + strconv.Itoa(i) + "]", err}
		}
	}
	return nil
}

func (p *plan) encodeStruct(w *msgpackWriter, v reflect.Value) error {
	n := len(p.fields)
	if p.omits {
		for i := range p.fields {
			if f := &p.fields[i]; f.omitted(v.Field(f.position)) {
				n--
			}
		}
	}
	if err := w.enc.EncodeMapLen(n); err != nil {
		return err
	}
	for i := range p.fields {
		f := &p.fields[i]
		fv := v.Field(f.position)
		if f.omitted(fv) {
			continue
		}
		w.sink.b = append(w.sink.b, f.key...)
		if err := f.plan.encode(w, fv); err != nil {
			return atField{f.name, err}
		}
	}
	return nil
}

// encodeMap writes a map in the order of its keys' text, as encoding/json does.
func (p *plan) encodeMap(w *msgpackWriter, v reflect.Value) error {
	if v.IsNil() {
		return w.enc.EncodeNil()
	}
	type pair struct {
		key   string
		value reflect.Value
	}
	pairs := make([]pair, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		pairs = append(pairs, pair{keyText(it.Key()), it.Value()})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.key, b.key) })
	if err := w.enc.EncodeMapLen(len(pairs)); err != nil {
		return err
	}
	for _, pair := range pairs {
		err := w.str(pair.key)
		if err == nil {
			err = p.elem.encode(w, pair.value)
		}
		if err != nil {
			return atField{strconv.Quote(truncate(pair.key, quoteMax)), err}
		}
	}
	return nil
}

func keyText(key reflect.Value) string {
	switch {
	case key.CanInt():
		return strconv.FormatInt(key.Int(), 10)
	case key.CanUint():
		return strconv.FormatUint(key.Uint(), 10)
	}
	return key.String()
}

func (p *plan) encodeRaw(w *msgpackWriter, v reflect.Value) error {
	text := v.Field(0).String()
	if text == "" {
		return w.enc.EncodeNil()
	}
	if (text[0] == '{' || text[0] == '[') && w.depth+jsonDepth(text) > MaxDepth {
		return errDepth
	}
	return writeJSON(w.enc, text)
}

// encodeJSON writes what encoding/json makes of v.
func (p *plan) encodeJSON(w *msgpackWriter, v reflect.Value) error {
	text, err := appendJSONOf(nil, addressed(v))
	if err != nil {
		return err
	}
	if w.depth+jsonDepth(text) > MaxDepth {
		return errDepth
	}
	if !utf8.Valid(text) {
		return errUTF8
	}
	return writeJSON(w.enc, string(text))
}

// encodeLibrary writes what v's own methods make of it, if that is one value.
func (p *plan) encodeLibrary(w *msgpackWriter, v reflect.Value) error {
	w.enc.Reset(&w.sink)
	w.enc.SetCustomStructTag("json")
	w.enc.SetSortMapKeys(true)
	w.enc.UseCompactInts(true)
	start := len(w.sink.b)
	if err := w.enc.Encode(addressed(v)); err != nil {
		return err
	}
	if err := checkMsgpack(w.sink.b[start:]); err != nil {
		return fmt.Errorf("%s encodes itself wrongly: %w", p.typ, err)
	}
	if w.depth+msgpackDepth(w.sink.b[start:]) > MaxDepth {
		return errDepth
	}
	return nil
}

// addressed returns v, or a pointer to it if there can be one: the methods of
// pointers then count too.
func addressed(v reflect.Value) any {
	if v.CanAddr() {
		return v.Addr().Interface()
	}
	return v.Interface()
}
