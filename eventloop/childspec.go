package eventloop

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// specJSON is a child spec in JSON: exactly one of the two.
type specJSON struct {
	Worker     *workerJSON     `json:"worker,omitempty"`
	Supervisor *supervisorJSON `json:"supervisor,omitempty"`
}

type workerJSON struct {
	Name        statemachine.Name `json:"name"`
	Machine     string            `json:"machine,omitempty"` // a key of Config.Machines
	Restart     word              `json:"restart,omitempty"`
	Shutdown    shutdownJSON      `json:"shutdown,omitempty"`
	Significant bool              `json:"significant,omitempty"`
}

type supervisorJSON struct {
	Name         statemachine.Name `json:"name"`
	Strategy     word              `json:"strategy,omitempty"`
	Intensity    *int              `json:"intensity,omitempty"` // 0 is OTP's 0
	Period       string            `json:"period,omitempty"`
	MaxRestarts  int               `json:"max_restarts,omitempty"`
	Backoff      *backoffJSON      `json:"backoff,omitempty"`
	AutoShutdown word              `json:"auto_shutdown,omitempty"`
	Restart      word              `json:"restart,omitempty"`
	Shutdown     shutdownJSON      `json:"shutdown,omitempty"`
	Significant  bool              `json:"significant,omitempty"`
	Children     []specJSON        `json:"children,omitempty"`
}

type backoffJSON struct {
	Initial string  `json:"initial"`
	Max     string  `json:"max,omitempty"`
	Factor  float64 `json:"factor,omitempty"`
	Jitter  float64 `json:"jitter,omitempty"`
	Reset   string  `json:"reset,omitempty"`
	Seed    uint64  `json:"seed,omitempty"`
}

// word is one of OTP's names of a restart type, a strategy, or an auto_shutdown.
type word string

// shutdownJSON is a duration, brutal_kill or infinity.
type shutdownJSON string

var specs = codec.Of[specJSON]()

// errSpec is why a spec in JSON is none.
var errSpec = errors.New("not a child spec")

// decodeSpec reads a spec, whose machines are in Machines.
func (c *Config) decodeSpec(data []byte) (supervisor.Child, error) {
	s, err := specs.Decode(codec.JSON, data)
	var child supervisor.Child
	if err == nil {
		child, err = c.child(s)
	} else {
		err = errors.New(strings.TrimPrefix(err.Error(), "codec: "))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w: %w", statemachine.ErrInput, errSpec, err)
	}
	return child, nil
}

func (c *Config) child(s specJSON) (supervisor.Child, error) {
	switch {
	case s.Worker != nil && s.Supervisor == nil:
		return c.worker(s.Worker)
	case s.Supervisor != nil && s.Worker == nil:
		return c.supervisor(s.Supervisor)
	}
	return nil, errors.New(`it must have either "worker" or "supervisor"`)
}

func (c *Config) worker(w *workerJSON) (_ supervisor.Child, err error) {
	out := supervisor.Worker{Name: w.Name, Significant: w.Significant}
	if w.Machine != "" {
		m, ok := c.Machines[w.Machine]
		if !ok {
			return nil, fmt.Errorf("worker %q: there is no machine %q, but %q", w.Name, w.Machine, slices.Sorted(maps.Keys(c.Machines)))
		}
		out.Machine = m
	}
	out.Restart, err = oneOf(w.Restart, supervisor.Temporary)
	if err == nil {
		out.Shutdown, err = w.Shutdown.duration()
	}
	if err != nil {
		return nil, fmt.Errorf("worker %q: %w", w.Name, err)
	}
	return out, nil
}

func (c *Config) supervisor(s *supervisorJSON) (_ supervisor.Child, err error) {
	out := supervisor.Supervisor{Name: s.Name, Significant: s.Significant, MaxRestarts: s.MaxRestarts}
	if s.Intensity != nil {
		switch out.Intensity = *s.Intensity; {
		case out.Intensity < 0:
			return nil, fmt.Errorf("supervisor %q: intensity %d: must not be negative", s.Name, out.Intensity)
		case out.Intensity == 0:
			out.Intensity = supervisor.NoRestarts
		}
	}
	var errs [6]error
	out.Strategy, errs[0] = oneOf(s.Strategy, supervisor.SimpleOneForOne)
	out.AutoShutdown, errs[1] = oneOf(s.AutoShutdown, supervisor.AllSignificant)
	out.Restart, errs[2] = oneOf(s.Restart, supervisor.Temporary)
	out.Shutdown, errs[3] = s.Shutdown.duration()
	out.Period, errs[4] = duration(s.Period)
	out.Backoff, errs[5] = s.Backoff.backoff()
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("supervisor %q: %w", s.Name, err)
	}
	for _, child := range s.Children {
		spec, err := c.child(child)
		if err != nil {
			return nil, fmt.Errorf("supervisor %q: %w", s.Name, err)
		}
		out.Children = append(out.Children, spec)
	}
	return out, nil
}

