package web_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/web"
)

// memory is how many bytes f allocates.
func memory(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Nothing that comes through a front door crashes the function, and what it costs
// is a small multiple of the event.
func TestHostileEvents(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			panic(err)
		}
		_ = r.URL.Query()
		_ = r.Cookies()
		fmt.Fprint(w, n, " ", len(r.Header))
	})
	f, err := middy.New(web.Handler(echo))
	if err != nil {
		t.Fatal(err)
	}
	event := func(members string) string {
		return `{"httpMethod":"GET","path":"/","requestContext":{}` + members + `}`
	}
	many := func(n int, element func(i int) string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(element(i))
		}
		return b.String()
	}
	for _, c := range []struct {
		rule, event string
		status      float64 // 0: the event is refused as malformed
		times       uint64  // the most bytes allocated for a byte of the event
	}{
		{"100,000 headers", event(`,"headers":{` + many(100_000, func(i int) string { return fmt.Sprintf(`"x-%d":"v"`, i) }) + `}`), 200, 30},
		{"100,000 values of one header", event(`,"multiValueHeaders":{"x-a":[` + many(100_000, func(int) string { return `"v"` }) + `]}`), 200, 120},
		{"100,000 cookies", `{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET"}},"cookies":[` + many(100_000, func(i int) string { return fmt.Sprintf(`"c%d=1"`, i) }) + `]}`, 200, 60},
		{"100,000 query parameters", event(`,"queryStringParameters":{` + many(100_000, func(i int) string { return fmt.Sprintf(`"q%d":"v"`, i) }) + `}`), 200, 60},
		{"a body of 10 MiB", event(`,"body":"` + strings.Repeat("a", 10<<20) + `"`), 200, 3},
		{"a body of 10 MiB in base64", event(`,"isBase64Encoded":true,"body":"` + strings.Repeat("YWFh", 10<<20/4) + `"`), 200, 4},
		{"a body of 10 MiB of escapes", event(`,"body":"` + strings.Repeat(`\u0041`, 10<<20/6) + `"`), 200, 4},
		{"a header of 5 MiB", event(`,"headers":{"x":"` + strings.Repeat("a", 5<<20) + `"}`), 200, 4},
		{"a million open brackets", event(`,"x":` + strings.Repeat("[", 1e6)), 0, 3},
		{"objects nested a million deep", event(`,"x":` + strings.Repeat(`{"a":`, 1e6)), 0, 3},
		{"an authorizer nested as deep as JSON may", `{"httpMethod":"GET","path":"/","requestContext":{"authorizer":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}}`, 200, 60},
		{"invalid UTF-8 everywhere", event(",\"headers\":{\"x-\xff\":\"\xff\xfe\"},\"queryStringParameters\":{\"\xff\":\"\xc0\x80\"},\"body\":\"\xed\xa0\x80\""), 200, 200},
		{"lone surrogates and zero bytes", event(`,"headers":{"x":"\ud800\u0000"},"body":"\udfff\u0000"`), 200, 200},
		{"line breaks in a header", event(`,"headers":{"x":"a\r\nSet-Cookie: b=1"}`), 200, 200},
		{"names that are properties of JavaScript objects", event(`,"headers":{"__proto__":"x","constructor":"y"},"pathParameters":{"__proto__":"1"}`), 200, 200},
		{"a path that is no URL", `{"httpMethod":"GET","path":"::%zz\u0000 //..//?#","requestContext":{}}`, 200, 200},
		{"a method that is none", `{"httpMethod":"G E T\r\n","path":"/","requestContext":{}}`, 200, 200},
		{"a number for a string", event(`,"headers":{"x":1}`), 200, 200},
		{"an object for a string", event(`,"headers":{"x":{}}`), 0, 200},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var out []byte
			var err error
			used := memory(func() { out, err = f.Invoke(t.Context(), []byte(c.event)) })
			if limit := c.times*uint64(len(c.event)) + 1<<20; used > limit {
				t.Errorf("%d bytes for an event of %d: more than %d", used, len(c.event), limit)
			}
			t.Logf("%.1f bytes for a byte of the event", float64(used)/float64(len(c.event)))
			if c.status == 0 {
				if err == nil || len(err.Error()) > 300 {
					t.Fatalf("got %.300s, %.300v", out, err)
				}
				return
			}
			var m map[string]any
			if err != nil || json.Unmarshal(out, &m) != nil || m["statusCode"] != c.status {
				t.Fatalf("got %.300s, %.300v", out, err)
			}
		})
	}
}
