package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// opposites of operators: the boundary first, if there is one.
var opposites = map[token.Token][]token.Token{
	token.LSS: {token.LEQ, token.GEQ}, token.LEQ: {token.LSS, token.GTR},
	token.GTR: {token.GEQ, token.LEQ}, token.GEQ: {token.GTR, token.LSS},
	token.EQL: {token.NEQ}, token.NEQ: {token.EQL},
	token.LAND: {token.LOR}, token.LOR: {token.LAND},
	token.ADD: {token.SUB}, token.SUB: {token.ADD},
	token.MUL: {token.QUO}, token.QUO: {token.MUL},
	token.INC: {token.DEC}, token.DEC: {token.INC},
	token.SHL: {token.SHR}, token.SHR: {token.SHL},
	token.ADD_ASSIGN: {token.SUB_ASSIGN}, token.SUB_ASSIGN: {token.ADD_ASSIGN},
}

var units = []string{"time.Nanosecond", "time.Microsecond", "time.Millisecond", "time.Second", "time.Minute", "time.Hour"}

type breeder struct {
	*source
	fset  *token.FileSet
	lines []string
}

// breed finds the mutants of a file.
func (s *source) breed() error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, s.path, s.text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	b := breeder{fset: fset, source: s, lines: strings.Split(s.text, "\n")}
	ast.Inspect(file, b.visit)
	s.bodies = bodies(fset, file)
	return nil
}

func (b breeder) text(n ast.Node) string {
	return b.source.text[b.fset.Position(n.Pos()).Offset:b.fset.Position(n.End()).Offset]
}

func (b breeder) add(pos token.Pos, old, new string) {
	p := b.fset.Position(pos)
	m := mutant{line: p.Line, from: p.Offset, to: p.Offset + len(old), old: old, new: new}
	if b.excused(b.lines[p.Line-1], m.String()) {
		b.equivalent++
		return
	}
	b.mutants = append(b.mutants, m)
}

func (b breeder) operator(pos token.Pos, op token.Token) {
	for _, o := range opposites[op] {
		b.add(pos, op.String(), o.String())
	}
}

func (b breeder) replace(n ast.Node, new string) { b.add(n.Pos(), b.text(n), new) }

func (b breeder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.BinaryExpr:
		if isText(n.X) || isText(n.Y) {
			return true // + of strings
		}
		b.operator(n.OpPos, n.Op)
		b.operands(n)
	case *ast.IncDecStmt:
		b.operator(n.TokPos, n.Tok)
	case *ast.AssignStmt:
		if !isText(n.Rhs[0]) {
			b.operator(n.TokPos, n.Tok)
		}
	case *ast.BasicLit:
		if n.Kind == token.INT && n.Value != "0" && !strings.HasPrefix(n.Value, "0") {
			b.add(n.Pos(), n.Value, "("+n.Value+"+1)")
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			b.add(n.OpPos, "!", "!!")
		}
	case *ast.CallExpr:
		b.call(n)
	case *ast.ValueSpec:
		for _, v := range n.Values {
			b.unit(v)
		}
	case *ast.IfStmt:
		b.condition(n.Cond)
	case *ast.ForStmt:
		b.condition(n.Cond)
	case *ast.SwitchStmt:
		if n.Tag == nil {
			b.cases(n.Body.List)
		}
	}
	return true
}

func (b breeder) cases(clauses []ast.Stmt) {
	for _, c := range clauses {
		for _, e := range c.(*ast.CaseClause).List {
			b.condition(e)
		}
	}
}

// operands mutates what only counts inside of a comparison or a sum: zero, a unit
// on its own, a condition without an operator. An operand of && and || is taken out
// by what makes it say nothing; it stays in the text, so that the mutant compiles.
func (b breeder) operands(n *ast.BinaryExpr) {
	for _, e := range []ast.Expr{n.X, n.Y} {
		switch n.Op {
		case token.LAND, token.LOR:
			b.condition(e)
			nothing := map[token.Token]string{token.LAND: "true || ", token.LOR: "false && "}[n.Op]
			b.replace(e, "("+nothing+b.text(e)+")")
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
			if lit, ok := e.(*ast.BasicLit); ok && lit.Value == "0" {
				b.replace(e, "1")
			}
			b.unit(e)
		case token.ADD, token.SUB:
			b.unit(e)
		}
	}
}

func (b breeder) unit(e ast.Expr) {
	if _, ok := e.(*ast.SelectorExpr); !ok {
		return
	}
	for _, u := range units {
		if b.text(e) == u {
			b.replace(e, "("+u+"+1)")
		}
	}
}

// condition negates one that has no operator of its own.
func (b breeder) condition(e ast.Expr) {
	switch e.(type) {
	case *ast.Ident, *ast.SelectorExpr, *ast.CallExpr:
		if !b.comparesTimes(e) {
			b.replace(e, "!"+b.text(e))
		}
	}
}

func (b breeder) comparesTimes(e ast.Expr) bool {
	_, s := b.method(e)
	return s == "Before" || s == "After" || s == "Equal"
}

func (b breeder) method(e ast.Expr) (call *ast.CallExpr, name string) {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return nil, ""
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil, ""
	}
	return call, f.Sel.Name
}

// call mutates comparisons that are calls.
func (b breeder) call(n *ast.CallExpr) {
	if f, ok := n.Fun.(*ast.Ident); ok {
		switch f.Name {
		case "min":
			b.add(f.Pos(), "min", "max")
		case "max":
			b.add(f.Pos(), "max", "min")
		}
		return
	}
	if !b.comparesTimes(n) {
		return
	}
	text, f := b.text(n), n.Fun.(*ast.SelectorExpr)
	b.replace(n, "!"+text)
	head, tail := b.text(f.X), strings.TrimPrefix(text, b.text(f))
	switch f.Sel.Name {
	case "Before": // a < b to a <= b
		b.replace(n, "!"+head+".After"+tail)
	case "After":
		b.replace(n, "!"+head+".Before"+tail)
	}
}

func isText(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Kind == token.STRING
	case *ast.BinaryExpr:
		return isText(e.X) || isText(e.Y)
	}
	return false
}
