package serialize

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/negotiate"
)

// middys are the serializers of Middy's own tests.
func middys() []Serializer {
	return []Serializer{
		{MediaType: "application/json", Serialize: func(v any) ([]byte, error) { return fmt.Appendf(nil, `{"message":"%v"}`, v), nil }},
		{MediaType: "application/xml", Serialize: func(v any) ([]byte, error) { return fmt.Appendf(nil, "<message>%v</message>", v), nil }},
		{MediaType: "text/plain", Serialize: func(v any) ([]byte, error) { return fmt.Append(nil, v), nil }},
	}
}

func anything() []Serializer {
	return []Serializer{{
		MediaType: "x/any",
		Match:     func(string) bool { return true },
		Serialize: func(v any) ([]byte, error) { return fmt.Appendf(nil, "serialized:%v", v), nil },
	}}
}

func do(h http.Handler, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	if accept != "-" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Hello World") }

// The vectors of Middy's own tests and behaviour, over bodies without a type. A body
// that is false is a value here: TestWrite has it. Where nothing matches a catch-all,
// Middy sends no Content-Type; ours is the serializer's.
func TestMiddysVectors(t *testing.T) {
	const asJSON = `application/json {"message":"Hello World"}`
	for _, c := range []struct {
		rule, accept string
		serializers  []Serializer
		h            http.HandlerFunc
		want         string
	}{
		{"default", "-", middys(), hello, asJSON},
		{"preferred order", "text/x-dvi, application/xml, text/x-c", middys(), hello, "application/xml <message>Hello World</message>"},
		{"a kind", "text/*, application/xml;q=0.5", middys(), hello, "text/plain Hello World"},
		{"a kind that is not there", "image/*, application/xml;q=0.5", middys(), hello, "application/xml <message>Hello World</message>"},
		{"wildcard falls to default", "*/*", middys(), hello, asJSON},
		{"nothing fits, falls to default", "image/png", middys(), hello, asJSON},
		{"over-long candidate skipped", "x/" + strings.Repeat("a", 130), middys(), hello, asJSON},
		{"over-long candidate skipped by a catch-all", "x/" + strings.Repeat("a", 130), anything(), hello, "x/any serialized:Hello World"},
		{"catch-all with nothing to match", "-", anything(), hello, "x/any serialized:Hello World"},
		{"a catch-all takes the client's name", "image/png", anything(), hello, "image/png serialized:Hello World"},
		{"invalid characters not reflected", "x/evil<script>json", anything(), hello, "x/any serialized:Hello World"},
		{"content-type preset", "*/*", middys(), func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			hello(w, r)
		}, "text/plain Hello World"},
		{"handled error without content type", "text/plain", middys(), func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, "Internal Error")
		}, "text/plain Internal Error"},
	} {
		for _, negotiated := range []bool{false, true} {
			t.Run(fmt.Sprint(c.rule, ", negotiated ", negotiated), func(t *testing.T) {
				h := New(Config{Serializers: c.serializers, Bodies: true})(c.h)
				if negotiated {
					h = negotiate.New(negotiate.Config{})(h)
				}
				w := do(h, c.accept)
				if got := w.Header().Get("Content-Type") + " " + w.Body.String(); got != c.want {
					t.Errorf("got %s\nwant %s", got, c.want)
				}
			})
		}
	}
	t.Run("request content-type ignored", func(t *testing.T) {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", "application/xml")
		w := httptest.NewRecorder()
		New(Config{Serializers: middys(), Bodies: true})(http.HandlerFunc(hello)).ServeHTTP(w, r)
		if w.Body.String() != `{"message":"Hello World"}` {
			t.Errorf("got %s", w.Body)
		}
	})
}

type order struct {
	ID int `json:"id" xml:"id,attr"`
}

func writing(status int, v any) http.Handler {
	return web.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return Write(w, r, status, v) })
}

func TestWrite(t *testing.T) {
	all := Config{Serializers: []Serializer{JSON(), XML(), Text()}}
	for _, c := range []struct {
		rule   string
		cfg    *Config
		accept string
		v      any
		want   string
	}{
		{"no middleware: JSON", nil, "-", order{7}, `200 application/json {"id":7}`},
		{"no middleware: text", nil, "text/*", order{7}, `200 text/plain; charset=utf-8 {7}`},
		{"a weight decides", &all, "application/json;q=0.5, application/xml;q=0.9", order{7}, "200 application/xml <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<order id=\"7\"></order>"},
		{"a refusal is heard", &all, "application/json;q=0, */*", order{7}, "200 application/xml <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<order id=\"7\"></order>"},
		{"the client's own name", &all, "application/vnd.api+json", order{7}, `200 application/vnd.api+json {"id":7}`},
		{"a suffix of XML", &all, "image/svg+xml;q=0.3", "x", "200 image/svg+xml <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<string>x</string>"},
		{"in any case", &all, "TEXT/XML", 1, "200 text/xml <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<int>1</int>"},
		{"false body", &all, "text/plain", false, "200 text/plain; charset=utf-8 false"},
		{"bytes as text", &all, "text/plain", []byte("ä"), "200 text/plain; charset=utf-8 ä"},
		{"nothing fits", &all, "image/png", 1, "200 application/json 1"},
		{"another default", &Config{Serializers: all.Serializers, Default: "text/plain"}, "*/*", 1, "200 text/plain; charset=utf-8 1"},
		{"a default with a parameter", &Config{Default: "application/json; charset=utf-8"}, "*/*", 1, "200 application/json; charset=utf-8 1"},
		{"a default under another name", &Config{Default: "application/hal+json"}, "-", 1, "200 application/hal+json 1"},
		{"406", &Config{NotAcceptable: true}, "image/png", 1, `406 application/problem+json {"title":"Not Acceptable","status":406,"detail":"there is application/json, text/plain; charset=utf-8"}`},
		{"no 406 without Accept", &Config{NotAcceptable: true}, "-", 1, "200 application/json 1"},
		{"a map in XML", &all, "application/xml", map[string]int{}, `500 application/problem+json {"title":"Internal Server Error","status":500}`},
		{"what JSON cannot hold", &all, "application/json", func() {}, `500 application/problem+json {"title":"Internal Server Error","status":500}`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			h := writing(200, c.v)
			if c.cfg != nil {
				h = New(*c.cfg)(h)
			}
			w := do(h, c.accept)
			got := fmt.Sprint(w.Code, " ", w.Header().Get("Content-Type"), " ", strings.TrimSpace(w.Body.String()))
			if got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if vary := w.Header().Get("Vary"); vary != "Accept" {
				t.Errorf("Vary is %q", vary)
			}
		})
	}
}

