package otp

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/conformance/scenario"
)

// Files returns the files of scenarios in a folder of testdata.
func (u Suite[S]) Files(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/" + folder + "/*.scn*")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	return files
}

// Load returns the scenarios of a file, and what OTP did when it was recorded.
func (u Suite[S]) Load(t *testing.T, file string) ([]S, []string) {
	t.Helper()
	all := u.read(t, file)
	traces := scenario.SplitTraces(read(t, outFile(file)))
	if len(all) == 0 || len(all) != len(traces) {
		t.Fatalf("%s: %d scenarios, %d traces", file, len(all), len(traces))
	}
	return all, traces
}

func (u Suite[S]) read(t *testing.T, file string) []S {
	t.Helper()
	all, err := u.Read(strings.NewReader(read(t, file)))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return all
}

// outFile names the file of the traces of a file of scenarios.
func outFile(scn string) string { return strings.Replace(scn, ".scn", ".out", 1) }

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
