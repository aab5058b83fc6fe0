package journal

import "fmt"

// Kind says what an Entry is. The zero Kind is none: a Batch never holds one.
type Kind uint8

// The kinds. A new kind is a new format version: the last two came with version 2.
const (
	KindStart Kind = 1 // the program started: the tree is started anew from the states at this point
	KindInput Kind = 2 // process Name was given the input Data
	KindExit  Kind = 3 // process Name ended, and no input in the journal says why: Data does
	KindChild Kind = 4 // supervisor Name was asked for a change of its children: Data says which

	KindSent    Kind = 5 // process Name was given an input: Data says how, and which
	KindMessage Kind = 6 // process Name was told something by the loop: Data says what
)

// String is the kind's name in lower case, or its number if it has none.
func (k Kind) String() string {
	switch k {
	case KindStart:
		return "start"
	case KindInput:
		return "input"
	case KindExit:
		return "exit"
	case KindChild:
		return "child"
	case KindSent:
		return "sent"
	case KindMessage:
		return "message"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

func (k Kind) known(version uint32) bool { return KindStart <= k && k.version() <= version }

// version is the format version that k came with.
func (k Kind) version() uint32 {
	switch {
	case k <= KindChild:
		return 1
	case k <= KindMessage:
		return 2
	}
	return batchVersion + 1
}

// Entry is one record of a Batch. Name and Data are views of the batch's bytes: they live as long as those and must not
// be changed.
type Entry struct {
	Kind Kind
	Name []byte // of a process, any bytes, at most MaxNameBytes; empty for KindStart
	Data []byte // the input's msgpack encoding, or what the kind says
}
