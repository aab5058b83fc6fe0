package journaltest_test

import (
	"fmt"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/journaltest"
)

// memory is the Storage of a journal.Memory: what is durable in one is what the next begins with.
func memory(*testing.T) func() journal.Log {
	log := new(journal.Memory)
	return func() journal.Log {
		log = log.Reopen()
		return log
	}
}

func ExampleStorage() {
	open := journaltest.Storage(memory)(nil)
	for range 2 {
		log := open()
		log.Append(new(journal.Builder).Seal(), func(index uint64, err error) { fmt.Println(index, err) })
		if err := log.Close(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
}

func TestRun(t *testing.T) { journaltest.Run(t, memory) }
