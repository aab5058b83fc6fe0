package httpapi

import (
	"bytes"

	"github.com/lineshaft/lineshaft/codec"
)

// mediaType is one of the names of a format.
type mediaType struct {
	name   string
	format codec.Format
}

// mediaTypes are those that are understood. JSON is answered unless another is
// liked better; of several that are liked equally, the first.
var mediaTypes = [...]mediaType{
	{"application/json", codec.JSON},
	{"application/msgpack", codec.Msgpack},
	{"application/x-msgpack", codec.Msgpack},
	{"application/vnd.msgpack", codec.Msgpack},
}

// inputFormat returns the format that a Content-Type header declares, whatever
// its parameters. False if it is not one of ours, as application/ld+json, which
// may be JSON but means something else.
func inputFormat(contentType []byte) (codec.Format, bool) {
	name, _, _ := bytes.Cut(contentType, []byte(";"))
	name = bytes.Trim(name, " \t")
	for _, t := range mediaTypes {
		if equalFold(name, t.name) {
			return t.format, true
		}
	}
	return 0, false
}

// outputType returns the media type that an Accept header likes best: JSON if
// it likes none of ours. Ranges that make no sense are passed over.
func outputType(accept []byte) mediaType {
	if len(accept) == 0 {
		return mediaTypes[0]
	}
	var quality, precision [len(mediaTypes)]int
	for len(accept) > 0 {
		var item []byte
		item, accept, _ = bytes.Cut(accept, []byte(","))
		name, params, _ := bytes.Cut(item, []byte(";"))
		name = bytes.Trim(name, " \t")
		q, ok := parseQuality(params)
		if !ok {
			continue
		}
		for i, t := range mediaTypes {
			// The most precise range decides (RFC 9110, section 12.5.1).
			if p := matchRange(name, t.name); p > precision[i] {
				precision[i], quality[i] = p, q
			}
		}
	}
	best := 0
	for i, q := range quality {
		if q > quality[best] {
			best = i
		}
	}
	return mediaTypes[best]
}

// matchRange returns how precisely a media range names a type: 0 if it does not.
func matchRange(r []byte, name string) int {
	switch {
	case equalFold(r, name):
		return 3
	case equalFold(r, "application/*"):
		return 2
	case string(r) == "*/*":
		return 1
	}
	return 0
}

// parseQuality returns the weight among the parameters of a media range, in
// thousandths: 1000 if there is none.
func parseQuality(params []byte) (int, bool) {
	for len(params) > 0 {
		var param []byte
		param, params, _ = bytes.Cut(params, []byte(";"))
		key, value, _ := bytes.Cut(bytes.Trim(param, " \t"), []byte("="))
		if !equalFold(key, "q") {
			continue
		}
		// qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
		if len(value) == 0 || len(value) > len("0.123") || len(value) > 1 && value[1] != '.' {
			return 0, false
		}
		q := 0
		for i := range len("0.123") {
			digit := byte('0')
			if i < len(value) {
				digit = value[i]
			}
			if i == 1 {
				continue
			}
			if digit < '0' || digit > '9' {
				return 0, false
			}
			q = 10*q + int(digit-'0')
		}
		return q, q <= 1000
	}
	return 1000, true
}

// equalFold reports whether b is lower, a text in lower-case ASCII, if the case
// of ASCII letters, and only theirs, is disregarded.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
