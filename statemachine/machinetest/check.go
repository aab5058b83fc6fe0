package machinetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// SeedVariable is the environment variable that a failed check says how to set,
// to be repeated: MACHINETEST_SEED=123 go test -run TestCounter
const SeedVariable = "MACHINETEST_SEED"

// Config says how much is checked. The zero value is what Check does.
type Config struct {
	// Seed decides which sequences are tried. Zero means that of SeedVariable
	// or, if that is not set, another one each time.
	Seed uint64

	// Sequences is how many are tried. Zero means DefaultSequences.
	Sequences int

	// Steps is how many inputs a sequence has. Zero means DefaultSteps.
	Steps int

	_ struct{}
}

// Defaults of Config.
const (
	DefaultSequences = 20
	DefaultSteps     = 50
)

// withDefaults returns c checked and completed.
func (c Config) withDefaults() (Config, error) {
	if c.Sequences < 0 || c.Steps < 0 {
		return c, fmt.Errorf("%d Sequences of %d Steps: negative", c.Sequences, c.Steps)
	}
	if c.Sequences == 0 {
		c.Sequences = DefaultSequences
	}
	if c.Steps == 0 {
		c.Steps = DefaultSteps
	}
	if c.Seed != 0 {
		return c, nil
	}
	c.Seed = rand.Uint64()
	if text, ok := os.LookupEnv(SeedVariable); ok {
		seed, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			return c, fmt.Errorf("%s: %w", SeedVariable, err)
		}
		c.Seed = seed
	}
	return c, nil
}

// Check fails t if sequences of the inputs show that m breaks a [Rule]. It must
// not be called from within a synctest bubble.
func Check[S, I, O any](t *testing.T, m *statemachine.Machine[S, I, O], inputs []I) {
	t.Helper()
	CheckConfig(t, Config{}, m, inputs)
}

// CheckConfig is Check for those who want another Config.
func CheckConfig[S, I, O any](t *testing.T, cfg Config, m *statemachine.Machine[S, I, O], inputs []I) {
	t.Helper()
	c, err := newChecker(cfg, m, inputs)
	if err != nil {
		t.Fatalf("machinetest: %v", err)
	}
	for _, p := range c.inBubbles(t) {
		t.Errorf("machinetest: %v\n(%s=%d repeats it)", p, SeedVariable, c.cfg.Seed)
	}
}

// Problems is Check where there is no test: it returns what Check reports. No
// time passes meanwhile, so that of the rule NoClock it sees little.
func Problems[S, I, O any](cfg Config, m *statemachine.Machine[S, I, O], inputs []I) ([]Problem, error) {
	c, err := newChecker(cfg, m, inputs)
	if err != nil {
		return nil, fmt.Errorf("machinetest: %w", err)
	}
	c.pass = func(time.Duration) {}
	for i := range c.cfg.Sequences {
		c.sequence(i + 1)
	}
	return c.problems, nil
}

// inBubbles tries all sequences, each where time is virtual.
func (c *checker[S, I, O]) inBubbles(t *testing.T) []Problem {
	c.pass = time.Sleep
	for i := range c.cfg.Sequences {
		synctest.Test(t, func(*testing.T) { c.sequence(i + 1) })
	}
	return c.problems
}

func newChecker[S, I, O any](cfg Config, m *statemachine.Machine[S, I, O], inputs []I) (*checker[S, I, O], error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if len(inputs) == 0 {
		return nil, errors.New("no inputs to try")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &checker[S, I, O]{m: m, cfg: cfg, inputs: inputs, found: map[Rule]bool{}}
	c.states = images[S]{codec: m.State, deep: m.State == nil}
	c.ins = images[I]{codec: m.Input}
	c.outs = images[O]{codec: m.Output}
	c.asks = images[asked]{deep: m.State == nil}
	c.probe = newProbe(m)
	return c, nil
}
