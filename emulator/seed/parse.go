package seed

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/emulator/ssm"
)

const (
	maxValueBytes = 65_536
	maxNameLength = 512
	maxDepth      = 100
	maxNodes      = 100_000
)

var (
	secretName = regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]+$`)
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	yamlLine   = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
)

// parser collects problems; it reads on after each, so that one run finds all.
type parser struct {
	seed     *Seed
	problems []Problem
	nodes    int // spent on values, so that aliases cannot blow a file up
}

func (p *parser) fail(n *yaml.Node, format string, args ...any) {
	line := 1
	if n != nil {
		line = n.Line
	}
	p.problems = append(p.problems, Problem{line, fmt.Sprintf(format, args...)})
}

func (p *parser) file(isJSON bool, data []byte) {
	if len(data) > MaxBytes {
		p.fail(nil, "the file is larger than %d bytes; split it", MaxBytes)
		return
	}
	if !utf8.Valid(data) {
		p.fail(nil, "the file is not UTF-8 text; save it as UTF-8")
		return
	}
	if isJSON {
		if line, ok := checkJSON(data); !ok {
			p.problems = append(p.problems, Problem{line, "this is not valid JSON; fix the syntax here or just before"})
			return
		}
		data = jsonAsYAML(data)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return // an empty file seeds nothing
	} else if err != nil {
		p.syntax(err)
		return
	}
	var second yaml.Node
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			p.syntax(err)
		} else {
			p.fail(&second, "the file has a second document; put everything in one")
		}
		return
	}
	if len(doc.Content) > 0 {
		p.top(doc.Content[0])
	}
}

// syntax passes on the parser's words unless they may quote the file.
func (p *parser) syntax(err error) {
	text, line := "the YAML cannot be read", 1
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		line = max(line, 1)
		if !strings.ContainsAny(m[2], "\"'`<") && len(m[2]) < 100 {
			text += ": " + m[2]
		}
	}
	p.problems = append(p.problems, Problem{line, text + "; check the indentation, and put text with special characters in quotes"})
}

func (p *parser) top(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	p.mapping(n, "the file", func(key string, k, v *yaml.Node) {
		switch key {
		case "secrets":
			p.mapping(v, "secrets", p.secret)
		case "parameters":
			p.mapping(v, "parameters", p.parameter)
		default:
			p.fail(k, "unknown section %q; a seed has secrets and parameters", key)
		}
	})
}

// mapping visits the entries of a mapping; what names it in problems.
func (p *parser) mapping(n *yaml.Node, what string, visit func(key string, k, v *yaml.Node)) {
	n = resolve(n)
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // "secrets:" with nothing under it
	}
	if n.Kind != yaml.MappingNode {
		p.fail(n, "%s is %s; it must be a mapping of names", what, kind(n))
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := resolve(n.Content[i]), resolve(n.Content[i+1])
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			p.fail(k, "%s has a key that is %s; use plain names", what, kind(k))
			continue
		}
		if line, dup := first[k.Value]; dup {
			p.fail(k, "%s has %q twice, first in line %d; remove one", what, k.Value, line)
			continue
		}
		first[k.Value] = k.Line
		visit(k.Value, k, v)
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	for depth := 0; n.Kind == yaml.AliasNode && n.Alias != nil && depth < maxDepth; depth++ {
		n = n.Alias
	}
	return n
}

func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!null":
		return "empty"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!merge":
		return "a merge key"
	}
	return "text"
}

func has(n *yaml.Node, keys ...string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if slices.Contains(keys, n.Content[i].Value) {
			return true
		}
	}
	return false
}

