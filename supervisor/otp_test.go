package supervisor_test

import (
	"compress/gzip"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/conformance/scenario"
)

// What package conformance keeps: scenarios, and what OTP 25's supervisor and
// gen_server did in them.
const (
	examples  = "../conformance/testdata/examples/"
	corpus    = "../conformance/testdata/corpus/random-1000.scn.gz"
	corpusOTP = "../conformance/testdata/corpus/random-1000.out.gz"
	larger    = "../conformance/testdata/corpus/generated-400.scn.gz"
	largerOTP = "../conformance/testdata/corpus/generated-400.out.gz"
)

var (
	otpScenarios = flag.String("otp.scn", "", "play this file of scenarios too")
	otpTrace     = flag.String("otp.trace", "", "what OTP wrote for it")
)

func TestOTPExamples(t *testing.T) {
	files, err := filepath.Glob(examples + "*.scn")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".scn"), func(t *testing.T) {
			compare(t, open(t, f), open(t, strings.TrimSuffix(f, ".scn")+".out"))
		})
	}
}

func TestOTPRandom(t *testing.T) {
	compare(t, open(t, corpus), open(t, corpusOTP))
	compare(t, open(t, larger), open(t, largerOTP))
}

func TestOTPFile(t *testing.T) {
	if *otpScenarios == "" {
		t.Skip("no -otp.scn")
	}
	compare(t, open(t, *otpScenarios), open(t, *otpTrace))
}

// open returns the file's text, unzipped.
func open(t *testing.T, name string) string {
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

// compare plays scenarios and reports the first that differs from the trace.
func compare(t *testing.T, scenarios, trace string) {
	t.Helper()
	compareWith(t, scenarios, trace, func(*player) {})
}

func compareWith(t *testing.T, scenarios, trace string, setup func(*player)) {
	t.Helper()
	all, err := scenario.Read(strings.NewReader(scenarios))
	if err != nil {
		t.Fatal(err)
	}
	traces := scenario.SplitTraces(trace)
	if len(all) == 0 || len(all) != len(traces) {
		t.Fatalf("%d scenarios, %d traces", len(all), len(traces))
	}
	for i := range all {
		want := traces[i]
		if slices.Contains(scenario.CheckedEarlier, all[i].Name) {
			want = scenario.OnlyError(want)
		}
		if got := play(&all[i], setup); got != want {
			t.Fatalf("differs from OTP:\n%s", scenario.Diff(want, got))
		}
	}
}
