package codec

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The functions of this file work on text that checkJSON found no fault with.

// stringEnd returns the position after the string token that starts at pos.
func stringEnd[S string | []byte](text S, pos int) int {
	for pos++; text[pos] != '"'; pos++ {
		if text[pos] == '\\' {
			pos++
		}
	}
	return pos + 1
}

// skipSpace returns the position of the first byte at or after pos that is not
// white space, or the length of text.
func skipSpace[S string | []byte](text S, pos int) int {
	for pos < len(text) && isSpace(text[pos]) {
		pos++
	}
	return pos
}

// scalarEnd returns the position after the number or word that starts at pos.
func scalarEnd(text string, pos int) int {
	for pos < len(text) && strings.IndexByte(" \n\t\r,:]}", text[pos]) < 0 {
		pos++
	}
	return pos
}

// jsonDepth returns how many containers of text lie within one another.
func jsonDepth[S string | []byte](text S) int {
	depth, deepest := 0, 0
	for pos := 0; pos < len(text); {
		switch text[pos] {
		case '"':
			pos = stringEnd(text, pos)
			continue
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
		pos++
	}
	return deepest
}

// appendCanonical appends text without the white space between its tokens,
// and with every string in its shortest spelling.
func appendCanonical(dst, text []byte) []byte {
	for pos := 0; pos < len(text); {
		switch c := text[pos]; {
		case c == '"':
			end := stringEnd(text, pos)
			dst = appendCanonicalString(dst, text[pos:end])
			pos = end
		case isSpace(c):
			pos++
		default:
			dst = append(dst, c)
			pos++
		}
	}
	return dst
}

// appendCanonicalString appends a string token in its shortest spelling: only
// quotes, backslashes, control characters and unpaired surrogates are escaped.
func appendCanonicalString[S string | []byte](dst []byte, token S) []byte {
	dst = append(dst, '"')
	for pos := 1; pos < len(token)-1; {
		if token[pos] != '\\' {
			dst = append(dst, token[pos])
			pos++
			continue
		}
		r, size := unescape(token, pos)
		dst = appendEscaped(dst, r)
		pos += size
	}
	return append(dst, '"')
}

// appendQuoted appends s, which is valid UTF-8, as a canonical string token.
func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, c := range s {
		if c < ' ' || c == '"' || c == '\\' {
			dst = appendEscaped(dst, rune(c))
		} else {
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

func appendEscaped(dst []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r < ' ':
		if i := strings.IndexByte("\b\f\n\r\t", byte(r)); i >= 0 {
			return append(dst, '\\', "bfnrt"[i])
		}
		return appendHexEscape(dst, r)
	case utf16.IsSurrogate(r):
		return appendHexEscape(dst, r)
	}
	return utf8.AppendRune(dst, r)
}

func appendHexEscape(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// unescape returns the rune that the escape sequence at pos stands for, which
// is a surrogate if it is unpaired, and the length of the sequence.
func unescape[S string | []byte](token S, pos int) (r rune, size int) {
	switch c := token[pos+1]; c {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r = hex4(token, pos+2)
	default:
		return rune(c), 2
	}
	if utf16.IsSurrogate(r) && pos+12 < len(token) && token[pos+6] == '\\' && token[pos+7] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(token, pos+8)); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return r, 6
}

func hex4[S string | []byte](token S, pos int) (r rune) {
	for _, c := range []byte(token[pos : pos+4]) {
		digit := rune(c - '0')
		if c > '9' {
			digit = rune(c|0x20-'a') + 10
		}
		r = r<<4 | digit
	}
	return r
}

// appendUnescaped appends the bytes that a string token stands for. It says
// false if there are none, because a surrogate is unpaired.
func appendUnescaped(dst []byte, token string) ([]byte, bool) {
	for pos := 1; pos < len(token)-1; {
		if token[pos] != '\\' {
			dst = append(dst, token[pos])
			pos++
			continue
		}
		r, size := unescape(token, pos)
		if utf16.IsSurrogate(r) {
			return dst, false
		}
		dst = utf8.AppendRune(dst, r)
		pos += size
	}
	return dst, true
}

// appendFloat appends the one spelling of a finite f: the shortest digits
// that only f rounds to, as encoding/json writes them, and ".0" after those
// of a whole number that would otherwise read as an integer of 64 bits.
func appendFloat(dst []byte, f float64) []byte {
	start := len(dst)
	abs := math.Abs(f)
	if abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' { // e-09 to e-9
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst
	}
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if digits := string(dst[start:]); abs < 1<<64 && digits != "-0" && strings.IndexByte(digits, '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

// decodeKey returns the string that a token stands for, with U+FFFD in the place
// of an unpaired surrogate.
func decodeKey(token []byte) string {
	var key []byte
	for pos := 1; pos < len(token)-1; {
		if token[pos] != '\\' {
			key = append(key, token[pos])
			pos++
			continue
		}
		r, size := unescape(token, pos)
		key = utf8.AppendRune(key, r)
		pos += size
	}
	return string(key)
}

// describeJSON returns a few words about the value that text starts with.
func describeJSON(text []byte) string {
	switch c := text[0]; c {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "the string " + truncate(string(text[:min(stringEnd(text, 0), quoteMax+1)]), quoteMax)
	case 't', 'f', 'n':
		return string(text[:scalarEnd(string(text[:min(len(text), 6)]), 0)])
	}
	token := string(text[:min(len(text), quoteMax+1)])
	return "the number " + truncate(token[:scalarEnd(token, 0)], quoteMax)
}
