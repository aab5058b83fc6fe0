package codec_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lineshaft/lineshaft/codec"
)

func Example() {
	type Point struct {
		X int `json:"x"`
		Y int `json:"y"`
	}
	points := codec.Of[Point]()
	data, _ := points.Append(nil, codec.JSON, Point{1, 2})
	fmt.Printf("%s\n", data)
	p, err := points.Decode(codec.Msgpack, []byte("\x82\xa1x\x03\xa1y\x04"))
	fmt.Println(p, err)
	// Output:
	// {"x":1,"y":2}
	// {3 4} <nil>
}

func ExampleOf() {
	type Account struct {
		Owner string           `json:"owner"`
		Cents map[string]uint8 `json:"cents"`
	}
	accounts := codec.Of[Account]()
	for _, text := range []string{
		`{"owner":"ann","cents":{"eur":99}}`,
		`{"owner":"ann","cents":{"eur":256}}`,
		`{"ownr":"ann"}`,
		`{"owner":"ann"`,
	} {
		v, err := accounts.Decode(codec.JSON, []byte(text))
		var e *codec.Error
		if errors.As(err, &e) {
			fmt.Println(err)
		} else {
			fmt.Println(v)
		}
	}
	// Output:
	// {ann map[eur:99]}
	// codec: meaningless json at cents.eur (byte 33): expected an integer from 0 to 255, found the number 256
	// codec: meaningless json: expected one of the fields owner, cents, found the unknown field "ownr"
	// codec: malformed json (byte 14): expected a comma or }, found the end of the input
}

func ExampleUnion() {
	c := codec.Union[Input](
		codec.Case[Store]("store"),
		codec.Case[Lookup]("lookup"),
		codec.Case[Clear]("clear"),
	)
	for _, v := range []Input{Store{"x", 1}, Clear{}} {
		text, _ := c.Append(nil, codec.JSON, v)
		packed, _ := c.Append(nil, codec.Msgpack, v)
		fmt.Printf("%s %q\n", text, packed)
	}
	v, _ := c.Decode(codec.JSON, []byte(`{"lookup":{"key":"x"}}`))
	fmt.Printf("%T %v\n", v, v)
	_, err := c.Decode(codec.JSON, []byte(`{"delete":{"key":"x"}}`))
	fmt.Println(err)
	// Output:
	// {"store":{"key":"x","value":1}} "\x81\xa5store\x82\xa3key\xa1x\xa5value\x01"
	// {"clear":{}} "\x81\xa5clear\x80"
	// codec_test.Lookup {x}
	// codec: meaningless json (byte 1): expected one of the tags store, lookup, clear, found the unknown tag "delete"
}

func ExampleRaw() {
	type Entry struct {
		Value codec.Raw `json:"value"`
	}
	entries := codec.Of[Entry]()
	entry, _ := entries.Decode(codec.JSON, []byte(`{"value": {"big": 12345678901234567890123, "list": [1, null]}}`))
	packed, _ := entries.Append(nil, codec.Msgpack, entry)
	same, _ := entries.Decode(codec.Msgpack, packed)
	fmt.Println(same.Value, same == entry)
	fmt.Println(codec.Raw{})
	// Output:
	// {"big":12345678901234567890123,"list":[1,null]} true
	// null
}

func ExampleConvert() {
	type set map[string]struct{}
	sets := codec.Convert(codec.Of[[]string](),
		func(s set) []string { return slices.Sorted(maps.Keys(s)) },
		func(names []string) (set, error) {
			s := set{}
			for _, name := range names {
				if _, ok := s[name]; ok {
					return nil, fmt.Errorf("%q is listed twice", name)
				}
				s[name] = struct{}{}
			}
			return s, nil
		})
	text, _ := sets.Append(nil, codec.JSON, set{"b": {}, "a": {}})
	fmt.Printf("%s\n", text)
	_, err := sets.Decode(codec.JSON, []byte(`["a","a"]`))
	fmt.Println(err)
	// Output:
	// ["a","b"]
	// codec: meaningless json: "a" is listed twice
}
