package codec_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"pgregory.net/rapid"
)

// agree checks that a JSON text, and the same in native msgpack, are both
// refused or are the same value, which both formats bring back.
func agree(t rapid.TB, text []byte) {
	r, err := codec.ParseRaw(text)
	if err != nil {
		return
	}
	packed, err := raws.Append(nil, codec.Msgpack, r)
	if err != nil {
		t.Fatalf("%s: %v", r, err)
	}
	fromJSON, errJSON := everything.Decode(codec.JSON, []byte(r.String()))
	fromMsgpack, errMsgpack := everything.Decode(codec.Msgpack, packed)
	if (errJSON == nil) != (errMsgpack == nil) {
		t.Fatalf("%s:\njson: %v\nmsgpack: %v", r, errJSON, errMsgpack)
	}
	if errJSON != nil {
		var a, b *codec.Error
		if !errors.As(errJSON, &a) || !errors.As(errMsgpack, &b) || a.Path != b.Path || a.Expected != b.Expected || a.Found != b.Found || a.Kind != b.Kind {
			t.Fatalf("%s:\njson: %v\nmsgpack: %v", r, errJSON, errMsgpack)
		}
		return
	}
	if !reflect.DeepEqual(fromJSON, fromMsgpack) {
		t.Fatalf("%s:\njson: %+v\nmsgpack: %+v", r, fromJSON, fromMsgpack)
	}
	var again [2]Everything // omitempty may have made empty slices nil
	for i, f := range formats {
		data, err := everything.Append(nil, f, fromJSON)
		if err != nil {
			t.Fatalf("%s: encode what was decoded as %s: %v", r, f, err)
		}
		if again[i], err = everything.Decode(f, data); err != nil {
			t.Fatalf("%s: %s %s: %v", r, f, data, err)
		}
		if repeated, err := everything.Append(nil, f, again[i]); err != nil || string(repeated) != string(data) {
			t.Fatalf("%s: %s %q, %v was %q before", r, f, repeated, err, data)
		}
	}
	if !reflect.DeepEqual(again[0], again[1]) {
		t.Fatalf("%s:\njson: %+v\nmsgpack: %+v", r, again[0], again[1])
	}
}

var scalarTexts = []string{
	`null`, `true`, `false`, `0`, `-0`, `1`, `-1`, `127`, `128`, `-128`, `-129`, `255`, `256`, `32767`, `32768`, `65535`,
	`65536`, `2147483647`, `-2147483649`, `4294967295`, `4294967296`, `9223372036854775807`, `9223372036854775808`,
	`-9223372036854775808`, `-9223372036854775809`, `18446744073709551615`, `18446744073709551616`, `1.0`, `1.50`, `0.1`,
	`1e2`, `1e39`, `3.4028235e38`, `3.4028236e38`, `16777217`, `1.0000000596046448`, `1e400`, `1e-400`, `""`, `"x"`,
	`"1"`, `"-1"`, `"1.5"`, `"AAE="`, `"AA"`, `"A A="`, `"\ud800"`, `"\n"`, `"2024-02-29T12:00:00.5Z"`,
	`"2024-02-29T12:00:00+01:00"`, `"2023-02-29T12:00:00Z"`, `"10.0.0.1"`, `"::1"`,
}

// value draws a JSON text that t is likely, but not certain, to accept.
func value(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
		case kind < 6 || depth == 0:
			return rapid.SampledFrom(scalarTexts).Draw(t, "scalar")
		case kind == 6:
			return strconv.FormatInt(rapid.Int64().Draw(t, "int"), 10)
		case kind == 7:
			text, _ := json.Marshal(rapid.Float64Range(-1e300, 1e300).Draw(t, "float"))
			return string(text)
		case kind == 8:
			return "[" + strings.Join(rapid.SliceOfN(value(depth-1), 0, 3).Draw(t, "array"), ",") + "]"
		}
		return object(depth-1).Draw(t, "object")
	})
}

// keysOfEverything are its fields' names, and some that are not.
var keysOfEverything = func() (keys []string) {
	for _, t := range []reflect.Type{reflect.TypeFor[Everything](), reflect.TypeFor[Inner]()} {
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" {
				name = f.Name
			}
			keys = append(keys, name)
		}
	}
	return append(keys, "n", "INT8", "ſtring", "1", "-5", "300", "::1", "", "D")
}()