func (p *parser) secret(name string, k, v *yaml.Node) {
	what := fmt.Sprintf("secret %q", name)
	if !secretName.MatchString(name) || len(name) > maxNameLength {
		p.fail(k, "%s: a name has 1 to %d letters, digits and characters of -/_+=.@!; rename it", what, maxNameLength)
	}
	s := secretsmanager.Seed{Name: name}
	switch {
	case v.Kind == yaml.MappingNode && has(v, "value", "json", "binary", "versions"):
		p.longSecret(&s, what, v)
	case v.Kind == yaml.MappingNode || v.Kind == yaml.SequenceNode:
		one := secretsmanager.SeedVersion{Stages: []string{"AWSCURRENT"}, String: p.jsonText(what, v)}
		p.checkSize(what, v, one)
		s.Versions = append(s.Versions, one)
	default:
		one := secretsmanager.SeedVersion{Stages: []string{"AWSCURRENT"}, String: p.text(what, v)}
		p.checkSize(what, v, one)
		s.Versions = append(s.Versions, one)
	}
	p.seed.secrets = append(p.seed.secrets, s)
}

func (p *parser) longSecret(s *secretsmanager.Seed, what string, n *yaml.Node) {
	one := secretsmanager.SeedVersion{Stages: []string{"AWSCURRENT"}}
	given := 0
	p.mapping(n, what, func(key string, k, v *yaml.Node) {
		field := what + ": " + key
		switch key {
		case "value", "json", "binary":
			given++
			p.content(&one, key, field, v)
		case "stages":
			one.Stages = p.texts(field, v)
		case "versions":
			p.versions(s, what, v)
		case "description":
			s.Description = p.plain(field, v)
		case "kmsKeyId":
			s.KMSKeyID = p.plain(field, v)
		case "kms":
			s.KeyDisabled = p.kms(field, v)
		case "tags":
			s.Tags = p.tags(field, v)
		case "rotation":
			s.Rotation = p.rotation(what, v)
		default:
			p.fail(k, "%s: unknown field %q; known are value, json, binary, stages, versions, description, kmsKeyId, kms, tags and rotation (put a secret that has such keys itself under json)", what, key)
		}
	})
	switch {
	case given > 1:
		p.fail(n, "%s: it has more than one of value, json and binary; keep one", what)
	case given == 1 && len(s.Versions) > 0, has(n, "versions") && has(n, "stages"):
		p.fail(n, "%s: value, json, binary and stages belong into the entries of versions; move them", what)
	case given == 1:
		p.checkSize(what, n, one)
		p.checkStages(what, n, []secretsmanager.SeedVersion{one})
		s.Versions = append(s.Versions, one)
	}
}

// content reads the value of one version under one of its three keys.
func (p *parser) content(v *secretsmanager.SeedVersion, key, field string, n *yaml.Node) {
	switch key {
	case "value":
		v.String = p.text(field, n)
	case "json":
		v.String = p.jsonText(field, n)
	case "binary":
		v.Binary = p.base64(field, n)
	}
}

func (p *parser) versions(s *secretsmanager.Seed, what string, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.fail(n, "%s: versions is %s; it must be a list of versions", what, kind(n))
		return
	}
	for i, e := range n.Content {
		e = resolve(e)
		at := fmt.Sprintf("%s: version %d", what, i+1)
		var v secretsmanager.SeedVersion
		given, empty := 0, false
		p.mapping(e, at, func(key string, k, n *yaml.Node) {
			field := at + ": " + key
			switch key {
			case "value", "json", "binary":
				given++
				p.content(&v, key, field, n)
			case "empty":
				empty = p.boolean(field, n)
			case "stages":
				v.Stages = p.texts(field, n)
			case "id":
				v.ID = p.plain(field, n)
				if len(v.ID) < 32 || len(v.ID) > 64 {
					p.fail(n, "%s has %d characters; give 32 to 64", field, len(v.ID))
				}
			default:
				p.fail(k, "%s: unknown field %q; known are value, json, binary, empty, stages and id", at, key)
			}
		})
		if given > 1 || given == 1 && empty || given == 0 && !empty {
			p.fail(e, "%s: give exactly one of value, json, binary and empty: true", at)
		}
		p.checkSize(at, e, v)
		s.Versions = append(s.Versions, v)
	}
	p.checkStages(what, n, s.Versions)
	if len(s.Versions) > 100 {
		p.fail(n, "%s: it has %d versions; Secrets Manager keeps 100", what, len(s.Versions))
	}
}

