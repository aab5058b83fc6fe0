package codec_test

import (
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
)

// Input is a sealed sum type.
type Input interface{ input() }

type (
	Store struct {
		Key   string `json:"key"`
		Value int    `json:"value"`
	}
	Lookup struct {
		Key string `json:"key"`
	}
	Clear  struct{}
	Put    struct{ Value codec.Raw }
	Unlist struct{}
)

func (Store) input()  {}
func (Lookup) input() {}
func (Clear) input()  {}
func (Put) input()    {}
func (Unlist) input() {}

var inputs = codec.Union[Input](
	codec.Case[Store]("store"),
	codec.Case[Lookup]("lookup"),
	codec.Case[Clear]("clear"),
	codec.Case[Put]("put"),
)

// Inner and Everything have a field of every shape that Of takes.
type Inner struct {
	A int8    `json:"a"`
	B string  `json:"b,omitempty"`
	C []Inner `json:"c,omitempty"`
}

type (
	Color string
	Byte  uint8
)

type Everything struct {
	Bool    bool              `json:"bool"`
	Int     int               `json:"int"`
	Int8    int8              `json:"int8"`
	Int16   int16             `json:"int16"`
	Int32   int32             `json:"int32"`
	Int64   int64             `json:"int64"`
	Uint    uint              `json:"uint"`
	Uint8   uint8             `json:"uint8"`
	Uint16  uint16            `json:"uint16"`
	Uint32  uint32            `json:"uint32"`
	Uint64  uint64            `json:"uint64"`
	Float32 float32           `json:"float32"`
	Float64 float64           `json:"float64"`
	String  string            `json:"string"`
	Color   Color             `json:"color"`
	Bytes   []byte            `json:"bytes"`
	Named   []Byte            `json:"named"`
	Ints    []int32           `json:"ints"`
	Pair    [2]uint8          `json:"pair"`
	Map     map[string]Inner  `json:"map"`
	ByInt   map[int8]bool     `json:"by_int"`
	ByUint  map[uint16]string `json:"by_uint,omitempty"`
	Inner   Inner             `json:"inner"`
	Pointer *Inner            `json:"pointer"`
	Number  *int16            `json:"number"`
	Time    time.Time         `json:"time"`
	Wait    time.Duration     `json:"wait,omitempty"`
	Raw     codec.Raw         `json:"raw"`
	Raws    []codec.Raw       `json:"raws,omitempty"`
	Addr    netip.Addr        `json:"addr"`
	Addrs   map[netip.Addr]int
	Big     *big.Int      `json:"big"`
	JSON    json.Number   `json:"json,omitempty"`
	Tree    *Everything   `json:"tree,omitempty"`
	Nested  [][]string    `json:"nested,omitempty"`
	Zero    Inner         `json:"zero,omitzero"`
	Embeds  Embeds        `json:"embeds"`
	Quoted  Quoted        `json:"quoted"`
	Hidden  chan struct{} `json:"-"`
	_       int
}

type Embeds struct {
	Inner
	D []byte
}

type Quoted struct {
	N int64 `json:"n,string"`
}

var everything = codec.Of[Everything]()

func fullEverything() Everything {
	n := int16(-300)
	return Everything{
		Bool: true, Int: math.MinInt, Int8: -128, Int16: -129, Int32: math.MinInt32, Int64: math.MaxInt64,
		Uint: math.MaxUint, Uint8: 255, Uint16: 256, Uint32: math.MaxUint32, Uint64: 1 << 63,
		Float32: 0.1, Float64: math.SmallestNonzeroFloat64, String: "<&>\u2028 é \x00", Color: "red",
		Bytes: []byte{0, 255}, Named: []Byte{1, 2}, Ints: []int32{-1, 0, 1}, Pair: [2]uint8{1, 2},
		Map:     map[string]Inner{"b": {A: 1}, "a": {B: "x", C: []Inner{{A: 2}}}, "": {}},
		ByInt:   map[int8]bool{-1: true, 10: false, 9: true},
		ByUint:  map[uint16]string{65535: "max"},
		Pointer: &Inner{A: 5}, Number: &n, Time: time.Date(2024, 2, 29, 12, 0, 0, 5, time.UTC), Wait: time.Second,
		Raw: raw(`{"b":[1,2.5,"x",null],"a":1e400}`), Raws: []codec.Raw{{}, raw(`[]`)},
		Addr: netip.MustParseAddr("10.0.0.1"), Addrs: map[netip.Addr]int{netip.MustParseAddr("::1"): 1},
		Big: new(big.Int).Lsh(big.NewInt(1), 100), JSON: "1.50",
		Tree: &Everything{String: "leaf"}, Nested: [][]string{{"a"}, {}, nil},
		Embeds: Embeds{Inner: Inner{A: 1}, D: []byte("bytes")}, Quoted: Quoted{N: 1 << 60},
	}
}

func raw(text string) codec.Raw {
	r, err := codec.ParseRaw([]byte(text))
	if err != nil {
		panic(err)
	}
	return r
}

var formats = []codec.Format{codec.JSON, codec.Msgpack}

// encode returns v's encoding.
func encode[T any](t testing.TB, c codec.Codec[T], f codec.Format, v T) []byte {
	t.Helper()
	data, err := c.Append(nil, f, v)
	if err != nil {
		t.Fatalf("encode %#v as %s: %v", v, f, err)
	}
	return data
}

// decode returns the value of data.
func decode[T any](t testing.TB, c codec.Codec[T], f codec.Format, data []byte) T {
	t.Helper()
	v, err := c.Decode(f, data)
	if err != nil {
		t.Fatalf("decode %s %q: %v", f, data, err)
	}
	return v
}

// pack returns the native msgpack of a JSON text.
func pack(t testing.TB, text string) []byte {
	t.Helper()
	return encode(t, codec.Of[codec.Raw](), codec.Msgpack, raw(text))
}
