package hostile

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/compress"
	"github.com/gomiddy/middy/web/cors"
	"github.com/gomiddy/middy/web/deadline"
	"github.com/gomiddy/middy/web/formbody"
	"github.com/gomiddy/middy/web/headers"
	"github.com/gomiddy/middy/web/jsonbody"
	"github.com/gomiddy/middy/web/jwtauth"
	"github.com/gomiddy/middy/web/multipart"
	"github.com/gomiddy/middy/web/negotiate"
	"github.com/gomiddy/middy/web/partial"
	"github.com/gomiddy/middy/web/pasetoauth"
	"github.com/gomiddy/middy/web/pathparam"
	"github.com/gomiddy/middy/web/problem"
	"github.com/gomiddy/middy/web/requestid"
	"github.com/gomiddy/middy/web/router"
	"github.com/gomiddy/middy/web/secure"
	"github.com/gomiddy/middy/web/serialize"
	"github.com/gomiddy/middy/web/validate"
	"github.com/gomiddy/middy/web/x402"
)

// middlewares are all that take requests of anybody, each with the configuration
// that looks at the most.
func middlewares() map[string]func(http.Handler) http.Handler {
	return map[string]func(http.Handler) http.Handler{
		"none":      func(h http.Handler) http.Handler { return h },
		"compress":  compress.New(compress.Config{Encodings: []compress.Encoding{compress.Gzip(0), compress.Deflate(0)}}),
		"cors":      cors.New(cors.Config{Origins: []string{"https://*.example.com"}, Credentials: true, RequestHeaders: []string{"x-a"}, RequestMethods: []string{"GET"}}),
		"deadline":  deadline.New(deadline.Config{}),
		"formbody":  formbody.New(formbody.Config{}),
		"headers":   headers.New(headers.Config{Defaults: http.Header{"Accept": {"*/*"}}}),
		"jsonbody":  jsonbody.New(jsonbody.Config{}),
		"jwtauth":   jwtauth.New(jwtauth.Config{Algorithms: []string{"HS256"}, Secret: jwtauth.Static([]byte("0123456789abcdef0123456789abcdef"))}),
		"multipart": multipart.New(multipart.Config{}),
		"negotiate": negotiate.New(negotiate.Config{MediaType: negotiate.Offers{Available: []string{"application/json"}}, Language: negotiate.Offers{Available: []string{"en"}}}),
		"partial":   partial.New(partial.Config{}),
		"pathparam": pathparam.New(pathparam.Config{}),
		"problem":   problem.New(problem.Config{}),
		"requestid": requestid.New(requestid.Config{}),
		"router": func(h http.Handler) http.Handler {
			r := router.New(router.Config{})
			r.Handle("ANY /{proxy+}", h)
			return r
		},
		"secure":     secure.New(secure.Config{}),
		"serialize":  serialize.New(serialize.Config{}),
		"pasetoauth": pasetoauth.New(pasetoauth.Config{Key: pasetoauth.Key{Local: pasetoauth.Static(make([]byte, 32))}}),
		"validate": validate.New(validate.Config{
			Body:  []byte(`{"type":"object","properties":{"name":{"type":"string","pattern":"^a+$"},"deep":{"$ref":"#"}}}`),
			Query: []byte(`{"type":"object","properties":{"limit":{"type":"integer"}}}`),
		}),
		"x402": x402.New(x402.Config{Amount: "1", PayTo: "p", Asset: "a", Facilitator: nobody{}}),
		"typed": func(http.Handler) http.Handler {
			return web.JSON(func(_ context.Context, in struct {
				Limit int      `query:"limit" maximum:"10"`
				Tags  []string `query:"tag" maxItems:"5"`
				Name  string   `json:"name" maxLength:"10"`
				Deep  any      `json:"deep"`
			}) (struct{}, error) {
				return struct{}{}, nil
			})
		},
	}
}

// nobody settles nothing: hostile requests have no payment.
type nobody struct{}

func (nobody) Verify(context.Context, x402.Payment) (x402.Verification, error) {
	return x402.Verification{}, nil
}

func (nobody) Settle(context.Context, x402.Payment) (x402.Settlement, error) {
	return x402.Settlement{}, errors.New("nobody pays")
}

