package codec

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind says whose fault a document is: its writer's syntax, or its meaning.
type Kind uint8

const (
	// Malformed is a document that is not one well-formed value of its
	// format: bad syntax, cut short, followed by more bytes, text that is not
	// UTF-8, or nested deeper than MaxDepth. No type of Go could take it.
	Malformed Kind = iota
	// Meaningless is a well-formed document that is not a value of the type
	// asked for: an unknown tag or field, a wrong type, a number out of range.
	Meaningless
)

// String returns "malformed" or "meaningless".
func (k Kind) String() string {
	if k == Meaningless {
		return "meaningless"
	}
	return "malformed"
}

// Limits, in bytes, of what an Error repeats of a document.
const (
	quoteMax  = 40
	pathMax   = 200
	causeMax  = 200
	ellipsis  = "…"
	noOffset  = -1
	endOfData = "the end of the input"
)

// Error is what Decode returns when it refuses a document. It repeats only
// bounded pieces of it, so it may be logged and sent to whoever wrote it.
type Error struct {
	Format Format
	Kind   Kind
	// Offset is where in the document the error was noticed, in bytes from
	// its start, or -1 if that is not known.
	Offset int
	// Path leads to the value that was refused, as "store.items[3].key". It
	// is empty for the document itself and for a malformed document.
	Path string
	// Expected is what could have stood there, as "an integer from 0 to 255".
	// It may be empty if Err says it all.
	Expected string
	// Found is what stood there, as "the number 300", or empty.
	Found string
	// Err is the error of a type that decodes itself, or of a function given
	// to Convert, or nil.
	Err error
}

// Error returns one sentence that says where and what was expected.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("codec: ")
	b.WriteString(e.Kind.String())
	b.WriteByte(' ')
	b.WriteString(e.Format.String())
	if e.Path != "" {
		b.WriteString(" at ")
		b.WriteString(truncate(e.Path, pathMax))
	}
	if e.Offset >= 0 {
		b.WriteString(" (byte ")
		b.WriteString(strconv.Itoa(e.Offset))
		b.WriteByte(')')
	}
	separator := ": "
	if e.Expected != "" {
		b.WriteString(separator + "expected " + e.Expected)
		separator = ", "
	}
	if e.Found != "" {
		b.WriteString(separator + "found " + e.Found)
		separator = ": "
	}
	if e.Err != nil {
		b.WriteString(separator + truncate(e.Err.Error(), causeMax))
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// within says that the value which e refuses lies in the member name of
// another. It changes e and returns it.
func (e *Error) within(name string) *Error {
	switch {
	case e.Path == "":
		e.Path = name
	case e.Path[0] == '[':
		e.Path = name + e.Path
	default:
		e.Path = name + "." + e.Path
	}
	e.Path = truncate(e.Path, pathMax)
	return e
}

// withinIndex is within for the i-th element of an array.
func (e *Error) withinIndex(i int) *Error {
	return e.within("[" + strconv.Itoa(i) + "]")
}

// malformed returns an Error about the byte at offset.
func malformed(f Format, data []byte, offset int, expected string) *Error {
	e := &Error{Format: f, Kind: Malformed, Offset: offset, Expected: expected}
	switch {
	case offset >= len(data):
		e.Found = endOfData
	case f == JSON:
		r, _ := utf8.DecodeRune(data[offset:])
		e.Found = strconv.QuoteRune(r)
	}
	return e
}

// quote returns s in double quotes, shortened if it is long.
func quote(s string) string { return strconv.Quote(truncate(s, quoteMax)) }

// truncate returns s, or its first limit bytes (less those of a rune that the
// limit cuts) and an ellipsis.
func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	s = strings.TrimSuffix(s, ellipsis)
	limit = min(limit, len(s))
	for limit > 0 && limit < len(s) && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + ellipsis
}
