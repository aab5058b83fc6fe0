package boltlog_test

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
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

// The child's work: several batches are under way at a time, and every saveEvery batches it may save; see saves.
const (
	underWay  = 8
	saveEvery = 50
	keep      = 20 // batches that a save leaves

	linesMax = 20_000 // of a child that must die by itself
)

// crashData is the content of the batch with an index: it takes several pages now and then.
func crashData(index uint64) []byte {
	return fmt.Appendf(nil, "batch %d %s", index, strings.Repeat(".", int(index*index%7000)))
}

// crashStates are the states that are saved at an index: a small one, or many and large ones, or nil.
func crashStates(index uint64) map[string]string {
	data := string(crashData(index))
	states := map[string]string{"p": data}
	switch (index + keep) / saveEvery % 5 {
	case 0:
		return states
	case 4:
		states["large"] = strings.Repeat(data+"\n", 1_000_000/len(data))
		for i := range 40 {
			states[fmt.Sprint("state ", i)] = data
		}
		return states
	}
	return nil
}

// killed is a file that programs are killed over, again and again, and what they were told.
type killed struct {
	path                string
	acknowledged, saved uint64 // indices
}

// TestKill starts a program that appends, kills it at some moment, and looks at what it has left; and so on, always with
// the same file. What was acknowledged is there, and whatever else is there is whole.
func TestKill(t *testing.T) {
	const rounds = 8
	r := random(t)
	k := killed{path: filepath.Join(t.TempDir(), "journal")}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range rounds {
		k.run(t, exec.Command(exe, "-test.run=^TestKillChild$"), r.IntN(600))
		k.check(t)
	}
}

// check looks at what is left.
func (k *killed) check(t *testing.T) {
	t.Helper()
	mustBeIntact(t, k.path)
	log := open(t, k.path)
	got := read(t, log)
	closeLog(t, log)
	last := got.index + uint64(len(got.batches))
	t.Logf("acknowledged %d, saved %d; found %d, saved %d", k.acknowledged, k.saved, last, got.index)
	if last < k.acknowledged || last > k.acknowledged+underWay {
		t.Fatalf("batch %d was the last acknowledged, %d is the last found", k.acknowledged, last)
	}
	if got.index < k.saved {
		t.Fatalf("index %d was saved, %d is found", k.saved, got.index)
	}
	if got.index != 0 {
		want := crashStates(got.index)
		if !maps.Equal(want, got.states) && len(want) > 1 || want["p"] != got.states["p"] {
			t.Fatalf("%d states at index %d; want %d", len(got.states), got.index, len(want))
		}
	}
	for i, data := range got.batches {
		if index := got.index + 1 + uint64(i); data != string(crashData(index)) {
			t.Fatalf("batch %d is %q", index, data)
		}
	}
	k.acknowledged, k.saved = last, got.index
}

// run runs the child, and kills it after it has acknowledged some batches; if after is less than zero it must end by
// itself, and fail. It returns how many it has acknowledged.
func (k *killed) run(t *testing.T, child *exec.Cmd, after int) (n int) {
	t.Helper()
	child.Env = append(os.Environ(), append(child.Env, crashFile+"="+k.path)...)
	if child.Stderr == nil {
		child.Stderr = os.Stderr
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for ; ; n++ {
		if after < 0 && n == linesMax {
			t.Errorf("the child goes on after %d lines", n)
			after = n
		}
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
			k.saved = index
		case index != k.acknowledged+1:
			t.Fatalf("batch %d was acknowledged after %d", index, k.acknowledged)
		default:
			k.acknowledged = index
		}
	}
	exit := (*exec.ExitError)(nil)
	if !errors.As(child.Wait(), &exit) || exit.Exited() != (after < 0) {
		t.Fatal("the child has ended by itself")
	}
	return n
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
	saving := make(chan struct{}, 1)
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
		index := next - keep
		if states := crashStates(index); next%saveEvery == 0 && states != nil {
			saving <- struct{}{} // one at a time
			if next%(10*saveEvery) == 0 {
				go func() { _ = log.Compact(nil) }()
			}
			log.Save(journal.Update{Index: index, States: putAll(states)}, func(err error) {
				if err != nil {
					failed.Store(true)
					fmt.Println(err)
				} else {
					fmt.Println("saved", index)
				}
				<-saving
			})
		}
	}
}