func (b *backoffJSON) backoff() (out supervisor.Backoff, err error) {
	if b == nil {
		return out, nil
	}
	out.Factor, out.Jitter, out.Seed = b.Factor, b.Jitter, b.Seed
	var errs [3]error
	out.Initial, errs[0] = duration(b.Initial)
	out.Max, errs[1] = duration(b.Max)
	out.Reset, errs[2] = duration(b.Reset)
	return out, errors.Join(errs[:]...)
}

// oneOf returns the value of T, of those up to last, whose String is w; the
// zero value for no word.
func oneOf[T interface {
	~uint8
	fmt.Stringer
}](w word, last T) (T, error) {
	if w == "" {
		return 0, nil
	}
	for v := T(0); v <= last; v++ {
		if v.String() == string(w) {
			return v, nil
		}
	}
	var words []string
	for v := T(0); v <= last; v++ {
		words = append(words, v.String())
	}
	return 0, fmt.Errorf("%.40q is not one of %q", w, words)
}

func duration(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%q must be more than 0", s)
	}
	return d, err
}

func (s shutdownJSON) duration() (time.Duration, error) {
	switch s {
	case "brutal_kill":
		return supervisor.BrutalKill, nil
	case "infinity":
		return supervisor.Infinity, nil
	case "0s", "0":
		return 1, nil // a zero would be the default
	}
	return duration(string(s))
}

// encodeSpec writes the spec of r, so that a later start of the program can
// read it.
func (c *Config) encodeSpec(r *request) error {
	s, err := c.specJSON(r.spec)
	if err != nil {
		return fmt.Errorf("%w: %w", statemachine.ErrInput, err)
	}
	if r.record, err = json.Marshal(s); err != nil || s.Supervisor == nil {
		return err
	}
	if _, err := c.decodeSpec(r.record); err != nil { // it is too deep
		return fmt.Errorf("the next start of the program could not read it: %w", err)
	}
	return nil
}

func (c *Config) specJSON(child supervisor.Child) (specJSON, error) {
	switch s := child.(type) {
	case supervisor.Worker:
		w := &workerJSON{Name: s.Name, Restart: wordOf(s.Restart), Shutdown: shutdownWord(s.Shutdown), Significant: s.Significant}
		if s.Machine != nil {
			key, ok := c.machineKey(s.Machine)
			if !ok {
				return specJSON{}, fmt.Errorf("the machine of %q is not in Config.Machines: the next start of the program would not find it", s.Name)
			}
			w.Machine = key
		}
		return specJSON{Worker: w}, nil
	case supervisor.Supervisor:
		return c.supervisorSpec(s)
	}
	return specJSON{}, supervisor.ErrInvalidChildType
}

func (c *Config) supervisorSpec(s supervisor.Supervisor) (specJSON, error) {
	if s.Init != nil {
		return specJSON{}, fmt.Errorf("supervisor %q has an Init, which the next start of the program would not find", s.Name)
	}
	out := &supervisorJSON{
		Name: s.Name, Strategy: wordOf(s.Strategy), Period: durationWord(s.Period), MaxRestarts: s.MaxRestarts,
		AutoShutdown: wordOf(s.AutoShutdown), Restart: wordOf(s.Restart), Shutdown: shutdownWord(s.Shutdown), Significant: s.Significant,
	}
	if s.Intensity != 0 {
		n := max(s.Intensity, 0)
		out.Intensity = &n
	}
	if b := s.Backoff; b != (supervisor.Backoff{}) {
		out.Backoff = &backoffJSON{durationWord(b.Initial), durationWord(b.Max), b.Factor, b.Jitter, durationWord(b.Reset), b.Seed}
	}
	for _, child := range s.Children {
		spec, err := c.specJSON(child)
		if err != nil {
			return specJSON{}, err
		}
		out.Children = append(out.Children, spec)
	}
	return specJSON{Supervisor: out}, nil
}

func (c *Config) machineKey(m statemachine.Server) (string, bool) {
	for _, key := range slices.Sorted(maps.Keys(c.Machines)) {
		if c.Machines[key] == m {
			return key, true
		}
	}
	return "", false
}

func wordOf[T interface {
	~uint8
	fmt.Stringer
}](v T) word {
	if v == 0 {
		return ""
	}
	return word(v.String())
}

func durationWord(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func shutdownWord(d time.Duration) shutdownJSON {
	switch d {
	case supervisor.BrutalKill:
		return "brutal_kill"
	case supervisor.Infinity:
		return "infinity"
	}
	return shutdownJSON(durationWord(d))
}
