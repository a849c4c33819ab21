package web_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"testing"

	"github.com/gomiddy/middy/web"
)

// FuzzEvent: no event crashes the decoder; what it takes for JSON is JSON; the URL is
// what net/http's server reads from the request line; an address is one; every
// response is JSON with a status.
func FuzzEvent(f *testing.F) {
	for name := range doors {
		f.Add(payload(f, name))
	}
	for _, s := range []string{`{}`, `null`, `[]`, `{"version":2.0}`, `{"httpMethod":"GET","path":"%"}`, `{"httpMethod":" ","path":"\u0000","headers":{"":""}}`,
		`{"method":"GET","raw_path":"?"}`, `{"version":"2.0","requestContext":{"http":{"method":"GET"},"stage":"a"},"rawPath":"a","cookies":[null]}`} {
		f.Add([]byte(s))
	}
	for _, s := range []string{`{"httpMethod":"GET","path":"/a%2Fb|c'(ä) ?","requestContext":{}}`, `{"requestContext":{"elb":{}},"httpMethod":"GET","path":"//a","headers":{"x-forwarded-for":"[::1]:99, 1.2.3.4:5","x":1.5e3}}`,
		`{"version":"2.0","rawPath":"/a%41","isBase64Encoded":"1","body":"eA==","requestContext":{"accountId":"anonymous","http":{"method":"GET","path":"/aA"}}}`, `{"version":"1.0","httpMethod":"GET","path":"/%C3%A4#"}`} {
		f.Add([]byte(s))
	}
	h := web.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, err := url.ParseRequestURI(r.RequestURI); err == nil && (u.Path != r.URL.Path || u.RawPath != r.URL.RawPath || u.RawQuery != r.URL.RawQuery) {
			panic(fmt.Sprintf("the URL is %#v, and the request line says %#v", r.URL, u))
		}
		e, _ := web.Event(r)
		if ip, err := netip.ParseAddr(e.SourceIP); e.Door >= web.ALB && e.SourceIP != "" && (err != nil || ip.Zone() != "") {
			panic("the client is " + e.SourceIP)
		}
		b, err := io.ReadAll(r.Body)
		if err != nil || int64(len(b)) != r.ContentLength {
			panic(fmt.Sprint(err, len(b), r.ContentLength))
		}
		w.Header().Set("X-Path", r.URL.Path)
		w.Header()["X-Query"] = r.URL.Query()["tag"]
		_, _ = w.Write(b)
	}))
	f.Fuzz(func(t *testing.T, event []byte) {
		var e web.Request
		if err := e.DecodeEvent(event); err != nil {
			return
		}
		if !json.Valid(event) {
			t.Fatal("malformed JSON was taken")
		}
		resp, err := h(t.Context(), e)
		if err != nil {
			return
		}
		out, err := resp.AppendJSON(nil)
		var form struct {
			StatusCode int `json:"statusCode"`
		}
		if err != nil || json.Unmarshal(out, &form) != nil || form.StatusCode == 0 {
			t.Fatalf("%s, %v", out, err)
		}
	})
}
