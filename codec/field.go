package codec

import (
	"reflect"
	"strings"

	"github.com/vmihailenco/msgpack/v5"
)

// field is a struct's field that is encoded.
type field struct {
	name      string
	key       string // the name in msgpack, ready to be written
	position  int    // in the struct
	omitEmpty bool
	omitZero  bool
	plan      *plan
}

// compileFields fills in a struct's fields by encoding/json's rules. A struct
// that needs the rarer of those rules is left to encoding/json altogether, but
// its fields' types must have an encoding all the same.
func (c compiler) compileFields(p *plan) error {
	p.index = make(map[string]int)
	for i := range p.typ.NumField() {
		sf := p.typ.Field(i)
		tag := sf.Tag.Get("json")
		if tag == "-" || !sf.IsExported() && !sf.Anonymous {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		f := field{name: name, position: i}
		for option := range strings.SplitSeq(options, ",") {
			f.omitEmpty = f.omitEmpty || option == "omitempty"
			f.omitZero = f.omitZero || option == "omitzero"
			if option == "string" {
				p.op = opJSON
			}
		}
		if name == "" {
			f.name = sf.Name
		}
		_, repeated := p.index[f.name]
		if sf.Anonymous || repeated || !plainName(name) {
			p.op = opJSON
		}
		var err error
		if f.plan, err = c.compile(sf.Type); err != nil {
			return atField{sf.Name, err}
		}
		key, err := msgpack.Marshal(f.name)
		if err != nil {
			return atField{sf.Name, err}
		}
		f.key = string(key)
		p.omits = p.omits || f.omitEmpty || f.omitZero
		p.index[f.name] = len(p.fields)
		p.fields = append(p.fields, f)
	}
	return nil
}

// plainName says whether a tag's name is surely one that encoding/json accepts.
func plainName(name string) bool {
	for _, c := range []byte(name) {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && strings.IndexByte("_-.$@/:", c) < 0 {
			return false
		}
	}
	return true
}

// lookup returns the field that encoding/json takes for key: the one of that
// name or else the first whose name differs in case only. Most documents have
// the fields in order: guess is where to look first.
func (p *plan) lookup(key []byte, guess int) *field {
	if guess < len(p.fields) && p.fields[guess].name == string(key) {
		return &p.fields[guess]
	}
	if i, ok := p.index[string(key)]; ok {
		return &p.fields[i]
	}
	for i := range p.fields {
		if strings.EqualFold(p.fields[i].name, string(key)) {
			return &p.fields[i]
		}
	}
	return nil
}

// names lists the fields of a struct.
func (p *plan) names() string {
	names := make([]string, len(p.fields))
	for i := range p.fields {
		names[i] = p.fields[i].name
	}
	return strings.Join(names, ", ")
}

// omitted says whether v, the value of f, is left out.
func (f *field) omitted(v reflect.Value) bool {
	return f.omitZero && isZero(v) || f.omitEmpty && isEmpty(v)
}

func isZero(v reflect.Value) bool {
	type zeroer interface{ IsZero() bool }
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return true
	}
	if z, ok := v.Interface().(zeroer); ok {
		return z.IsZero()
	}
	if v.CanAddr() {
		if z, ok := v.Addr().Interface().(zeroer); ok {
			return z.IsZero()
		}
	}
	return v.IsZero()
}

// isEmpty is encoding/json's notion of empty: structs never are.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// atField is an error about a field of a struct: "items: key: …".
type atField struct {
	name string
	err  error
}

func (e atField) Error() string { return e.name + ": " + e.err.Error() }
func (e atField) Unwrap() error { return e.err }
