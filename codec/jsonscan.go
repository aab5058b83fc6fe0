package codec

import "unicode/utf8"

// jsonScan checks a JSON text without recursion and without allocation.
type jsonScan struct {
	data    []byte
	pos     int // of the next byte; Invariant: 0 <= pos <= len(data)
	depth   int // containers open at pos; Invariant: depth <= MaxDepth
	members int // of the outermost container, so far
	// object has bit d set if the container at depth d+1 is an object.
	object [(MaxDepth + 63) / 64]uint64
}

// checkJSON reports why data is not one JSON value in UTF-8, no deeper than
// MaxDepth, between optional white space. Members is the number of elements
// of the outermost container, 0 for a scalar.
func checkJSON(data []byte) (members int, err *Error) {
	if !utf8.Valid(data) {
		offset := 0
		for r, size := utf8.DecodeRune(data); r != utf8.RuneError || size > 1; r, size = utf8.DecodeRune(data[offset:]) {
			offset += size
		}
		return 0, &Error{Format: JSON, Kind: Malformed, Offset: offset, Expected: "text in UTF-8"}
	}
	s := jsonScan{data: data}
	for more := true; more; {
		opened, err := s.value()
		if err != nil {
			return 0, err
		}
		if opened {
			continue
		}
		if more, err = s.next(); err != nil {
			return 0, err
		}
	}
	s.space()
	if s.pos < len(data) {
		return 0, s.fail(endOfData)
	}
	return s.members, nil
}

func (s *jsonScan) fail(expected string) *Error {
	return malformed(JSON, s.data, s.pos, expected)
}

// peek returns the next byte, or 0, which no JSON token starts with.
func (s *jsonScan) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *jsonScan) space() {
	for s.pos < len(s.data) && isSpace(s.data[s.pos]) {
		s.pos++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// value reads a scalar or an empty container, or the beginning of another
// container up to where its first value starts: then it says opened.
func (s *jsonScan) value() (opened bool, err *Error) {
	s.space()
	switch c := s.peek(); {
	case c == '"':
		return false, s.str()
	case c == '{':
		return s.open('}')
	case c == '[':
		return s.open(']')
	case c == '-' || isDigit(c):
		return false, s.number()
	case c == 't':
		return false, s.word("true")
	case c == 'f':
		return false, s.word("false")
	case c == 'n':
		return false, s.word("null")
	}
	return false, s.fail("a value")
}

func (s *jsonScan) open(closing byte) (opened bool, err *Error) {
	if s.depth == MaxDepth {
		return false, tooDeep(JSON, s.pos)
	}
	s.pos++
	s.space()
	if s.peek() == closing {
		s.pos++
		return false, nil
	}
	bit := uint64(1) << (s.depth % 64)
	s.object[s.depth/64] &^= bit
	if closing == '}' {
		s.object[s.depth/64] |= bit
	}
	s.depth++
	if s.depth == 1 {
		s.members = 1
	}
	if closing == '}' {
		return true, s.key()
	}
	return true, nil
}

// next reads what follows a value: the ends of containers, and a comma with
// the key after it. It reports whether another value must follow.
func (s *jsonScan) next() (more bool, err *Error) {
	for s.depth > 0 {
		inObject := s.object[(s.depth-1)/64]>>((s.depth-1)%64)&1 == 1
		s.space()
		switch c := s.peek(); {
		case c == ',':
			s.pos++
			if s.depth == 1 {
				s.members++
			}
			if inObject {
				return true, s.key()
			}
			return true, nil
		case c == '}' && inObject, c == ']' && !inObject:
			s.pos++
			s.depth--
		case inObject:
			return false, s.fail("a comma or }")
		default:
			return false, s.fail("a comma or ]")
		}
	}
	return false, nil
}

func (s *jsonScan) key() *Error {
	s.space()
	if s.peek() != '"' {
		return s.fail("a key in quotes")
	}
	if err := s.str(); err != nil {
		return err
	}
	s.space()
	if s.peek() != ':' {
		return s.fail("a colon")
	}
	s.pos++
	return nil
}

func (s *jsonScan) word(w string) *Error {
	for i := range len(w) {
		if s.peek() != w[i] {
			return s.fail(w)
		}
		s.pos++
	}
	return nil
}

func (s *jsonScan) number() *Error {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek() == '.' {
		s.pos++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if c := s.peek(); c != 'e' && c != 'E' {
		return nil
	}
	s.pos++
	if c := s.peek(); c == '+' || c == '-' {
		s.pos++
	}
	return s.digits()
}

func (s *jsonScan) digits() *Error {
	if !isDigit(s.peek()) {
		return s.fail("a digit")
	}
	for isDigit(s.peek()) {
		s.pos++
	}
	return nil
}

func (s *jsonScan) str() *Error {
	s.pos++
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return nil
		case c < ' ':
			return s.fail("an escape for a control character")
		case c != '\\':
			s.pos++
		default:
			if err := s.escape(); err != nil {
				return err
			}
		}
	}
	return s.fail("a closing quote")
}

func (s *jsonScan) escape() *Error {
	s.pos++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return nil
	case 'u':
		s.pos++
	default:
		return s.fail("an escape sequence")
	}
	for range 4 {
		if c := s.peek(); !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return s.fail("four hexadecimal digits")
		}
		s.pos++
	}
	return nil
}

func tooDeep(f Format, offset int) *Error {
	return &Error{Format: f, Kind: Malformed, Offset: offset, Expected: maxDepthText}
}
