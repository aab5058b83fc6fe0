// Package kvstore is a key-value store written as a generic server, for you to
// copy: which inputs there are, what each does to the state, and how both are
// written as bytes. Everything else is the loop's.
package kvstore

import (
	"fmt"
	"strings"

	"github.com/benbjohnson/immutable"
	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// Input is one of Store, Lookup, Delete and List.
type Input interface{ readOnly() bool }

// Store sets the value of a key. The output is Ok.
type Store[V any] struct {
	Key   string `json:"key"`
	Value V      `json:"value"`
}

// Lookup asks for the value of a key. The output is a Result.
type Lookup struct {
	Key string `json:"key"`
}

// Delete removes a key. The output is Deleted.
type Delete struct {
	Key string `json:"key"`
}

// List asks for the keys that begin with Prefix, in the order of their bytes:
// at most Limit, or DefaultLimit if that is not positive. The output is Keys.
type List struct {
	Prefix string `json:"prefix"`
	Limit  int    `json:"limit"`
}

const DefaultLimit = 100 // keys that a List answers unless told otherwise

// Output is one of Ok, Result, Deleted and Keys.
type Output interface{ output() }

// Ok answers Store.
type Ok struct{}

// Result answers Lookup; Value is V's zero value where nothing was found.
type Result[V any] struct {
	Found bool `json:"found"`
	Value V    `json:"value"`
}

// Deleted answers Delete; Found reports whether there was such a key.
type Deleted struct {
	Found bool `json:"found"`
}

// Keys answers List; More reports whether there are keys beyond the limit.
type Keys struct {
	Keys []string `json:"keys"`
	More bool     `json:"more"`
}

func (Store[V]) readOnly() bool { return false }
func (Lookup) readOnly() bool   { return true }
func (Delete) readOnly() bool   { return false }
func (List) readOnly() bool     { return true }

func (Ok) output()        {}
func (Result[V]) output() {}
func (Deleted) output()   {}
func (Keys) output()      {}

// State maps keys to values. It is immutable, so Step is pure without copying.
type State[V any] = *immutable.SortedMap[string, V]

// Options of New. DeliberateBug makes a Lookup of "crash" divide by zero.
type Options struct{ DeliberateBug bool }

// New returns the store for values of type V.
func New[V any](o Options) *statemachine.Machine[State[V], Input, Output] {
	return &statemachine.Machine[State[V], Input, Output]{
		Init: func(s statemachine.Start[State[V]]) (State[V], error) {
			if s.Saved != nil {
				return *s.Saved, nil
			}
			return fromMap[V](nil)
		},
		Step: statemachine.Pure(func(in Input, s State[V]) (State[V], Output) {
			switch in := in.(type) {
			case Store[V]:
				return s.Set(in.Key, in.Value), Ok{}
			case Lookup:
				if zero := 0; o.DeliberateBug && in.Key == "crash" {
					_ = 1 / zero
				}
				v, found := s.Get(in.Key)
				return s, Result[V]{found, v}
			case Delete:
				_, found := s.Get(in.Key)
				return s.Delete(in.Key), Deleted{found}
			case List:
				return s, list(s, in)
			}
			panic(fmt.Sprintf("kvstore: no such input: %T", in))
		}),
		ReadOnly: Input.readOnly,
		Input: codec.Union[Input](codec.Case[Store[V]]("store"), codec.Case[Lookup]("lookup"),
			codec.Case[Delete]("delete"), codec.Case[List]("list")),
		Output: codec.Union[Output](codec.Case[Ok]("ok"), codec.Case[Result[V]]("result"),
			codec.Case[Deleted]("deleted"), codec.Case[Keys]("keys")),
		State: codec.Convert(codec.Of[map[string]V](), toMap[V], fromMap[V]),
	}
}

func list[V any](s State[V], in List) Keys {
	if in.Limit <= 0 {
		in.Limit = DefaultLimit
	}
	out := Keys{Keys: []string{}}
	it := s.Iterator()
	it.Seek(in.Prefix)
	for key, _, ok := it.Next(); ok && strings.HasPrefix(key, in.Prefix); key, _, ok = it.Next() {
		if out.More = len(out.Keys) == in.Limit; out.More {
			break
		}
		out.Keys = append(out.Keys, key)
	}
	return out
}

func toMap[V any](s State[V]) map[string]V {
	m := make(map[string]V, s.Len())
	for it := s.Iterator(); !it.Done(); {
		key, value, _ := it.Next()
		m[key] = value
	}
	return m
}

func fromMap[V any](m map[string]V) (State[V], error) {
	return immutable.NewSortedMapOf(byBytes{}, m), nil
}

type byBytes struct{} // the order of the keys

func (byBytes) Compare(a, b string) int { return strings.Compare(a, b) }
