package kvstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/examples/kvstore"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/statemachine/machinetest"
)

func TestMachine(t *testing.T) {
	for _, bug := range []bool{false, true} {
		machinetest.Check(t, kvstore.New[int](kvstore.Options{DeliberateBug: bug}), []kvstore.Input{
			kvstore.Store[int]{Key: "a", Value: 1}, kvstore.Store[int]{Key: "ab", Value: 2},
			kvstore.Store[int]{Key: "crash", Value: 3}, kvstore.Store[int]{Key: "", Value: 4},
			kvstore.Lookup{Key: "a"}, kvstore.Lookup{Key: "crash"}, kvstore.Delete{Key: "a"},
			kvstore.Delete{Key: ""}, kvstore.List{}, kvstore.List{Prefix: "a", Limit: 1},
		})
	}
	machinetest.Check(t, kvstore.New[codec.Raw](kvstore.Options{}), []kvstore.Input{
		kvstore.Store[codec.Raw]{Key: "é", Value: raw(`{"b":1.0,"a":[null,1e400]}`)},
		kvstore.Store[codec.Raw]{Key: "é", Value: raw(`null`)}, kvstore.Lookup{Key: "é"}, kvstore.List{},
	})
}

func raw(text string) codec.Raw {
	r, err := codec.ParseRaw([]byte(text))
	if err != nil {
		panic(err)
	}
	return r
}

type port = statemachine.Port[kvstore.Input, kvstore.Output]

// up returns a running store.
func up[V any](t testing.TB, o kvstore.Options) port {
	t.Helper()
	p := kvstore.New[V](o).New("kv", statemachine.NewMoment(func() int64 { return 0 }, nil))
	if err := p.Init(); err != nil {
		t.Fatal(err)
	}
	return p.(port)
}

// filled returns a store with the keys, each of which has the value of its place.
func filled(t testing.TB, keys ...string) port {
	t.Helper()
	p := up[int](t, kvstore.Options{})
	for i, k := range keys {
		if out, crash := p.StepIn(kvstore.Store[int]{Key: k, Value: i}); crash != nil || out != (kvstore.Ok{}) {
			t.Fatal(out, crash)
		}
	}
	return p
}

func TestInputs(t *testing.T) {
	for _, test := range []struct {
		keys []string
		in   kvstore.Input
		want kvstore.Output
	}{
		{nil, kvstore.Lookup{Key: "a"}, kvstore.Result[int]{}},
		{[]string{"a", "b"}, kvstore.Lookup{Key: "b"}, kvstore.Result[int]{Found: true, Value: 1}},
		{[]string{"a", "b", "a"}, kvstore.Lookup{Key: "a"}, kvstore.Result[int]{Found: true, Value: 2}},
		{[]string{"a"}, kvstore.Lookup{Key: "A"}, kvstore.Result[int]{}},
		{[]string{"x", ""}, kvstore.Lookup{}, kvstore.Result[int]{Found: true, Value: 1}},
		{[]string{"a"}, kvstore.Store[int]{Key: "a", Value: 7}, kvstore.Ok{}},
		{nil, kvstore.Delete{Key: "a"}, kvstore.Deleted{}},
		{[]string{"a"}, kvstore.Delete{Key: "a"}, kvstore.Deleted{Found: true}},
		{[]string{"a"}, kvstore.Delete{}, kvstore.Deleted{}},
		{[]string{"crash"}, kvstore.Lookup{Key: "crash"}, kvstore.Result[int]{Found: true}},
	} {
		if out, crash := filled(t, test.keys...).StepIn(test.in); out != test.want || crash != nil {
			t.Errorf("%q, %#v: got %#v, %v", test.keys, test.in, out, crash)
		}
	}
}

func TestDelete(t *testing.T) {
	p := filled(t, "a", "b")
	p.StepIn(kvstore.Delete{Key: "a"})
	out, _ := p.StepIn(kvstore.List{})
	if want := (kvstore.Keys{Keys: []string{"b"}}); !reflect.DeepEqual(out, want) {
		t.Errorf("got %#v", out)
	}
}

func TestList(t *testing.T) {
	hundred := make([]string, kvstore.DefaultLimit)
	for i := range hundred {
		hundred[i] = fmt.Sprintf("k%02d", i)
	}
	more := append(hundred[:100:100], "k990", "k991", "l")
	for _, test := range []struct {
		keys []string
		in   kvstore.List
		want kvstore.Keys
	}{
		{nil, kvstore.List{}, kvstore.Keys{Keys: []string{}}},
		{[]string{"b", "a", ""}, kvstore.List{}, kvstore.Keys{Keys: []string{"", "a", "b"}}},
		{[]string{"b", "a"}, kvstore.List{Limit: 2}, kvstore.Keys{Keys: []string{"a", "b"}}},
		{[]string{"b", "a"}, kvstore.List{Limit: 1}, kvstore.Keys{Keys: []string{"a"}, More: true}},
		{[]string{"b", "a"}, kvstore.List{Limit: -1}, kvstore.Keys{Keys: []string{"a", "b"}}},
		{hundred, kvstore.List{}, kvstore.Keys{Keys: hundred}},
		{more, kvstore.List{}, kvstore.Keys{Keys: hundred, More: true}},
		{more, kvstore.List{Prefix: "k99", Limit: 3}, kvstore.Keys{Keys: []string{"k99", "k990", "k991"}}},
		{more, kvstore.List{Prefix: "l", Limit: 1}, kvstore.Keys{Keys: []string{"l"}}},
		{more, kvstore.List{Prefix: "m"}, kvstore.Keys{Keys: []string{}}},
		{more, kvstore.List{Prefix: "k9900"}, kvstore.Keys{Keys: []string{}}},
		// Bytes, not letters: z (7a) is before é (c3 a9), and that before ê (c3 aa).
		{[]string{"ê", "é", "z", "éa"}, kvstore.List{}, kvstore.Keys{Keys: []string{"z", "é", "éa", "ê"}}},
		{[]string{"ê", "é", "z", "éa"}, kvstore.List{Prefix: "é"}, kvstore.Keys{Keys: []string{"é", "éa"}}},
	} {
		if out, crash := filled(t, test.keys...).StepIn(test.in); !reflect.DeepEqual(out, test.want) || crash != nil {
			t.Errorf("%#v: got %#v, %v\nwant %#v", test.in, out, crash, test.want)
		}
	}
}

