package statem

import (
	"fmt"
	"strings"
	"sync"
)

// trace is written by a player and by the machine that it plays, on goroutines
// of their own.
type trace struct {
	mu    sync.Mutex
	out   strings.Builder
	lines []line // of the present operation
	next  int    // replies are expected in order: this line's or a later one's

	// zero are the timeouts that may wait without time: see sets. Of those that
	// were postponed once, postponed, an event may be a timeout or a retried one.
	zero, postponed map[string]bool
	lost            bool
}

// line is one line of what happened, or a reply that a machine has asked for:
// that stands where it was asked for, once it is sent.
type line struct {
	text          string
	caller, reply string
	sent          bool
}

func (t *trace) line(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line{text: fmt.Sprintf(format, args...)})
}

// replies notes that the machine has asked for a reply.
func (t *trace) replies(caller, reply string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line{caller: caller, reply: reply})
}

// replied notes that a caller got its reply.
func (t *trace) replied(caller, reply string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := t.next; i < len(t.lines); i++ {
		if l := &t.lines[i]; l.caller == caller && l.reply == reply {
			l.sent, t.next = true, i+1
			return
		}
	}
	t.lines = append(t.lines, line{text: fmt.Sprintf("reply %s %s: not now", caller, reply)})
}

func (t *trace) echo(op string) { fmt.Fprintf(&t.out, "> %s\n", op) }

// finish ends an operation; state is how the machine is now.
func (t *trace) finish(results []string, state string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lines {
		switch {
		case l.caller == "":
			t.out.WriteString(l.text + "\n")
		case l.sent:
			fmt.Fprintf(&t.out, "reply %s %s\n", l.caller, l.reply)
		}
	}
	t.lines, t.next, t.zero = nil, 0, map[string]bool{}
	for _, r := range results {
		t.out.WriteString("result " + r + "\n")
	}
	t.out.WriteString(state + "\n")
}

// arrived notes an event, which may be a timeout: those carry what is not
// inserted by itself.
func (t *trace) arrived(ev event) {
	if !strings.HasPrefix(ev.Content.Event, "i") && !t.postponed[string(ev.Type)] {
		delete(t.zero, string(ev.Type))
	}
}

// sets notes a timeout that a callback asks for. OTP loses one that waits
// without time if it is then set to some: lost says that this may have happened.
func (t *trace) sets(a []string) {
	switch a[1] {
	case "cancel", "infinity": // may be overruled
	case "update", "0":
		t.zero[a[0]] = true
	default:
		t.lost = t.lost || t.zero[a[0]]
	}
}
