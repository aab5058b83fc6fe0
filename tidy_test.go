// Package lineshaft_test keeps the house tidy: which package may import which,
// how long a function and a file may be, what a pure package must not use.
package lineshaft_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/lineshaft/lineshaft"

const (
	maxFileLines = 500
	maxFuncLines = 70
)

// mayImport is the architecture: of the project's packages, those that a
// package may import directly, its tests aside.
var mayImport = map[string][]string{
	"backplane":                {"eventloop", "statemachine"},
	"codec":                    {},
	"journal":                  {},
	"journal/boltlog":          {"journal"},
	"journal/journaltest":      {"journal"},
	"statemachine":             {"codec"},
	"statemachine/machinetest": {"statemachine", "codec"},
	"supervisor":               {"statemachine"},
	"conformance":              {"conformance/otp", "conformance/scenario", "eventloop", "supervisor", "statemachine", "codec"},
	"conformance/event":        {"conformance/scenario", "eventloop", "genevent", "supervisor", "statemachine", "codec"},
	"conformance/statem":       {"conformance/scenario", "genstatem", "eventloop", "supervisor", "statemachine", "codec"},
	"conformance/otp":          {"conformance/scenario"},
	"conformance/scenario":     {"supervisor", "statemachine"},
	"genevent":                 {"statemachine", "codec"},
	"genstatem":                {"statemachine", "codec"},
	"eventloop":                {"supervisor", "statemachine", "journal", "codec"},
	"trace":                    {"eventloop", "statemachine", "codec"},
	"httpapi":                  {"statemachine", "codec"},
	"examples/kvstore":         {"statemachine", "codec"},
	"cmd/kv":                   {"eventloop", "trace", "httpapi", "journal", "journal/boltlog", "supervisor", "statemachine", "codec", "examples/kvstore"},
}

// pure packages use no clock, no randomness, no goroutine and no I/O.
var pure = []string{"codec", "statemachine", "supervisor", "genstatem", "genevent"}

var impureImports = []string{"os", "net", "net/http", "math/rand", "math/rand/v2", "crypto/rand", "log", "log/slog", "context", "syscall"}

var impureTime = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// bannedNames say nothing of what they name.
var bannedNames = []string{"util", "utils", "common", "helpers", "misc", "manager"}

// file is one of the project's Go files.
type file struct {
	path, pkg string // relative; pkg is the folder
	lines     int
	ast       *ast.File
	fset      *token.FileSet
}

func (f file) test() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f file) line(n ast.Node) int { return f.fset.Position(n.Pos()).Line }

func files(t *testing.T) []file {
	t.Helper()
	var all []file
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "bench" || strings.HasPrefix(d.Name(), ".") && path != "."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, path, src, parser.ParseComments)
		if err != nil {
			return err
		}
		all = append(all, file{filepath.ToSlash(path), filepath.ToSlash(filepath.Dir(path)), strings.Count(string(src), "\n"), parsed, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("found only %d files: is this the project's root?", len(all))
	}
	return all
}

func imports(f file) []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func TestImports(t *testing.T) {
	for _, f := range files(t) {
		if f.test() || f.pkg == "." {
			continue
		}
		allowed, known := mayImport[f.pkg]
		if !known {
			t.Errorf("%s: package %s is not in the map of imports", f.path, f.pkg)
		}
		for _, path := range imports(f) {
			ours, isOurs := strings.CutPrefix(path, module+"/")
			if isOurs && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s: not in the map of imports", f.path, ours)
			}
			if path == "context" && f.path == "statemachine/task.go" {
				continue // what a task's function is given, elsewhere
			}
			if slices.Contains(pure, f.pkg) && slices.Contains(impureImports, path) {
				t.Errorf("%s imports %s: the package is pure", f.path, path)
			}
		}
	}
}

func TestPurity(t *testing.T) {
	for _, f := range files(t) {
		if f.test() || !slices.Contains(pure, f.pkg) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s:%d starts a goroutine: the package is pure", f.path, f.line(n))
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(impureTime, n.Sel.Name) {
					t.Errorf("%s:%d uses time.%s: the package is pure", f.path, f.line(n), n.Sel.Name)
				}
			}
			return true
		})
	}
}

// The loop reads the time in one file.
func TestOneClock(t *testing.T) {
	for _, f := range files(t) {
		if f.test() || f.pkg != "eventloop" || f.path == "eventloop/clock.go" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if n, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(impureTime, n.Sel.Name) {
					t.Errorf("%s:%d uses time.%s: clock.go is there for that", f.path, f.line(n), n.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestSizes(t *testing.T) {
	for _, f := range files(t) {
		if f.lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", f.path, f.lines, maxFileLines)
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := f.fset.Position(fn.End()).Line - f.line(fn) + 1; n > maxFuncLines {
				t.Errorf("%s:%d: %s has %d lines, more than %d", f.path, f.line(fn), fn.Name.Name, n, maxFuncLines)
			}
		}
	}
}

func TestNamesAndDocs(t *testing.T) {
	documented, examples := map[string]bool{}, map[string]bool{}
	for _, f := range files(t) {
		base := strings.TrimSuffix(filepath.Base(f.path), ".go")
		if slices.Contains(bannedNames, base) || slices.Contains(bannedNames, filepath.Base(f.pkg)) {
			t.Errorf("%s: the name says nothing", f.path)
		}
		if f.ast.Doc != nil && !f.test() {
			documented[f.pkg] = true
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if f.test() && strings.HasPrefix(fn.Name.Name, "Example") {
				examples[f.pkg] = true
			}
			if exported := fn.Name.IsExported() && (fn.Recv == nil || exportedReceiver(fn)); exported && fn.Doc == nil && !f.test() {
				t.Errorf("%s:%d: %s has no doc comment", f.path, f.line(fn), fn.Name.Name)
			}
		}
	}
	for pkg := range mayImport {
		if !documented[pkg] {
			t.Errorf("package %s has no doc comment", pkg)
		}
		if !examples[pkg] && !strings.HasPrefix(pkg, "cmd/") {
			t.Errorf("package %s has no Example", pkg)
		}
	}
}

func exportedReceiver(fn *ast.FuncDecl) bool {
	typ := fn.Recv.List[0].Type
	if p, ok := typ.(*ast.StarExpr); ok {
		typ = p.X
	}
	switch x := typ.(type) {
	case *ast.IndexExpr:
		typ = x.X
	case *ast.IndexListExpr:
		typ = x.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}
