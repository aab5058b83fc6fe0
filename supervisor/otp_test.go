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
)

// The files of testdata/otp are scenarios and what OTP 25's supervisor and
// gen_server did in them.

var (
	otpScenarios = flag.String("otp.scn", "", "play this file of scenarios too")
	otpTrace     = flag.String("otp.trace", "", "what OTP wrote for it")
)

// checkedEarlier are the scenarios of a wrong spec. OTP finds it when it starts
// the supervisor that it is in; we refuse the whole tree, so nothing begins.
var checkedEarlier = []string{
	"bad_combination_permanent", "bad_combination_never", "duplicate_static", "duplicate_nested", "pool_wrong_templates",
}

func TestOTPExamples(t *testing.T) {
	files, err := filepath.Glob("testdata/otp/*.scn")
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
	compare(t, open(t, "testdata/otp/random-1000.scn.gz"), open(t, "testdata/otp/random-1000.trace.gz"))
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
	all, err := readScenarios(strings.NewReader(scenarios))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.SplitAfter(trace, "\nend\n")
	if len(all) == 0 || len(all) != len(blocks)-1 {
		t.Fatalf("%d scenarios, %d traces", len(all), len(blocks)-1)
	}
	for i := range all {
		want := blocks[i]
		if slices.Contains(checkedEarlier, all[i].name) {
			want = onlyError(want)
		}
		if got := play(&all[i], setup); got != want {
			t.Fatalf("differs from OTP:\n%s", diff(want, got))
		}
	}
}

// onlyError takes out of a trace what began before OTP found the wrong spec.
func onlyError(trace string) string {
	var b strings.Builder
	for line := range strings.Lines(trace) {
		if strings.HasPrefix(line, "result error") {
			words := strings.Fields(line)[2:]
			for words[0] == "failed_to_start_child" {
				words = words[2:]
			}
			if words[0] != "start_spec" {
				words = append([]string{"start_spec"}, words...)
			}
			line = "result error " + strings.Join(words, " ") + "\n"
		}
		switch strings.Fields(line)[0] {
		case "init", "exit", "terminate":
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}

// diff writes both texts line by line up to the end, with the first difference marked.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for i := range max(len(w), len(g)) {
		var a, c string
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			c = g[i]
		}
		if a == c {
			b.WriteString("  " + a + "\n")
			continue
		}
		b.WriteString("- " + a + "\n+ " + c + "\n")
	}
	return b.String()
}
