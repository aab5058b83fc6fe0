package eventloop

import (
	"encoding/json"
	"fmt"
)

// bounds are what of a Config decides what comes of the inputs in a journal: a
// replay goes by those of the program that wrote them.
type bounds struct {
	Queue int   `json:"queue"`
	Keys  int64 `json:"keys"`
}

// bounds are those of c.
func (c Config) bounds() bounds { return bounds{c.QueueLen, c.KeyBytes} }

// record is the data of a KindStart.
func (b bounds) record() []byte {
	data, err := json.Marshal(b)
	if err != nil {
		panic(err) // it is two numbers
	}
	return data
}

// read is the inverse of record. Earlier versions wrote nothing.
func (b *bounds) read(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, b); err != nil {
		return fmt.Errorf("a start of the program: %w", err)
	}
	return nil
}
