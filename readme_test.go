package lineshaft_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The README's program compiles as it is printed, and every make target and
// file that it names exists.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(readme)
	programs := 0
	for block := range strings.SplitSeq(text, "```go\n") {
		program, _, closed := strings.Cut(block, "\n```")
		if !closed || !strings.HasPrefix(program, "package main") {
			continue
		}
		programs++
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(program), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "vet", file).CombinedOutput(); err != nil {
			t.Errorf("the README's program does not pass go vet: %v\n%s", err, out)
		}
	}
	if programs == 0 {
		t.Error("the README has no program")
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?:`|\n)make ([a-z ]+)").FindAllStringSubmatch(text, -1) {
		for _, target := range strings.Fields(m[1]) {
			if !strings.Contains(string(makefile), "\n"+target+":") {
				t.Errorf("the README names make %s, which is not in the Makefile", target)
			}
		}
	}
	for _, m := range regexp.MustCompile(`\]\(([\w./-]+\.(?:md|go))\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("the README links to %s, which is not there", m[1])
		}
	}
}
