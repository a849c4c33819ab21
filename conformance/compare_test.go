package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gomiddy/middy/conformance"
)

func TestWhatAClientCannotTellApartIsEqual(t *testing.T) {
	for name, c := range map[string][2]string{
		"names of headers in any case":       {`{"response":{"statusCode":200,"headers":{"X-A":"1"}}}`, `{"response":{"statusCode":200,"headers":{"x-a":"1"}}}`},
		"no headers and an empty set":        {`{"response":{"statusCode":200}}`, `{"response":{"statusCode":200,"headers":{}}}`},
		"a text and its base64":              {`{"response":{"statusCode":200,"body":"hi"}}`, `{"response":{"statusCode":200,"body":"aGk=","isBase64Encoded":true}}`},
		"JSON in another order":              {`{"response":{"statusCode":200,"body":"{\"a\":1,\"b\":2}"}}`, `{"response":{"statusCode":200,"body":"{\"b\":2,\"a\":1}"}}`},
		"an object and its JSON":             {`{"response":{"statusCode":200,"body":{"a":1}}}`, `{"response":{"statusCode":200,"body":"{\"a\":1}"}}`},
		"Set-Cookie and cookies":             {`{"response":{"statusCode":200,"headers":{"Set-Cookie":"a=b"}}}`, `{"response":{"statusCode":200,"cookies":["a=b"]}}`},
		"a bare value and a 200":             {`{"response":"ok"}`, `{"response":{"statusCode":200,"body":"ok","headers":{}}}`},
		"a long text and its digest":         {`{"log":[{"$repeat":["x",2000]}]}`, `{"log":[{"$digest":["` + digestOf2000x + `",2000]}]}`},
		"two refusals at construction":       {`{"error":{"at":"construction","message":"a"}}`, `{"error":{"at":"construction","message":"b"}}`},
		"no body and an empty one":           {`{"saw":{"body":""}}`, `{"saw":{}}`},
		"spaces in a list":                   {`{"response":{"statusCode":200,"headers":{"Vary":"A,B"}}}`, `{"response":{"statusCode":200,"headers":{"vary":"A, B"}}}`},
		"the type of a 204":                  {`{"response":{"statusCode":204,"headers":{"Content-Type":"text/html"}}}`, `{"response":{"statusCode":204}}`},
		"directives of a policy in an order": {`{"response":{"statusCode":200,"headers":{"Content-Security-Policy":"a b; c d"}}}`, `{"response":{"statusCode":200,"headers":{"Content-Security-Policy":"c d; a b"}}}`},
	} {
		if a, b := json.RawMessage(c[0]), json.RawMessage(c[1]); !conformance.Equal(a, b) || !conformance.Equal(b, a) {
			t.Errorf("%s:\n%s", name, conformance.Diff(a, b))
		}
	}
}

const digestOf2000x = "5c0e0ea421571c300b5df6aec0a118b5c3dc02e0683a546341d5efc689df2f58"

func TestWhatAClientCanTellApartIsNot(t *testing.T) {
	for name, c := range map[string][2]string{
		"another status":            {`{"response":{"statusCode":200}}`, `{"response":{"statusCode":201}}`},
		"another text":              {`{"response":{"statusCode":200,"body":"a"}}`, `{"response":{"statusCode":200,"body":"b"}}`},
		"a text and the text of it": {`{"response":{"statusCode":200,"body":"1"}}`, `{"response":{"statusCode":200,"body":"\"1\""}}`},
		"a header more":             {`{"response":{"statusCode":200}}`, `{"response":{"statusCode":200,"headers":{"x":"1"}}}`},
		"a response and an error":   {`{"response":{"statusCode":404}}`, `{"error":{"status":404}}`},
		"a handler that ran":        {`{"response":{"statusCode":204},"skipped":true}`, `{"response":{"statusCode":204}}`},
		"null and nothing":          {`{"saw":{"context":{"a":null}}}`, `{"saw":{"context":{}}}`},
		"a body and its encoding":   {`{"response":{"statusCode":200,"body":{"$z":["br","a"]}}}`, `{"response":{"statusCode":200,"body":{"$z":["gzip","a"]}}}`},
	} {
		if a, b := json.RawMessage(c[0]), json.RawMessage(c[1]); conformance.Equal(a, b) || conformance.Equal(b, a) {
			t.Errorf("%s: equal", name)
		}
	}
}

