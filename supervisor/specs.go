package supervisor

import (
	"math"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// Child is the spec of a child: a [Worker] or a [Supervisor], by value.
type Child interface {
	// common returns what the two have in common.
	common() common
}

// Worker is the spec of a child that runs a machine (OTP: a child spec of type
// worker). Name and Machine are required; the zero value of every other field
// is OTP's default.
type Worker struct {
	// Name is what the process is registered under and the supervisor knows the
	// child by (OTP: id). It is unique in the whole tree. In the template of a
	// SimpleOneForOne supervisor it only names the template.
	Name statemachine.Name

	// Machine is what the process runs.
	Machine statemachine.Server

	// Restart says after which exits the child is started again. Zero: Permanent.
	Restart Restart

	// Shutdown is the grace the child has to terminate when its supervisor ends
	// it; then it is killed. BrutalKill: it is killed at once, without
	// Terminate. Infinity: no limit. Zero means DefaultShutdown.
	Shutdown time.Duration

	// Significant makes the child's own end count for its supervisor's
	// AutoShutdown. Not allowed for a Permanent child, nor under Never.
	Significant bool

	_ struct{}
}

// special is the spec of a child of a SimpleOneForOne supervisor that has
// another Machine than the template.
type special struct{ Worker }

// Supervisor is the spec of a supervisor, the root or a child. Name is
// required; the zero value of every other field is OTP's default.
type Supervisor struct {
	// Name is as Worker.Name.
	Name statemachine.Name

	// Strategy says who is started again when a child is. Zero: OneForOne.
	Strategy Strategy

	// Intensity is how many restarts are allowed within Period; one more and
	// the supervisor ends its children and itself. NoRestarts allows none
	// (OTP's intensity 0). Zero means DefaultIntensity.
	Intensity int

	// Period is the window of Intensity, in whole seconds. Zero means
	// DefaultPeriod.
	Period time.Duration

	// MaxRestarts is how many restarts are allowed from the start of the
	// supervisor to its end, whenever they are; one more has the consequences of
	// one beyond Intensity. They are counted as for Intensity. Zero: no such limit.
	MaxRestarts int

	// Backoff makes restarts wait. Zero: they do not.
	Backoff Backoff

	// AutoShutdown says whether the ends of significant children end the
	// supervisor. Zero: Never.
	AutoShutdown AutoShutdown

	// Init is the supervisor's own init (OTP: Module:init/1), optional. The loop
	// calls it each time the supervisor starts, before any of its children does.
	// An error is a failed start of the supervisor; statemachine.ErrIgnore, or an
	// error that wraps it, is ignore: the start counts as a success, and nothing
	// runs. It is pure, as a machine's Init is: it does no I/O and reads no clock,
	// as it is called again when a journal is replayed.
	Init func() error

	// Restart says after which exits its parent starts it again. Zero:
	// Permanent. It means nothing for the root.
	Restart Restart

	// Shutdown is the grace that the whole subtree has when its parent ends it;
	// then all of it is killed. Zero means Infinity.
	Shutdown time.Duration

	// Significant is as Worker.Significant. Not allowed for the root.
	Significant bool

	// Children are started in this order and ended in reverse. Those of a
	// SimpleOneForOne supervisor are exactly one Worker, the template.
	Children []Child

	_ struct{}
}

// Special values and defaults of the specs' fields.
const (
	// BrutalKill as a Shutdown: kill at once.
	BrutalKill time.Duration = -1
	// Infinity as a Shutdown: wait for ever.
	Infinity time.Duration = math.MaxInt64
	// DefaultShutdown is the Shutdown of a Worker.
	DefaultShutdown = 5 * time.Second

	// NoRestarts as an Intensity: the first restart is one too many.
	NoRestarts = -1
	// DefaultIntensity is a Supervisor's Intensity.
	DefaultIntensity = 1
	// DefaultPeriod is a Supervisor's Period.
	DefaultPeriod = 5 * time.Second
)

// Restart says after which exits a child is started again (OTP: restart type).
type Restart uint8

const (
	// Permanent: after every exit.
	Permanent Restart = iota
	// Transient: after abnormal exits, all but normal, shutdown and {shutdown, _}.
	Transient
	// Temporary: never; the child is forgotten when it ends.
	Temporary
)

// String returns "permanent", "transient" or "temporary".
func (r Restart) String() string {
	return word(r, "permanent", "transient", "temporary")
}

// Strategy says which children a supervisor starts again when it restarts one.
type Strategy uint8

const (
	// OneForOne: only that child.
	OneForOne Strategy = iota
	// OneForAll: all children.
	OneForAll
	// RestForOne: that child and those after it in start order.
	RestForOne
	// SimpleOneForOne: only that child; all children are made from one template,
	// and added with StartChild.
	SimpleOneForOne
)

// String returns OTP's name: "one_for_one", "one_for_all", "rest_for_one" or
// "simple_one_for_one".
func (s Strategy) String() string {
	return word(s, "one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one")
}

// AutoShutdown says whether a supervisor ends itself when its significant
// children have ended by themselves and are not restarted.
type AutoShutdown uint8

const (
	// Never: it does not.
	Never AutoShutdown = iota
	// AnySignificant: when the first of them does.
	AnySignificant
	// AllSignificant: when none of them is left.
	AllSignificant
)

// String returns OTP's name: "never", "any_significant" or "all_significant".
func (a AutoShutdown) String() string {
	return word(a, "never", "any_significant", "all_significant")
}

// word returns the i-th of words.
func word[T ~uint8](i T, words ...string) string {
	if int(i) < len(words) {
		return words[i]
	}
	return "invalid"
}

// common is what both kinds of spec have, defaults applied.
type common struct {
	name        statemachine.Name
	restart     Restart
	shutdown    time.Duration
	significant bool
}

func (w Worker) common() common {
	return common{w.Name, w.Restart, or(w.Shutdown, DefaultShutdown), w.Significant}
}

func (s Supervisor) common() common {
	return common{s.Name, s.Restart, or(s.Shutdown, Infinity), s.Significant}
}

// intensity returns how many restarts are allowed within period seconds.
func (s *Supervisor) intensity() (restarts int, period int64) {
	restarts = or(s.Intensity, DefaultIntensity)
	if restarts == NoRestarts {
		restarts = 0
	}
	return restarts, int64(or(s.Period, DefaultPeriod) / time.Second)
}

// or returns v, or d where v is zero.
func or[T comparable](v, d T) T {
	if v == *new(T) {
		return d
	}
	return v
}
