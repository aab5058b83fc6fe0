package codec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/vmihailenco/msgpack/v5"
)

func TestUnionRoundTrip(t *testing.T) {
	tests := []struct {
		v    Input
		text string
	}{
		{Store{"x", 1}, `{"store":{"key":"x","value":1}}`},
		{Lookup{"<y>"}, `{"lookup":{"key":"<y>"}}`},
		{Clear{}, `{"clear":{}}`},
		{Put{raw(`[1,{"a":1e400}]`)}, `{"put":{"Value":[1,{"a":1e400}]}}`},
	}
	for _, test := range tests {
		if got := encode(t, inputs, codec.JSON, test.v); string(got) != test.text {
			t.Errorf("%s, want %s", got, test.text)
		}
		if got := encode(t, inputs, codec.Msgpack, test.v); string(got) != string(pack(t, test.text)) {
			t.Errorf("%x, want %x", got, pack(t, test.text))
		}
		for _, f := range formats {
			if got := decode(t, inputs, f, encode(t, inputs, f, test.v)); got != test.v {
				t.Errorf("%s: %#v, want %#v", f, got, test.v)
			}
		}
	}
	for _, text := range []string{
		" {\n\"store\" :\t{ \"key\" : \"x\" , \"value\" : 1 } } ",
		`{"\u0073tore":{"key":"x","value":1}}`,
	} {
		if got := decode(t, inputs, codec.JSON, []byte(text)); got != (Store{"x", 1}) {
			t.Errorf("%s: %#v", text, got)
		}
	}
}

func TestUnionRefuses(t *testing.T) {
	const tags = "store, lookup, clear, put"
	tests := []struct{ text, path, want string }{
		{`{"sotre":{}}`, "", `expected one of the tags ` + tags + `, found the unknown tag "sotre"`},
		{`{"Store":{}}`, "", `the unknown tag "Store"`},
		{`{}`, "", "expected an object whose one key is one of the tags " + tags + ", found an object without a key"},
		{`{"store":{},"clear":{}}`, "", "found an object with 2 keys"},
		{`{"store":{},"store":{}}`, "", "found an object with 2 keys"},
		{`["store"]`, "", "found an array"},
		{`"store"`, "", `found the string "store"`},
		{`-1.5`, "", "found the number -1.5"},
		{`null`, "", "found null"},
		{`true`, "", "found true"},
		{`{"store":[]}`, "store", "expected an object, found an array"},
		{`{"store":{"value":"1"}}`, "store.value", "expected an integer from"},
		{`{"store":{"valeu":1}}`, "store", `expected one of the fields key, value, found the unknown field "valeu"`},
		{`{"clear":{"x":1}}`, "clear", "expected an object without fields"},
		{`{"` + strings.Repeat("é", 1000) + `":{}}`, "", "éé…\""},
		{`"` + strings.Repeat("é", 1000) + `"`, "", "é…"},
	}
	for _, test := range tests {
		for _, f := range formats {
			data := []byte(test.text)
			if f == codec.Msgpack {
				data = pack(t, test.text)
			}
			_, err := inputs.Decode(f, data)
			var e *codec.Error
			if !errors.As(err, &e) || e.Kind != codec.Meaningless || e.Path != test.path || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 500 {
				t.Errorf("%s %.50s: %v, want %q at %q", f, test.text, err, test.want, test.path)
			}
		}
	}
	_, err := inputs.Decode(codec.JSON, []byte(` {"store":{"key":"x","value":true}}`))
	var e *codec.Error
	if !errors.As(err, &e) || e.Offset < 30 || e.Offset > 34 {
		t.Errorf("the offset is not near the value: %v", err)
	}
	data, _ := msgpack.Marshal(map[int]int{1: 1})
	if _, err := inputs.Decode(codec.Msgpack, data); err == nil || !strings.Contains(err.Error(), "expected a string as a key") {
		t.Error(err)
	}
}

func TestUnionRefusesToEncode(t *testing.T) {
	for _, f := range formats {
		if dst, err := inputs.Append([]byte("kept"), f, nil); err == nil || string(dst) != "kept" || !strings.Contains(err.Error(), "codec_test.Input as "+f.String()+": the value is nil") {
			t.Errorf("%q, %v", dst, err)
		}
		if _, err := inputs.Append(nil, f, Unlist{}); err == nil || !strings.Contains(err.Error(), "codec_test.Unlist is not one of its variants (store, lookup, clear, put)") {
			t.Error(err)
		}
		if dst, err := inputs.Append([]byte("kept"), f, Lookup{"\xff"}); err == nil || string(dst) != "kept" {
			t.Errorf("%q, %v", dst, err)
		}
		nested := Put{raw(strings.Repeat("[", codec.MaxDepth-2) + strings.Repeat("]", codec.MaxDepth-2))}
		if got := decode(t, inputs, f, encode(t, inputs, f, Input(nested))); got != nested {
			t.Error("the deepest value did not come back")
		}
		nested = Put{raw("[" + nested.Value.String() + "]")}
		if _, err := inputs.Append(nil, f, nested); err == nil {
			t.Errorf("%s: a value that no Decode takes was encoded", f)
		}
	}
}

func TestUnionPanics(t *testing.T) {
	store := codec.Case[Store]("store")
	mustPanic(t, "codec: Union[codec_test.Input]: no variants", func() { codec.Union[Input]() })
	mustPanic(t, `two variants have the tag "store"`, func() { codec.Union[Input](store, codec.Case[Lookup]("store")) })
	mustPanic(t, "two variants are codec_test.Store", func() { codec.Union[Input](store, codec.Case[Store]("put")) })
	mustPanic(t, `codec_test.Inner, the variant "inner", does not implement codec_test.Input`, func() {
		codec.Union[Input](codec.Case[Inner]("inner"))
	})
	mustPanic(t, "the tag is empty", func() { codec.Case[Store]("") })
	mustPanic(t, "is not UTF-8", func() { codec.Case[Store]("\xff") })
	mustPanic(t, "is not an interface", func() { codec.Union[Store](store) })
	mustPanic(t, "variant 0 was not made by Case", func() { codec.Union[Input](codec.Variant{}) })
	mustPanic(t, "codec: Case[chan int]", func() { codec.Case[chan int]("x") })
}

func TestConvert(t *testing.T) {
	bad := errors.New("no even numbers")
	c := codec.Convert(codec.Of[[]int](), func(n int) []int { return make([]int, n) }, func(w []int) (int, error) {
		if len(w)%2 == 0 {
			return len(w), bad
		}
		return len(w), nil
	})
	for _, f := range formats {
		if got := decode(t, c, f, encode(t, c, f, 3)); got != 3 {
			t.Error(f, got)
		}
		got, err := c.Decode(f, encode(t, c, f, 4))
		var e *codec.Error
		if !errors.Is(err, bad) || !errors.As(err, &e) || e.Kind != codec.Meaningless || got != 0 {
			t.Error(got, err)
		}
		if want := "codec: meaningless " + f.String() + ": no even numbers"; err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	mustPanic(t, "Convert[int]: an argument is nil", func() { codec.Convert[int, int](nil, nil, nil) })
}
