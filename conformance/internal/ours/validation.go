package ours

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/gomiddy/middy/conformance"
	"github.com/gomiddy/middy/web/validate"
)

// validation holds the parts of a request against schemas, where Middy's validator
// holds the event. A schema whose subject is the body is that of the body; one
// about the event as a whole judges the event in the place of a body, and one
// about the response judges the object that Middy's handler returns in the place
// of one.
func validation(r *run, o options) (func(http.Handler) http.Handler, error) {
	cfg := validate.Config{Coerce: true, Log: slog.New(slog.DiscardHandler)} // Middy always coerces
	if schema := o.object("eventSchema"); schema != nil {
		properties, _ := schema["properties"].(object)
		if r.whole = !r.ofBody(); !r.whole {
			schema, _ = properties["body"].(object)
		}
		cfg.Body = []byte(compact(schema))
	}
	if schema := o.object("responseSchema"); schema != nil {
		cfg.Response, r.returned = []byte(compact(schema)), true
	}
	facet := func(req *http.Request) (any, error) {
		in, ok := validate.FromContext(req.Context())
		if !ok {
			return conformance.Undefined{}, nil
		}
		return plainJSON(in.Body), nil
	}
	r.facets["body"], r.facets["event"] = facet, facet
	return validate.New(cfg), nil
}

func (r *run) ofBody() bool {
	return r.c.Handler != nil && len(r.c.Handler.Echo) == 1 && r.c.Handler.Echo[0] == "body"
}

// asBody is the request whose body is what Middy's validator would judge: the
// event, or what a parser has left in its body.
func (r *run) asBody(event json.RawMessage) (json.RawMessage, error) {
	payload, err := conformance.Plain(event)
	if err != nil {
		return nil, err
	}
	var e map[string]json.RawMessage
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	body := payload
	if !r.whole {
		body = e["body"]
	}
	return json.Marshal(object{
		"httpMethod": "POST", "path": "/", "headers": object{"Content-Type": "application/json"}, "requestContext": object{}, "body": string(body),
	})
}