func TestDeliberateBug(t *testing.T) {
	for _, bug := range []bool{false, true} {
		p := up[int](t, kvstore.Options{DeliberateBug: bug})
		p.StepIn(kvstore.Store[int]{Key: "crash", Value: 1})
		_, crash := p.StepIn(kvstore.Lookup{Key: "crash"})
		if (crash != nil) != bug || bug && !strings.Contains(crash.Error(), "divide by zero") {
			t.Errorf("bug %v: %v", bug, crash)
		}
		if out, _ := p.StepIn(kvstore.Delete{Key: "crash"}); out != (kvstore.Deleted{Found: true}) {
			t.Errorf("bug %v: the store is gone", bug)
		}
	}
}

func TestValuesOfAnotherStoreAreRefused(t *testing.T) {
	if _, crash := up[int](t, kvstore.Options{}).StepIn(kvstore.Store[string]{Key: "a"}); crash == nil {
		t.Error("stored")
	}
}

func TestReadOnly(t *testing.T) {
	m := kvstore.New[int](kvstore.Options{})
	for _, test := range []struct {
		in   kvstore.Input
		want bool
	}{
		{kvstore.Store[int]{}, false}, {kvstore.Lookup{}, true}, {kvstore.Delete{}, false}, {kvstore.List{}, true},
	} {
		if got := m.ReadOnly(test.in); got != test.want {
			t.Errorf("%T: %v", test.in, got)
		}
	}
}

// Every line of testdata/inputs.txt and outputs.txt is a value: its JSON, and
// its msgpack in hex. Journals and clients have them in this form.
func TestGolden(t *testing.T) {
	m := kvstore.New[codec.Raw](kvstore.Options{})
	golden(t, "inputs.txt", m.Input, []kvstore.Input{
		kvstore.Store[codec.Raw]{Key: "x", Value: raw("1")},
		kvstore.Store[codec.Raw]{Key: "é", Value: raw(`{"a":[true,null,"b",-1.5]}`)},
		kvstore.Lookup{Key: "x"},
		kvstore.Delete{Key: "x"},
		kvstore.List{Prefix: "x", Limit: 10},
		kvstore.List{},
	})
	golden(t, "outputs.txt", m.Output, []kvstore.Output{
		kvstore.Ok{},
		kvstore.Result[codec.Raw]{Found: true, Value: raw("1")},
		kvstore.Result[codec.Raw]{},
		kvstore.Deleted{Found: true},
		kvstore.Keys{Keys: []string{"x", "y"}, More: true},
		kvstore.Keys{Keys: []string{}},
	})
	state := m.State
	empty, _ := m.Init(statemachine.Start[kvstore.State[codec.Raw]]{})
	full := empty.Set("y", raw(`[]`)).Set("x", raw(`1`))
	data, err := state.Append(nil, codec.Msgpack, full)
	if err != nil || fmt.Sprintf("%q", data) != `"\x82\xa1x\x01\xa1y\x90"` {
		t.Errorf("a state: %q, %v", data, err)
	}
	for _, s := range []kvstore.State[codec.Raw]{empty, full} {
		data, _ := state.Append(nil, codec.JSON, s)
		back, err := state.Decode(codec.JSON, data)
		if err != nil || back.Len() != s.Len() {
			t.Errorf("%s: %v", data, err)
		}
		if v, ok := s.Get("y"); ok {
			if w, _ := back.Get("y"); v != w {
				t.Errorf("%s: got %s, want %s", data, w, v)
			}
		}
	}
}

func golden[T any](t *testing.T, file string, c codec.Codec[T], values []T) {
	t.Helper()
	var got strings.Builder
	for _, v := range values {
		text, err := c.Append(nil, codec.JSON, v)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := c.Append(nil, codec.Msgpack, v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%s %x\n", text, packed)
		for f, data := range [][]byte{codec.JSON: text, codec.Msgpack: packed} {
			if back, err := c.Decode(codec.Format(f), data); err != nil || !reflect.DeepEqual(back, v) {
				t.Errorf("%s: got %#v, %v", text, back, err)
			}
		}
	}
	want, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil || got.String() != string(want) {
		t.Errorf("%s (%v): got\n%s\nwant\n%s", file, err, got.String(), want)
	}
}
