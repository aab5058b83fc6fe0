package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/vmihailenco/msgpack/v5"
)

// twice has msgpack methods of its own, and another form in JSON.
type twice struct{ n int64 }

func (d twice) MarshalJSON() ([]byte, error)  { return json.Marshal([]int64{d.n}) }
func (d *twice) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &[]*int64{&d.n}) }
func (d twice) EncodeMsgpack(e *msgpack.Encoder) error {
	return e.EncodeInt(2 * d.n)
}

func (d *twice) DecodeMsgpack(dec *msgpack.Decoder) (err error) {
	d.n, err = dec.DecodeInt64()
	d.n /= 2
	return err
}

func TestOfLibraryMethods(t *testing.T) {
	type holder struct{ A, B twice }
	c := codec.Of[holder]()
	for _, f := range formats {
		v := holder{twice{1}, twice{2}}
		if got := decode(t, c, f, encode(t, c, f, v)); got != v {
			t.Errorf("%s: %v", f, got)
		}
	}
	data, _ := msgpack.Marshal(map[string]any{"A": 6, "B": 4})
	if got := decode(t, c, codec.Msgpack, data); got != (holder{twice{3}, twice{2}}) {
		t.Error(got)
	}
	data, _ = msgpack.Marshal(map[string]any{"B": "x"})
	var e *codec.Error
	if _, err := c.Decode(codec.Msgpack, data); !errors.As(err, &e) || e.Path != "B" {
		t.Error(err)
	}
}

// A JSON error is explained from the JSON forms, not from those in msgpack.
func TestOfExplainsLibraryTypes(t *testing.T) {
	type holder struct{ A, B twice }
	var e *codec.Error
	_, err := codec.Of[holder]().Decode(codec.JSON, []byte(`{"A":[3],"B":["x"]}`))
	if !errors.As(err, &e) || e.Path != "B" || !strings.Contains(err.Error(), "int64") {
		t.Error(err)
	}
}

// anything takes every well-formed msgpack value.
type anything struct{ bytes msgpack.RawMessage }

func (a anything) EncodeMsgpack(enc *msgpack.Encoder) error { return enc.Encode(a.bytes) }

func (a *anything) DecodeMsgpack(dec *msgpack.Decoder) (err error) {
	a.bytes, err = dec.DecodeRaw()
	return err
}

// lazy leaves its value unread.
type lazy struct{}

func (lazy) EncodeMsgpack(enc *msgpack.Encoder) error  { return enc.EncodeMapLen(0) }
func (*lazy) DecodeMsgpack(dec *msgpack.Decoder) error { _, err := dec.DecodeMapLen(); return err }

// What a type makes of itself is not trusted.
func TestOfChecksLibraryMethods(t *testing.T) {
	c := codec.Of[[]anything]()
	deepest := append(bytes.Repeat([]byte{0x91}, codec.MaxDepth-2), 0x92, 0x90, 0x01)
	for want, doc := range map[string][]byte{
		"":                         deepest[1:],
		"encodes itself wrongly":   {0x92, 0x01},
		"nested arrays and object": deepest,
	} {
		_, err := c.Append(nil, codec.Msgpack, []anything{{doc}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%x: %v, want %q", doc, err, want)
		}
	}
	if _, err := codec.Of[lazy]().Decode(codec.Msgpack, []byte("\x81\x01\x02")); err == nil || !strings.Contains(err.Error(), "left bytes of its value unread") {
		t.Error(err)
	}
}

func TestOfTimestamps(t *testing.T) {
	c := codec.Of[time.Time]()
	for _, want := range []time.Time{time.Unix(1, 0), time.Unix(1<<33, 999_999_999), time.Unix(-1, 5), {}} {
		data, err := msgpack.Marshal(want)
		if got := decode(t, c, codec.Msgpack, data); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%v, want %v", got, want)
		}
	}
	for _, data := range []string{
		"\xd4\xff\x01", // one byte is no timestamp
		"\xd7\xff\xff\xff\xff\xff\x00\x00\x00\x01",                     // a second has no so many nanoseconds
		"\xc7\x0c\xff\x00\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff", // after the year 9999
		"\xc7\x0c\xff\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00", // before the year 0
	} {
		if _, err := c.Decode(codec.Msgpack, []byte(data)); err == nil || !strings.Contains(err.Error(), "expected a time as RFC 3339 text, found a timestamp") {
			t.Errorf("%x: %v", data, err)
		}
	}
}
