package boltlog_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lineshaft/lineshaft/journal"
)

// crashFile is the variable that tells a child of TestKill which file to append to.
const crashFile = "BOLTLOG_TEST_FILE"

// The child's work: several batches are under way at a time, and every saveEvery batches it saves.
const (
	underWay  = 8
	saveEvery = 50
	keep      = 20 // batches that a save leaves
)

// crashData is the content of the batch with an index: it takes several pages now and then.
func crashData(index uint64) []byte {
	return fmt.Appendf(nil, "batch %d %s", index, strings.Repeat(".", int(index*index%7000)))
}

// TestKill starts a program that appends, kills it at some moment, and looks at what it has left; and so on, always with
// the same file. What was acknowledged is there, and whatever else is there is whole.
func TestKill(t *testing.T) {
	const rounds = 8
	r := random(t)
	path := filepath.Join(t.TempDir(), "journal")
	var acknowledged, saved uint64
	for range rounds {
		acknowledged, saved = killOnce(t, path, r.IntN(300), acknowledged, saved)
		mustBeIntact(t, path)
		log := open(t, path)
		got := read(t, log)
		closeLog(t, log)
		last := got.index + uint64(len(got.batches))
		t.Logf("acknowledged %d, saved %d; found %d, saved %d", acknowledged, saved, last, got.index)
		if last < acknowledged || last > acknowledged+underWay {
			t.Fatalf("batch %d was the last acknowledged, %d is the last found", acknowledged, last)
		}
		if got.index < saved {
			t.Fatalf("index %d was saved, %d is found", saved, got.index)
		}
		if state := got.states["p"]; got.index != 0 && state != string(crashData(got.index)) {
			t.Fatalf("the state is %q at index %d", state, got.index)
		}
		for i, data := range got.batches {
			if index := got.index + 1 + uint64(i); data != string(crashData(index)) {
				t.Fatalf("batch %d is %q", index, data)
			}
		}
		acknowledged, saved = last, got.index
	}
}

// killOnce starts the child, kills it after it has acknowledged some batches, and returns the last index that it has
// acknowledged, and saved.
func killOnce(t *testing.T, path string, after int, acknowledged, saved uint64) (uint64, uint64) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(exe, "-test.run=^TestKillChild$")
	child.Env = append(os.Environ(), crashFile+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		if n == after {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			break // a line that was cut short acknowledges nothing
		}
		what, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		index, err := strconv.ParseUint(number, 10, 64)
		switch {
		case err != nil:
			t.Fatalf("the child says %q", line)
		case what == "saved":
			saved = index
		case index != acknowledged+1:
			t.Fatalf("batch %d was acknowledged after %d", index, acknowledged)
		default:
			acknowledged = index
		}
	}
	if exit := (*exec.ExitError)(nil); !errors.As(child.Wait(), &exit) || exit.Exited() {
		t.Fatal("the child has ended by itself")
	}
	return acknowledged, saved
}

// TestKillChild is the program that TestKill kills.
func TestKillChild(t *testing.T) {
	path := os.Getenv(crashFile)
	if path == "" {
		t.Skip("only TestKill runs it")
	}
	log := open(t, path)
	got := read(t, log)
	next := got.index + uint64(len(got.batches))
	room := make(chan struct{}, underWay)
	var failed atomic.Bool
	for !failed.Load() {
		room <- struct{}{}
		next++
		var b journal.Builder
		if err := b.Add(journal.KindInput, "p", crashData(next)); err != nil {
			t.Fatal(err)
		}
		log.Append(b.Seal(), func(index uint64, err error) {
			if err != nil {
				failed.Store(true)
				fmt.Println(err)
			} else {
				fmt.Println("appended", index)
			}
			<-room
		})
		if next%saveEvery == 0 {
			index := next - keep
			log.Save(journal.Update{Index: index, States: put("p", crashData(index))}, func(err error) {
				if err != nil {
					failed.Store(true)
					fmt.Println(err)
				} else {
					fmt.Println("saved", index)
				}
			})
		}
	}
}
