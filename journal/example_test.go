package journal_test

import (
	"fmt"

	"github.com/lineshaft/lineshaft/journal"
)

// A program is given two inputs, saves its state after the first, and starts anew: what it recovers is the state, and
// the input that is not in it.
func Example() {
	var log journal.Memory
	var b journal.Builder
	done := make(chan struct{})
	for i, input := range []string{"store x", "store y"} {
		b.Reset(int64(i))
		if err := b.Add(journal.KindInput, "kv", []byte(input)); err != nil {
			fmt.Println(err)
		}
		log.Append(b.Seal(), func(index uint64, err error) {
			fmt.Println("durable:", index, err)
			done <- struct{}{} // the builder is ours again
		})
		<-done
	}
	log.Save(journal.Update{
		Index: 1,
		States: func(yield func(string, journal.Encode) bool) {
			yield("kv", func(dst []byte) ([]byte, error) { return append(dst, "{x}"...), nil })
		},
	}, func(err error) {
		fmt.Println("saved:", err)
		close(done)
	})
	<-done
	if err := log.Close(); err != nil {
		fmt.Println(err)
	}

	err := log.Reopen().Recover(func(s journal.Snapshot) error {
		for name, state := range s.States {
			fmt.Printf("state of %s at %d: %s\n", name, s.Index, state)
		}
		return nil
	}, func(index uint64, b journal.Batch) error {
		for e := range b.Entries() {
			fmt.Printf("%d: %v %s: %s\n", index, e.Kind, e.Name, e.Data)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// durable: 1 <nil>
	// durable: 2 <nil>
	// saved: <nil>
	// state of kv at 1: {x}
	// 2: input kv: store y
}

// Damage is found before anything is read.
func ExampleDecode() {
	var b journal.Builder
	b.Reset(0)
	if err := b.Add(journal.KindInput, "kv", []byte("store x")); err != nil {
		fmt.Println(err)
	}
	sealed := b.Seal().Bytes()
	sealed[30] ^= 1 // never do this
	_, err := journal.Decode(sealed)
	fmt.Println(err)
	// Output:
	// damaged: at byte 0: CRC32C c292b6fa where the content has 2da2dde3
}