func (p *parser) checkStages(what string, n *yaml.Node, versions []secretsmanager.SeedVersion) {
	seen, ids := map[string]bool{}, map[string]bool{}
	for _, v := range versions {
		for _, stage := range v.Stages {
			if seen[stage] {
				p.fail(n, "%s: staging label %q is given twice; a label belongs to one version", what, stage)
			}
			seen[stage] = true
			if stage == "" || len(stage) > 256 {
				p.fail(n, "%s: a staging label has %d characters; give 1 to 256", what, len(stage))
			}
		}
		if len(v.Stages) > 20 {
			p.fail(n, "%s: a version has %d staging labels; at most 20 are allowed", what, len(v.Stages))
		}
		if v.ID != "" && ids[v.ID] {
			p.fail(n, "%s: version id %q is given twice; ids are unique in a secret", what, v.ID)
		}
		ids[v.ID] = true
	}
}

func (p *parser) checkSize(what string, n *yaml.Node, v secretsmanager.SeedVersion) {
	size := len(v.Binary)
	if v.String != nil {
		size = len(*v.String)
	}
	if size > maxValueBytes {
		p.fail(n, "%s: the value has %d bytes; Secrets Manager stores at most %d", what, size, maxValueBytes)
	}
}

func (p *parser) rotation(what string, n *yaml.Node) *secretsmanager.SeedRotation {
	r := &secretsmanager.SeedRotation{}
	p.mapping(n, what+": rotation", func(key string, k, v *yaml.Node) {
		field := what + ": rotation: " + key
		switch key {
		case "lambda":
			r.LambdaARN = p.plain(field, v)
		case "days":
			days, err := strconv.Atoi(v.Value)
			if err != nil || v.Kind != yaml.ScalarNode || days < 1 || days > 1000 {
				p.fail(v, "%s must be a number of days from 1 to 1000", field)
			}
			r.AutomaticallyAfterDays = days
		case "schedule":
			r.ScheduleExpression = p.plain(field, v)
		case "duration":
			r.Duration = p.plain(field, v)
		default:
			p.fail(k, "%s: rotation: unknown field %q; known are lambda, days, schedule and duration", what, key)
		}
	})
	if err := r.Validate(); err != nil {
		p.fail(n, "%s: %s", what, strings.TrimPrefix(err.Error(), "secretsmanager: "))
	}
	return r
}

func (p *parser) parameter(name string, k, v *yaml.Node) {
	what := fmt.Sprintf("parameter %q", name)
	s := ssm.Seed{Name: name, Type: "String"}
	before := len(p.problems)
	switch v.Kind {
	case yaml.MappingNode:
		p.longParameter(&s, what, v)
	case yaml.SequenceNode:
		s.Type, s.Value = "StringList", strings.Join(p.items(what, v), ",")
	default:
		s.Value = p.scalar(what, v)
	}
	if len(p.problems) == before {
		if err := s.Validate(); err != nil {
			p.fail(k, "%s: %s", what, strings.TrimPrefix(err.Error(), fmt.Sprintf("ssm: put %q: ", name)))
		}
	}
	p.seed.parameters = append(p.seed.parameters, s)
}

