package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/vmihailenco/msgpack/v5"
)

func TestOfRoundTrip(t *testing.T) {
	for _, v := range []Everything{{}, fullEverything()} {
		for _, f := range formats {
			first := encode(t, everything, f, v)
			for range 20 { // no map order may show
				if again := encode(t, everything, f, v); !bytes.Equal(first, again) {
					t.Fatalf("%s: two encodings differ:\n%q\n%q", f, first, again)
				}
			}
			if got := decode(t, everything, f, first); !reflect.DeepEqual(got, v) {
				t.Errorf("%s:\n got %+v\nwant %+v", f, got, v)
			}
		}
	}
}

// Whoever reads msgpack with the library, without this package, sees the same.
func TestOfMsgpackIsTheLibrarys(t *testing.T) {
	type plain struct {
		A int8              `json:"a"`
		B string            `json:"b"`
		C []byte            `json:"c"`
		D map[string]string `json:"d"`
		E []float64         `json:"e"`
		F *bool             `json:"f"`
	}
	yes := true
	v := plain{-5, "x", []byte("y"), map[string]string{"k": "v", "a": "b"}, []float64{1.5, -0.25}, &yes}
	ours := encode(t, codec.Of[plain](), codec.Msgpack, v)
	dec := msgpack.NewDecoder(bytes.NewReader(ours))
	dec.SetCustomStructTag("json")
	var got plain
	if err := dec.Decode(&got); err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("the library reads %+v, %v", got, err)
	}
	var theirs bytes.Buffer
	enc := msgpack.NewEncoder(&theirs)
	enc.SetCustomStructTag("json")
	enc.SetSortMapKeys(true)
	enc.UseCompactInts(true)
	if err := enc.Encode(v); err != nil || !bytes.Equal(theirs.Bytes(), ours) {
		t.Errorf("the library writes %x, %v\n         we write %x", theirs.Bytes(), err, ours)
	}
}

