package codec_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
)

func TestMalformed(t *testing.T) {
	tests := []struct {
		f      codec.Format
		data   string
		offset int
		want   string
	}{
		{codec.JSON, ``, 0, "expected a value, found the end of the input"},
		{codec.JSON, `{"a":1`, 6, "expected a comma or }, found the end of the input"},
		{codec.JSON, `[1 2]`, 3, "expected a comma or ], found '2'"},
		{codec.JSON, `[1}`, 2, "expected a comma or ]"},
		{codec.JSON, `{1:2}`, 1, "expected a key in quotes"},
		{codec.JSON, `{"a" 1}`, 5, "expected a colon"},
		{codec.JSON, `{"a":1,}`, 7, "expected a key in quotes"},
		{codec.JSON, `[1,]`, 3, "expected a value"},
		{codec.JSON, `1 x`, 2, "expected the end of the input, found 'x'"},
		{codec.JSON, `{} {}`, 3, "expected the end of the input"},
		{codec.JSON, `01`, 1, "expected the end of the input"},
		{codec.JSON, `-`, 1, "expected a digit"},
		{codec.JSON, `1.`, 2, "expected a digit"},
		{codec.JSON, `1e+`, 3, "expected a digit"},
		{codec.JSON, `nul`, 3, "expected null"},
		{codec.JSON, `trux`, 3, "expected true"},
		{codec.JSON, `"a`, 2, "expected a closing quote"},
		{codec.JSON, "\"\n\"", 1, "expected an escape for a control character"},
		{codec.JSON, `"\x"`, 2, "expected an escape sequence"},
		{codec.JSON, `"\u12g4"`, 5, "expected four hexadecimal digits"},
		{codec.JSON, "\"é\xff\"", 3, "expected text in UTF-8"},
		{codec.JSON, "\ufeff{}", 0, "expected a value, found '\\ufeff'"},
		{codec.JSON, strings.Repeat("[", 1<<20), 512, "expected no more than 512 nested"},
		{codec.JSON, strings.Repeat(`{"":`, 513), 4 * 512, "expected no more than 512 nested"},
		{codec.Msgpack, "", 0, "expected a complete value, found the end of the input"},
		{codec.Msgpack, "\x92\x01", 0, "expected the 2 values that are announced, found 1 bytes until"},
		{codec.Msgpack, "\x92\x01\xcc", 3, "expected a complete value"},
		{codec.Msgpack, "\xa5abc", 0, "expected the 5 bytes that are announced, found 3 bytes"},
		{codec.Msgpack, "\xdd\xff\xff\xff\xff", 0, "the 4294967295 values"},
		{codec.Msgpack, "\xdf\xff\xff\xff\xff\x01", 0, "the 8589934590 values"},
		{codec.Msgpack, "\xc6\xff\xff\xff\xff\x01", 0, "the 4294967295 bytes"},
		{codec.Msgpack, "\x91\xc1", 1, "0xc1"},
		{codec.Msgpack, "\x01\x02", 1, "expected the end of the input"},
		{codec.Msgpack, "\x91\xa1\xff", 1, "expected a string in UTF-8"},
		{codec.Msgpack, strings.Repeat("\x91", 1<<20), 512, "expected no more than 512 nested"},
		{codec.Msgpack, strings.Repeat("\x91", 512) + "\x90", 512, "expected no more than 512 nested"},
		{codec.Msgpack, strings.Repeat("\x81\xa0", 512) + "\x80", 1024, "expected no more than 512 nested"},
	}
	for _, test := range tests {
		for name, decode := range map[string]func(codec.Format, []byte) error{
			"Of":    func(f codec.Format, data []byte) error { _, err := everything.Decode(f, data); return err },
			"Raw":   func(f codec.Format, data []byte) error { _, err := raws.Decode(f, data); return err },
			"Union": func(f codec.Format, data []byte) error { _, err := inputs.Decode(f, data); return err },
		} {
			err := decode(test.f, []byte(test.data))
			var e *codec.Error
			if !errors.As(err, &e) || e.Kind != codec.Malformed || e.Offset != test.offset || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s %s %.20q: %v, want %q at %d", name, test.f, test.data, err, test.want, test.offset)
			}
		}
	}
}

// The deepest document passes, in both formats, and one more level does not.
func TestMaxDepth(t *testing.T) {
	deepest := strings.Repeat("[", codec.MaxDepth) + strings.Repeat("]", codec.MaxDepth)
	packed := bytes.Repeat([]byte{0x91}, codec.MaxDepth)
	packed[codec.MaxDepth-1] = 0x90
	r := raw(deepest)
	if got := encode(t, raws, codec.Msgpack, r); !bytes.Equal(got, packed) {
		t.Errorf("%x", got)
	}
	if got := decode(t, raws, codec.Msgpack, packed); got != r {
		t.Error(got)
	}
	if _, err := codec.ParseRaw([]byte("[" + deepest + "]")); err == nil {
		t.Error("ParseRaw takes more than MaxDepth")
	}
}

func TestErrorText(t *testing.T) {
	long := strings.Repeat("k", 5000)
	document := `{"map":{"` + long + `":{"c":[{"` + long + `":1}]}}}`
	for f, data := range map[codec.Format][]byte{codec.JSON: []byte(document), codec.Msgpack: pack(t, document)} {
		_, err := everything.Decode(f, data)
		if err == nil || len(err.Error()) > 600 {
			t.Errorf("%d bytes: %v", len(err.Error()), err)
		}
	}
	_, err := everything.Decode(codec.JSON, []byte(`{"addr":"`+long+`"}`))
	if err == nil || len(err.Error()) > 600 {
		t.Errorf("%v", err)
	}
	if got := codec.Malformed.String() + codec.Meaningless.String(); got != "malformedmeaningless" {
		t.Error(got)
	}
}
