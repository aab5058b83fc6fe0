package statemachine_test

import (
	"errors"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// encoded returns what e appends, as a number below 128.
func encoded(t *testing.T, e statemachine.Encoder) byte {
	t.Helper()
	data, err := e([]byte("<"))
	if err != nil || len(data) != 2 || data[0] != '<' {
		t.Fatalf("%q, %v", data, err)
	}
	return data[1]
}

func TestEncodersKeepTheirState(t *testing.T) {
	p := up(t, newTill())
	if _, ok := p.Kept(); ok || !p.Durable() {
		t.Error("something is kept")
	}
	p.StepIn(7)
	p.Keep()
	kept, ok := p.Kept()
	current := p.Current()
	p.StepIn(1)
	later := p.Current()
	p.Keep()
	p.End()
	if !ok || encoded(t, kept) != 7 || encoded(t, current) != 7 || encoded(t, later) != 8 || encoded(t, kept) != 7 {
		t.Error("an encoder has followed the state")
	}
	if kept, _ := p.Kept(); encoded(t, kept) != 8 {
		t.Error("the end has lost what was kept")
	}
}

func TestLoadAndResume(t *testing.T) {
	m := newTill()
	m.Init = func(s start) (int, error) { return *s.Saved + 100, nil }
	p := process(t, m)
	if err := p.Load([]byte{7}); err != nil {
		t.Fatal(err)
	}
	p.Resume()
	holds(t, p, 7) // no Init
	if err := p.Init(); err != nil {
		t.Fatal(err)
	}
	holds(t, p, 107)
	if err := p.Load([]byte{0xc1}); err == nil {
		t.Error("loaded")
	}
	if kept, ok := p.Kept(); !ok || encoded(t, kept) != 7 {
		t.Error("a state that cannot be decoded has replaced what was kept")
	}
}

func TestWithoutStateCodecNothingIsKept(t *testing.T) {
	m := newTill()
	m.State = nil
	m.Init = func(s start) (int, error) {
		if s.Saved != nil {
			t.Error("Init is given a state")
		}
		return 0, nil
	}
	p := up(t, m)
	p.StepIn(7)
	p.Keep()
	if _, ok := p.Kept(); ok || p.Durable() {
		t.Error("a state is kept")
	}
	if err := p.Init(); err != nil {
		t.Fatal(err)
	}
}

// broken panics in one of its functions.
type broken[T any] struct {
	codec.Codec[T]
	in string
}

func (c broken[T]) Append(dst []byte, f codec.Format, v T) ([]byte, error) {
	if c.in == "encode" {
		panic(errCustom)
	}
	return c.Codec.Append(dst, f, v)
}

func (c broken[T]) Decode(f codec.Format, data []byte) (T, error) {
	if c.in == "decode" {
		panic(errCustom)
	}
	return c.Codec.Decode(f, data)
}

func TestCodecsThatPanic(t *testing.T) {
	for _, in := range []string{"encode", "decode"} {
		m := newTill()
		m.Input = broken[amount]{m.Input, in}
		m.Output = broken[total]{m.Output, in}
		m.State = broken[int]{m.State, in}
		p := up(t, m)
		p.Keep()
		kept, _ := p.Kept()
		x := p.NewExchange(1)
		for what, f := range map[string]func() ([]byte, error){
			"decode: input":  func() ([]byte, error) { _, err := p.Decode(codec.JSON, []byte("1")); return nil, err },
			"decode: state":  func() ([]byte, error) { return nil, p.Load([]byte{1}) },
			"encode: input":  func() ([]byte, error) { return p.AppendInput([]byte("<"), x) },
			"encode: output": func() ([]byte, error) { return p.AppendOutput([]byte("<"), codec.JSON, x) },
			"encode: kept":   func() ([]byte, error) { return kept([]byte("<")) },
			"encode: state":  func() ([]byte, error) { return p.Current()([]byte("<")) },
		} {
			data, err := f()
			var crash *statemachine.CrashError
			switch {
			case what[:len(in)] != in:
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
			case !errors.As(err, &crash) || crash.In != in || crash.Name != "till" || !errors.Is(err, errCustom):
				t.Errorf("%s: got %v", what, err)
			case in == "encode" && string(data) != "<":
				t.Errorf("%s: %q is not what was there", what, data)
			}
		}
	}
}
