package conformance_test

import (
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineshaft/lineshaft/conformance"
	"github.com/lineshaft/lineshaft/conformance/scenario"
)

var (
	seed      = flag.Uint64("seed", 0, "the first of the seeds of the random scenarios; 0: a random one")
	scenarios = flag.Int("scenarios", 0, "how many random scenarios are played on both sides; 0: 300, where LINESHAFT_CI is set 3000")
	record    = flag.Bool("record", false, "write what OTP does into testdata")
)

// shrinkTime is how long a difference is made smaller.
const shrinkTime = time.Minute

// recordedWith is the file that names the OTP that has written the traces.
const recordedWith = "testdata/OTP_VERSION"

// play plays a scenario in virtual time.
func play(t *testing.T, s *scenario.Scenario) (trace string) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { trace = conformance.Play(s, synctest.Wait) })
	return trace
}

// everything reports whether this is a machine on which every test is to run.
func everything() bool { return os.Getenv("LINESHAFT_CI") != "" }

// needErlang returns the version of the Erlang that is installed, or skips the
// test; but where everything is expected to run it fails.
func needErlang(t *testing.T) string {
	t.Helper()
	version, err := conformance.OTPVersion(t.Context())
	switch {
	case err == nil:
		return version
	case errors.Is(err, conformance.ErrNoErlang) && !everything():
		t.Skip("not compared with OTP itself: ", err)
	}
	t.Fatal(err)
	return ""
}

