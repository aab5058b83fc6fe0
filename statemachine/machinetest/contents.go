package machinetest

import (
	"math"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/lineshaft/lineshaft/statemachine"
)

// valuesMax is how many of the values that a value consists of are compared.
const valuesMax = 1 << 20

// contents returns a text of what *v holds: the same for equal contents. Deep
// says whether to look into types of other modules.
func contents[T any](v *T, deep bool) string {
	p := printer{deep: deep, within: map[visit]bool{}}
	p.value(reflect.ValueOf(v).Elem())
	return string(p.b)
}

type printer struct {
	b      []byte
	n      int // values printed
	deep   bool
	within map[visit]bool // what is being printed: a value that leads to itself is cut there
}

type visit struct {
	typ reflect.Type
	at  unsafe.Pointer
	n   int
}

func (p *printer) text(s string) { p.b = append(p.b, s...) }

// value prints v, which was not got from an unexported field: see structure.
func (p *printer) value(v reflect.Value) {
	if p.n++; p.n > valuesMax {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		p.b = strconv.AppendBool(p.b, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.b = strconv.AppendInt(p.b, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		p.b = strconv.AppendUint(p.b, v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		p.float(v.Float())
	case reflect.Complex64, reflect.Complex128:
		p.float(real(v.Complex()))
		p.float(imag(v.Complex()))
	case reflect.String:
		p.b = strconv.AppendQuote(p.b, v.String())
	case reflect.Array:
		p.list(v)
	case reflect.Struct:
		p.structure(v)
	case reflect.Interface:
		if !v.IsNil() {
			p.text(v.Elem().Type().String() + " ")
			p.value(v.Elem())
			return
		}
		p.text("nil")
	default:
		p.reference(v)
	}
}

func (p *printer) float(f float64) {
	if math.IsNaN(f) {
		p.text("NaN:" + strconv.FormatUint(math.Float64bits(f), 16))
		return
	}
	p.b = strconv.AppendFloat(p.b, f, 'g', -1, 64)
}

// reference prints what a pointer, a slice or a map leads to. All that is to be
// said of functions and channels is whether they are there.
func (p *printer) reference(v reflect.Value) {
	at := visit{typ: v.Type()}
	switch v.Kind() {
	case reflect.Slice:
		at.n = v.Len()
	case reflect.Map, reflect.Pointer:
	default:
		p.text(v.Kind().String())
		if v.IsNil() {
			p.text(" nil")
		}
		return
	}
	at.at = v.UnsafePointer()
	if p.within[at] {
		p.text("(itself)")
		return
	}
	p.within[at] = true
	defer delete(p.within, at)
	switch {
	case v.Kind() == reflect.Slice:
		p.list(v)
	case v.Kind() == reflect.Map:
		p.mapping(v)
	case v.IsNil():
		p.text("nil")
	default:
		p.text("&")
		p.value(v.Elem())
	}
}

func (p *printer) list(v reflect.Value) {
	if v.Type().Elem().Kind() == reflect.Uint8 && (v.Kind() == reflect.Slice || v.CanAddr()) {
		p.b = strconv.AppendQuote(p.b, string(v.Bytes()))
		return
	}
	p.text("[")
	for i := range v.Len() {
		if i > 0 {
			p.text(" ")
		}
		p.value(v.Index(i))
	}
	p.text("]")
}

// mapping prints a map in the order of its printed entries.
func (p *printer) mapping(v reflect.Value) {
	all := p.b
	var entries []string
	for it := v.MapRange(); it.Next(); {
		p.b = nil
		p.value(it.Key())
		p.text(":")
		p.value(it.Value())
		entries = append(entries, string(p.b))
	}
	slices.Sort(entries)
	p.b = all
	p.text("map[" + strings.Join(entries, " ") + "]")
}

// structure prints the fields of a struct.
func (p *printer) structure(v reflect.Value) {
	switch t := v.Interface().(type) {
	case time.Time:
		p.text(t.UTC().Format(time.RFC3339Nano))
		return
	case statemachine.CrashError:
		t.Stack = nil // names the goroutine
		v = reflect.ValueOf(t)
	}
	if !v.CanAddr() { // only of what has an address can unexported fields be read
		own := reflect.New(v.Type()).Elem()
		own.Set(v)
		v = own
	}
	t := v.Type()
	p.text("{")
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" || !f.IsExported() && !p.deep && !plain(f.Type) && foreign(t) {
			continue
		}
		if p.b[len(p.b)-1] != '{' {
			p.text(" ")
		}
		p.text(f.Name + ":")
		p.value(reflect.NewAt(f.Type, v.Field(i).Addr().UnsafePointer()).Elem())
	}
	p.text("}")
}

// plain reports whether values of t are numbers, text and booleans, all in one
// place.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if !plain(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Array:
		return plain(t.Elem())
	}
	return t.Kind() <= reflect.Complex128 || t.Kind() == reflect.String
}

// foreign reports whether t is a type of another module than that under test.
func foreign(t reflect.Type) bool {
	path := strings.TrimSuffix(t.PkgPath(), "_test")
	if path == "" || path == "main" || path == "command-line-arguments" {
		return false
	}
	module := testedModule()
	if module == "" { // it cannot be told, except of the standard library's
		domain, _, _ := strings.Cut(path, "/")
		return !strings.Contains(domain, ".")
	}
	return path != module && !strings.HasPrefix(path, module+"/")
}

var testedModule = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Path
})
