package codec

import (
	"math"
	"strconv"
	"strings"

	"github.com/vmihailenco/msgpack/v5"
)

// RawExt is the msgpack extension type of a JSON scalar that msgpack has no
// exact value for; its bytes are the scalar's JSON text. See Raw.
const RawExt int8 = 'J'

// timestampExt is the extension type that msgpack reserves for points in time.
const timestampExt int8 = -1

// writeJSON writes a JSON text, which checkJSON found no fault with, as native
// msgpack. Its errors are the encoder's.
func writeJSON(enc *msgpack.Encoder, text string) error {
	var few [16]int
	counts := countMembers(few[:0], text)
	for pos := 0; pos < len(text); {
		var err error
		switch c := text[pos]; c {
		case '{':
			err = enc.EncodeMapLen(counts[0])
			counts, pos = counts[1:], pos+1
		case '[':
			err = enc.EncodeArrayLen(counts[0])
			counts, pos = counts[1:], pos+1
		case '}', ']', ',', ':', ' ', '\n', '\t', '\r':
			pos++
		case '"':
			end := stringEnd(text, pos)
			err = writeStringToken(enc, text[pos:end])
			pos = end
		default:
			end := scalarEnd(text, pos)
			err = writeScalarToken(enc, text[pos:end])
			pos = end
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// countMembers appends, for each container of text in the order in which they
// open, the number of its elements or pairs.
func countMembers(counts []int, text string) []int {
	var few [16]int
	open := few[:0] // indices into counts
	for pos := 0; pos < len(text); {
		switch text[pos] {
		case '"':
			pos = stringEnd(text, pos)
			continue
		case '{', '[':
			open = append(open, len(counts))
			next := text[skipSpace(text, pos+1)]
			if next == '}' || next == ']' {
				counts = append(counts, 0)
			} else {
				counts = append(counts, 1)
			}
		case '}', ']':
			open = open[:len(open)-1]
		case ',':
			counts[open[len(open)-1]]++
		}
		pos++
	}
	return counts
}

func writeStringToken(enc *msgpack.Encoder, token string) error {
	if strings.IndexByte(token, '\\') < 0 {
		return enc.EncodeString(token[1 : len(token)-1])
	}
	if s, ok := appendUnescaped(nil, token); ok {
		return enc.EncodeString(string(s))
	}
	return writeExt(enc, appendCanonicalString(nil, token))
}

func writeScalarToken(enc *msgpack.Encoder, token string) error {
	switch token {
	case "null":
		return enc.EncodeNil()
	case "true", "false":
		return enc.EncodeBool(token == "true")
	}
	if token != "-0" && !strings.ContainsAny(token, ".eE") {
		if i, err := strconv.ParseInt(token, 10, 64); err == nil {
			return enc.EncodeInt(i)
		}
		if u, err := strconv.ParseUint(token, 10, 64); err == nil {
			return enc.EncodeUint(u)
		}
	}
	if f, err := strconv.ParseFloat(token, 64); err == nil {
		var spelling [32]byte
		if string(appendFloat(spelling[:0], f)) == token {
			return enc.EncodeFloat64(f)
		}
	}
	return writeExt(enc, []byte(token))
}

func writeExt(enc *msgpack.Encoder, text []byte) error {
	if err := enc.EncodeExtHeader(RawExt, len(text)); err != nil {
		return err
	}
	_, err := enc.Writer().Write(text)
	return err
}

// appendJSON appends the canonical JSON text of the value at pos, in data that
// checkMsgpack found no fault with (which bounds the recursion), and returns
// the position after it. Values that JSON does not have are refused.
func appendJSON(dst, data []byte, pos int) (text []byte, next int, err *Error) {
	h, _ := readHead(data, pos)
	next = pos + h.size
	switch h.wire {
	case wireNil:
		return append(dst, "null"...), next, nil
	case wireBool:
		return strconv.AppendBool(dst, h.bits == 1), next, nil
	case wireInt:
		return strconv.AppendInt(dst, int64(h.bits), 10), next, nil
	case wireUint:
		return strconv.AppendUint(dst, h.bits, 10), next, nil
	case wireFloat32, wireFloat64:
		f := h.float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return dst, next, mismatch(data, pos, "a finite number")
		}
		return appendFloat(dst, f), next, nil
	case wireStr:
		return appendQuoted(dst, data[next:next+h.n]), next + h.n, nil
	case wireArray:
		return appendJSONArray(dst, data, next, h.n)
	case wireMap:
		return appendJSONObject(dst, data, next, h.n)
	case wireExt:
		if token, ok := extToken(data, pos); ok {
			return append(dst, token...), next + h.n, nil
		}
	}
	return dst, next, mismatch(data, pos, "a value that JSON has")
}

func appendJSONArray(dst, data []byte, pos, n int) ([]byte, int, *Error) {
	dst = append(dst, '[')
	var err *Error
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, pos, err = appendJSON(dst, data, pos); err != nil {
			return dst, pos, err.withinIndex(i)
		}
	}
	return append(dst, ']'), pos, nil
}

func appendJSONObject(dst, data []byte, pos, n int) ([]byte, int, *Error) {
	dst = append(dst, '{')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		keyStart := len(dst)
		var err *Error
		keyPos := pos
		if dst, pos, err = appendJSON(dst, data, pos); err != nil || dst[keyStart] != '"' {
			return dst, pos, mismatch(data, keyPos, "a string as a key")
		}
		dst = append(dst, ':')
		key := dst[keyStart+1 : len(dst)-2]
		if dst, pos, err = appendJSON(dst, data, pos); err != nil {
			return dst, pos, err.within(truncate(string(key), quoteMax))
		}
	}
	return append(dst, '}'), pos, nil
}

