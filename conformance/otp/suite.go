package otp

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/conformance/scenario"
)

var (
	seed      = flag.Uint64("seed", 0, "the first of the seeds of the random scenarios; 0: a random one")
	scenarios = flag.Int("scenarios", 0, "how many random scenarios are played on both sides; 0: 300, where LINESHAFT_CI is set 3000")
	record    = flag.Bool("record", false, "write what OTP does into testdata")
)

const (
	// shrinkTime is how long a difference is made smaller.
	shrinkTime = time.Minute
	// atOnce is how many random scenarios OTP is given at a time.
	atOnce = 1000
)

// recordedWith is the file that names the OTP that has written the traces.
const recordedWith = "testdata/OTP_VERSION"

// Suite is the comparison of scenarios of one kind. All fields but Expected
// are required.
type Suite[S fmt.Stringer] struct {
	// Oracle is the escript that plays scenarios on OTP.
	Oracle []byte
	// Read returns the scenarios of a file.
	Read func(io.Reader) ([]S, error)
	// Generate returns the random scenario of a seed, always the same.
	Generate func(seed uint64) S
	// Play returns our trace.
	Play func(t *testing.T, s S) string
	// Shrink returns a smaller scenario for which differ is still true: see
	// scenario.Smallest.
	Shrink func(s S, differ func([]S) []bool) S
	// Expected returns what OTP's trace says that ours should be. Nil: the same.
	Expected func(s S, otp string) string

	_ struct{}
}

// NeedErlang returns the version of the Erlang that is installed, or skips the
// test; but where everything is expected to run it fails.
func NeedErlang(t *testing.T) string {
	t.Helper()
	version, err := Version(t.Context())
	switch {
	case err == nil:
		return version
	case errors.Is(err, ErrNoErlang) && !everything():
		t.Skip("not compared with OTP itself: ", err)
	}
	t.Fatal(err)
	return ""
}

// everything reports whether this is a machine on which every test is to run.
func everything() bool { return os.Getenv("LINESHAFT_CI") != "" }

func (u Suite[S]) expected(s S, otp string) string {
	if u.Expected == nil {
		return otp
	}
	return u.Expected(s, otp)
}

// otp returns OTP's traces.
func (u Suite[S]) otp(t *testing.T, all []S) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	texts := make([]string, len(all))
	for i, s := range all {
		texts[i] = s.String()
	}
	traces, err := Play(ctx, u.Oracle, texts)
	if err != nil {
		t.Fatal(err)
	}
	return traces
}

// Recorded plays the scenarios of a folder of testdata, and compares with what
// OTP did when they were recorded.
func (u Suite[S]) Recorded(t *testing.T, folder string) {
	for _, file := range u.Files(t, folder) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".scn"), func(t *testing.T) {
			all, traces := u.Load(t, file)
			for i, s := range all {
				if want, got := u.expected(s, traces[i]), u.Play(t, s); got != want {
					t.Fatalf("differs from OTP:\n%s%s", s, scenario.Diff(want, got))
				}
			}
		})
	}
}

// StillHolds has OTP play again what it played when the traces of folders of
// testdata were recorded. With -record it writes them. Those named corpus are
// left out unless everything is to run.
func (u Suite[S]) StillHolds(t *testing.T, folders ...string) {
	version := NeedErlang(t)
	t.Parallel()
	if *record {
		write(t, recordedWith, version+"\n")
	}
	if was := strings.TrimSpace(read(t, recordedWith)); was != version {
		t.Logf("recorded with %s, played with %s", was, version)
	}
	var others []string
	for _, folder := range folders {
		if folder == "corpus" && !*record && !everything() {
			continue
		}
		for _, file := range u.Files(t, folder) {
			if strings.Contains(read(t, file), "\nsleep ") || folder == "corpus" { // it takes its time
				t.Run(filepath.Base(file), func(t *testing.T) { t.Parallel(); u.holds(t, file) })
			} else {
				others = append(others, file)
			}
		}
	}
	t.Run("others", func(t *testing.T) { t.Parallel(); u.holds(t, others...) })
}

// holds has OTP play some files again.
func (u Suite[S]) holds(t *testing.T, files ...string) {
	var all []S
	for _, file := range files {
		all = append(all, u.read(t, file)...)
	}
	traces := u.otp(t, all)
	for _, file := range files {
		n := len(u.read(t, file))
		got := strings.Join(traces[:n], "")
		traces = traces[n:]
		if *record {
			write(t, outFile(file), got)
		} else if want := read(t, outFile(file)); got != want {
			t.Errorf("%s: OTP does otherwise now:\n%s", file, scenario.Diff(want, got))
		}
	}
}

// Random plays new random scenarios on both sides.
func (u Suite[S]) Random(t *testing.T) {
	version := NeedErlang(t)
	t.Parallel()
	first, count := *seed, *scenarios
	if first == 0 {
		first = rand.Uint64N(1e9) + 1
	}
	if count == 0 && everything() {
		count = 3000
	} else if count == 0 {
		count = 300
	}
	t.Logf("%d scenarios with %s: -seed=%d", count, version, first)
	for last := first + uint64(count); first < last; {
		from := first
		var all []S
		for ; first < last && len(all) < atOnce; first++ {
			all = append(all, u.Generate(first))
		}
		if i := slices.Index(u.differ(t, all), true); i >= 0 {
			t.Errorf("-seed=%d differs from OTP; made small, it is", from+uint64(i))
			u.showSmall(t, all[i])
			return
		}
	}
}

// differ says for each scenario whether it shows a difference.
func (u Suite[S]) differ(t *testing.T, all []S) []bool {
	t.Helper()
	traces := u.otp(t, all)
	differs := make([]bool, len(all))
	for i, s := range all {
		differs[i] = u.Play(t, s) != u.expected(s, traces[i])
	}
	return differs
}

// showSmall fails the test with the smallest scenario that is like s.
func (u Suite[S]) showSmall(t *testing.T, s S) {
	t.Helper()
	until := time.Now().Add(shrinkTime)
	s = u.Shrink(s, func(all []S) []bool {
		if time.Now().After(until) {
			return make([]bool, len(all))
		}
		return u.differ(t, all)
	})
	t.Errorf("\n%s\n%s", s, scenario.Diff(u.expected(s, u.otp(t, []S{s})[0]), u.Play(t, s)))
}

// SameEveryTime plays the scenarios of the first seeds again and again.
func (u Suite[S]) SameEveryTime(t *testing.T, seeds uint64) {
	for i := range seeds {
		s := u.Generate(i)
		first := u.Play(t, s)
		for range 4 {
			if again := u.Play(t, s); again != first {
				t.Fatalf("seed %d: another trace:\n%s", i, scenario.Diff(first, again))
			}
		}
	}
}
