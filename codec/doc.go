// Package codec turns values into bytes and back, in JSON and in msgpack.
//
//	type Point struct {
//		X int `json:"x"`
//		Y int `json:"y"`
//	}
//
//	func main() {
//		points := codec.Of[Point]()
//		data, _ := points.Append(nil, codec.JSON, Point{1, 2})
//		fmt.Printf("%s\n", data) // {"x":1,"y":2}
//		p, err := points.Decode(codec.Msgpack, []byte("\x82\xa1x\x03\xa1y\x04"))
//		fmt.Println(p, err) // {3 4} <nil>
//	}
//
// Of makes the codec of a plain type, Union that of a sealed sum type, Convert
// that of a type whose encoded form is another type. Raw is a value of any
// shape.
//
// # One meaning, two formats
//
// Both formats accept the same values and refuse the same, and a type's form
// is the same in both: what encoding/json makes of it, with the same struct
// tags. Two things differ in msgpack: a []byte is binary data, which JSON
// spells in base64 (as text, that is accepted too), and a type that has
// msgpack methods of its own (msgpack.CustomEncoder and CustomDecoder, or
// Marshaler and Unmarshaler) uses them. A time.Time is RFC 3339 text in both;
// msgpack's timestamps are accepted for it, and become UTC.
//
// What encoding/json alone knows how to encode travels in msgpack as the native
// form of its JSON: types with MarshalJSON or MarshalText, structs with
// embedded fields or a ",string" tag. A []byte within those is base64 text,
// and what is wrong in them is said in encoding/json's words, often without the place.
//
// # What is accepted
//
//   - A field that is missing keeps its zero value, so a field may be added to
//     a type whose old encodings are about.
//   - A field that the type does not have is refused, at any depth.
//   - Null is nil for pointers, slices and maps; for other types it is as if
//     the field were missing. Nil slices and maps are encoded as null, empty
//     ones as [] and {}, and both come back as what they were (unless
//     omitempty leaves them out).
//   - A name matches a field in any case, if no field has exactly that name.
//     Tags of a Union, and keys of maps, match exactly.
//   - Of a repeated name the last one counts. Map entries and the fields of a
//     nested struct add up.
//   - A number must fit its type. Integers are never made of fractions, not
//     even of 1.0; floats take any number in their range, and round.
//   - An array with too many elements for a Go array loses the rest, one with
//     too few leaves the rest zero.
//   - An unpaired surrogate ("\ud800") in JSON becomes U+FFFD, but for that of a Raw.
//   - Text is UTF-8, in documents and in values that are encoded.
//   - NaN and the infinities are refused, both ways and in both formats.
//   - Interface types other than a Union's are refused when the codec is made.
//
// # What is encoded
//
// Equal values have equal encodings: map keys are sorted, fields keep the order
// of the type, integers take the fewest bytes. JSON has no HTML escapes and no
// white space. Every encoding can be decoded.
//
// # Errors and limits
//
// Decode returns an *Error, which says whether the document is Malformed or
// Meaningless, where, and what was expected. Documents and values deeper than
// MaxDepth are refused. Length is for the caller to limit: a document of n
// bytes makes a value of at most about n elements, whatever lengths it
// announces.
//
// Codecs are made once, by functions that panic if a type is not one they can
// encode, and are safe for any goroutine thereafter.
package codec
