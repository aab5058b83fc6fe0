package codec

import (
	"encoding/json"
	"io"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// pooledMax is the length, in bytes, beyond which a document is decoded
// without the pool, whose buffers would otherwise keep the size of the largest
// document for ever.
const pooledMax = 64 << 10

// sink is the writer below a pooled encoder: it appends.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

func (s *sink) WriteByte(c byte) error {
	s.b = append(s.b, c)
	return nil
}

// msgpackWriter is an encoder and the slice that it appends to.
type msgpackWriter struct {
	sink  sink
	enc   *msgpack.Encoder
	depth int // containers open; Invariant: depth <= MaxDepth
}

var msgpackWriters = sync.Pool{New: func() any {
	w := new(msgpackWriter)
	w.enc = msgpack.NewEncoder(&w.sink)
	return w
}}

func getMsgpackWriter(dst []byte, depth int) *msgpackWriter {
	w := msgpackWriters.Get().(*msgpackWriter)
	w.sink.b, w.depth = dst, depth
	return w
}

// release returns what was appended to, and w to the pool.
func (w *msgpackWriter) release() []byte {
	b := w.sink.b
	w.sink.b = nil
	msgpackWriters.Put(w)
	return b
}

// jsonWriter is an encoder and the slice that it appends to.
type jsonWriter struct {
	sink sink
	enc  *json.Encoder
}

var jsonWriters = sync.Pool{New: func() any {
	w := new(jsonWriter)
	w.enc = json.NewEncoder(&w.sink)
	w.enc.SetEscapeHTML(false)
	return w
}}

// appendJSONOf appends what encoding/json makes of v, as it is: no HTML
// escapes, no newline.
func appendJSONOf(dst []byte, v any) ([]byte, error) {
	w := jsonWriters.Get().(*jsonWriter)
	w.sink.b = dst
	err := w.enc.Encode(v)
	out := w.sink.b
	w.sink.b = nil
	jsonWriters.Put(w)
	if err != nil {
		return dst, err
	}
	return out[:len(out)-1], nil
}

// jsonReader is a decoder and the bytes that it has yet to read.
type jsonReader struct {
	data []byte
	fed  int64 // bytes read in the decoder's life
	dec  *json.Decoder
}

func (r *jsonReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	r.fed += int64(n)
	return n, nil
}

func newJSONReader() *jsonReader {
	r := new(jsonReader)
	r.dec = json.NewDecoder(r)
	r.dec.DisallowUnknownFields()
	return r
}

var jsonReaders = sync.Pool{New: func() any { return newJSONReader() }}

// decodeJSONInto gives data, which checkJSON found no fault with and which ends
// with its last token, to encoding/json. A decoder that met trouble is dropped.
func decodeJSONInto(data []byte, v any) error {
	if len(data) > pooledMax {
		r := newJSONReader()
		r.data = data
		return r.dec.Decode(v)
	}
	r := jsonReaders.Get().(*jsonReader)
	r.data = data
	err := r.dec.Decode(v)
	r.data = nil
	if err == nil && r.dec.InputOffset() == r.fed {
		jsonReaders.Put(r)
	}
	return err
}