func object(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var members []string
		for _, key := range rapid.SliceOfN(rapid.SampledFrom(keysOfEverything), 0, 4).Draw(t, "keys") {
			members = append(members, strconv.Quote(key)+":"+value(depth).Draw(t, "value"))
		}
		return "{" + strings.Join(members, ",") + "}"
	})
}

// likely draws, for each field, something of the right shape as often as not.
func likely() *rapid.Generator[string] {
	shapes := map[string]*rapid.Generator[string]{}
	for _, key := range []string{"inner", "pointer", "zero", "tree", "embeds", "quoted"} {
		shapes[key] = object(2)
	}
	for _, key := range []string{"map", "by_int", "by_uint", "Addrs"} {
		shapes[key] = object(1)
	}
	for _, key := range []string{"bytes", "named", "ints", "pair", "raws", "nested"} {
		shapes[key] = rapid.Map(rapid.SliceOfN(value(1), 0, 4), func(v []string) string { return "[" + strings.Join(v, ",") + "]" })
	}
	return rapid.Custom(func(t *rapid.T) string {
		var members []string
		for _, key := range rapid.SliceOfN(rapid.SampledFrom(keysOfEverything), 1, 3).Draw(t, "keys") {
			generator := value(3)
			if shape := shapes[key]; shape != nil && rapid.Bool().Draw(t, "shaped") {
				generator = shape
			}
			members = append(members, strconv.Quote(key)+":"+generator.Draw(t, "value"))
		}
		return "{" + strings.Join(members, ",") + "}"
	})
}

func TestFormatsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { agree(t, []byte(likely().Draw(t, "text"))) })
	for _, key := range keysOfEverything {
		for _, scalar := range scalarTexts {
			for _, shape := range []string{"%", "[%]", `{"a":%}`, `{"1":%}`, "[[%]]", `{"x":{"a":%}}`, "[null,%]"} {
				agree(t, []byte(`{`+strconv.Quote(key)+`:`+strings.ReplaceAll(shape, "%", scalar)+`}`))
			}
		}
	}
}

// Whatever value there is, both formats encode it or both refuse it, and what
// they encode they bring back.
func TestValuesRoundTrip(t *testing.T) {
	type sample struct {
		I8  int8
		I   int64
		U   uint32
		UU  uint64
		F   float32
		FF  float64
		S   string
		B   []byte
		L   []int16
		M   map[string]int8
		P   *uint16
		N   struct{ X, Y string }
		Raw codec.Raw
	}
	c := codec.Of[sample]()
	generator := rapid.Make[float64]()
	rapid.Check(t, func(t *rapid.T) {
		v := sample{
			I8: rapid.Int8().Draw(t, "I8"), I: rapid.Int64().Draw(t, "I"), U: rapid.Uint32().Draw(t, "U"),
			UU: rapid.Uint64().Draw(t, "UU"), F: rapid.Float32().Draw(t, "F"), FF: generator.Draw(t, "FF"),
			S: rapid.OneOf(rapid.String(), rapid.Just("\xff")).Draw(t, "S"),
			B: rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Just([]byte(nil))).Draw(t, "B"),
			L: rapid.SliceOf(rapid.Int16()).Draw(t, "L"), M: rapid.MapOf(rapid.String(), rapid.Int8()).Draw(t, "M"),
			P:   rapid.Ptr(rapid.Uint16(), true).Draw(t, "P"),
			Raw: raw(value(3).Draw(t, "Raw")),
		}
		v.N.Y = rapid.String().Draw(t, "Y")
		text, errJSON := c.Append(nil, codec.JSON, v)
		packed, errMsgpack := c.Append(nil, codec.Msgpack, v)
		if (errJSON == nil) != (errMsgpack == nil) {
			t.Fatalf("%+v:\njson: %v\nmsgpack: %v", v, errJSON, errMsgpack)
		}
		if errJSON != nil {
			return
		}
		for f, data := range map[codec.Format][]byte{codec.JSON: text, codec.Msgpack: packed} {
			if got, err := c.Decode(f, data); err != nil || !reflect.DeepEqual(got, v) {
				t.Fatalf("%s %q, %v:\n got %+v\nwant %+v", f, data, err, got, v)
			}
		}
	})
}
