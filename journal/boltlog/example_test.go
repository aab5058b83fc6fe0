package boltlog_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/boltlog"
)

// A counter that survives: each start recovers what the ones before were told is durable.
func Example() {
	dir, err := os.MkdirTemp("", "boltlog")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for range 3 {
		log, err := boltlog.Open(filepath.Join(dir, "counter.journal"), boltlog.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		count := 0
		err = log.Recover(func(journal.Snapshot) error { return nil }, func(_ uint64, b journal.Batch) error {
			count += b.Len()
			return nil
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("counted:", count)

		var b journal.Builder
		if err := b.Add(journal.KindInput, "counter", []byte("increment")); err != nil {
			fmt.Println(err)
			return
		}
		log.Append(b.Seal(), func(index uint64, err error) { fmt.Println("durable:", index, err) })
		if err := log.Close(); err != nil { // waits for what is under way
			fmt.Println(err)
		}
	}
	// Output:
	// counted: 0
	// durable: 1 <nil>
	// counted: 1
	// durable: 2 <nil>
	// counted: 2
	// durable: 3 <nil>
}

// What is no journal is refused, and left as it was.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "boltlog")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(path, []byte("buy milk\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	_, err = boltlog.Open(path, boltlog.Options{})
	fmt.Println(errors.Is(err, journal.ErrFormat))
	fmt.Println(err.Error()[len("journal file "+dir):])
	// Output:
	// true
	// /notes.txt: not a journal: it is not a bbolt file
}
