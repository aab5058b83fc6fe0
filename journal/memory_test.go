package journal_test

import (
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/journal/journaltest"
)

func TestMemory(t *testing.T) {
	journaltest.Run(t, func(*testing.T) func() journal.Log {
		log := new(journal.Memory)
		return func() journal.Log {
			log = log.Reopen()
			return log
		}
	})
}

// TestMemoryReopen takes what kill -9 would have left: what either appends since, the other does not see.
func TestMemoryReopen(t *testing.T) {
	var before journal.Memory
	add := func(m *journal.Memory, data string) {
		t.Helper()
		var b journal.Builder
		if err := b.Add(journal.KindInput, "p", []byte(data)); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		m.Append(b.Seal(), func(_ uint64, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	content := func(m *journal.Memory) string {
		t.Helper()
		var all strings.Builder
		err := m.Recover(func(journal.Snapshot) error { return nil }, func(_ uint64, b journal.Batch) error {
			for e := range b.Entries() {
				all.Write(e.Data)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all.String()
	}
	for _, data := range []string{"a", "b", "c", "d", "e"} { // so many that there is room behind the last
		add(&before, data)
	}
	after := before.Reopen()
	add(after, "F")
	add(&before, "f")
	add(&before, "g")
	if got := content(&before); got != "abcdefg" {
		t.Errorf("the old one holds %s", got)
	}
	if got := content(after); got != "abcdeF" {
		t.Errorf("the new one holds %s", got)
	}
}
