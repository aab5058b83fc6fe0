package kvstore_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/examples/kvstore"
)

// A model is the store as a plain map.
type model map[string]int

func (m model) step(in kvstore.Input) kvstore.Output {
	switch in := in.(type) {
	case kvstore.Store[int]:
		m[in.Key] = in.Value
		return kvstore.Ok{}
	case kvstore.Lookup:
		v, ok := m[in.Key]
		return kvstore.Result[int]{Found: ok, Value: v}
	case kvstore.Delete:
		_, ok := m[in.Key]
		delete(m, in.Key)
		return kvstore.Deleted{Found: ok}
	}
	list := in.(kvstore.List)
	limit := list.Limit
	if limit <= 0 {
		limit = kvstore.DefaultLimit
	}
	keys := slices.Sorted(maps.Keys(m))
	keys = slices.DeleteFunc(keys, func(k string) bool { return !strings.HasPrefix(k, list.Prefix) })
	n := min(len(keys), limit)
	return kvstore.Keys{Keys: append([]string{}, keys[:n]...), More: n < len(keys)}
}

// TestModel steps the store and the model side by side; now and then the store
// goes through its bytes, as over a restart.
func TestModel(t *testing.T) {
	key := rapid.StringOfN(rapid.RuneFrom([]rune("aäz\x00")), 0, 4, -1)
	input := rapid.OneOf(
		rapid.Custom(func(t *rapid.T) kvstore.Input {
			return kvstore.Store[int]{Key: key.Draw(t, "key"), Value: rapid.Int().Draw(t, "value")}
		}),
		rapid.Map(key, func(k string) kvstore.Input { return kvstore.Lookup{Key: k} }),
		rapid.Map(key, func(k string) kvstore.Input { return kvstore.Delete{Key: k} }),
		rapid.Custom(func(t *rapid.T) kvstore.Input {
			return kvstore.List{Prefix: key.Draw(t, "prefix"), Limit: rapid.IntRange(-1, 200).Draw(t, "limit")}
		}),
	)
	rapid.Check(t, func(r *rapid.T) {
		p, m := up[int](t, kvstore.Options{}), model{}
		for _, in := range rapid.SliceOfN(input, 0, 300).Draw(r, "inputs") {
			got, crash := p.StepIn(in)
			if want := m.step(in); crash != nil || !reflect.DeepEqual(got, want) {
				r.Fatalf("%#v: got %#v, %v, want %#v", in, got, crash, want)
			}
			if len(m)%8 != 7 {
				continue
			}
			state, err := p.Current()(nil)
			if err == nil {
				err = p.Load(state)
			}
			if err == nil {
				err = p.Init()
			}
			if err != nil {
				r.Fatal(err)
			}
		}
		want, _ := codec.Of[model]().Append(nil, codec.Msgpack, m)
		if got, err := p.Current()(nil); err != nil || string(got) != string(want) {
			r.Fatalf("the state is %q (%v), want %q", got, err, want)
		}
	})
}