// extToken returns the JSON scalar, a number or a canonical string token, that
// the extension at pos carries, or false if it carries none.
func extToken(data []byte, pos int) ([]byte, bool) {
	h, _ := readHead(data, pos)
	text := data[pos+h.size : pos+h.size+h.n]
	if h.ext != RawExt || len(text) == 0 || (text[0] != '"' && text[0] != '-' && !isDigit(text[0])) {
		return nil, false
	}
	if _, err := checkJSON(text); err != nil || isSpace(text[len(text)-1]) {
		return nil, false
	}
	if text[0] == '"' {
		return appendCanonicalString(nil, text), true
	}
	return text, true
}

// float returns the value of a wireFloat32 or wireFloat64.
func (h head) float() float64 {
	if h.wire == wireFloat32 {
		return float64(math.Float32frombits(uint32(h.bits)))
	}
	return math.Float64frombits(h.bits)
}

// negativeZero says whether h is the number -0, which JSON's readers of integers
// take for 0.
func (h head) negativeZero() bool {
	return (h.wire == wireFloat32 || h.wire == wireFloat64) && h.float() == 0 && math.Signbit(h.float())
}

// mismatch returns an Error about the well-formed value at pos.
func mismatch(data []byte, pos int, expected string) *Error {
	return &Error{
		Format: Msgpack, Kind: Meaningless, Offset: pos,
		Expected: expected, Found: describe(data, pos),
	}
}

// describe returns a few words about the value at pos.
func describe(data []byte, pos int) string {
	h, _ := readHead(data, pos)
	body := data[pos+h.size : pos+h.size+h.payload()]
	switch h.wire {
	case wireNil:
		return "null"
	case wireBool:
		return strconv.FormatBool(h.bits == 1)
	case wireInt:
		return "the number " + strconv.FormatInt(int64(h.bits), 10)
	case wireUint:
		return "the number " + strconv.FormatUint(h.bits, 10)
	case wireFloat32, wireFloat64:
		return "the number " + string(appendFloat(nil, h.float()))
	case wireStr:
		return "the string " + quote(string(body[:min(len(body), quoteMax+1)]))
	case wireBin:
		return "binary data"
	case wireArray:
		return "an array"
	case wireMap:
		return "an object"
	}
	if token, ok := extToken(data, pos); ok {
		if token[0] == '"' {
			return "the string " + truncate(string(token), quoteMax)
		}
		return "the number " + truncate(string(token), quoteMax)
	}
	if h.ext == timestampExt {
		return "a timestamp"
	}
	return "the extension type " + strconv.Itoa(int(h.ext))
}
