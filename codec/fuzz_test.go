package codec_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/lineshaft/lineshaft/codec"
)

// seeds adds the documents of both formats that the tests know.
func seeds(f *testing.F) {
	for _, format := range formats {
		f.Add(encode(f, everything, format, fullEverything()))
		f.Add(encode(f, inputs, format, Input(Store{"x", 1})))
		f.Add(encode(f, inputs, format, Input(Clear{})))
		for _, test := range canonical {
			f.Add(encode(f, raws, format, raw(test.text)))
		}
	}
	f.Add([]byte{0x91, 0x91, 0x91})
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff})
}

// fuzz checks that c's errors are *Error, and that what it accepts survives
// both formats.
func fuzz[T any](f *testing.F, c codec.Codec[T], format codec.Format) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := c.Decode(format, data)
		if err != nil {
			var e *codec.Error
			if !errors.As(err, &e) || e.Format != format || e.Offset < -1 || e.Offset > len(data) || len(err.Error()) > 2000 {
				t.Fatalf("%#v", err)
			}
			return
		}
		for _, other := range formats {
			if got := decode(t, c, other, encode(t, c, other, v)); !reflect.DeepEqual(got, v) {
				t.Fatalf("%s: %+v came back as %+v", other, v, got)
			}
		}
	})
}

// record is what the fuzz targets decode: types that come back deeply equal.
type record struct {
	I8    int8
	U64   uint64
	F32   float32
	F64   float64
	S     string
	B     []byte
	L     []int16
	A     [2]bool
	M     map[string]record
	ByInt map[int8]string
	P     *record
	Raw   codec.Raw
}

func FuzzOfJSON(f *testing.F)       { fuzz(f, codec.Of[record](), codec.JSON) }
func FuzzOfMsgpack(f *testing.F)    { fuzz(f, codec.Of[record](), codec.Msgpack) }
func FuzzUnionJSON(f *testing.F)    { fuzz(f, inputs, codec.JSON) }
func FuzzUnionMsgpack(f *testing.F) { fuzz(f, inputs, codec.Msgpack) }
func FuzzRawMsgpack(f *testing.F)   { fuzz(f, raws, codec.Msgpack) }

// FuzzRawJSON moreover compares ParseRaw with encoding/json, which takes more
// than UTF-8 and nests deeper, and is otherwise the same.
func FuzzRawJSON(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := codec.ParseRaw(data)
		if (err == nil) != (json.Valid(data) && utf8.Valid(data)) {
			var e *codec.Error
			if !errors.As(err, &e) || e.Offset < codec.MaxDepth {
				t.Fatalf("ParseRaw: %v, json.Valid: %t", err, json.Valid(data))
			}
		}
		if err != nil {
			return
		}
		var a, b any
		if errA, errB := json.Unmarshal(data, &a), json.Unmarshal([]byte(r.String()), &b); (errA == nil) != (errB == nil) || !reflect.DeepEqual(a, b) {
			t.Fatalf("%q became %s", data, r)
		}
		for _, format := range formats {
			if got := decode(t, raws, format, encode(t, raws, format, r)); got != r {
				t.Fatalf("%s: %s came back as %s", format, r, got)
			}
		}
	})
}

// FuzzFormatsAgree is TestFormatsAgree with inputs of the fuzzer's invention.
func FuzzFormatsAgree(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) { agree(t, data) })
}

// FuzzPrescan checks the scan that precedes every msgpack decoder: what it
// accepts the library can read, to the last byte.
func FuzzPrescan(f *testing.F) {
	seeds(f)
	c := codec.Of[anything]()
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := c.Decode(codec.Msgpack, data)
		if err != nil {
			var e *codec.Error
			if !errors.As(err, &e) || e.Kind != codec.Malformed {
				t.Fatalf("%#v", err)
			}
			return
		}
		if string(v.bytes) != string(data) && string(data) != "\xc0" { // the library keeps nil to itself
			t.Fatalf("the library skips %x as %x", data, v.bytes)
		}
	})
}