func (p *parser) longParameter(s *ssm.Seed, what string, n *yaml.Node) {
	p.mapping(n, what, func(key string, k, v *yaml.Node) {
		field := what + ": " + key
		switch key {
		case "type":
			s.Type = p.plain(field, v)
			if !slices.Contains([]string{"String", "StringList", "SecureString"}, s.Type) {
				p.fail(v, "%s must be String, StringList or SecureString", field)
			}
		case "value":
			if v.Kind == yaml.SequenceNode {
				s.Value = strings.Join(p.items(field, v), ",")
				if !has(n, "type") {
					s.Type = "StringList"
				}
				return
			}
			s.Value = p.scalar(field, v)
		case "description":
			s.Description = p.plain(field, v)
		case "tier":
			s.Tier = p.plain(field, v)
			if !slices.Contains([]string{"Standard", "Advanced", "Intelligent-Tiering"}, s.Tier) {
				p.fail(v, "%s must be Standard, Advanced or Intelligent-Tiering", field)
			}
		case "allowedPattern":
			s.AllowedPattern = p.plain(field, v)
		case "dataType":
			s.DataType = p.plain(field, v)
		case "kmsKeyId":
			s.KeyID = p.plain(field, v)
		case "kms":
			s.KeyDisabled = p.kms(field, v)
		case "labels":
			s.Labels = p.texts(field, v)
		case "tags":
			s.Tags = p.tags(field, v)
		default:
			p.fail(k, "%s: unknown field %q; known are type, value, description, tier, allowedPattern, dataType, kmsKeyId, kms, labels and tags", what, key)
		}
	})
	if !has(n, "value") {
		p.fail(n, "%s: it has no value; add one (a parameter cannot hold a mapping: give JSON as text)", what)
	}
}

// items are the elements of a StringList, which a comma separates.
func (p *parser) items(what string, n *yaml.Node) []string {
	out := []string{}
	for i, e := range n.Content {
		item := p.scalar(fmt.Sprintf("%s: item %d", what, i+1), resolve(e))
		if strings.Contains(item, ",") {
			p.fail(e, "%s: item %d has a comma, which separates items in a StringList; use a String", what, i+1)
		}
		out = append(out, item)
	}
	return out
}

// text is a value that must be text: 0123 and yes would not arrive as written.
func (p *parser) text(what string, n *yaml.Node) *string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		p.fail(n, "%s is %s; it must be text", what, kind(n))
		return nil
	}
	if n.Tag != "!!str" && n.Tag != "!!timestamp" {
		p.fail(n, "%s is %s; put it in quotes to store it as text", what, kind(n))
		return nil
	}
	return &n.Value
}

func (p *parser) plain(what string, n *yaml.Node) string {
	if t := p.text(what, n); t != nil {
		return *t
	}
	return ""
}

// scalar is text, a number or true and false, as written.
func (p *parser) scalar(what string, n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		p.fail(n, "%s is %s; it must be text, a number or a list of them", what, kind(n))
		return ""
	}
	return n.Value
}

func (p *parser) boolean(what string, n *yaml.Node) bool {
	var b bool
	if n.Tag != "!!bool" || n.Decode(&b) != nil {
		p.fail(n, "%s is %s; it must be true or false", what, kind(n))
	}
	return b
}

func (p *parser) kms(what string, n *yaml.Node) bool {
	switch p.plain(what, n) {
	case "disabled":
		return true
	case "enabled", "":
		return false
	}
	p.fail(n, "%s must be enabled or disabled", what)
	return false
}

func (p *parser) texts(what string, n *yaml.Node) []string {
	if n.Kind != yaml.SequenceNode {
		p.fail(n, "%s is %s; it must be a list of text", what, kind(n))
		return nil
	}
	out := []string{}
	for i, e := range n.Content {
		out = append(out, p.plain(fmt.Sprintf("%s: item %d", what, i+1), resolve(e)))
	}
	return out
}

func (p *parser) tags(what string, n *yaml.Node) map[string]string {
	out := map[string]string{}
	p.mapping(n, what, func(key string, k, v *yaml.Node) {
		out[key] = p.scalar(what+": "+key, v)
		if key == "" || len(key) > 128 || len(out[key]) > 256 || strings.HasPrefix(strings.ToLower(key), "aws:") {
			p.fail(k, "%s: a tag has a key of 1 to 128 characters that does not start with aws: and a value of at most 256", what)
		}
	})
	if len(out) > 50 {
		p.fail(n, "%s: it has %d tags; at most 50 are allowed", what, len(out))
	}
	return out
}

func (p *parser) base64(what string, n *yaml.Node) []byte {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" && n.Tag != "!!binary" {
		p.fail(n, "%s is %s; it must be base64 text", what, kind(n))
		return nil
	}
	text := strings.Join(strings.Fields(n.Value), "")
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) == 0 {
		p.fail(n, "%s is not base64 of at least one byte; encode the bytes with the standard alphabet and padding", what)
		return nil
	}
	return b
}

