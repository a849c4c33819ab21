package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func event(t testing.TB, text string) Request {
	t.Helper()
	var e Request
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

const get = `{"version":"2.0","rawPath":%q,"rawQueryString":"a=1&b=2&a=3","cookies":["c=1","d=2"],
"headers":{"host":"api.example.com","x-list":"1,2"},"pathParameters":{"id":"42"},
"requestContext":{"domainName":"other","stage":%q,"http":{"method":"GET","sourceIp":"192.0.2.1"}}}`

func TestRequestReachesTheHandlerAsNetHTTPWouldHaveIt(t *testing.T) {
	h := Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, ok := Event(r)
		fmt.Fprintln(w, r.Method, r.URL.Path, r.URL.Query()["a"], r.Host, r.RemoteAddr, r.Header.Get("Cookie"), r.Header.Get("X-List"), r.PathValue("id"), r.RequestURI, ok && e.Version == "2.0")
	}))
	for _, c := range []struct{ rule, path, stage, want string }{
		{"default stage", "/orders/42", "$default", "GET /orders/42 [1 3] api.example.com 192.0.2.1:0 c=1; d=2 1,2 42 /orders/42?a=1&b=2&a=3 true\n"},
		{"a named stage is no part of the path", "/prod/orders/42", "prod", "GET /orders/42 [1 3] api.example.com 192.0.2.1:0 c=1; d=2 1,2 42 /orders/42?a=1&b=2&a=3 true\n"},
		{"nothing but the stage", "/prod", "prod", "GET / [1 3] api.example.com 192.0.2.1:0 c=1; d=2 1,2 42 /?a=1&b=2&a=3 true\n"},
		{"a path that only looks like the stage", "/product", "prod", "GET /product [1 3] api.example.com 192.0.2.1:0 c=1; d=2 1,2 42 /product?a=1&b=2&a=3 true\n"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			resp, err := h(t.Context(), event(t, fmt.Sprintf(get, c.path, c.stage)))
			if err != nil || resp.Body != c.want {
				t.Fatalf("got %q, %v\nwant %q", resp.Body, err, c.want)
			}
		})
	}
}

func TestBody(t *testing.T) {
	echo := Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d %s", r.ContentLength, b)
	}))
	post := `{"body":%q,"isBase64Encoded":%v,"requestContext":{"http":{"method":"POST"}}}`
	for _, c := range []struct {
		rule, body string
		encoded    bool
		status     int
		want       string
	}{
		{"plain", "ä", false, 200, "2 ä"},
		{"base64", "aGk=", true, 200, "2 hi"},
		{"not the base64 it is said to be", "%%", true, 400, "web: the request body is not the base64 that it is said to be"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			resp, err := echo(t.Context(), event(t, fmt.Sprintf(post, c.body, c.encoded)))
			if err != nil || resp.StatusCode != c.status || resp.Body != c.want {
				t.Fatalf("got %+v, %v", resp, err)
			}
		})
	}
}

func TestResponse(t *testing.T) {
	for _, c := range []struct {
		rule   string
		method string
		serve  http.HandlerFunc
		want   Response
	}{
		{"nothing written is 200", "GET", func(http.ResponseWriter, *http.Request) {}, Response{StatusCode: 200}},
		{"the type is sniffed as net/http does", "GET", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") },
			Response{StatusCode: 200, Headers: map[string]string{"content-type": "text/html; charset=utf-8"}, Body: "<html>"}},
		{"bytes are base64", "GET", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte{0xff, 0}) },
			Response{StatusCode: 200, Headers: map[string]string{"content-type": "application/octet-stream"}, Body: "/wA=", IsBase64Encoded: true}},
		{"an encoded body is base64", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Encoding", "br")
			io.WriteString(w, "x")
		}, Response{StatusCode: 200, Headers: map[string]string{"content-type": "text/plain", "content-encoding": "br"}, Body: "eA==", IsBase64Encoded: true}},
		{"a type that does not parse is base64", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", ";")
			io.WriteString(w, "x")
		}, Response{StatusCode: 200, Headers: map[string]string{"content-type": ";"}, Body: "eA==", IsBase64Encoded: true}},
		{"each cookie for itself, other headers joined", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.Header().Add("Vary", "Origin")
			w.Header().Add("Vary", "Accept")
			w.WriteHeader(201)
			w.WriteHeader(500)
			w.Header().Set("Late", "1")
		}, Response{StatusCode: 201, Headers: map[string]string{"vary": "Origin, Accept"}, Cookies: []string{"a=1", "b=2"}}},
		{"204 has no body", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			if _, err := io.WriteString(w, "x"); err != http.ErrBodyNotAllowed {
				panic(err)
			}
		}, Response{StatusCode: 204}},
		{"HEAD keeps the headers", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(103)
			w.Header().Set("Content-Type", "application/vnd.api+json")
			io.WriteString(w, "{}")
		}, Response{StatusCode: 200, Headers: map[string]string{"content-type": "application/vnd.api+json"}}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var e Request
			e.RequestContext.HTTP.Method = c.method
			got, err := Handler(c.serve)(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			if got.StatusCode != c.want.StatusCode || got.Body != c.want.Body || got.IsBase64Encoded != c.want.IsBase64Encoded ||
				!slices.Equal(got.Cookies, c.want.Cookies) || fmt.Sprint(got.Headers) != fmt.Sprint(c.want.Headers) {
				t.Fatalf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestAnotherEventIsNamed(t *testing.T) {
	_, err := Handler(http.NotFoundHandler())(context.Background(), Request{Version: "1.0"})
	if err == nil || !strings.Contains(err.Error(), `version is "1.0"`) {
		t.Fatalf("got %v", err)
	}
}

func FuzzHandler(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(get, "/prod/a%2Fb", "prod")))
	f.Add([]byte(`{"body":"%","isBase64Encoded":true,"headers":{"":""},"requestContext":{"http":{"method":"\n"}}}`))
	h := Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Write(b)
	}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var e Request
		if json.Unmarshal(payload, &e) != nil {
			return
		}
		resp, err := h(t.Context(), e)
		if err == nil && (resp.StatusCode < 200 || resp.StatusCode > 599) {
			t.Fatalf("status %d", resp.StatusCode)
		}
	})
}

func ExampleHandler() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "order ", r.PathValue("id"))
	})
	handle := Handler(mux) // give it to middy.Start

	var e Request
	e.RawPath, e.RequestContext.HTTP.Method = "/orders/42", "GET"
	resp, err := handle(context.Background(), e)
	fmt.Println(resp.StatusCode, resp.Body, err)
	// Output: 200 order 42 <nil>
}