func TestAPresetTypeDecides(t *testing.T) {
	preset := func(contentType string) *httptest.ResponseRecorder {
		return do(web.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Content-Type", contentType)
			return Write(w, r, 201, 1)
		}), "text/plain")
	}
	if w := preset("application/hal+json; profile=x"); w.Code != 201 || w.Header().Get("Content-Type") != "application/hal+json; profile=x" || w.Body.String() != "1" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := preset("image/png"); w.Code != 500 {
		t.Errorf("got %d", w.Code)
	}
}

func TestStatusesWithoutABody(t *testing.T) {
	for _, status := range []int{204, 304} {
		if w := do(writing(status, 1), "*/*"); w.Code != status || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "" || w.Header().Get("Content-Type") != "" || w.Header().Get("Vary") != "Accept" {
			t.Errorf("%d: got %d %v %s", status, w.Code, w.Header(), w.Body)
		}
	}
}

func TestVary(t *testing.T) {
	for rule, cfg := range map[string]Config{"one serializer": {Serializers: []Serializer{JSON()}}, "omitted": {OmitVary: true}} {
		if w := do(New(cfg)(writing(200, 1)), "*/*"); w.Header().Get("Vary") != "" {
			t.Errorf("%s: Vary is %q", rule, w.Header().Get("Vary"))
		}
	}
}

func TestBodiesThatAreLeftAlone(t *testing.T) {
	cfg := Config{Bodies: true, MaxBytes: 20}
	for _, c := range []struct {
		rule string
		h    http.HandlerFunc
		want string
	}{
		{"nothing written", func(http.ResponseWriter, *http.Request) {}, "200 "},
		{"a status alone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "404 "},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "204 "},
		{"flushed at once", func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			hello(w, r)
		}, "200 Hello World"},
		{"flushed later", func(w http.ResponseWriter, r *http.Request) {
			hello(w, r)
			_ = http.NewResponseController(w).Flush()
			hello(w, r)
		}, "200 Hello WorldHello World"},
		{"too large", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 21)) }, "200 " + strings.Repeat("x", 21)},
		{"typed", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(201)
			hello(w, r)
		}, "201 Hello World"},
		{"a wrong length is no longer said", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "11")
			hello(w, r)
		}, `200 "Hello World"`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			srv := httptest.NewServer(New(cfg)(c.h))
			defer srv.Close()
			resp, err := http.Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if got := fmt.Sprintf("%d %s", resp.StatusCode, b); got != c.want || err != nil {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}

func TestBodiesThatFail(t *testing.T) {
	broken := Serializer{MediaType: "a/b", Serialize: func(any) ([]byte, error) { return nil, errors.New("secret") }}
	if w := do(New(Config{Serializers: []Serializer{broken}, Bodies: true})(http.HandlerFunc(hello)), "-"); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := do(New(Config{NotAcceptable: true, Bodies: true})(http.HandlerFunc(hello)), "image/png"); w.Code != 406 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestEarlyHintsPass(t *testing.T) {
	srv := httptest.NewServer(New(Config{Bodies: true})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		_ = http.NewResponseController(w).EnableFullDuplex() // reaches the writer beneath
		hello(w, r)
	})))
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(b) != `"Hello World"` {
		t.Errorf("got %d %s", resp.StatusCode, b)
	}
}

func TestValidate(t *testing.T) {
	err := Config{Serializers: []Serializer{{MediaType: "json"}, {MediaType: "*/*", Serialize: JSON().Serialize}}}.Validate()
	want := `serialize: Serializers[0].MediaType is "json", which is no media type
serialize: Serializers[0] (json) has no Serialize
serialize: Serializers[1].MediaType is "*/*", which is no media type`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if err := (Config{Default: "image/png"}).Validate(); err == nil {
		t.Error("a Default that no serializer serves")
	}
	if err := (Config{}).Validate(); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("New took a bad Config")
		}
	}()
	New(Config{Default: "image/png"})
}

// No Accept header makes anything but one of our types, or a plain name of the
// client's, a Content-Type.
func FuzzAccept(f *testing.F) {
	f.Add("text/html, application/*;q=0.5, */*;q=0.1")
	f.Add("application/a_b+json;v=1, x/<script>")
	f.Fuzz(func(t *testing.T, accept string) {
		w := do(New(Config{Serializers: []Serializer{JSON(), XML(), Text()}})(writing(200, 1)), accept)
		got := w.Header().Get("Content-Type")
		ours := got == "application/json" || got == "application/xml" || got == "text/plain; charset=utf-8"
		if w.Code != 200 || !ours && !(plain(got) && strings.Contains(strings.ToLower(accept), got)) {
			t.Fatalf("%q gave %d %q", accept, w.Code, got)
		}
	})
}
