package main

import (
	"io"
	"strings"
	"testing"

	"github.com/gomiddy/middy/conformance"
)

func TestThePageIsWhatTheCasesSay(t *testing.T) {
	t.Chdir("../../..")
	if err := run([]string{"-check"}, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestACaseIsEqualOrMoreOrElse(t *testing.T) {
	deviating := func(reasons ...string) conformance.Case {
		return conformance.Case{ID: "http-cors/test/x", Deviation: &conformance.Deviation{Reason: reasons}}
	}
	page := string(write([]conformance.Case{{ID: "http-cors/test/a"}, {ID: "stack/test/b"}, deviating("vary"), deviating("vary", "nosniff"), deviating("vary", "unknown-door")},
		[]conformance.Reason{{ID: "vary", Reason: "because"}}))
	for _, want := range []string{
		"ran 5 cases over 1 packages",
		"| http-cors | web/cors | 4 | 1 | 2 | 1 | nosniff 1, unknown-door 1, vary 3 |",
		"| stack |  | 1 | 1 | 0 | 0 |  |",
		"| **all** | | **5** | **2** | **2** | **1** | |",
		"| vary | 3 | because |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}
