package codec_test

import (
	"testing"

	"github.com/lineshaft/lineshaft/codec"
)

type three struct {
	Key   string `json:"key"`
	Value int    `json:"value"`
	OK    bool   `json:"ok"`
}

func bench[T any](b *testing.B, c codec.Codec[T], v T) {
	for _, f := range formats {
		data := encode(b, c, f, v)
		b.Run("encode/"+f.String(), func(b *testing.B) {
			buf := make([]byte, 0, 2*len(data))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Append(buf, f, v); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("decode/"+f.String(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := c.Decode(f, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkStruct(b *testing.B) { bench(b, codec.Of[three](), three{"x", 1, true}) }
func BenchmarkUnion(b *testing.B)  { bench(b, inputs, Input(Store{"x", 1})) }
func BenchmarkRaw(b *testing.B) {
	bench(b, raws, raw(`{"name":"x","tags":["a","b"],"size":12.5,"n":{"a":null}}`))
}
func BenchmarkEverything(b *testing.B) { bench(b, everything, fullEverything()) }
