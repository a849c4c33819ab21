package openapi

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/schema"
)

// The objects of the specification, as far as a document of ours has them:
// https://spec.openapis.org/oas/v3.1.1.html

type root struct {
	OpenAPI    string                           `json:"openapi"`
	Info       info                             `json:"info"`
	Servers    []Server                         `json:"servers,omitempty"`
	Security   []requirement                    `json:"security,omitempty"`
	Paths      map[string]map[string]*operation `json:"paths"`
	Components components                       `json:"components"`
}

type info struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
}

type requirement map[string][]string

type components struct {
	Schemas         map[string]*node          `json:"schemas,omitempty"`
	Responses       map[string]response       `json:"responses,omitempty"`
	SecuritySchemes map[string]SecurityScheme `json:"securitySchemes,omitempty"`
}

type operation struct {
	OperationID string              `json:"operationId"`
	Summary     string              `json:"summary,omitempty"`
	Description string              `json:"description,omitempty"`
	Tags        []string            `json:"tags,omitempty"`
	Deprecated  bool                `json:"deprecated,omitempty"`
	Security    *[]requirement      `json:"security,omitempty"`
	Parameters  []parameter         `json:"parameters,omitempty"`
	RequestBody *requestBody        `json:"requestBody,omitempty"`
	Responses   map[string]response `json:"responses"`
}

type parameter struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Description string `json:"description,omitempty"`
	Required    bool   `json:"required,omitempty"`
	Schema      *node  `json:"schema"`
}

type requestBody struct {
	Required bool             `json:"required,omitempty"`
	Content  map[string]media `json:"content"`
}

type media struct {
	Schema *node `json:"schema"`
}

type response struct {
	Ref         string           `json:"$ref,omitempty"`
	Description string           `json:"description,omitempty"`
	Content     map[string]media `json:"content,omitempty"`
}

const problemRef = "#/components/responses/Problem"

// document assembles what was added.
func (d *Document) document() root {
	doc := root{
		OpenAPI: "3.1.1",
		Info:    info{d.cfg.Title, d.cfg.Version, d.cfg.Description},
		Servers: d.cfg.Servers, Security: requirements(d.cfg.Security), Paths: d.paths,
		Components: components{Schemas: d.types.components(), SecuritySchemes: d.cfg.SecuritySchemes},
	}
	if slices.ContainsFunc(d.operations(), (*operation).mayFail) {
		doc.Components.Responses = map[string]response{"Problem": {
			Description: "What was wrong, as problem details: RFC 9457.",
			Content:     map[string]media{"application/problem+json": {problemSchema()}},
		}}
	}
	return doc
}

func (d *Document) operations() (all []*operation) {
	for _, methods := range d.paths {
		for _, o := range methods {
			all = append(all, o)
		}
	}
	return all
}

func (o *operation) mayFail() bool {
	for _, r := range o.Responses {
		if r.Ref != "" {
			return true
		}
	}
	return false
}

// requirements says that one of the schemes is enough.
func requirements(names []string) []requirement {
	all := make([]requirement, 0, len(names))
	for _, name := range names {
		all = append(all, requirement{name: {}})
	}
	return all
}

func (d *Document) operation(method, path string, h http.Handler, about Operation) (*operation, error) {
	o := &operation{
		OperationID: about.ID, Summary: about.Summary, Description: about.Description, Tags: about.Tags, Deprecated: about.Deprecated,
		Responses: map[string]response{},
	}
	if o.OperationID == "" {
		o.OperationID = operationID(method, path)
	}
	if about.Security != nil {
		for _, name := range about.Security {
			if _, ok := d.cfg.SecuritySchemes[name]; !ok {
				return nil, fmt.Errorf("the security scheme %q is not in Config.SecuritySchemes", name)
			}
		}
		all := requirements(about.Security)
		o.Security = &all
	}
	for _, status := range about.Errors {
		o.Responses[strconv.Itoa(status)] = response{Ref: problemRef}
	}
	endpoint, ok := describer(h)
	if !ok {
		for _, name := range pathParams(path) {
			o.Parameters = append(o.Parameters, parameter{Name: name, In: "path", Required: true, Schema: &node{Type: "string"}})
		}
		if len(o.Responses) == 0 {
			o.Responses["default"] = response{Description: "Not described."}
		}
		return o, nil
	}
	return o, d.describe(o, path, endpoint.Describe())
}