func TestOfAppends(t *testing.T) {
	c := codec.Of[Store]()
	for _, f := range formats {
		alone := encode(t, c, f, Store{"x", 1})
		after, err := c.Append([]byte("before"), f, Store{"x", 1})
		if err != nil || string(after) != "before"+string(alone) {
			t.Errorf("%s: %q, %v", f, after, err)
		}
	}
	if got, want := string(encode(t, c, codec.JSON, Store{"<&>", 1})), `{"key":"<&>","value":1}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Both formats refuse the same, with the same words.
func TestOfRefuses(t *testing.T) {
	const field = `one of the fields `
	tests := []struct{ text, path, want string }{
		{`{"int8":128}`, "int8", "expected an integer from -128 to 127, found the number 128"},
		{`{"uint8":-1}`, "uint8", "expected an integer from 0 to 255, found the number -1"},
		{`{"int64":9223372036854775808}`, "int64", "found the number 9223372036854775808"},
		{`{"uint64":18446744073709551616}`, "uint64", "found the number 18446744073709551616"},
		{`{"int":1.0}`, "int", "found the number 1.0"},
		{`{"int":1e2}`, "int", "found the number 1e2"},
		{`{"int":"1"}`, "int", `found the string "1"`},
		{`{"float32":1e39}`, "float32", "expected a number that 32 bits hold"},
		{`{"float64":1e400}`, "float64", "found the number 1e400"},
		{`{"bool":0}`, "bool", "expected true or false, found the number 0"},
		{`{"string":1}`, "string", "expected a string"},
		{`{"bytes":"?"}`, "bytes", "expected bytes"},
		{`{"bytes":[256]}`, "bytes[0]", "expected an integer from 0 to 255"},
		{`{"ints":{}}`, "ints", "expected an array, found an object"},
		{`{"ints":[1,true]}`, "ints[1]", "found true"},
		{`{"map":{"k":{"a":1,"c":[{"a":300}]}}}`, "map.k.c[0].a", "found the number 300"},
		{`{"by_int":{"128":true}}`, "by_int", "a key that is a int8"},
		{`{"pointer":{"zz":1}}`, "pointer", field + "a, b, c, found the unknown field \"zz\""},
		{`{"time":"yesterday"}`, "time", "expected a time as RFC 3339 text"},
		{`{"addr":"nowhere"}`, "addr", "nowhere"},
		{`{"embeds":{"a":300}}`, "embeds.Inner.a", "found the number 300"},
		{`{"tree":{"tree":{"wat":1}}}`, "tree.tree", "unknown field"},
		{`[]`, "", "expected an object, found an array"},
		{`7`, "", "expected an object, found the number 7"},
	}
	for _, test := range tests {
		for _, f := range formats {
			data := []byte(test.text)
			if f == codec.Msgpack {
				data = pack(t, test.text)
			}
			_, err := everything.Decode(f, data)
			var e *codec.Error
			if !errors.As(err, &e) {
				t.Errorf("%s %s: %v is no *Error", f, test.text, err)
				continue
			}
			if e.Kind != codec.Meaningless || e.Path != test.path || e.Format != f || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s %s: %+v\n%v, want %q at %q", f, test.text, e, err, test.want, test.path)
			}
		}
	}
}

// What only msgpack can say.
func TestOfRefusesMsgpack(t *testing.T) {
	tests := []struct {
		value any
		want  string
	}{
		{map[string]any{"float64": math.NaN()}, "found the number NaN"},
		{map[string]any{"float32": math.Inf(1)}, "found the number +Inf"},
		{map[string]any{"string": []byte("x")}, "expected a string, found binary data"},
		{map[string]any{"int64": time.Unix(1, 0)}, "found a timestamp"},
		{map[int]any{1: 2}, "expected a string as a key, found the number 1"},
		{map[string]any{"raw": []byte("x")}, "expected a value that JSON has, found binary data"},
		{map[string]any{"map": map[any]any{true: 1}}, "expected a string as a key"},
	}
	for _, test := range tests {
		data, err := msgpack.Marshal(test.value)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = everything.Decode(codec.Msgpack, data); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.value, err, test.want)
		}
	}
	data, _ := msgpack.Marshal(map[string]any{"time": time.Unix(1, 5), "bytes": []byte("b")})
	if got := decode(t, everything, codec.Msgpack, data); !got.Time.Equal(time.Unix(1, 5)) || got.Time.Location() != time.UTC {
		t.Errorf("timestamp: %v", got.Time)
	}
}

// Null and what is missing are zero; field names match in any case.
func TestOfAccepts(t *testing.T) {
	for _, text := range []string{
		`null`, `{}`, `{"int":null,"bool":null,"ints":null,"map":null,"inner":null,"time":null,"raw":null,"tree":null,"bytes":null}`,
	} {
		for f, data := range map[codec.Format][]byte{codec.JSON: []byte(text), codec.Msgpack: pack(t, text)} {
			if got := decode(t, everything, f, data); !reflect.DeepEqual(got, Everything{}) {
				t.Errorf("%s %s: %+v", f, text, got)
			}
		}
	}
	for f, data := range map[codec.Format][]byte{codec.JSON: []byte(`{"INT":1}`), codec.Msgpack: pack(t, `{"INT":1}`)} {
		if got := decode(t, everything, f, data); got.Int != 1 {
			t.Errorf("%s: %+v", f, got)
		}
	}
}

func TestOfRefusesToEncode(t *testing.T) {
	deep := &Everything{}
	for range codec.MaxDepth {
		deep = &Everything{Tree: deep}
	}
	tests := map[string]Everything{
		"NaN":        {Float64: math.NaN()},
		"infinite":   {Float32: float32(math.Inf(-1))},
		"not UTF-8":  {String: "a\xff"},
		"key":        {Map: map[string]Inner{"\xff": {}}},
		"deep":       *deep,
		"year 10000": {Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	for name, v := range tests {
		for _, f := range formats {
			dst, err := everything.Append([]byte("kept"), f, v)
			if err == nil || string(dst) != "kept" || !strings.HasPrefix(err.Error(), "codec: encode codec_test.Everything as ") {
				t.Errorf("%s as %s: %q, %v", name, f, dst, err)
			}
		}
	}
	// Plain pointers, even in a circle.
	type list struct{ Next *list }
	c := codec.Of[list]()
	circle := &list{}
	circle.Next = circle
	straight := &list{}
	for range codec.MaxDepth - 1 {
		straight = &list{straight}
	}
	for _, f := range formats {
		if _, err := c.Append(nil, f, *circle); err == nil {
			t.Errorf("%s encoded a circle", f)
		}
		if got := decode(t, c, f, encode(t, c, f, *straight)); !reflect.DeepEqual(got, *straight) {
			t.Errorf("%s lost some of the deepest list", f)
		}
		if _, err := c.Append(nil, f, list{straight}); err == nil {
			t.Errorf("%s encoded a list that is too deep", f)
		}
	}
	// A replacement character that is meant is no error.
	encode(t, everything, codec.JSON, Everything{String: `\ufffd � `})
}

func TestOfPanics(t *testing.T) {
	mustPanic(t, "codec: Of[chan int]: chan int has no encoding", func() { codec.Of[chan int]() })
	mustPanic(t, "the interface error says nothing", func() { codec.Of[struct{ E []error }]() })
	mustPanic(t, "E: the interface", func() { codec.Of[struct{ E map[string]any }]() })
	mustPanic(t, "keys are neither", func() { codec.Of[map[float64]int]() })
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, want) {
			t.Errorf("panic %q, want %q", text, want)
		}
	}()
	f()
}

// scalars of all kinds, as a codec's whole T.
func TestOfScalars(t *testing.T) {
	for _, f := range formats {
		if v := decode(t, codec.Of[int](), f, encode(t, codec.Of[int](), f, -7)); v != -7 {
			t.Error(f, v)
		}
		if v := decode(t, codec.Of[string](), f, encode(t, codec.Of[string](), f, "é")); v != "é" {
			t.Error(f, v)
		}
		if v := decode(t, codec.Of[map[string]int](), f, encode(t, codec.Of[map[string]int](), f, nil)); v != nil {
			t.Error(f, v)
		}
		if v := decode(t, codec.Of[[]int](), f, encode(t, codec.Of[[]int](), f, []int{})); v == nil || len(v) > 0 {
			t.Error(f, v)
		}
	}
	if v := decode(t, codec.Of[int](), codec.JSON, []byte(" 5\n")); v != 5 {
		t.Error(v)
	}
}

// The native msgpack of a value's JSON is the value's msgpack.
func TestOfFormsAreTheSame(t *testing.T) {
	type omits struct {
		A int            `json:"a,omitempty"`
		T time.Time      `json:"t,omitzero"`
		I Inner          `json:"i,omitzero"`
		E Inner          `json:"e,omitempty"`
		P *int           `json:"p,omitempty"`
		S []string       `json:"s,omitempty"`
		N []string       `json:"n"`
		M map[int]string `json:"m,omitempty"`
		F [0]int         `json:"f,omitempty"`
		G Quoted         `json:"g"`
		H *time.Time     `json:"h,omitzero"`
		J big.Int        `json:"j,omitzero"`
		R *codec.Raw     `json:"r"`
	}
	one := 1
	c := codec.Of[[]omits]()
	full := omits{1, time.Unix(1e9, 0).UTC(), Inner{A: 1}, Inner{B: "b"}, &one, []string{""}, []string{"n"}, map[int]string{2: "2", 10: "10"}, [0]int{}, Quoted{1}, new(time.Time), *big.NewInt(1), new(codec.Raw)}
	values := append(make([]omits, 2*codec.MaxDepth), full) // many side by side are not deep
	text := encode(t, c, codec.JSON, values)
	if got, want := encode(t, c, codec.Msgpack, values), pack(t, string(text)); !bytes.Equal(got, want) {
		t.Errorf("%s\n got %q\nwant %q", text[len(text)-300:], got[len(got)-200:], want[len(want)-200:])
	}
}

// Any goroutine may use a codec, and none keeps a hold of the data.
func TestCodecsAreShared(t *testing.T) {
	want := fullEverything()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for _, f := range formats {
				data := encode(t, everything, f, want)
				for range 20 {
					copied := bytes.Clone(data)
					got, err := everything.Decode(f, copied)
					clear(copied)
					if err != nil || !reflect.DeepEqual(got, want) {
						t.Errorf("%s: %+v, %v", f, got, err)
					}
					if _, err := everything.Decode(f, copied); err == nil {
						t.Errorf("%s: zeroes were decoded", f)
					}
				}
			}
		})
	}
	group.Wait()
}

func roundTrip[T any](t *testing.T, v T) {
	t.Helper()
	c := codec.Of[T]()
	for _, f := range formats {
		if got := decode(t, c, f, encode(t, c, f, v)); !reflect.DeepEqual(got, v) {
			t.Errorf("%s: %#v came back as %#v", f, v, got)
		}
	}
}

func TestOfOtherTypes(t *testing.T) {
	roundTrip(t, json.RawMessage(`{"a":[1,1e400]}`))
	roundTrip(t, time.Date(2024, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600)))
	roundTrip(t, &Store{"x", 1})
	roundTrip(t, (*Store)(nil))
	roundTrip(t, []*codec.Raw{nil})
	roundTrip(t, Embeds{Inner{A: 1}, []byte{0}})
	roundTrip(t, [3][]byte{{1}, {}, nil})
	roundTrip(t, strings.Repeat("long", 50_000)) // beyond what is pooled
	roundTrip(t, slices.Repeat([]Store{{"k", 1 << 40}}, 70_000))
	roundTrip(t, map[string]map[int64][]bool{"": {math.MinInt64: {true, false}}})
}