// A case that nothing could fail proves nothing: when a leaf of what is expected is
// changed, the case must see it. All leaves of all cases would take minutes under
// the race detector: it is one of the first of each, and now and then another.
func TestEveryCaseSeesWhenAnotherAnswerIsExpected(t *testing.T) {
	leaves := 0
	for i, c := range stored(t) {
		seen := 0
		var v any
		dec := json.NewDecoder(bytes.NewReader(c.Expected()))
		dec.UseNumber() // one of them is larger than any float64
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		change(v, "", func(path string) {
			seen++
			if seen != 1+i%3 && seen%50 != 0 || meaningless(v, path) {
				return
			}
			leaves++
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if conformance.Equal(c.Expected(), b) {
				t.Errorf("%s does not see a change of %s", c.ID, path)
			}
		})
	}
	if leaves < 2000 {
		t.Errorf("%d leaves; the cases hold less than they did", leaves)
	}
}

// meaningless are leaves that no client reads.
func meaningless(v any, path string) bool {
	r, _ := v.(map[string]any)
	if e, ok := r["error"].(map[string]any); ok && e["at"] != nil {
		return path != "/error/at"
	}
	resp, _ := r["response"].(map[string]any)
	return resp["statusCode"] == json.Number("204") && strings.EqualFold(path, "/response/headers/content-type") || strings.HasSuffix(path, "/isBase64Encoded") || strings.Contains(path, "$undef")
}

// change calls f for each leaf while it is another one.
func change(v any, path string, f func(path string)) {
	at := func(get any, set func(any), path string) {
		switch leaf := get.(type) {
		case map[string]any, []any:
			change(leaf, path, f)
			return
		case string:
			set(leaf + "~")
		case json.Number:
			set("1" + leaf)
		case bool:
			set(!leaf)
		case nil:
			set("~")
		}
		f(path)
		set(get)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			at(v[key], func(x any) { v[key] = x }, path+"/"+key)
		}
	case []any:
		for i := range v {
			at(v[i], func(x any) { v[i] = x }, fmt.Sprintf("%s/%d", path, i))
		}
	}
}

func TestValuesThatJSONLacks(t *testing.T) {
	for text, want := range map[string]any{
		`{"$repeat":["ab",3]}`:                  "ababab",
		`{"$concat":["a",{"$repeat":["b",2]}]}`: "abb",
		`{"$b64":"hi"}`:                         "aGk=",
		`{"$json":{"a":[1,"<"]}}`:               `{"a":[1,"<"]}`,
		`{"$b64json":{"a":1}}`:                  "eyJhIjoxfQ==",
		`{"$undef":1}`:                          conformance.Undefined{},
		`{"$function":"xml"}`:                   conformance.Function("xml"),
		`{"$regexp":"^a$"}`:                     conformance.Regexp("^a$"),
		`12`:                                    12.0,
		`{"$repeat":"what is not its form, remains"}`: nil,
	} {
		got, err := conformance.Value(json.RawMessage(text))
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			if _, ok := got.(map[string]any); !ok {
				t.Errorf("%s is %v", text, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
	if b, err := conformance.Value(json.RawMessage(`{"$bytes":"AAE="}`)); err != nil || string(b.([]byte)) != "\x00\x01" {
		t.Errorf("$bytes: %v, %v", b, err)
	}
	if _, err := conformance.Value(json.RawMessage(`{`)); err == nil {
		t.Error("half an object is a value")
	}
}

func TestReadLinesSaysWhichLineIsBad(t *testing.T) {
	_, err := conformance.ReadLines[conformance.Case](strings.NewReader("{\"id\":\"a\"}\n\n{"))
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("%v", err)
	}
}
