package main

import (
	"bytes"
	"strings"
	"testing"
)

const preflight = `{"id":"http-cors/test/a","use":[{"name":"http-cors","options":{"origin":"*"}}],"event":{"headers":{}},"handler":{"return":{"statusCode":200}},"want":{"response":{"statusCode":STATUS,"headers":{"Access-Control-Allow-Origin":"*"}}}}`

func TestRunWritesOneResultForEachLine(t *testing.T) {
	in := strings.NewReader(strings.ReplaceAll(preflight, "STATUS", "200") + "\n\n" + strings.ReplaceAll(preflight, "STATUS", "200") + "\n")
	var out, problems bytes.Buffer
	if err := run(t.Context(), nil, in, &out, &problems); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), `{"id":"http-cors/test/a","got":{"response":`); n != 2 {
		t.Errorf("%d results:\n%s", n, &out)
	}
}

func TestCheckFailsOnADifferenceAndShowsIt(t *testing.T) {
	for status, want := range map[string]string{"200": "", "204": "1 of 1 cases differ"} {
		var out, problems bytes.Buffer
		err := run(t.Context(), []string{"--check"}, strings.NewReader(strings.ReplaceAll(preflight, "STATUS", status)), &out, &problems)
		switch {
		case want == "" && (err != nil || out.Len() > 0):
			t.Errorf("%s: %v\n%s", status, err, &out)
		case want != "" && (err == nil || err.Error() != want || !strings.Contains(out.String(), "http-cors/test/a differs")):
			t.Errorf("%s: %v\n%s", status, err, &out)
		}
	}
}

func TestRunRefusesWhatIsNoCase(t *testing.T) {
	for name, args := range map[string][]string{"a flag": {"--what"}, "a file": {"no-such-file.jsonl"}} {
		var out, problems bytes.Buffer
		if err := run(t.Context(), args, strings.NewReader(""), &out, &problems); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	var out, problems bytes.Buffer
	if err := run(t.Context(), nil, strings.NewReader("{"), &out, &problems); err == nil {
		t.Error("half a line: no error")
	}
}
