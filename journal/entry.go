package journal

import "fmt"

// Kind says what an Entry is. The zero Kind is none: a Batch never holds one.
type Kind uint8

// The kinds of this format version. A new kind is a new format version.
const (
	KindStart Kind = 1 // the program started: the tree is started anew from the states at this point
	KindInput Kind = 2 // process Name was given the input Data
	KindCrash Kind = 3 // a read-only input crashed process Name; Data says how, in words
)

// String is the kind's name in lower case, or its number if it has none.
func (k Kind) String() string {
	switch k {
	case KindStart:
		return "start"
	case KindInput:
		return "input"
	case KindCrash:
		return "crash"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

func (k Kind) known() bool { return k == KindStart || k == KindInput || k == KindCrash }

// Entry is one record of a Batch. Name and Data are views of the batch's bytes: they live as long as those and must not
// be changed.
type Entry struct {
	Kind Kind
	Name []byte // of a process, any bytes, at most MaxNameBytes; empty for KindStart
	Data []byte // the input's msgpack encoding, or the crash in words
}
