package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// A body is a function's, from its { to behind its }. Every mutant in it can be one
// branch of a switch in front of it.
type body struct {
	from, to int
	void     bool // the function returns nothing
}

// bodies finds the functions whose body means the same one block deeper.
func bodies(fset *token.FileSet, file *ast.File) []body {
	var all []body
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil || !nests(f) {
			continue
		}
		all = append(all, body{
			from: fset.Position(f.Body.Pos()).Offset,
			to:   fset.Position(f.Body.End()).Offset,
			void: f.Type.Results == nil,
		})
	}
	return all
}

// nests reports whether copies of a body can stand in blocks of their own. A label
// cannot be declared twice in a function. And where ":=" assigns to a parameter or
// result, it would declare another variable one block deeper: that is the same
// until somebody holds the first one, through a pointer or in a function literal.
// (A return without values then does not compile, so the mutant is built alone.)
func nests(f *ast.FuncDecl) bool {
	declared := map[string]bool{}
	for _, list := range []*ast.FieldList{f.Recv, f.Type.Params, f.Type.Results} {
		if list == nil {
			continue
		}
		for _, field := range list.List {
			for _, name := range field.Names {
				declared[name.Name] = name.Name != "_"
			}
		}
	}
	again := false
	for _, s := range f.Body.List {
		if a, ok := s.(*ast.AssignStmt); ok && a.Tok == token.DEFINE {
			for _, e := range a.Lhs {
				again = again || declared[e.(*ast.Ident).Name]
			}
		}
	}
	labels, held := false, false
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.LabeledStmt:
			labels = true
		case *ast.FuncLit:
			held = true
		case *ast.UnaryExpr:
			held = held || n.Op == token.AND
		}
		return true
	})
	return !labels && !(again && held)
}

// switched reports whether a switch can choose the mutant: declarations of
// constants, types and variables, and bodies that do not nest, are built alone.
func (s *source) switched(m *mutant) bool {
	for _, b := range s.bodies {
		if b.from <= m.from && m.to <= b.to {
			return !m.alone
		}
	}
	return false
}

// weave returns the file with all mutants that a switch can choose. Of a function
//
//	func f(x int) bool { return x > 3 }
//
// it makes
//
//	func f(x int) bool { if mutantNow == 1 { return x >= 3 }; if mutantNow == 2 { return x > (3+1) };  return x > 3 }
//
// Copies stand in the function itself and not in functions of their own, so that
// recover, defer, results that have a name and type parameters mean what they
// meant. A line directive names the mutant in what the compiler says about it.
func (s *source) weave() string {
	var w strings.Builder
	last := 0
	for _, b := range s.bodies {
		w.WriteString(s.text[last : b.from+1])
		last = b.from + 1
		for i := range s.mutants {
			m := &s.mutants[i]
			if m.id == 0 || m.from < b.from || b.to < m.to || m.alone {
				continue
			}
			block := s.text[b.from:m.from] + m.new + s.text[m.to:b.to]
			if b.void {
				block = "{ " + block + "; return }"
			}
			fmt.Fprintf(&w, " if mutantNow == %d /*line mutant%d.go:1:1*/ %s;", m.id, m.id, block)
		}
		line := 1 + strings.Count(s.text[:last], "\n")
		fmt.Fprintf(&w, " /*line %s:%d:%d*/ ", s.path, line, last-strings.LastIndex(s.text[:last], "\n"))
	}
	w.WriteString(s.text[last:])
	return w.String()
}

// chooser is the file that woven ones need beside them.
func chooser(pkg string) string {
	return "package " + pkg + "\n\nimport (\n\t\"os\"\n\t\"strconv\"\n)\n\n" +
		"var mutantNow, _ = strconv.Atoi(os.Getenv(\"" + chosen + "\"))\n"
}

// chosen is the variable of the environment that holds the mutant's number.
const chosen = "MUTANT"
