package codec

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// op is how a plan's type is written and read.
type op uint8

const (
	opBool op = iota
	opInt
	opUint
	opFloat
	opString
	opBytes // binary data
	opSlice
	opArray
	opMap // with keys of a string or integer kind
	opStruct
	opPointer
	opRaw
	opTime
	opLibrary // by the type's own msgpack methods
	opJSON    // as its JSON text, transcoded: for all that only encoding/json knows
)

// plan is the msgpack form of one type: the form that encoding/json gives the
// type, but for bytes, which are binary data. It is made once and only read
// thereafter.
type plan struct {
	op       op
	typ      reflect.Type
	elem     *plan   // of opSlice, opArray, opMap, opPointer
	fields   []field // of opStruct, in the order of the type
	index    map[string]int
	omits    bool   // some field may be left out
	expected string // what Error.Expected says
	deep     bool   // the type does not limit how deep its values are nested

	visiting, measured bool // used by measure
}

var (
	rawType        = reflect.TypeFor[Raw]()
	timeType       = reflect.TypeFor[time.Time]()
	jsonNumberType = reflect.TypeFor[json.Number]()
)

// compiler makes plans; one for each type, so that types may contain themselves.
type compiler map[reflect.Type]*plan

// planOf returns the plan of t, or an error that names the part of t that has
// no encoding.
func planOf(t reflect.Type) (*plan, error) {
	p, err := compiler{}.compile(t)
	if err != nil {
		return nil, err
	}
	p.measure()
	return p, nil
}

func (c compiler) compile(t reflect.Type) (*plan, error) {
	if p := c[t]; p != nil {
		return p, nil
	}
	p := &plan{typ: t}
	c[t] = p
	switch {
	case t == rawType:
		p.op = opRaw
	case t == timeType:
		p.op, p.expected = opTime, "a time as RFC 3339 text"
	case t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface:
		return p, c.compileKind(p)
	case hasMsgpackMethods(t):
		p.op = opLibrary
	case hasJSONMethods(t) || t == jsonNumberType:
		p.op = opJSON
	default:
		return p, c.compileKind(p)
	}
	return p, nil
}

func (c compiler) compileKind(p *plan) (err error) {
	t := p.typ
	switch t.Kind() {
	case reflect.Bool:
		p.op, p.expected = opBool, "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		lowest := int64(math.MinInt64) >> (64 - t.Bits())
		p.op, p.expected = opInt, fmt.Sprintf("an integer from %d to %d", lowest, ^lowest)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		highest := uint64(math.MaxUint64) >> (64 - t.Bits())
		p.op, p.expected = opUint, fmt.Sprintf("an integer from 0 to %d", highest)
	case reflect.Float32, reflect.Float64:
		p.op, p.expected = opFloat, fmt.Sprintf("a number that %d bits hold", t.Bits())
	case reflect.String:
		p.op, p.expected = opString, "a string"
	case reflect.Slice:
		if e := t.Elem(); e.Kind() == reflect.Uint8 && !hasJSONMethods(e) && !hasMsgpackMethods(e) {
			p.op, p.expected = opBytes, "bytes"
			break
		}
		p.op, p.expected = opSlice, "an array"
	case reflect.Array:
		p.op, p.expected = opArray, "an array"
	case reflect.Map:
		p.op, p.expected = opMap, "an object"
		if err = checkKey(p); err != nil {
			return err
		}
	case reflect.Pointer:
		p.op = opPointer
	case reflect.Struct:
		p.op, p.expected = opStruct, "an object"
		return c.compileFields(p)
	case reflect.Interface:
		return fmt.Errorf("the interface %s says nothing of the types in it: use Raw, or Union", t)
	default:
		return fmt.Errorf("%s has no encoding", t)
	}
	switch p.op {
	case opSlice, opArray, opMap, opPointer, opJSON:
		p.elem, err = c.compile(t.Elem())
	}
	return err
}

// checkKey refuses maps whose keys JSON has no strings for, and leaves those
// whose keys make the strings themselves to encoding/json.
func checkKey(p *plan) error {
	key := p.typ.Key()
	if implements[encoding.TextMarshaler](key) || implements[encoding.TextUnmarshaler](key) {
		p.op = opJSON
		return nil
	}
	switch key.Kind() {
	case reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return nil
	}
	return fmt.Errorf("%s has no encoding: its keys are neither strings nor integers nor encoding.TextMarshaler", p.typ)
}

// implements says whether t or a pointer to it has I's methods.
func implements[I any](t reflect.Type) bool {
	i := reflect.TypeFor[I]()
	return t.Implements(i) || reflect.PointerTo(t).Implements(i)
}

func hasMsgpackMethods(t reflect.Type) bool {
	encodes := implements[msgpack.CustomEncoder](t) || implements[msgpack.Marshaler](t)
	decodes := implements[msgpack.CustomDecoder](t) || implements[msgpack.Unmarshaler](t)
	return encodes && decodes
}

func hasJSONMethods(t reflect.Type) bool {
	return implements[json.Marshaler](t) || implements[json.Unmarshaler](t) ||
		implements[encoding.TextMarshaler](t) || implements[encoding.TextUnmarshaler](t)
}

// measure sets deep of p and of all below it: for types that contain themselves,
// or values of which only the type's own methods know the depth.
func (p *plan) measure() {
	if p.measured {
		return
	}
	if p.visiting {
		p.deep = true
		return
	}
	p.visiting = true
	switch p.op {
	case opRaw, opJSON, opLibrary:
		p.deep = true
	case opSlice, opArray, opMap, opPointer:
		p.elem.measure()
		p.deep = p.deep || p.elem.deep
	case opStruct:
		for i := range p.fields {
			below := p.fields[i].plan
			below.measure()
			p.deep = p.deep || below.deep
		}
	}
	p.visiting, p.measured = false, true
}