// read returns a file's text, unzipped.
func read(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// write is the inverse of read.
func write(t *testing.T, name, text string) {
	t.Helper()
	if strings.HasSuffix(name, ".gz") {
		var b strings.Builder
		w := gzip.NewWriter(&b)
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		text = b.String()
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// scenarioFiles returns the files of scenarios in a folder of testdata.
func scenarioFiles(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/" + folder + "/*.scn*")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	return files
}

// outFile names the file of the traces of a file of scenarios.
func outFile(scn string) string { return strings.Replace(scn, ".scn", ".out", 1) }

func readScenarios(t *testing.T, file string) []scenario.Scenario {
	t.Helper()
	all, err := scenario.Read(strings.NewReader(read(t, file)))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return all
}

// recorded returns the scenarios of a file, and what OTP did when it was recorded.
func recorded(t *testing.T, file string) ([]scenario.Scenario, []string) {
	t.Helper()
	all := readScenarios(t, file)
	traces := scenario.SplitTraces(read(t, outFile(file)))
	if len(all) == 0 || len(all) != len(traces) {
		t.Fatalf("%s: %d scenarios, %d traces", file, len(all), len(traces))
	}
	return all, traces
}

// expected returns what OTP's trace says that ours should be.
func expected(s *scenario.Scenario, otp string) string {
	if slices.Contains(scenario.CheckedEarlier, s.Name) {
		return scenario.OnlyError(otp)
	}
	return otp
}

// TestExamples plays scenarios that were thought of.
func TestExamples(t *testing.T) { testRecorded(t, "examples") }

// TestCorpus plays random scenarios that OTP has played once.
func TestCorpus(t *testing.T) { testRecorded(t, "corpus") }

func testRecorded(t *testing.T, folder string) {
	for _, file := range scenarioFiles(t, folder) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".scn"), func(t *testing.T) {
			all, traces := recorded(t, file)
			for i := range all {
				if want, got := expected(&all[i], traces[i]), play(t, &all[i]); got != want {
					t.Fatalf("differs from OTP:\n%s%s", all[i], scenario.Diff(want, got))
				}
			}
		})
	}
}

// TestRecordedStillHolds has OTP play again what it played when the traces were
// recorded. With -record it writes them.
func TestRecordedStillHolds(t *testing.T) {
	version := needErlang(t)
	t.Parallel()
	if *record {
		write(t, recordedWith, version+"\n")
	}
	if was := strings.TrimSpace(read(t, recordedWith)); was != version {
		t.Logf("recorded with %s, played with %s", was, version)
	}
	var others []string
	folders := []string{"examples", "suite"}
	if *record || everything() {
		folders = append(folders, "corpus")
	}
	for _, folder := range folders {
		for _, file := range scenarioFiles(t, folder) {
			if strings.Contains(read(t, file), "\nsleep ") || folder == "corpus" { // it takes its time
				t.Run(filepath.Base(file), func(t *testing.T) { t.Parallel(); testHolds(t, file) })
			} else {
				others = append(others, file)
			}
		}
	}
	t.Run("others", func(t *testing.T) { t.Parallel(); testHolds(t, others...) })
}

// testHolds has OTP play some files again.
func testHolds(t *testing.T, files ...string) {
	var all []scenario.Scenario
	for _, file := range files {
		all = append(all, readScenarios(t, file)...)
	}
	traces, err := conformance.OTP(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		n := len(readScenarios(t, file))
		got := strings.Join(traces[:n], "")
		traces = traces[n:]
		if *record {
			write(t, outFile(file), got)
		} else if want := read(t, outFile(file)); got != want {
			t.Errorf("%s: OTP does otherwise now:\n%s", file, scenario.Diff(want, got))
		}
	}
}

// TestRandom plays new random scenarios on both sides.
func TestRandom(t *testing.T) {
	version := needErlang(t)
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
		var all []scenario.Scenario
		for ; first < last && len(all) < 1000; first++ {
			all = append(all, scenario.Generate(first))
		}
		if i := slices.Index(differ(t, all), true); i >= 0 {
			showDifference(t, all[i])
			return
		}
	}
}

// differ says for each scenario whether it shows a difference.
func differ(t *testing.T, all []scenario.Scenario) []bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	traces, err := conformance.OTP(ctx, all)
	if err != nil {
		t.Fatal(err)
	}
	differs := make([]bool, len(all))
	for i := range all {
		differs[i] = play(t, &all[i]) != expected(&all[i], traces[i])
	}
	return differs
}

// showDifference fails the test with the smallest scenario that is like s.
func showDifference(t *testing.T, s scenario.Scenario) {
	t.Helper()
	t.Errorf("-seed=%s differs from OTP; made small, it is", strings.TrimPrefix(s.Name, "r"))
	until := time.Now().Add(shrinkTime)
	s = scenario.Shrink(s, func(all []scenario.Scenario) []bool {
		if time.Now().After(until) {
			return make([]bool, len(all))
		}
		return differ(t, all)
	})
	traces, err := conformance.OTP(t.Context(), []scenario.Scenario{s})
	if err != nil {
		t.Fatal(err)
	}
	t.Errorf("\n%s\n%s", s, scenario.Diff(expected(&s, traces[0]), play(t, &s)))
}

// TestSameTraceEveryTime plays scenarios again and again.
func TestSameTraceEveryTime(t *testing.T) {
	for i := range uint64(60) {
		s := scenario.Generate(i)
		first := play(t, &s)
		for range 4 {
			if again := play(t, &s); again != first {
				t.Fatalf("%s: another trace:\n%s", s.Name, scenario.Diff(first, again))
			}
		}
	}
}

// TestShrink: what is left of a scenario in which a worker is killed, if that
// were a difference, is a worker that is killed.
func TestShrink(t *testing.T) {
	killed := func(s *scenario.Scenario) bool { return strings.Contains(play(t, s), " killed\n") }
	tried := 0
	for i := uint64(1); tried < 5; i++ {
		s := scenario.Generate(i)
		if !killed(&s) {
			continue
		}
		tried++
		s = scenario.Shrink(s, func(all []scenario.Scenario) []bool {
			yes := make([]bool, len(all))
			for j := range all {
				yes[j] = killed(&all[j])
			}
			return yes
		})
		if !killed(&s) || len(s.Defs) > 2 || len(s.Ops) > 3 {
			t.Errorf("this is left of scenario %d:\n%s", i, s)
		}
	}
}
