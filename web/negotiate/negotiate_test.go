package negotiate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/negotiate"
)

func accept(name string, lines ...string) http.Header {
	return http.Header{http.CanonicalHeaderKey(name): lines}
}

func TestWhatTheClientPrefers(t *testing.T) {
	type find func(h http.Header, offers ...string) []string
	tests := []struct {
		name   string
		find   find
		header http.Header
		offers []string
		want   []string
	}{
		{"weights order", negotiate.Charsets, accept("Accept-Charset", "utf-8;q=0.5, iso-8859-5, unicode-1-1;q=0.8"), nil, []string{"iso-8859-5", "unicode-1-1", "utf-8"}},
		{"equal weights keep the header's order", negotiate.Charsets, accept("Accept-Charset", "b, a, c"), nil, []string{"b", "a", "c"}},
		{"the header's order beats the offers'", negotiate.Charsets, accept("Accept-Charset", "b, a"), []string{"a", "b"}, []string{"b", "a"}},
		{"a named offer beats a wildcard of the same weight", negotiate.Charsets, accept("Accept-Charset", "*, b"), []string{"a", "b"}, []string{"b", "a"}},
		{"under a wildcard the offers' order counts", negotiate.Charsets, accept("Accept-Charset", "*"), []string{"b", "a"}, []string{"b", "a"}},
		{"an offer keeps its spelling", negotiate.Charsets, accept("Accept-Charset", "utf-8"), []string{"UTF-8"}, []string{"UTF-8"}},
		{"no charset header accepts all", negotiate.Charsets, http.Header{}, nil, []string{"*"}},
		{"an empty charset header accepts nothing", negotiate.Charsets, accept("Accept-Charset", ""), nil, []string{}},
		{"several lines are one list", negotiate.Charsets, accept("Accept-Charset", "a;q=0.1", "b"), nil, []string{"b", "a"}},
		{"two words are no charset", negotiate.Charsets, accept("Accept-Charset", "a b, c"), nil, []string{"c"}},
		{"a weight of 0 refuses, also under a wildcard", negotiate.Charsets, accept("Accept-Charset", "*, a;q=0"), []string{"a", "b"}, []string{"b"}},
		{"a weight above 1 is 1", negotiate.Charsets, accept("Accept-Charset", "a, b;q=7"), nil, []string{"a", "b"}},
		{"a negative weight refuses", negotiate.Charsets, accept("Accept-Charset", "a;q=-1, b"), nil, []string{"b"}},
		{"a weight that is no number refuses", negotiate.Charsets, accept("Accept-Charset", "a;q=x, b;q, c;q=, d;q=0.1"), nil, []string{"d"}},
		{"a weight is read as far as it is a number", negotiate.Charsets, accept("Accept-Charset", "a;q=0.2x, b;q=.5, c;q=3e-1, d;q=+0.1"), nil, []string{"b", "c", "a", "d"}},
		{"a weight may be large", negotiate.Charsets, accept("Accept-Charset", "a, b;q=1e999"), nil, []string{"a", "b"}},
		{"only the first weight counts", negotiate.Charsets, accept("Accept-Charset", "a;q=0.1;q=0.9, b;q=0.5"), nil, []string{"b", "a"}},
		{"other parameters before the weight are passed over", negotiate.Charsets, accept("Accept-Charset", "a;x=1;q=0.1, b;q=0.5"), nil, []string{"b", "a"}},
		{"a comma in a quoted parameter separates nothing", negotiate.Charsets, accept("Accept-Charset", `UTF-8;foo="bar,baz;q=0", ISO-8859-1`), nil, []string{"UTF-8", "ISO-8859-1"}},
		{"neither in languages", negotiate.Languages, accept("Accept-Language", `en;foo="a,b", de`), nil, []string{"en", "de"}},
		{"nor in codings", negotiate.Encodings, accept("Accept-Encoding", `gzip;foo="a,br;q=1", identity;q=0.5`), []string{"br", "gzip"}, []string{"gzip"}},
		{"x-gzip is gzip", negotiate.Encodings, accept("Accept-Encoding", "X-Gzip;q=1.0, identity;q=0.5, *;q=0"), []string{"gzip", "identity"}, []string{"gzip", "identity"}},
		{"x-compress is compress", negotiate.Encodings, accept("Accept-Encoding", "x-compress, *;q=0"), []string{"compress", "gzip"}, []string{"compress"}},
		{"no other x- is anything", negotiate.Encodings, accept("Accept-Encoding", "x-br, x-zstd"), []string{"br", "zstd"}, []string{}},
		{"spaces around a weight are allowed", negotiate.Charsets, accept("Accept-Charset", "a ; q = 0.1 , b;q=0.5"), nil, []string{"b", "a"}},

		{"no weight is the weight 1", negotiate.Charsets, accept("Accept-Charset", "b;q=1, a"), nil, []string{"b", "a"}},
		{"of a media type too", negotiate.MediaTypes, accept("Accept", "b/b;q=1, a/a"), nil, []string{"b/b", "a/a"}},
		{"of two places the later counts", negotiate.Charsets, accept("Accept-Charset", "a, b, a"), []string{"a", "b"}, []string{"b", "a"}},
		{"of two weights the higher counts", negotiate.Charsets, accept("Accept-Charset", "a;q=0.5, b;q=0.7, a;q=0.8, a;q=0.1"), []string{"a", "b"}, []string{"a", "b"}},
		{"of two wildcards too", negotiate.Charsets, accept("Accept-Charset", "*;q=0.5, b;q=0.7, *;q=0.8, *;q=0.1"), []string{"a", "b"}, []string{"a", "b"}},
		{"what names nothing of ours has no weight", negotiate.Charsets, accept("Accept-Charset", "x"), []string{"a"}, []string{}},

		{"no encoding header accepts identity alone", negotiate.Encodings, http.Header{}, nil, []string{"identity"}},
		{"an empty encoding header accepts identity alone", negotiate.Encodings, accept("Accept-Encoding", ""), nil, []string{"identity"}},
		{"identity is implied last", negotiate.Encodings, accept("Accept-Encoding", "gzip, deflate, br"), nil, []string{"gzip", "deflate", "br", "identity"}},
		{"implied identity has the lowest weight", negotiate.Encodings, accept("Accept-Encoding", "gzip;q=0.2, br;q=0.8"), nil, []string{"br", "gzip", "identity"}},
		{"a wildcard names identity", negotiate.Encodings, accept("Accept-Encoding", "gzip;q=0.5, br;q=1, *;q=0.1"), nil, []string{"br", "gzip", "*"}},
		{"a refusal is not identity's weight", negotiate.Encodings, accept("Accept-Encoding", "gzip;q=0"), nil, []string{"identity"}},
		{"q=0 excludes", negotiate.Encodings, accept("Accept-Encoding", "gzip;q=0, br"), []string{"br", "gzip"}, []string{"br"}},
		{"a weight may be written Q", negotiate.Encodings, accept("Accept-Encoding", "gzip;Q=0, br"), []string{"br", "gzip"}, []string{"br"}},
		{"*/* is the name of no coding", negotiate.Encodings, accept("Accept-Encoding", "*/*"), nil, []string{"*/*", "identity"}},

		{"a locale falls back to its language", negotiate.Languages, accept("Accept-Language", "en-US"), []string{"en-ca", "en"}, []string{"en"}},
		{"a locale matches in any case, and its language behind it", negotiate.Languages, accept("Accept-Language", "en-CA"), []string{"en-ca", "en"}, []string{"en-ca", "en"}},
		{"a language accepts its locales", negotiate.Languages, accept("Accept-Language", "en"), []string{"en-ca"}, []string{"en-ca"}},
		{"one locale is not another", negotiate.Languages, accept("Accept-Language", "en-us"), []string{"en-CA"}, []string{}},
		{"a language wildcard accepts all", negotiate.Languages, accept("Accept-Language", "*"), []string{"nl"}, []string{"nl"}},
		{"no language header accepts all", negotiate.Languages, http.Header{}, []string{"nl"}, []string{"nl"}},
		{"a hyphen that leads nowhere is no language", negotiate.Languages, accept("Accept-Language", "en-, -en, nl"), []string{"en", "nl"}, []string{"nl"}},
		{"the closest range decides", negotiate.Languages, accept("Accept-Language", "en;q=0.9, en-GB;q=0"), []string{"en-GB", "en-CA"}, []string{"en-CA"}},
		{"a prototype's keys are no languages", negotiate.Languages, accept("Accept-Language", "__proto__, constructor"), []string{"en"}, []string{}},
		// Deviation from Middy: the space hides the weight from it, so that en comes first.
		{"a language's weight may follow a space", negotiate.Languages, accept("Accept-Language", "en; q=0.5, fr;q=0.9"), nil, []string{"fr", "en"}},

		{"media types by weight", negotiate.MediaTypes, accept("Accept", "text/plain; q=0.5, text/html, text/x-dvi; q=0.8, text/x-c"), []string{"text/plain", "text/x-dvi"}, []string{"text/x-dvi", "text/plain"}},
		{"a weight beats specificity", negotiate.MediaTypes, accept("Accept", "text/*;q=0.5, application/json;q=0.4"), []string{"application/json", "text/html"}, []string{"text/html", "application/json"}},
		{"the closest element decides an offer's weight", negotiate.MediaTypes, accept("Accept", "text/*, text/html;q=0"), []string{"text/html", "text/csv"}, []string{"text/csv"}},
		{"media types are returned without parameters", negotiate.MediaTypes, accept("Accept", `text/html;level="1,2";q=0.4, a/b`), nil, []string{"a/b", "text/html"}},
		{"a weight in quotes is none", negotiate.MediaTypes, accept("Accept", `a/b;c="x;q=0"`), nil, []string{"a/b"}},
		{"nor is one behind an escaped quote", negotiate.MediaTypes, accept("Accept", `a/b;c="\";q=0", c/d;q=0.5`), nil, []string{"a/b", "c/d"}},
		{"a backslash outside quotes escapes nothing", negotiate.MediaTypes, accept("Accept", `a/b;c=\;q=0.1, c/d;q=0.5`), nil, []string{"c/d", "a/b"}},
		{"a parameter must be the offer's", negotiate.MediaTypes, accept("Accept", "text/html;level=1"), []string{"text/html", "text/html;level=2", "text/html; Level=1"}, []string{"text/html; Level=1"}},
		{"a parameter may be a wildcard", negotiate.MediaTypes, accept("Accept", "text/html;level=*"), []string{"text/html;level=2"}, []string{"text/html;level=2"}},
		{"a parameter beats none", negotiate.MediaTypes, accept("Accept", "text/html;level=1;q=0.1, text/html"), []string{"text/html;level=1", "text/html"}, []string{"text/html", "text/html;level=1"}},
		{"quotes do not matter in a comparison", negotiate.MediaTypes, accept("Accept", `a/b;c="d;e"`), []string{`a/b; c="D;E"`}, []string{`a/b; c="D;E"`}},
		{"what follows the weight is not compared", negotiate.MediaTypes, accept("Accept", "a/b;q=0.5;level=1"), []string{"a/b"}, []string{"a/b"}},
		{"a type without a slash is dropped", negotiate.MediaTypes, accept("Accept", "html, a/, /b, c/d"), nil, []string{"c/d"}},
		{"no accept header accepts all", negotiate.MediaTypes, http.Header{}, nil, []string{"*/*"}},
		{"any type of a subtype", negotiate.MediaTypes, accept("Accept", "*/json"), []string{"application/json", "text/html"}, []string{"application/json"}},
		{"an offer without a slash is never chosen", negotiate.MediaTypes, accept("Accept", "*/*"), []string{"html", "a/b"}, []string{"a/b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.find(tt.header, tt.offers...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEncodingQualityAgreesWithEncodings(t *testing.T) {
	for _, line := range []string{"", "gzip", "gzip;q=0", "*", "*;q=0", "identity;q=0", "*;q=0, identity;q=0.3", "br;q=0.5, gzip;q=0.2", "br, br;q=0", "br;q=0, br"} {
		h := accept("Accept-Encoding", line)
		for _, coding := range []string{"gzip", "br", "identity", "Identity"} {
			accepted := slices.Contains(negotiate.Encodings(h, coding), coding)
			if q := negotiate.EncodingQuality(h, coding); (q > 0) != accepted {
				t.Errorf("Accept-Encoding: %q gives %s the weight %v, and Encodings accepts it: %v", line, coding, q, accepted)
			}
		}
	}
	for _, tt := range []struct {
		header, coding string
		want           float64
	}{
		{"br;q=0.5, *;q=0.25", "gzip", 0.25},
		{"br;q=0.5, *;q=0.25", "br", 0.5},
		{"*;q=0.25, br;q=0.1", "br", 0.1},
		{"br;q=0.5, br;q=0.8, br;q=0.1", "br", 0.8},
		{"*;q=0.5, *;q=0.8, *;q=0.1", "br", 0.8},
		{"br", "gzip", 0},
		{"gzip;q=0.2, br;q=0.8", "identity", 0.2},
		{"gzip;q=0.2, identity;q=0.8", "identity", 0.8},
		{"gzip;q=0", "identity", 1},
		{"", "identity", 1},
	} {
		if got := negotiate.EncodingQuality(accept("Accept-Encoding", tt.header), tt.coding); got != tt.want {
			t.Errorf("Accept-Encoding: %q gives %s the weight %v, want %v", tt.header, tt.coding, got, tt.want)
		}
	}
	if q := negotiate.EncodingQuality(http.Header{}, "identity"); q != 1 {
		t.Errorf("without the header identity's weight is %v", q)
	}
}

// The pure functions read what a client may send without end.
func TestAHeaderCountsUpToABound(t *testing.T) {
	h := accept("Accept-Encoding", strings.Repeat("x,", 8192)+"br")
	if slices.Contains(negotiate.Encodings(h, "br"), "br") || negotiate.EncodingQuality(h, "br") > 0 {
		t.Error("element 8193 counts")
	}
	h = accept("Accept-Encoding", strings.Repeat("x, ,", 8191)+"br", "gzip")
	if !slices.Contains(negotiate.Encodings(h, "br"), "br") || negotiate.EncodingQuality(h, "br") != 1 {
		t.Error("element 8192 does not count")
	}
	if slices.Contains(negotiate.Encodings(h, "gzip"), "gzip") || negotiate.EncodingQuality(h, "gzip") != 0 {
		t.Error("element 8193, in another line, counts")
	}
	h = accept("Accept", strings.Repeat("x/y,", 8191)+"a/b,c/d", "e/f")
	if diff := cmp.Diff([]string{"a/b"}, negotiate.MediaTypes(h, "a/b", "c/d", "e/f")); diff != "" {
		t.Error(diff)
	}
}

var one = negotiate.Offers{Ignore: true}

// The cases of Middy's own tests; see conformance for more.
func TestTheMiddlewareLeavesWhatThePeerLeaves(t *testing.T) {
	offers := func(available ...string) negotiate.Offers { return negotiate.Offers{Available: available} }
	first := func(available ...string) negotiate.Offers {
		return negotiate.Offers{Available: available, DefaultToFirst: true}
	}
	tests := []struct {
		name   string
		config negotiate.Config
		header http.Header
		want   negotiate.Preferred
		status int    // 0: the handler answers
		detail string // of a 406
	}{
		{
			name:   "all four",
			config: negotiate.Config{Charset: offers("utf-8"), Language: offers("en-ca"), MediaType: offers("text/plain", "text/x-dvi")},
			header: http.Header{
				"Accept-Charset":  {"utf-8, iso-8859-5, unicode-1-1;q=0.8"},
				"Accept-Encoding": {"*/*"},
				"Accept-Language": {"da, en-ca;q=0.8, en;q=0.7"},
				"Accept":          {"text/plain; q=0.5, text/html, text/x-dvi; q=0.8, text/x-c"},
			},
			want: negotiate.Preferred{
				Charset: "utf-8", Charsets: []string{"utf-8"},
				Encoding: "*/*", Encodings: []string{"*/*", "identity"},
				Language: "en-ca", Languages: []string{"en-ca"},
				MediaType: "text/x-dvi", MediaTypes: []string{"text/x-dvi", "text/plain"},
			},
		},
		{
			name: "no headers, no offers",
			want: negotiate.Preferred{
				Charset: "*", Charsets: []string{"*"}, Encoding: "identity", Encodings: []string{"identity"},
				Language: "*", Languages: []string{"*"}, MediaType: "*/*", MediaTypes: []string{"*/*"},
			},
		},
		{
			// Deviation from Middy, which answers 406.
			name:   "no coding fits: none is used",
			config: negotiate.Config{Charset: one, Encoding: offers("br", "gzip"), Language: one, MediaType: one},
			want:   negotiate.Preferred{Encoding: "identity", Encodings: []string{"identity"}},
		},
		{
			name:   "no coding fits and none is refused: 406",
			config: negotiate.Config{Charset: one, Encoding: offers("br", "gzip"), Language: one, MediaType: one},
			header: accept("Accept-Encoding", "zstd, identity;q=0"),
			status: 406, detail: "Unsupported Encoding. Acceptable values: br, gzip",
		},
		{
			name:   "a media type that is not there: 406",
			config: negotiate.Config{MediaType: offers("text/plain", "text/x-dvi")},
			header: accept("Accept", "application/json"),
			status: 406, detail: "Unsupported MediaType. Acceptable values: text/plain, text/x-dvi",
		},
		{
			name:   "the first mismatch is reported",
			config: negotiate.Config{Charset: offers("utf-16"), Language: offers("en")},
			header: http.Header{"Accept-Charset": {"utf-8"}, "Accept-Language": {"nl"}},
			status: 406, detail: "Unsupported Charset. Acceptable values: utf-16",
		},
		{
			name: "the first offer stands in",
			config: negotiate.Config{
				Charset: first("utf-16"), Encoding: first("br", "gzip"), Language: first("en"), MediaType: first("text/plain"),
			},
			header: http.Header{
				"Accept-Charset": {"iso-8859-5"}, "Accept-Encoding": {"deflate"}, "Accept-Language": {"da, fr;q=0.8"}, "Accept": {"text/html"},
			},
			want: negotiate.Preferred{
				Charset: "utf-16", Charsets: []string{}, Encoding: "br", Encodings: []string{},
				Language: "en", Languages: []string{}, MediaType: "text/plain", MediaTypes: []string{},
			},
		},
		{
			name:   "a mismatch may be allowed",
			config: negotiate.Config{Charset: one, Encoding: one, Language: one, MediaType: offers("text/plain"), AllowMismatch: true},
			header: accept("Accept", "application/json"),
			want:   negotiate.Preferred{MediaTypes: []string{}},
		},
		{
			name:   "what is ignored is empty",
			config: negotiate.Config{Charset: one, Encoding: one, Language: one, MediaType: one},
			header: accept("Accept", "text/html"),
			want:   negotiate.Preferred{},
		},
		// A request without any headers object, for which Middy sets nothing at all, does not exist in net/http.
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got *negotiate.Preferred
			handler := negotiate.New(tt.config)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if p, ok := negotiate.From(r.Context()); ok {
					got = &p
				}
			}))
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			for name, lines := range tt.header {
				r.Header[name] = lines
			}
			var refused *web.Error
			r = r.WithContext(web.WithErrorWriter(r.Context(), func(w http.ResponseWriter, _ *http.Request, err error) {
				refused = err.(*web.Error)
				w.WriteHeader(refused.Status)
			}))
			handler.ServeHTTP(httptest.NewRecorder(), r)
			if tt.status != 0 {
				if refused == nil || refused.Status != tt.status || refused.Detail != tt.detail || got != nil {
					t.Errorf("refused: %v, handler ran: %v; want %d %s", refused, got != nil, tt.status, tt.detail)
				}
				return
			}
			if refused != nil || got == nil {
				t.Fatalf("refused: %v", refused)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestVaryNamesWhatWasCompared(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config negotiate.Config
		accept string
		want   []string
	}{
		{"what has offers", negotiate.Config{Language: negotiate.Offers{Available: []string{"en"}}, MediaType: negotiate.Offers{Available: []string{"a/b"}}}, "a/b", []string{"Origin, Accept-Language, Accept"}},
		{"also when it is refused", negotiate.Config{MediaType: negotiate.Offers{Available: []string{"a/b"}}}, "c/d", []string{"Accept"}},
		{"nothing without offers", negotiate.Config{}, "a/b", []string{"Origin"}},
		{"nothing when told so", negotiate.Config{MediaType: negotiate.Offers{Available: []string{"a/b"}}, OmitVary: true}, "a/b", []string{"Origin"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(negotiate.New(tt.config)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Vary", "Origin") // not Add: what a handler sets must not undo it
			})))
			defer server.Close()
			r, _ := http.NewRequest(http.MethodGet, server.URL, nil)
			r.Header.Set("Accept", tt.accept)
			resp, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if diff := cmp.Diff(tt.want, resp.Header.Values("Vary")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryFaultyOfferIsReported(t *testing.T) {
	err := negotiate.Config{
		Charset:   negotiate.Offers{Available: []string{"utf 8"}},
		Encoding:  negotiate.Offers{Available: []string{"gzip", "br, gzip"}},
		Language:  negotiate.Offers{Available: []string{""}},
		MediaType: negotiate.Offers{Available: []string{"text/html; charset=utf-8", "json"}},
	}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`Charset.Available[0] is "utf 8"`, `Encoding.Available[1]`, `Language.Available[0]`, `MediaType.Available[1] is "json"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != 4 {
		t.Errorf("%d findings, want 4: %v", n, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("New takes what Validate refuses")
		}
	}()
	negotiate.New(negotiate.Config{MediaType: negotiate.Offers{Available: []string{"json"}}})
}

func TestNewCopiesItsConfig(t *testing.T) {
	available := []string{"a/b"}
	m := negotiate.New(negotiate.Config{MediaType: negotiate.Offers{Available: available}})
	available[0] = "c/d"
	var got string
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	m(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p, _ := negotiate.From(r.Context())
		got = p.MediaType
	})).ServeHTTP(httptest.NewRecorder(), r)
	if got != "a/b" {
		t.Errorf("the caller's slice reached it: %q", got)
	}
}

func TestEverywhereAlike(t *testing.T) {
	handler := negotiate.New(negotiate.Config{MediaType: negotiate.Offers{Available: []string{"application/json", "text/csv"}}})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := negotiate.From(r.Context())
		w.Header().Set("Content-Type", p.MediaType)
	}))
	middytest.Everywhere(t, handler, func(t *testing.T, url string) {
		for accept, want := range map[string]string{"text/*, */*;q=0.1": "200 text/csv", "image/png": "406 application/problem+json"} {
			r, _ := http.NewRequest(http.MethodGet, url, nil)
			r.Header.Set("Accept", accept)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Content-Type")); got != want || resp.Header.Get("Vary") != "Accept" {
				t.Errorf("Accept: %s was answered %s, Vary %q; want %s", accept, got, resp.Header.Get("Vary"), want)
			}
		}
	})
}

func TestFromWithoutTheMiddleware(t *testing.T) {
	if p, ok := negotiate.From(t.Context()); ok || p.MediaType != "" {
		t.Errorf("got %+v, %v", p, ok)
	}
}

func TestEncodingQualityAllocatesNothing(t *testing.T) {
	h := accept("Accept-Encoding", "gzip, deflate, br;q=0.9, zstd")
	if n := testing.AllocsPerRun(100, func() { negotiate.EncodingQuality(h, "br") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever a client sends, what is chosen is an offer, each one at most once, and the
// functions agree with each other.
func FuzzAcceptHeaders(f *testing.F) {
	for _, line := range []string{"gzip;q=0.5, *;q=0", `a/b;c="d,e;f\"";q=.5`, "en-US,en;q=0.9", "*/*;q=0.1e", ";;q=,,", "*", "\xff/\x00;q=NaN"} {
		f.Add(line)
	}
	offers := []string{"gzip", "br", "en", "en-US", "a/b", "text/html;level=1", "identity"}
	f.Fuzz(func(t *testing.T, line string) {
		for name, find := range map[string]func(http.Header, ...string) []string{
			"Accept-Charset": negotiate.Charsets, "Accept-Encoding": negotiate.Encodings,
			"Accept-Language": negotiate.Languages, "Accept": negotiate.MediaTypes,
		} {
			h := http.Header{name: {line}}
			got := find(h, offers...)
			for i, offer := range got {
				if !slices.Contains(offers, offer) || slices.Contains(got[:i], offer) {
					t.Fatalf("%s: %q chose %q of %q", name, line, got, offers)
				}
				if name == "Accept-Encoding" && negotiate.EncodingQuality(h, offer) <= 0 {
					t.Fatalf("%q accepts %q, with the weight 0", line, offer)
				}
			}
			find(h)
		}
	})
}

func BenchmarkEncodings(b *testing.B) {
	h := accept("Accept-Encoding", "gzip, deflate, br;q=0.9, zstd")
	b.ReportAllocs()
	for b.Loop() {
		negotiate.Encodings(h, "zstd", "br", "gzip")
	}
}