// jsonText is a YAML value as JSON: keys in the order of the file, numbers digit
// for digit.
func (p *parser) jsonText(what string, n *yaml.Node) *string {
	var b bytes.Buffer
	if !p.writeJSON(&b, what, n, 0) {
		return nil
	}
	text := b.String()
	return &text
}

func (p *parser) writeJSON(b *bytes.Buffer, what string, n *yaml.Node, depth int) bool {
	if p.nodes++; depth > maxDepth || p.nodes > maxNodes {
		p.fail(n, "%s: it is nested too deeply or too large; give the JSON as text under value", what)
		return false
	}
	n = resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		ok, comma := true, "{"
		p.mapping(n, what, func(key string, _, v *yaml.Node) {
			b.WriteString(comma)
			comma = ","
			writeText(b, key)
			b.WriteByte(':')
			ok = p.writeJSON(b, what, v, depth+1) && ok
		})
		if comma == "{" {
			b.WriteByte('{')
		}
		b.WriteByte('}')
		return ok
	case yaml.SequenceNode:
		b.WriteByte('[')
		ok := true
		for i, e := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			ok = p.writeJSON(b, what, e, depth+1) && ok
		}
		b.WriteByte(']')
		return ok
	}
	return p.writeScalar(b, what, n)
}

func (p *parser) writeScalar(b *bytes.Buffer, what string, n *yaml.Node) bool {
	switch n.Tag {
	case "!!null":
		b.WriteString("null")
	case "!!bool":
		b.WriteString(strconv.FormatBool(p.boolean(what, n)))
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			b.WriteString(n.Value)
			return true
		}
		var v any
		text, err := []byte(nil), n.Decode(&v)
		if err == nil {
			text, err = json.Marshal(v)
		}
		if err != nil {
			p.fail(n, "%s: a number cannot be written as JSON; put it in quotes", what)
			return false
		}
		b.Write(text)
	default:
		if n.Style == 0 && n.Tag == "!!str" && jsonNumber.MatchString(n.Value) {
			b.WriteString(n.Value) // such as 1e400, which no YAML float holds
			return true
		}
		writeText(b, n.Value)
	}
	return true
}

func writeText(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	b.Truncate(b.Len() - 1)
}

// checkJSON returns the line of the first syntax error.
func checkJSON(data []byte) (line int, ok bool) {
	if len(bytes.TrimSpace(data)) == 0 || json.Valid(data) {
		return 0, true
	}
	var v any
	offset := int64(len(data))
	if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(data, &v)); ok {
		offset = min(syntax.Offset, offset)
	}
	return 1 + bytes.Count(data[:offset], []byte("\n")), false
}

// jsonAsYAML changes what JSON may hold and the YAML parser refuses, keeping
// lines: tabs between tokens, and characters escaped as surrogate pairs.
func jsonAsYAML(data []byte) []byte {
	out := make([]byte, 0, len(data))
	inText := false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			inText = !inText
		case c == '\t' && !inText:
			out = append(out, ' ')
			continue
		case c == '\\' && inText:
			if r, n := surrogates(data[i:]); n > 0 {
				out = utf8.AppendRune(out, r)
				i += n - 1
				continue
			}
			i++
			if data[i] != '/' { // YAML has no escape for a character that needs none
				out = append(out, c)
			}
		}
		out = append(out, data[i])
	}
	return out
}

func surrogates(b []byte) (rune, int) {
	unit := func(b []byte) rune {
		if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
			return -1
		}
		n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
		if err != nil {
			return -1
		}
		return rune(n)
	}
	high := unit(b)
	if !utf16.IsSurrogate(high) {
		return 0, 0
	}
	if r := utf16.DecodeRune(high, unit(b[6:])); r != utf8.RuneError {
		return r, 12
	}
	return utf8.RuneError, 6
}