// memory is how many bytes f allocates.
func memory(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// recursive is a multipart body in a multipart body, depth times.
func recursive(depth int) string {
	if depth == 0 {
		return "end"
	}
	b := fmt.Sprintf("b%d", depth)
	return fmt.Sprintf("--%s\r\nContent-Disposition: form-data; name=\"x\"\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n%s\r\n--%s--\r\n", b, depth-1, recursive(depth-1), b)
}

// No request crashes a middleware, makes it answer 5xx, or costs more than a
// small multiple of itself.
func TestHostileRequests(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 50<<20))
	_ = z.Close()
	type request struct {
		contentType, body string
		header            http.Header
	}
	huge := strings.Repeat("a", 10<<20)
	many := http.Header{}
	for i := range 100_000 {
		many.Add(fmt.Sprintf("X-%d", i%50_000), "v")
	}
	list := func(name, element string, n int) http.Header {
		return http.Header{name: {strings.Repeat(element+",", n)}}
	}
	for name, c := range map[string]request{
		"100,000 header lines":                     {header: many},
		"an Accept of 100,000 elements":            {header: list("Accept", "a/b;q=0.5", 100_000)},
		"an Accept-Encoding of 100,000 elements":   {header: list("Accept-Encoding", "gzip;q=0.5", 100_000)},
		"an Accept-Language of 100,000 elements":   {header: list("Accept-Language", "en-US;q=0.5", 100_000)},
		"a preflight that asks for 100,000 fields": {header: http.Header{"Origin": {"https://a.example.com"}, "Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {strings.Repeat("x-a,", 100_000)}}},
		"an origin of 5 MiB":                       {header: http.Header{"Origin": {"https://" + huge[:5<<20] + ".example.com"}}},
		"an origin that is no URL":                 {header: http.Header{"Origin": {"https://\xff[::%zz]:99999999@\x00"}}},
		"a token of 5 MiB":                         {header: http.Header{"Authorization": {"Bearer " + huge[:5<<20]}}},
		"a payment of 5 MiB":                       {header: http.Header{"Payment-Signature": {huge[:5<<20]}, "X-Payment": {huge[:5<<20]}}},
		"a payment that is no JSON":                {header: http.Header{"Payment-Signature": {"eyJ4NDAyVmVyc2lvbiI6"}, "X-Payment": {"////"}}},
		"a token of dots":                          {header: http.Header{"Authorization": {"Bearer " + strings.Repeat(".", 1<<20)}}},
		"a request id with line breaks":            {header: http.Header{"X-Request-Id": {"a\r\nSet-Cookie: b=1"}}},
		"a JSON body of 10 MiB":                    {"application/json", `{"name":"` + huge + `"}`, nil},
		"JSON nested a million deep":               {"application/json", strings.Repeat("[", 1e6), nil},
		"objects nested 200,000 deep":              {"application/json", strings.Repeat(`{"deep":`, 200_000) + "1" + strings.Repeat("}", 200_000), nil},
		"JSON with invalid UTF-8":                  {"application/json", "{\"name\":\"\xff\xfe\"}", nil},
		"JSON with hostile keys":                   {"application/json", `{"__proto__":{"x":1},"constructor":{"prototype":{}}}`, nil},
		"a zip bomb":                               {"application/json", bomb.String(), http.Header{"Content-Encoding": {"gzip"}}},
		"a form of 10 MiB":                         {"application/x-www-form-urlencoded", "a=" + huge, nil},
		"a form of a million pairs":                {"application/x-www-form-urlencoded", strings.Repeat("a=1&", 1e6), nil},
		"a form with broken escapes":               {"application/x-www-form-urlencoded", "%=%zz&%ff=\xff", nil},
		"multipart in multipart in multipart":      {"multipart/form-data; boundary=b200", recursive(200), nil},
		"a multipart body of 100,000 parts":        {"multipart/form-data; boundary=b", strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n", 100_000) + "--b--", nil},
		"a part with 100,000 header lines":         {"multipart/form-data; boundary=b", "--b\r\n" + strings.Repeat("X-A: 1\r\n", 100_000) + "\r\n1\r\n--b--", nil},
		"a part without a name":                    {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--", nil},
		"a field and then an array of that name":   {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name=\"a[]\"\r\n\r\n1\r\n--b--", nil},
		"a boundary that is none":                  {"multipart/form-data; boundary=\"\"", "--", nil},
		"a content type of 1 MiB":                  {"application/" + huge[:1<<20], "{}", nil},
		"a content type with invalid UTF-8":        {"application/json; charset=\xff", "{}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			size := uint64(len(c.body) + len(c.contentType))
			for k, v := range c.header {
				size += uint64(len(k) + len(strings.Join(v, "")))
			}
			most, by := uint64(0), ""
			for name, mw := range middlewares() {
				h := mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20))
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, `{"a":[1,2,{"b":3}]}`)
				}))
				for _, method := range []string{"POST", "OPTIONS"} {
					r := httptest.NewRequest(method, "/?fields="+strings.Repeat("a(", 90)+"&limit=99999999999999999999&tag=1&tag=2", strings.NewReader(c.body))
					for k, v := range c.header {
						r.Header[k] = v
					}
					if c.contentType != "" {
						r.Header.Set("Content-Type", c.contentType)
					}
					rec := httptest.NewRecorder()
					used := memory(func() { h.ServeHTTP(rec, r) })
					if used > most {
						most, by = used, name
					}
					if rec.Code >= 500 || rec.Code < 200 {
						t.Errorf("%s, %s: status %d: %.200s", name, method, rec.Code, rec.Body)
					}
					if limit := 12*min(size, 10<<20) + 4<<20; used > limit {
						t.Errorf("%s, %s: %d bytes for a request of %d", name, method, used, size)
					}
					for k, values := range rec.Header() {
						if slices.ContainsFunc(values, func(v string) bool { return strings.ContainsAny(v, "\r\n") || len(v) > 10_000 }) {
							t.Errorf("%s, %s: the response header %s has what the client sent: %.100q", name, method, k, values)
						}
					}
				}
			}
			t.Logf("%d KiB for a request of %d KiB, at most, in %s", most>>10, size>>10, by)
		})
	}
}
