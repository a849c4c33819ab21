package conformance_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/gomiddy/middy/conformance"
)

// A runner that is broken must be reported, not end the one that judges it.
func TestExplainTakesEveryResult(t *testing.T) {
	t.Parallel()
	results := []json.RawMessage{
		json.RawMessage(`{}`), json.RawMessage(`{"crash":"x"}`), json.RawMessage(`{"saw":{}}`), json.RawMessage(`{"error":{"status":null}}`), json.RawMessage(`{"error":{"status":404,"message":"m"}}`),
		json.RawMessage(`{"error":{"at":"construction"}}`), json.RawMessage(`{"response":null}`), json.RawMessage(`{"response":"text"}`), json.RawMessage(`{"response":{"statusCode":200,"headers":{},"body":""}}`), json.RawMessage(`{"steps":[{},{"response":{"statusCode":204}}]}`), json.RawMessage(`{"skipped":true}`),
	}
	for i, c := range stored(t) {
		if i%5 > 0 { // all of them would take a minute under the race detector
			continue
		}
		for _, want := range append(results, c.Want) {
			other := c
			other.Want = want
			for _, got := range results {
				conformance.Explain(&other, got, func(*conformance.Case) json.RawMessage { return want })
			}
		}
		for range 2 { // without what a case may leave out
			bare := conformance.Case{ID: c.ID, Use: c.Use, Want: c.Want}
			conformance.Explain(&bare, results[8], nil)
		}
	}
}

// What a reason is about must be in the case: a rule that goes by the id, or by a
// text anywhere in the event, would hide another difference.
func TestAReasonDoesNotExplainWhatItIsNotAbout(t *testing.T) {
	t.Parallel()
	event := func(headers string) json.RawMessage {
		return json.RawMessage(`{"httpMethod":"POST","path":"/","headers":` + headers + `,"requestContext":{"identity":{"sourceIp":"192.0.2.1"}}}`)
	}
	use := func(name string) []conformance.Use { return []conformance.Use{{Name: name}} }
	response := func(headers, body string) json.RawMessage {
		return json.RawMessage(`{"response":{"statusCode":200,"headers":` + headers + `,"body":` + body + `}}`)
	}
	const saw, unauthorized, unsupported = `{"saw":{"context":{"jwt":{}}}}`, `{"error":{"status":401,"message":"Unauthorized"}}`, `{"error":{"status":415,"message":"Unsupported Media Type"}}`
	const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2ln"
	for name, c := range map[string]struct {
		reason    string
		c         conformance.Case
		got       json.RawMessage
		explained bool
	}{
		"a token of good base64":         {"strict-base64", conformance.Case{Use: use("http-jwt"), Event: event(`{"Authorization":"Bearer ` + token + `"}`), Want: json.RawMessage(saw)}, json.RawMessage(unauthorized), false},
		"a token with padding":           {"strict-base64", conformance.Case{Use: use("http-jwt"), Event: event(`{"Authorization":"Bearer ` + token + `="}`), Want: json.RawMessage(saw)}, json.RawMessage(unauthorized), true},
		"a boundary that Middy takes":    {"boundary", conformance.Case{Use: use("http-multipart-body-parser"), Event: event(`{"content-type":"multipart/form-data; boundary=x"}`), Want: json.RawMessage(unsupported)}, json.RawMessage(`{"saw":{"body":{}}}`), false},
		"a quoted boundary":              {"boundary", conformance.Case{Use: use("http-multipart-body-parser"), Event: event(`{"content-type":"multipart/form-data; boundary=\"x y\""}`), Want: json.RawMessage(unsupported)}, json.RawMessage(`{"saw":{"body":{}}}`), true},
		"identity of a requestContext":   {"next-coding", conformance.Case{Use: use("http-content-encoding"), Event: event(`{"Accept-Encoding":"gzip"}`), Want: response(`{}`, `"a"`)}, response(`{"Content-Encoding":"gzip"}`, `{"$z":["gzip","a"]}`), false},
		"a first choice that is unknown": {"next-coding", conformance.Case{Use: use("http-content-encoding"), Event: event(`{"Accept-Encoding":"compress, gzip"}`), Want: response(`{}`, `"a"`)}, response(`{"Content-Encoding":"gzip"}`, `{"$z":["gzip","a"]}`), true},
		"a range of another type":        {"wildcards", conformance.Case{Use: use("http-response-serializer"), Event: event(`{"Accept":"image/*"}`), Want: response(`{}`, `"a"`)}, response(`{"Content-Type":"text/plain"}`, `"a"`), false},
		"a range of the type":            {"wildcards", conformance.Case{Use: use("http-response-serializer"), Event: event(`{"Accept":"text/*"}`), Want: response(`{"Content-Type":"a/b"}`, `"b"`)}, response(`{"Content-Type":"text/plain"}`, `"a"`), true},
		"a weight that is one":           {"weights", conformance.Case{Use: use("http-content-negotiation"), Event: event(`{"Accept":"a/b;q=0.5"}`), Want: json.RawMessage(`{"saw":{"context":{"preferredMediaTypes":["a/b"]}}}`)}, json.RawMessage(`{"saw":{"context":{"preferredMediaTypes":[]}}}`), false},
		"a weight that is empty":         {"weights", conformance.Case{Use: use("http-content-negotiation"), Event: event(`{"Accept":"a/b;q="}`), Want: json.RawMessage(`{"saw":{"context":{"preferredMediaTypes":["a/b"]}}}`)}, json.RawMessage(`{"saw":{"context":{"preferredMediaTypes":[]}}}`), true},
		"one spelling of a name":         {"all-values", conformance.Case{Use: use("http-header-normalizer"), Event: event(`{"A":"1"}`), Want: json.RawMessage(`{"saw":{"headers":{"a":"1"}}}`)}, json.RawMessage(`{"saw":{"headers":{"a":"1, 2"}}}`), false},
		"two spellings of a name":        {"all-values", conformance.Case{Use: use("http-header-normalizer"), Event: event(`{"A":"2","a":"1"}`), Want: json.RawMessage(`{"saw":{"headers":{"a":"1"}}}`)}, json.RawMessage(`{"saw":{"headers":{"a":"1, 2"}}}`), true},
	} {
		ids, _ := conformance.Explain(&c.c, c.got, nil)
		if slices.Contains(ids, c.reason) != c.explained {
			t.Errorf("%s: got the reasons %v, want %s among them: %t", name, ids, c.reason, c.explained)
		}
	}
}
