package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/vmihailenco/msgpack/v5"
)

var raws = codec.Of[codec.Raw]()

// canonical texts stay as they are; the last column is their msgpack, where
// that is of interest.
var canonical = []struct{ text, packed string }{
	{`null`, "\xc0"},
	{`true`, "\xc3"},
	{`""`, "\xa0"},
	{`[]`, "\x90"},
	{`{}`, "\x80"},
	{`0`, "\x00"},
	{`-1`, "\xff"},
	{`-0`, "\xcb\x80\x00\x00\x00\x00\x00\x00\x00"},
	{`1.0`, "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"},
	{`0.5`, "\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00"},
	{`9007199254740993`, "\xcf\x00\x20\x00\x00\x00\x00\x00\x01"},
	{`-9223372036854775808`, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00"},
	{`18446744073709551615`, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff"},
	{`18446744073709551616`, "\xc7\x14J18446744073709551616"},
	{`100000000000000000000`, "\xcb\x44\x15\xaf\x1d\x78\xb5\x8c\x40"},
	{`1e400`, "\xc7\x05J1e400"},
	{`1e+21`, "\xcb\x44\x4b\x1a\xe4\xd6\xe2\xef\x50"},
	{`5e-324`, "\xcb\x00\x00\x00\x00\x00\x00\x00\x01"},
	{`1.50`, "\xd6J1.50"},
	{`1E5`, "\xc7\x03J1E5"},
	{`-0.0`, "\xd6J-0.0"},
	{`0.1000000000000000055511151231257827`, ""},
	{`1e-7`, ""},
	{`"é<>&\"\\\n` + "\u2028\u007f" + `"`, ""},
	{`"\u0001\b\f\t\r"`, ""},
	{`"\ud800"`, "\xd8J\"\\ud800\""[:1]},
	{`"\udc00\ud800x"`, ""},
	{`"😀"`, "\xa4\xf0\x9f\x98\x80"},
	{`{"b":1,"a":{"b":[1,[],{}]},"b":2}`, "\x83\xa1b\x01\xa1a\x81\xa1b\x93\x01\x90\x80\xa1b\x02"},
	{`{"\ud800":"\ud800"}`, ""},
	{`["a,b","{[","}]"]`, "\x93\xa3a,b\xa2{[\xa2}]"},
}

func TestRawKeepsEverything(t *testing.T) {
	for _, test := range canonical {
		r := raw(test.text)
		if r.String() != test.text {
			t.Errorf("%s became %s", test.text, r)
		}
		packed := encode(t, raws, codec.Msgpack, r)
		if !strings.HasPrefix(string(packed), test.packed) && test.text[1] != '\\' {
			t.Errorf("%s: msgpack %q, want %q", test.text, packed, test.packed)
		}
		if got := decode(t, raws, codec.Msgpack, packed); got != r {
			t.Errorf("%s came back as %s", r, got)
		}
		if got := encode(t, raws, codec.JSON, r); string(got) != test.text {
			t.Errorf("%s is encoded as %s", r, got)
		}
		viaLibrary(t, r)
	}
	if (codec.Raw{}) != raw(" null ") || (codec.Raw{}).String() != "null" {
		t.Error("the zero Raw is not null")
	}
}

// viaLibrary encodes and decodes r without this package's codecs.
func viaLibrary(t *testing.T, r codec.Raw) {
	t.Helper()
	type holder struct {
		V codec.Raw
		M map[string]codec.Raw
		P *codec.Raw
	}
	v := holder{r, map[string]codec.Raw{"k": r}, &r}
	text, err := json.Marshal(v)
	var got holder
	if err != nil || json.Unmarshal(text, &got) != nil || got.V != r || got.M["k"] != r {
		t.Errorf("encoding/json made %v of %s: %s", got, r, text)
	}
	packed, err := msgpack.Marshal(v)
	got = holder{}
	if err != nil {
		t.Error(err)
	} else if err := msgpack.Unmarshal(packed, &got); err != nil || got.V != r || got.M["k"] != r {
		t.Errorf("msgpack made %v of %s: %x, %v", got, r, packed, err)
	}
	c := codec.Of[holder]()
	for _, f := range formats {
		if got := decode(t, c, f, encode(t, c, f, v)); got.V != r || got.M["k"] != r {
			t.Errorf("%s made %v of %s", f, got, r)
		}
	}
}

func TestRawSpelling(t *testing.T) {
	for text, want := range map[string]string{
		" { \"a\" :\n[ 1 ,\t2 ]\r} ":     `{"a":[1,2]}`,
		`"\u00e9\u0041\/\u003c"`:         `"éA/<"`,
		`"\ud83d\uDE00 \uD83D \u000a"`:   `"😀 \ud83d \n"`,
		`" a  b "`:                       `" a  b "`,
		`"\ud800\ud800\udc00"`:           `"\ud800𐀀"`,
		`{"\u0061":"\\u0061","\"":"\""}`: `{"a":"\\u0061","\"":"\""}`,
	} {
		if got := raw(text).String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestRawFromMsgpack(t *testing.T) {
	accepted := map[string]any{
		`{"a":[1,-1,1.5,"x",true,null]}`: map[string]any{"a": []any{uint8(1), int64(-1), float32(1.5), "x", true, nil}},
		`255`:                            int64(255),
	}
	for want, v := range accepted {
		data, err := msgpack.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, raws, codec.Msgpack, data); got.String() != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	refused := map[string]any{
		"binary data":          []any{[]byte("x")},
		"a timestamp":          time.Unix(1, 0),
		"the number NaN":       math.NaN(),
		"the number -Inf":      float32(math.Inf(-1)),
		"the number 1":         map[int]int{1: 1},
		"the extension type 5": msgpack.RawMessage("\xd4\x05x"),
		"type 74":              msgpack.RawMessage("\xd4J["), // no scalar
		"found null":           map[any]any{nil: 1},
	}
	for want, v := range refused {
		data, err := msgpack.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		_, err = raws.Decode(codec.Msgpack, data)
		var e *codec.Error
		if !errors.As(err, &e) || e.Kind != codec.Meaningless || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", v, err, want)
		}
		var r codec.Raw
		if err := msgpack.Unmarshal(data, &r); v != nil && err == nil {
			t.Errorf("%v: the library's decoder took it for %s", v, r)
		}
	}
}

// The library's own decoder must be as safe as ours.
func TestRawDecodeMsgpackIsBounded(t *testing.T) {
	for _, data := range [][]byte{
		bytes.Repeat([]byte{0x91}, 1<<20),
		bytes.Repeat([]byte{0xdd, 0xff, 0xff, 0xff, 0xff}, 100),
		{0xdb, 0xff, 0xff, 0xff, 0xff, 'x'},
		{0xc1},
		{},
	} {
		if err := msgpack.Unmarshal(data, new(codec.Raw)); err == nil {
			t.Errorf("%x was accepted", data[:min(len(data), 10)])
		}
	}
}