// describe fills o from the types.
func (d *Document) describe(o *operation, path string, op web.Operation) error {
	in, err := schema.InputOf(op.Input)
	if err != nil {
		return err
	}
	if err := d.parameters(o, path, in); err != nil {
		return err
	}
	body, required, err := d.types.body(op, in)
	if err != nil {
		return err
	}
	if body != nil {
		o.RequestBody = &requestBody{Required: required, Content: map[string]media{"application/json": {body}}}
		for _, status := range []string{"400", "413", "415", "422"} {
			o.Responses[status] = response{Ref: problemRef}
		}
	}
	if len(in.Params) > 0 {
		o.Responses["422"] = response{Ref: problemRef}
	}
	success := response{Description: http.StatusText(op.Status)}
	if op.Output != nil {
		d.types.output = true
		out, err := d.types.node(op.Output, nil, inJSON)
		d.types.output = false
		if err != nil {
			return err
		}
		success.Content = map[string]media{"application/json": {orNull(out, nullable(op.Output))}}
	}
	if success.Description == "" {
		success.Description = "Success"
	}
	o.Responses[strconv.Itoa(op.Status)] = success
	return nil
}

func (d *Document) parameters(o *operation, path string, in *schema.Input) error {
	inPath := pathParams(path)
	bound := map[string]bool{}
	for _, p := range in.Params {
		if p.In == schema.Path {
			bound[p.Name] = true
			if !slices.Contains(inPath, p.Name) {
				return fmt.Errorf("the endpoint binds the path parameter %q, which the pattern does not have", p.Name)
			}
		}
		if p.In == schema.Header && slices.Contains([]string{"accept", "content-type", "authorization"}, strings.ToLower(p.Name)) {
			continue // the specification leaves them to other parts: section 4.8.12
		}
		n, err := d.types.node(p.Type, p.Rules, inText)
		if err != nil {
			return fmt.Errorf("the %s parameter %q: %w", p.In, p.Name, err)
		}
		o.Parameters = append(o.Parameters, parameter{
			Name: p.Name, In: p.In, Description: p.Doc, Required: p.Rules.Required || p.In == schema.Path, Schema: n,
		})
	}
	for _, name := range inPath {
		if !bound[name] {
			o.Parameters = append(o.Parameters, parameter{Name: name, In: "path", Required: true, Schema: &node{Type: "string"}})
		}
	}
	return nil
}

// body is the schema of the request's body, nil when the input takes none.
func (r *registry) body(op web.Operation, in *schema.Input) (n *node, required bool, err error) {
	r.strict = op.RefusesUnknown
	defer func() { r.strict = false }()
	if in.Body != nil {
		rules := *in.Body.Rules
		n, err = r.node(in.Body.Type, &rules, inJSON)
		return n, in.Body.Rules.Required || in.Body.Type.Kind() != reflect.Pointer && !in.Body.Rules.HasDefault, err
	}
	if len(in.Members) == 0 {
		return nil, false, nil
	}
	for _, m := range in.Members {
		required = required || m.Rules.Required
	}
	n, err = r.component(op.Input, in.Members, len(in.Params) > 0)
	return n, required, err
}

func problemSchema() *node {
	text := func(doc string) *node { return &node{Type: "string", Description: doc} }
	field := &node{Type: "object", Properties: properties{
		{"pointer", text("A JSON pointer, as a URI fragment, to the member of the body.")},
		{"parameter", text("The parameter's name.")},
		{"in", &node{Type: "string", Enum: []any{"path", "query", "header", "cookie"}}},
		{"detail", text("What is wrong.")},
	}, Required: []string{"detail"}}
	return &node{Type: "object", Properties: properties{
		{"type", &node{Type: "string", Format: "uri-reference", Default: "about:blank"}},
		{"title", text("The kind of problem.")},
		{"status", &node{Type: "integer"}},
		{"detail", text("This problem.")},
		{"errors", &node{Type: "array", Items: field}},
	}, Required: []string{"title", "status"}}
}
