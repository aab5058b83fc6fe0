package statemachine

// Moment is the time and the randomness of the entry being stepped, and what
// its step asked for. A loop has one and sets it before each step and each
// Init; it is not safe for concurrent use.
type Moment struct {
	clock   func() int64
	goexit  func(*CrashError)
	time    int64
	seed    uint64
	from    From
	touched bool // whether any of the following may be set: most steps touch none
	noReply bool
	hide    bool // the state is not to be read before something else is stepped
	message Message
	exit    *Stop
	effects []Effect // reused
	spares  spares
}

// Stop is the wish of a step that its process ends.
type Stop struct {
	Reason  Reason
	NoReply bool
}

// NewMoment returns a Moment that reads the time, in nanoseconds of Unix time,
// from clock (which any goroutine may call), at most once for each entry and
// only for a step that asks. A Step, Init or Message that calls runtime.Goexit
// takes the goroutine that runs it away from the loop: goexit is then called, on
// that goroutine, with the crash, in place of a return from Process.Step, Init
// or FromMessage.
func NewMoment(clock func() int64, goexit func(*CrashError)) *Moment {
	return &Moment{clock: clock, goexit: goexit}
}

// Set begins an entry for whose output nobody waits. A time of zero is read
// from the clock when it is asked for.
func (m *Moment) Set(time int64, seed uint64) {
	m.time, m.seed, m.from = time, seed, 0
	if m.touched {
		m.drop()
	}
}

// SetFrom says, after Set, who waits for the output of the entry.
func (m *Moment) SetFrom(from From) { m.from = from }

// Hide keeps the state that the next step returns from readers: something is to
// be stepped before they see one. So does a step or an Init that asks to continue.
func (m *Moment) Hide() { m.hide, m.touched = true, true }

// Effects returns what the step or Init asked for, in that order: valid until
// the next Set or Init. After one that crashed or failed there is nothing.
func (m *Moment) Effects() []Effect { return m.effects }

// NoReply reports whether the step gave its caller no reply, so that its output
// is to be ignored and the caller waits for an EffectReply. One of the same
// step counts: it is among its Effects.
func (m *Moment) NoReply() bool { return m.noReply }

// Exit returns the step's wish to end, nil if it has none. Only valid after a
// step that did not crash.
func (m *Moment) Exit() *Stop { return m.exit }

// effectsKept is how many effects there may be for their memory to be reused.
const effectsKept = 1 << 10

// drop forgets what a step asked for.
func (m *Moment) drop() {
	m.touched, m.noReply, m.hide, m.message, m.exit = false, false, false, nil, nil
	if len(m.effects) > effectsKept {
		m.effects = nil
		return
	}
	for i := range m.effects { // of what they lead to
		e := &m.effects[i]
		e.Name, e.Tag, e.Value = "", "", nil
	}
	m.effects = m.effects[:0]
}

// stop records a wish to end.
func (m *Moment) stop(s Stop) { m.exit, m.touched = &s, true }

// mustGoOn makes a crash of a read-only step that asked for something: it is
// not journaled, so that a replay would not meet it.
func (m *Moment) mustGoOn() {
	switch {
	case !m.touched:
	case m.exit != nil:
		panic("a read-only input asked its process to stop")
	case m.noReply:
		panic("a read-only input keeps its caller waiting: no reply")
	case len(m.effects) > 0:
		panic("a read-only input asked for an effect: " + m.effects[0].String())
	}
}

// mustStart makes a crash of an Init that asked for an end.
func (m *Moment) mustStart() {
	if m.exit != nil {
		panic("Init asked its process to stop: it can return an error")
	}
}

// Time returns the time of the entry, in nanoseconds of Unix time.
func (m *Moment) Time() int64 { return m.now() }

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
