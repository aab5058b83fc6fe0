package httpapi

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

func TestOutputType(t *testing.T) {
	const j, m, x = "application/json", "application/msgpack", "application/x-msgpack"
	for accept, want := range map[string]string{
		"":                           j,
		"*/*":                        j,
		"application/*":              j,
		j:                            j,
		m:                            m,
		"APPLICATION/X-MSGPACK":      x,
		x + ", " + m:                 m,
		m + ", " + j:                 j,
		m + ", */*;q=0.1":            m,
		m + ";q=0.5, " + j:           j,
		j + ";q=0.5," + m:            m,
		j + ";q=0.5, */*;q=0.8":      m,
		j + ";q=0, */*":              m,
		"*/*, " + j + ";q=0":         m,
		"*/*, application/*;q=0.1":   j,
		x + ";q=0.9," + m + ";q=.9":  x, // .9 is not a weight
		m + ";q=1.001," + x:          x,
		m + ";q=0.001":               m,
		m + ";q=0":                   j,
		m + ";v=5; Q=0.3, */*;q=0.2": m,
		m + ";q=high":                j,
		"text/html":                  j,
		"text/html, */*;q=0.1":       j,
		",,;;q=,/," + m + ",":        m,
		"application/msgpackx":       j,
		"*":                          j,
	} {
		if got := outputType([]byte(accept)).name; got != want {
			t.Errorf("Accept %q: %s, want %s", accept, got, want)
		}
	}
}

func TestParseTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"250ms": 250 * time.Millisecond, "1m30s": 90 * time.Second, "1.5": 1500 * time.Millisecond, "2": 2 * time.Second,
		".5": 500 * time.Millisecond, "1µs": time.Microsecond, "+1s": time.Second,
		"": 0, "0": 0, "0s": 0, "-1": 0, "-1s": 0, "1e3": 0, "1_0": 0, "0x1": 0, "Inf": 0, "1 s": 0, "1h5": 0, "..": 0, "1.2.3": 0, "0.0000000001": 0,
	} {
		got, ok := parseTimeout([]byte(text))
		if ok != (want > 0) || ok && got != want {
			t.Errorf("%q: %v %v, want %v", text, got, ok, want)
		}
	}
}

func TestDeadlineContext(t *testing.T) {
	d := newDeadline(time.Hour)
	if d.Err() != nil || d.timer != nil {
		t.Error("a timer before anyone waits")
	}
	select {
	case <-d.Done():
		t.Error("it has ended")
	default:
	}
	child, cancel := context.WithCancel(d)
	defer cancel()
	d.release()
	d.release()
	<-d.Done()
	<-child.Done()
	if d.Err() != context.Canceled || d.timer.Stop() {
		t.Error(d.Err(), "or the timer runs")
	}

	d = newDeadline(time.Millisecond) // the timer ends it
	<-d.Done()
	if d.Err() != context.DeadlineExceeded || context.Cause(d) != context.DeadlineExceeded {
		t.Error(d.Err())
	}
	d.release()
	if d.Err() != context.DeadlineExceeded {
		t.Error("the error has changed: ", d.Err())
	}

	d = newDeadline(-1) // the clock ends it, before anyone waits
	if at, ok := d.Deadline(); !ok || time.Until(at) > 0 {
		t.Error(at, ok)
	}
	if d.Err() != context.DeadlineExceeded {
		t.Error(d.Err())
	}
	<-d.Done()

	d = newDeadline(time.Hour) // released, then waited for
	d.release()
	<-d.Done()
	if !errors.Is(d.Err(), context.Canceled) || d.Value("x") != nil {
		t.Error(d.Err())
	}
}

// TestDeadlineRaces is for the race detector.
func TestDeadlineRaces(t *testing.T) {
	for range 200 {
		d := newDeadline(50 * time.Microsecond)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for d.Err() == nil {
				}
				<-d.Done()
			})
			wg.Go(func() {
				<-d.Done()
				if d.Err() == nil {
					t.Error("it has ended without an error")
				}
			})
		}
		d.release()
		wg.Wait()
	}
}
