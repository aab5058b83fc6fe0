package codec

import (
	"github.com/vmihailenco/msgpack/v5"
)

// Raw is any JSON value, kept as its text: as a field, an element, or a codec's
// whole T. It cannot be changed, and == tells whether two Raws are spelled
// alike. The zero Raw is null.
//
// The text has no white space between its tokens, and its strings are in
// their shortest spelling ("\u00e9" becomes "é"). Everything else stays as it
// was written: the digits of numbers, the order of keys, repeated keys.
//
// In msgpack a Raw is a native value, and it comes back from there with the
// same text. The two kinds of scalar that msgpack cannot hold become an
// extension of type RawExt that carries their JSON text:
//
//   - numbers that are neither an int64 or uint64, nor spelled as a float64 is
//     (1e400, 0.10, 1E5; whole floats are spelled 1.0)
//   - strings with an unpaired surrogate ("\ud800")
//
// From msgpack all is accepted that JSON has: nil, booleans, integers, finite
// floats, strings, arrays, maps whose keys are strings. Binary data,
// timestamps, other extensions and other keys are refused.
type Raw struct {
	text string // Invariant: canonical JSON, but for null, which is ""
}

// ParseRaw returns the one JSON value that text holds. Its errors are *Error.
func ParseRaw(text []byte) (Raw, error) {
	if _, err := checkJSON(text); err != nil {
		return Raw{}, err
	}
	return checkedRaw(text), nil
}

// checkedRaw is ParseRaw for a text that checkJSON found no fault with.
func checkedRaw(text []byte) Raw {
	var few [128]byte
	return canonicalRaw(appendCanonical(few[:0], text))
}

func canonicalRaw(text []byte) Raw {
	if string(text) == "null" {
		return Raw{}
	}
	return Raw{text: string(text)}
}

// String returns the JSON text.
func (r Raw) String() string {
	if r.text == "" {
		return "null"
	}
	return r.text
}

// MarshalJSON implements json.Marshaler.
func (r Raw) MarshalJSON() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (r *Raw) UnmarshalJSON(text []byte) error {
	raw, err := ParseRaw(text)
	if err == nil {
		*r = raw
	}
	return err
}

// EncodeMsgpack implements msgpack.CustomEncoder.
func (r Raw) EncodeMsgpack(enc *msgpack.Encoder) error { return writeJSON(enc, r.String()) }

// DecodeMsgpack implements msgpack.CustomDecoder.
func (r *Raw) DecodeMsgpack(dec *msgpack.Decoder) error {
	doc, err := readValue(dec)
	if err != nil {
		return err
	}
	if err := checkMsgpack(doc); err != nil {
		return err
	}
	raw, _, refused := rawAt(doc, 0)
	if refused != nil {
		return refused
	}
	*r = raw
	return nil
}

// rawAt returns the value at pos, in data that checkMsgpack found no fault
// with, and the position after it.
func rawAt(data []byte, pos int) (Raw, int, *Error) {
	var few [128]byte
	text, next, err := appendJSON(few[:0], data, pos)
	if err != nil {
		return Raw{}, next, err
	}
	return canonicalRaw(text), next, nil
}

// readValue reads the bytes of one value from dec, with no more trust in them
// than that their lengths can be read: checkMsgpack does the rest.
func readValue(dec *msgpack.Decoder) ([]byte, error) {
	const headMax = 10 // bytes
	const chunk = 64 << 10
	doc := make([]byte, 0, 64)
	for todo := 1; todo > 0; todo-- {
		start := len(doc)
		h, ok := head{}, false
		for !ok && len(doc)-start < headMax {
			var next [1]byte
			if err := dec.ReadFull(next[:]); err != nil {
				return nil, err
			}
			doc = append(doc, next[0])
			h, ok = readHead(doc, start)
		}
		for rest := h.payload(); rest > 0; {
			n := min(rest, chunk)
			doc = append(doc, make([]byte, n)...)
			if err := dec.ReadFull(doc[len(doc)-n:]); err != nil {
				return nil, err
			}
			rest -= n
		}
		todo += h.values()
	}
	return doc, nil
}
