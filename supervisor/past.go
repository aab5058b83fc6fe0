package supervisor

import (
	"fmt"
	"strings"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// past is what a node remembers of its incarnations. Most nodes have none.
type past struct {
	exit    ended             // the last end of a process
	failure ended             // the last start that failed; it has no class
	because statemachine.Name // of the last start, see Node.RestartedFor

	upAt int64 // when it came up last, in nanoseconds; unset before there was a past
	due  int64 // restarting, with a Backoff: when it is to be started

	crashes uint32 // ends by itself that were not clean
	missed  uint32 // incarnations that did not come up; see Node.starts
	lag     uint32 // how many of them are later than the last that did; see Node.upGen
	tries   uint32 // consecutive tries, as Backoff counts them
}

// ended is an end that is remembered. It has only a text for the error that was
// its cause: nothing of a panic's value or stack stays in memory, and a tree
// that was restored knows as much.
type ended struct {
	known bool
	class statemachine.Class
	text  string
	at    int64 // nanoseconds
}

// textMax is how many bytes of an error's text are remembered.
const textMax = 1 << 10

// remember returns n's past, a new one if it has none.
func (n *Node) remember() *past {
	if n.past == nil {
		n.past = new(past)
	}
	return n.past
}

// starts returns how many incarnations came up.
func (n *Node) starts() uint32 {
	if n.past == nil {
		return n.begun()
	}
	return n.begun() - n.past.missed
}

// upGen returns the latest incarnation that came up, 0 if none has.
func (n *Node) upGen() uint32 {
	if n.past == nil {
		return n.begun()
	}
	return n.begun() - n.past.lag
}

// begun returns how many incarnations there were whose start has been answered.
func (n *Node) begun() uint32 {
	if n.state == starting {
		return n.gen - 1
	}
	return n.gen
}

// ended takes note of the end of n's process, unless n is forgotten with it.
func (t *Tree) ended(n *Node, reason statemachine.Reason) {
	own := true
	if p := n.parent; p != nil {
		if n.state == ending {
			own = false
			if o := p.sup.op; o != opGroupEnd && (o != opTerminateChild || p.sup.pool()) {
				return
			}
		}
		if n.restart == Temporary {
			return
		}
	}
	past := n.remember()
	past.exit = ended{known: true, class: reason.Class, text: textOf(reason.Detail), at: t.nanos}
	if own && !reason.Class.Clean() {
		past.crashes++
	}
}

// startedFor takes note of whose restart n's start is, nil if nobody's.
func (n *Node) startedFor(because *Node) {
	switch {
	case because != nil && because.parent == n.parent:
		n.remember().because = because.name
	case n.past != nil:
		n.past.because = ""
	}
}

// LastExit returns why n's process ended the last time, false if none has
// ended. Its Detail has the text of the original's, at most 1 KiB of it. Not
// remembered are ends that come with the end of n's supervisor, whose own says
// why, and those of children that are forgotten when they end.
func (n *Node) LastExit() (reason statemachine.Reason, ok bool) {
	if n.past == nil || !n.past.exit.known {
		return statemachine.Reason{}, false
	}
	return statemachine.Reason{Class: n.past.exit.class, Detail: n.past.exit.err()}, true
}

// LastExitTime returns when that was, in the time of SetNow; 0 if LastExit has
// nothing.
func (n *Node) LastExitTime() int64 {
	if n.past == nil {
		return 0
	}
	return n.past.exit.at
}

// LastFailure returns why the last start of n that failed did, nil if none has
// failed: an error with the text of the original, at most 1 KiB of it.
func (n *Node) LastFailure() error {
	if n.past == nil {
		return nil
	}
	return n.past.failure.err()
}

// LastFailureTime returns when that was, in the time of SetNow; 0 if no start
// has failed.
func (n *Node) LastFailureTime() int64 {
	if n.past == nil {
		return 0
	}
	return n.past.failure.at
}

// Crashes returns how many processes of n ended by themselves in another way
// than a transient child may end: killed or crashed. Starts that failed and
// Temporary children are not counted.
func (n *Node) Crashes() int {
	if n.past == nil {
		return 0
	}
	return int(n.past.crashes)
}

// Tries returns how often in a row n has been started again, or will be, by
// the count of its supervisor's Backoff; 0 without one.
func (n *Node) Tries() int {
	if n.past == nil {
		return 0
	}
	return int(n.past.tries)
}

// RetryTime returns when n is to be started again, in the time of SetNow; false
// if it does not wait for the delay of a Backoff.
func (n *Node) RetryTime() (nanos int64, ok bool) {
	if n.state != restarting || n.past == nil || n.past.due == 0 {
		return 0, false
	}
	return n.past.due, true
}

// RestartedFor returns the child, of the same supervisor, whose end or failed
// start was what n was last started for: n itself, or the sibling with which it
// was restarted. Empty if that start was no restart, or one of its supervisor.
func (n *Node) RestartedFor() statemachine.Name {
	if n.past == nil {
		return ""
	}
	return n.past.because
}

// err returns the text as an error, nil if it is of none.
func (e *ended) err() error {
	if e.text == "" {
		return nil
	}
	return remembered(e.text)
}

// remembered is what is left of an error: its text.
type remembered string

func (r remembered) Error() string { return string(r) }

// info returns what an operator sees of e, nil if nothing has ended.
func (e *ended) info(class string) *statemachine.Ended {
	if !e.known {
		return nil
	}
	return &statemachine.Ended{Class: class, Detail: e.text, At: time.Unix(0, e.at).UTC()}
}

// textOf returns what is remembered of err: UTF-8, at most textMax bytes and a
// sign that there were more.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	var text string
	if e, ok := err.(*StartError); ok {
		text = e.beginning()
	} else {
		text = say(err)
	}
	if len(text) > textMax {
		text = text[:textMax] + "…"
	}
	if text = strings.ToValidUTF8(text, ""); text == "" {
		return fmt.Sprintf("%T", err)
	}
	return text
}

// beginning returns e's text, only as many levels of it as are remembered: each
// supervisor above has one more.
func (e *StartError) beginning() string {
	var b strings.Builder
	for b.Len() <= textMax {
		fmt.Fprintf(&b, "failed to start child %q: ", e.Name)
		next, ok := e.Err.(*StartError)
		if !ok {
			b.WriteString(say(e.Err))
			break
		}
		e = next
	}
	return b.String()
}

// say returns err's text. Errors are the user's code: one that panics when
// asked for its text must not end the program.
func say(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprint(err) // which survives it
		}
	}()
	return err.Error()
}
