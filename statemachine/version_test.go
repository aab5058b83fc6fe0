package statemachine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// versioned is a till whose states were numbers of coins once, and their names before.
func versioned(version int) *till {
	m := newTill()
	m.Version = version
	m.Migrate = func(from int, saved statemachine.Saved) (int, error) {
		switch from {
		case 0:
			name, err := statemachine.Decode(saved, codec.Of[string]())
			return len(name), err
		case 1:
			n, err := statemachine.Decode(saved, codec.Of[int]())
			return 10 * n, err
		}
		panic(errCustom)
	}
	return m
}

func saved(t *testing.T, p port) string {
	t.Helper()
	p.Keep()
	kept, ok := p.Kept()
	data, err := kept([]byte("<"))
	if current, _ := p.Current()([]byte("<")); !ok || err != nil || data[0] != '<' || string(current) != string(data) {
		t.Fatal(data, current, ok, err)
	}
	return string(data[1:])
}

func TestVersionsOfStates(t *testing.T) {
	for version, want := range map[int]string{
		0: "\x07", 1: "\xd6V\x00\x00\x00\x01\x07", 2: "\xd6V\x00\x00\x00\x02\x07", 0x01020304: "\xd6V\x01\x02\x03\x04\x07",
	} {
		p := up(t, versioned(version))
		p.StepIn(7)
		data := saved(t, p)
		if data != want {
			t.Errorf("version %d: %q", version, data)
		}
		other := process(t, versioned(version))
		if err := other.Load([]byte(data)); err != nil {
			t.Errorf("version %d: %v", version, err)
		}
		other.Resume()
		holds(t, other, 7)
	}
}

func TestMigrate(t *testing.T) {
	for data, want := range map[string]total{"\xa4coin": 4, "\xd6V\x00\x00\x00\x01\x07": 70, "\xd6V\x00\x00\x00\x02\x07": 7} {
		p := process(t, versioned(2))
		if err := p.Load([]byte(data)); err != nil {
			t.Fatal(err)
		}
		p.Resume()
		holds(t, p, want)
		if again := saved(t, p); !strings.HasPrefix(again, "\xd6V\x00\x00\x00\x02") {
			t.Errorf("it is saved as %q", again)
		}
	}
}

func TestStatesThatDoNotLoad(t *testing.T) {
	without := versioned(2)
	without.Migrate = nil
	exits := versioned(3)
	exits.State = broken[int]{exits.State, "decode"}
	var crash *statemachine.CrashError
	var refused *codec.Error
	for _, test := range []struct {
		what string
		m    *till
		data string
		is   func(error) bool
	}{
		{"2, newer than the machine's 1", versioned(1), "\xd6V\x00\x00\x00\x02\x07", nil},
		{"1, newer than the machine's 0", newTill(), "\xd6V\x00\x00\x00\x01\x07", nil},
		{"4294967295, newer than the machine's 0", newTill(), "\xd6V\xff\xff\xff\xff\x07", nil},
		{"0, and the machine, at 2, has no Migrate", without, "\x07", nil},
		{"crashed in migrate: out of coins", versioned(3), "\xd6V\x00\x00\x00\x02\x07", func(err error) bool {
			return errors.As(err, &crash) && crash.In == "migrate" && errors.Is(err, errCustom)
		}},
		{"from version 0 to 2", versioned(2), "\x07", func(err error) bool { return errors.As(err, &refused) }},
		{"expected the end", newTill(), "\xd6V\x00\x00\x00\x00\x07\x07", func(err error) bool { return errors.As(err, &refused) }},
		{"crashed in decode", exits, "\xd6V\x00\x00\x00\x03\x07", func(err error) bool { return errors.As(err, &crash) && crash.In == "decode" }},
	} {
		p := process(t, test.m)
		err := p.Load([]byte(test.data))
		if test.is == nil {
			test.is = func(err error) bool { return errors.Is(err, statemachine.ErrVersion) }
		}
		if _, kept := p.Kept(); err == nil || kept || !strings.Contains(err.Error(), test.what) || !test.is(err) {
			t.Errorf("want %s, got %v", test.what, err)
		}
	}
}

// A state that is such an extension itself is no version.
func TestExtensionIsNoVersion(t *testing.T) {
	m := &statemachine.Machine[[]byte, amount, total]{
		Step:   func(_ amount, s []byte, _ *statemachine.Effects[total]) ([]byte, total) { return s, total(len(s)) },
		Input:  codec.Of[amount](),
		Output: codec.Of[total](),
		State:  plainBytes{},
	}
	p := m.New("till", newMoment(nil))
	if err := p.Load([]byte("\xd6V\x00\x00\x00\x01")); err != nil {
		t.Error(err)
	}
}

// plainBytes is a codec of msgpack documents.
type plainBytes struct{}

func (plainBytes) Append(dst []byte, _ codec.Format, v []byte) ([]byte, error) {
	return append(dst, v...), nil
}

func (plainBytes) Decode(_ codec.Format, data []byte) ([]byte, error) {
	return append([]byte(nil), data...), nil
}

func TestValidateVersion(t *testing.T) {
	for version, fine := range map[int]bool{-1: false, 0: true, 1<<31 - 1: true, 1 << 31: false} {
		if err := versioned(version).Validate(); (err == nil) != fine {
			t.Errorf("%d: %v", version, err)
		}
	}
}
