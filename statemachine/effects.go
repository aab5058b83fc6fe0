package statemachine

import "time"

// Effects is a step's only connection to the world. Everything that it answers
// belongs to the entry that is being stepped, so that a replay of the journal
// gets the same answers. It is valid until the step returns, and only on the
// step's own goroutine.
type Effects[O any] struct {
	moment *Moment
	name   Name
}

// Self returns the name of the process.
func (fx *Effects[O]) Self() Name { return fx.name }

// Now returns the time of the entry, in UTC: the same however often it is asked
// within one step, never before that of an earlier entry. For a journaled input it is
// the time at which its batch was appended.
func (fx *Effects[O]) Now() time.Time { return time.Unix(0, fx.moment.now()).UTC() }

// Rand returns the next of a sequence of evenly distributed numbers that is
// decided by the entry. It is not fit for secrets.
func (fx *Effects[O]) Rand() uint64 { return fx.moment.rand() }

// Stop ends the process once the step has returned, because of r: normal, a
// shutdown, or an error of its own, made with Crash. Its output is still the
// reply. Terminate is told r and the state that the step returned; then the
// supervisor does what the restart type says. OTP: {stop, Reason, Reply, State}.
func (fx *Effects[O]) Stop(r Reason) { fx.moment.exit = &Exit{Reason: r} }

// StopNoReply is Stop without a reply: the caller gets an *ExitError. OTP:
// {stop, Reason, State}.
func (fx *Effects[O]) StopNoReply(r Reason) { fx.moment.exit = &Exit{Reason: r, NoReply: true} }

// Exit is the wish of a step that its process ends.
type Exit struct {
	Reason  Reason
	NoReply bool
}

// Moment is the time and the randomness of the entry being stepped. A loop has
// one and sets it before each step; it is not safe for concurrent use.
type Moment struct {
	clock  func() int64
	goexit func(*CrashError)
	time   int64
	seed   uint64
	exit   *Exit
}

// NewMoment returns a Moment that reads the time, in nanoseconds of Unix time,
// from clock (which any goroutine may call), at most once for each entry and
// only for a step that asks. A Step or Init that calls runtime.Goexit takes the
// goroutine that runs it away from the loop: goexit is then called, on that
// goroutine, with the crash, in place of a return from Process.Step or Init.
func NewMoment(clock func() int64, goexit func(*CrashError)) *Moment {
	return &Moment{clock: clock, goexit: goexit}
}

// Set begins an entry. A time of zero is read from the clock when it is asked for.
func (m *Moment) Set(time int64, seed uint64) { m.time, m.seed, m.exit = time, seed, nil }

// Exit returns what the step asked for, nil for nothing. Only valid after a step that did not crash.
func (m *Moment) Exit() *Exit { return m.exit }

// mustGoOn makes a crash of a read-only step that asked for an end: it is not
// journaled, so that a replay would not meet it.
func (m *Moment) mustGoOn() {
	if m.exit != nil {
		panic("a read-only input asked its process to stop")
	}
}

func (m *Moment) now() int64 {
	if m.time == 0 {
		m.time = m.clock()
	}
	return m.time
}

// rand is splitmix64, whose state is the seed.
func (m *Moment) rand() uint64 {
	m.seed += 0x9e3779b97f4a7c15
	z := m.seed
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
