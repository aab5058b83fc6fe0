package eventloop

import (
	"errors"
	"fmt"

	"github.com/lineshaft/lineshaft/journal"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// Config is what an application is started with. Root is required; every other
// field's zero value is its default.
type Config struct {
	// Root is the supervisor at the top of the tree.
	Root supervisor.Supervisor

	// QueueLen is how many inputs may wait to be stepped, and likewise how many
	// may wait for one process that is restarting. A caller beyond it waits for
	// room until its context ends. Zero means DefaultQueueLen.
	QueueLen int

	// BatchMax is how many inputs are journaled, or stepped, before the loop
	// looks at anything else. Zero means DefaultBatchMax.
	BatchMax int

	// Durability is what survives. Zero means None.
	Durability Durability

	// Log keeps states and journal; required unless Durability is None. The
	// loop uses it from Start until Done is closed; closing it is the caller's.
	Log journal.Log

	// SnapshotBytes is how long the journal may grow, in bytes of batches,
	// before the states are saved and the journal is truncated. Zero means
	// DefaultSnapshotBytes.
	SnapshotBytes int64

	// SnapshotEntries is the same in entries: those that the next start would have
	// to replay. Zero means DefaultSnapshotEntries.
	SnapshotEntries int

	// Tasks is how many works of machines are done at a time, each on a goroutine
	// of its own. Zero means DefaultTasks.
	Tasks int

	// KeyBytes is how much is remembered of the inputs with an idempotency key, in
	// bytes: process names, keys and outputs, and 64 bytes for each. The oldest are
	// forgotten first. Zero means DefaultKeyBytes.
	KeyBytes int64

	// Machines names the machines that children may be added with while the
	// application runs, over HTTP ("machine" in a child spec), or by StartChild
	// where their specs are kept. A spec in JSON is one of
	//
	//	{"worker": {"name": "kv4", "machine": "kv", "restart": "transient",
	//	            "shutdown": "5s", "significant": false}}
	//	{"supervisor": {"name": "pair", "strategy": "rest_for_one", "intensity": 1, "period": "5s",
	//	                "max_restarts": 10, "backoff": {"initial": "1s", "max": "1m"},
	//	                "auto_shutdown": "never", "restart": "permanent", "shutdown": "infinity",
	//	                "children": []}}
	//
	// with OTP's words, and OTP's defaults for what is left out; a shutdown may
	// be brutal_kill.
	Machines map[string]statemachine.Server

	// OnEvent, if set, is told what happens in the tree, in order, one event at
	// a time, while the loop stands still: it must return soon, and must not
	// call the Loop. It is not called for what a replay of the journal repeats.
	OnEvent func(Event)

	observe func(Step) error // of a Replay

	_ struct{}
}

// Defaults of Config.
const (
	DefaultQueueLen        = 4096
	DefaultBatchMax        = 1024
	DefaultSnapshotBytes   = 64 << 20
	DefaultSnapshotEntries = 1 << 20
	DefaultTasks           = 64
	DefaultKeyBytes        = 16 << 20
)

// Durability says what survives the end of the program.
type Durability uint8

const (
	// None: nothing is saved. A process that restarts begins anew.
	None Durability = iota
	// AtShutdown: what a process's state was when it terminated, in an orderly
	// stop or a restart by its supervisor, is what its next Init is given.
	AtShutdown
	// Always: moreover, a call's reply and a cast's acceptance mean that the
	// input is on disk; no crash of a machine, the program or the computer
	// loses it.
	Always
)

var durabilities = [...]string{None: "none", AtShutdown: "shutdown", Always: "always"}

// String returns "none", "shutdown" or "always".
func (d Durability) String() string { return durabilities[d] }

// UnmarshalText accepts what String returns.
func (d *Durability) UnmarshalText(text []byte) error {
	for i, s := range durabilities {
		if s == string(text) {
			*d = Durability(i)
			return nil
		}
	}
	return fmt.Errorf("durability %q: must be none, shutdown or always", text)
}

// withDefaults returns c checked and completed.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.QueueLen < 0:
		return c, fmt.Errorf("eventloop: QueueLen %d is negative", c.QueueLen)
	case c.BatchMax < 0:
		return c, fmt.Errorf("eventloop: BatchMax %d is negative", c.BatchMax)
	case c.SnapshotBytes < 0:
		return c, fmt.Errorf("eventloop: SnapshotBytes %d is negative", c.SnapshotBytes)
	case c.SnapshotEntries < 0:
		return c, fmt.Errorf("eventloop: SnapshotEntries %d is negative", c.SnapshotEntries)
	case c.KeyBytes < 0:
		return c, fmt.Errorf("eventloop: KeyBytes %d is negative", c.KeyBytes)
	case c.Tasks < 0:
		return c, fmt.Errorf("eventloop: Tasks %d is negative", c.Tasks)
	case c.Durability > Always:
		return c, fmt.Errorf("eventloop: unknown Durability %d", uint8(c.Durability))
	case c.Durability != None && c.Log == nil:
		return c, errors.New("eventloop: Durability " + c.Durability.String() + " needs a Log")
	}
	if c.QueueLen == 0 {
		c.QueueLen = DefaultQueueLen
	}
	if c.BatchMax == 0 {
		c.BatchMax = DefaultBatchMax
	}
	if c.SnapshotBytes == 0 {
		c.SnapshotBytes = DefaultSnapshotBytes
	}
	if c.SnapshotEntries == 0 {
		c.SnapshotEntries = DefaultSnapshotEntries
	}
	if c.KeyBytes == 0 {
		c.KeyBytes = DefaultKeyBytes
	}
	if c.Tasks == 0 {
		c.Tasks = DefaultTasks
	}
	return c, nil
}
