package scenario_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/conformance/scenario"
)

// What is generated is valid, and Read reads what String writes.
func TestGenerate(t *testing.T) {
	var all strings.Builder
	deepest, widest := 0, 0
	var drawn []scenario.Scenario
	for seed := range uint64(2000) {
		s := scenario.Generate(seed)
		if err := s.Check(); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, s)
		}
		if again := scenario.Generate(seed); !reflect.DeepEqual(again, s) {
			t.Fatalf("seed %d gives\n%s\nand\n%s", seed, s, again)
		}
		drawn = append(drawn, s)
		all.WriteString(s.String())
		for _, d := range s.Defs {
			deepest = max(deepest, level(&s, d))
			widest = max(widest, children(&s, d.Name))
		}
	}
	if deepest != 5 || widest != 30 { // supervisors on four levels, and workers
		t.Errorf("trees are up to %d levels deep, and supervisors have up to %d children", deepest, widest)
	}
	read, err := scenario.Read(strings.NewReader(all.String()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read, drawn) {
		t.Error("Read reads something else than String has written")
	}
	everything(t, all.String())
}

func level(s *scenario.Scenario, d scenario.Def) int {
	if p, ok := s.Find(d.Parent); ok {
		return 1 + level(s, p)
	}
	return 1
}

func children(s *scenario.Scenario, name string) (n int) {
	for _, d := range s.Defs {
		if d.Parent == name {
			n++
		}
	}
	return n
}

// everything checks that all that a scenario may have occurs in text.
func everything(t *testing.T, text string) {
	t.Helper()
	occurs := map[string]bool{}
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \n,;", r) }) {
		_, value, _ := strings.Cut(w, "=")
		occurs[w], occurs[value] = true, true
	}
	for _, word := range strings.Fields(`
		one_for_one one_for_all rest_for_one simple_one_for_one intensity=0 intensity=1 never any_significant all_significant
		permanent transient temporary significant=true shutdown=infinity shutdown=brutal_kill trap=false term=crash term=hang
		fail crash ignore badret fail* ping exit_normal exit_shutdown exit_shutdown_t exit_crash noreply_normal noreply_crash
		plan start call kill stop start_child terminate_child terminate_child_id restart_child delete_child which count tree
		batch normal shutdown shutdown_t`) {
		if !occurs[word] {
			t.Errorf("%s does not occur", word)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, text := range []string{
		"scenario a\nstart\n",
		"scenario a\nsup root\nend\n",
		"scenario a\nsup root - color=red\nend\n",
		"scenario a\nsup root - intensity=many\nend\n",
		"scenario a\nsup root - strategy=none\nend\n",
		"scenario a\nsup root - restart=3\nend\n",
		"scenario a\nsup root - strategy\nend\n",
	} {
		if all, err := scenario.Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q: %v", text, all)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, lines := range []string{
		"worker a -\n",
		"sup root -\nsup root -\n",
		"sup root -\nworker a nobody\n",
		"sup root -\nworker a root\nworker b a\n",
		"sup root -\nworker a root restart=temporary significant=true\n",
		"sup root - auto=any_significant\nworker a root significant=true\n",
		"sup root - strategy=simple_one_for_one\n",
		"sup root - strategy=simple_one_for_one\nsup a root\n",
		"sup root -\nsup a root shutdown=brutal_kill\n",
		"sup root -\nworker a root term=hang\n",
		"sup root -\nworker a root term=hang shutdown=20\ncall a crash\n",
		"sup root -\nworker a root term=hang shutdown=20\nbatch root which root ; stop a normal\n",
		"sup root -\nsup a root\nkill a\n",
	} {
		all, err := scenario.Read(strings.NewReader("scenario x\n" + lines + "end\n"))
		if err != nil {
			t.Errorf("%s: %v", lines, err)
		} else if all[0].Check() == nil {
			t.Errorf("%s: no error", lines)
		}
	}
}

// The ends of a pool's children are sorted, and nothing else is.
func TestTrace(t *testing.T) {
	tr := scenario.NewTrace("x")
	tr.Echo("op")
	for _, e := range strings.Fields("b2 b1 a1 c2 a2 a1") {
		tr.Event("exit", e, "killed")
	}
	tr.Event("init", "a2", "")
	tr.Event("exit", "a1", "normal")
	tr.Finish([]string{"ok"}, "shutdown", []string{"b", "c"}, func(name string) string {
		if name[0] == 'c' {
			return ""
		}
		return name[:1]
	})
	const want = "scenario x\n> op\nexit b1 killed\nexit b2 killed\nexit a1 killed\nexit c2 killed\n" +
		"exit a1 killed\nexit a2 killed\ninit a2\nexit a1 normal\nresult ok\nroot_exit shutdown\nalive b c\nend\n"
	if got := tr.String(); got != want {
		t.Error(scenario.Diff(want, got))
	}
}

func TestDiff(t *testing.T) {
	for _, c := range [][3]string{
		{"a\nb\nc", "a\nb\nc", "  a\n  b\n  c\n"},
		{"a\nb\nc", "a\nc\nd", "  a\n- b\n  c\n+ d\n"},
		{"a", "b\na", "+ b\n  a\n"},
		{"a", "b", "- a\n+ b\n"},
	} {
		if got := scenario.Diff(c[0], c[1]); got != c[2] {
			t.Errorf("Diff(%q, %q) is\n%s", c[0], c[1], got)
		}
	}
}
