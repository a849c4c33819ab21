package bearer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gomiddy/middy/web"
)

func TestToken(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	for _, c := range []struct {
		rule    string
		sources Sources
		header  http.Header
		query   string
		want    string
	}{
		{"the default is Authorization", Sources{}, http.Header{"Authorization": {"Bearer a.b.c"}}, "", "a.b.c"},
		{"the scheme has any case", Sources{}, http.Header{"Authorization": {"bEARER a.b.c"}}, "", "a.b.c"},
		{"another scheme is no token", Sources{}, http.Header{"Authorization": {"Basic dXNlcjpwYXNz"}}, "", ""},
		{"a third part is no token", Sources{}, http.Header{"Authorization": {"Bearer a.b.c junk"}}, "", ""},
		{"more than one space is one", Sources{}, http.Header{"Authorization": {"Bearer   a.b.c"}}, "", "a.b.c"},
		{"space around the header does not count", Sources{}, http.Header{"Authorization": {" \tBearer a.b.c \t "}}, "", "a.b.c"},
		{"space around another header does not count", Sources{Header: "X-Token"}, http.Header{"X-Token": {" a "}}, "", "a"},
		{"the scheme DPoP is no token", Sources{}, http.Header{"Authorization": {"DPoP a.b.c"}}, "", ""},
		{"a tab behind the token is no second token", Sources{}, http.Header{"Authorization": {"Bearer a.b.c\tjunk"}}, "", ""},
		{"a tab is no space", Sources{}, http.Header{"Authorization": {"Bearer\ta.b.c"}}, "", ""},
		{"the scheme alone is no token", Sources{}, http.Header{"Authorization": {"Bearer"}}, "", ""},
		{"the scheme and a space is no token", Sources{}, http.Header{"Authorization": {"Bearer "}}, "", ""},
		{"of two lines none counts", Sources{}, http.Header{"Authorization": {"Bearer a", "Bearer b"}}, "", ""},
		{"of two lines none counts, even if they are equal", Sources{}, http.Header{"Authorization": {"Bearer a", "Bearer a"}}, "", ""},
		{"of two lines none counts, whatever their schemes", Sources{}, http.Header{"Authorization": {"Basic a", "Bearer b"}}, "", ""},
		{"of two lines of another header none counts", Sources{Header: "X-Token"}, http.Header{"X-Token": {"a", "b"}}, "", ""},
		{"what is refused in the header is not looked for in the query", Sources{Header: "Authorization", Query: "q"}, http.Header{"Authorization": {"Bearer a", "Bearer b"}}, "q=c", ""},
		{"a cookie decides before two headers", Sources{Cookie: "t", Header: "Authorization"}, http.Header{"Cookie": {"t=c"}, "Authorization": {"Bearer a", "Bearer b"}}, "", "c"},
		{"nothing at all", Sources{}, nil, "", ""},
		{"another header is taken whole", Sources{Header: "X-Token"}, http.Header{"X-Token": {"Bearer a"}}, "", "Bearer a"},
		{"a header's name has any case", Sources{Header: "x-tOKEN"}, http.Header{"X-Token": {"a"}}, "", "a"},
		{"authorization in any case has the scheme", Sources{Header: "AUTHORIZATION"}, http.Header{"Authorization": {"Bearer a"}}, "", "a"},
		{"a cookie", Sources{Cookie: "t"}, http.Header{"Cookie": {"a=b; t=x.y; c=d"}}, "", "x.y"},
		{"a cookie without its quotes", Sources{Cookie: "t"}, http.Header{"Cookie": {`a=b; t="x.y"; c=d`}}, "", "x.y"},
		{"two quotes are nothing", Sources{Cookie: "t"}, http.Header{"Cookie": {`t=""`}}, "", ""},
		{"a cookie of one letter in quotes", Sources{Cookie: "t"}, http.Header{"Cookie": {`t="x"`}}, "", "x"},
		{"one quote stays", Sources{Cookie: "t"}, http.Header{"Cookie": {`t="`}}, "", `"`},
		{"a quote at the end stays", Sources{Cookie: "t"}, http.Header{"Cookie": {`t=x"`}}, "", `x"`},
		{"a quote at the beginning stays", Sources{Cookie: "t"}, http.Header{"Cookie": {`t="x`}}, "", `"x`},
		{"a cookie on the second line", Sources{Cookie: "t"}, http.Header{"Cookie": {"a=b", "t=x"}}, "", "x"},
		{"of two cookies the first counts", Sources{Cookie: "t"}, http.Header{"Cookie": {"t=x; t=y"}}, "", "x"},
		{"a cookie's name has its case", Sources{Cookie: "t"}, http.Header{"Cookie": {"T=x"}}, "", ""},
		{"a cookie's name is whole", Sources{Cookie: "t"}, http.Header{"Cookie": {"xt=x; tt=y"}}, "", ""},
		{"a cookie is not percent-decoded", Sources{Cookie: "t"}, http.Header{"Cookie": {"t=a%2Eb"}}, "", "a%2Eb"},
		{"names of JavaScript mean nothing", Sources{Cookie: "__proto__"}, http.Header{"Cookie": {"a=b"}}, "", ""},
		{"a configured cookie switches Authorization off", Sources{Cookie: "t"}, http.Header{"Authorization": {"Bearer a"}}, "", ""},
		{"cookie before header before query", Sources{"t", "Authorization", "q"}, http.Header{"Cookie": {"t=1"}, "Authorization": {"Bearer 2"}}, "q=3", "1"},
		{"header before query", Sources{"t", "Authorization", "q"}, http.Header{"Authorization": {"Bearer 2"}}, "q=3", "2"},
		{"an empty cookie is none", Sources{Cookie: "t", Query: "q"}, http.Header{"Cookie": {"t="}}, "q=3", "3"},
		{"query after a wrong scheme", Sources{Header: "Authorization", Query: "id_token"}, http.Header{"Authorization": {"Basic x"}}, "id_token=a.b.c", "a.b.c"},
		{"a query that comes twice is not taken", Sources{Query: "q"}, nil, "q=a&q=b", ""},
		{"a broken parameter hurts itself only", Sources{Query: "q"}, nil, "x=%zz&q=a", "a"},
		{"a broken token is none", Sources{Query: "q"}, nil, "q=%zz", ""},
		{"a semicolon in the query", Sources{Query: "q"}, nil, "q=a;b", ""},
		{"a megabyte", Sources{}, http.Header{"Authorization": {"Bearer " + long}}, "", long},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/?"+c.query, nil)
			r.Header = c.header
			got, ok := c.sources.Token(r)
			if got != c.want || ok != (c.want != "") {
				t.Fatalf("got %.80q, %v; want %.80q", got, ok, c.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	if err := (Sources{Cookie: "__Host-t", Header: "X-Amzn-Oidc-Data", Query: "any thing"}).Validate(); err != nil {
		t.Error(err)
	}
	for c := range 256 { // RFC 9110 section 5.6.2
		want := strings.IndexByte("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", byte(c)) >= 0
		if got := (Sources{Cookie: string([]byte{byte(c)})}).Validate() == nil; got != want {
			t.Errorf("%q may stand in a name: %v, want %v", byte(c), got, want)
		}
	}
	for _, s := range []Sources{{Cookie: "a=b"}, {Header: "a b"}, {Header: "é"}, {Cookie: "a;"}} {
		if s.Validate() == nil {
			t.Errorf("%+v passed", s)
		}
	}
}

func TestChallenge(t *testing.T) {
	for want, c := range map[string]Challenge{
		`Bearer`:             {},
		`Bearer realm="api"`: {Realm: "api"},
		`Bearer realm="api", error="invalid_token", error_description="the token has expired"`: {Realm: "api", Code: InvalidToken, Description: "the token has expired"},
		`Bearer error="insufficient_scope", scope="a b"`:                                       {Code: InsufficientScope, Scope: "a b"},
		`DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"`:                                  {Scheme: DPoP, Code: "invalid_dpop_proof", Algs: "ES256 EdDSA"},
		`Bearer error_description="ab"`:                                                        {Description: "\"a\r\n\\b\u00e9\x00\x7f\x1f"},
		`Bearer error_description=" ~"`:                                                        {Description: " ~"},
	} {
		if got := c.Header().Get("WWW-Authenticate"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add(`a=b; t="x"`, "Bearer x", "q=x", "t")
	f.Add(";;=;", "Bearer", "%", "")
	f.Add("t=\x00", "\x7f x", "q=%00", "t")
	f.Fuzz(func(t *testing.T, cookie, authorization, query, name string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header = http.Header{"Cookie": {cookie}, "Authorization": {authorization}}
		r.URL.RawQuery = query
		for _, s := range []Sources{{}, {Cookie: name}, {Query: name}, {name, "Authorization", name}} {
			token, ok := s.Token(r)
			if ok != (token != "") {
				t.Fatalf("%q, %v", token, ok)
			}
			if s == (Sources{}) && strings.ContainsAny(token, " \t") {
				t.Fatalf("%q has a space", token)
			}
		}
		if s := (Challenge{Description: cookie}).String(); strings.ContainsAny(s, "\r\n\\\x00") {
			t.Fatalf("%q splits a header", s)
		}
	})
}

func ExampleSources() {
	s := Sources{Cookie: "session", Header: "Authorization"}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "bearer abc")
	fmt.Println(s.Token(r))
	r.AddCookie(&http.Cookie{Name: "session", Value: "xyz"})
	fmt.Println(s.Token(r))
	fmt.Println(Challenge{Realm: "orders", Code: InvalidToken, Description: "the token has expired"})
	// Output:
	// abc true
	// xyz true
	// Bearer realm="orders", error="invalid_token", error_description="the token has expired"
}

func TestNew(t *testing.T) {
	type key struct{}
	canary := errors.New("canary")
	mw := New(Config{Realm: "api", Verify: func(r *http.Request, token string) (context.Context, error) {
		switch token {
		case "good":
			return context.WithValue(r.Context(), key{}, "ann"), nil
		case "expired":
			return nil, fmt.Errorf("wrapped: %w", &TokenError{Reason: "canary", Public: "The token has expired.", Err: canary})
		case "outage":
			return nil, &KeyError{Reason: "fetch", Temporary: true, Err: canary}
		case "misconfigured":
			return nil, &KeyError{Reason: "canary"}
		case "forbidden":
			return nil, &web.Error{Status: 403, Err: canary}
		}
		return nil, canary
	}})
	h := mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Context().Value(key{})) }))
	for _, c := range []struct {
		token     string
		status    int
		challenge string
	}{
		{"", 401, `Bearer realm="api"`},
		{"good", 200, ""},
		{"expired", 401, `Bearer realm="api", error="invalid_token", error_description="The token has expired."`},
		{"other", 401, `Bearer realm="api", error="invalid_token", error_description="The token is not valid."`},
		{"outage", 503, ""},
		{"misconfigured", 500, ""},
		{"forbidden", 403, ""},
		{strings.Repeat("x", 16<<10), 401, `Bearer realm="api", error="invalid_token", error_description="The token is not valid."`},
		{strings.Repeat("x", 16<<10+1), 401, `Bearer realm="api", error="invalid_token", error_description="The token is too long."`},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("WWW-Authenticate") != c.challenge || strings.Contains(w.Body.String(), "canary") {
			t.Errorf("%.20s: %d %v %s", c.token, w.Code, w.Header(), w.Body)
		}
		if w.Code == 200 && w.Body.String() != "ann" {
			t.Errorf("the handler read %s", w.Body)
		}
	}
}

func TestErrorsSayWhy(t *testing.T) {
	inner := errors.New("inner")
	token, key := &TokenError{Reason: "old", Err: inner}, &KeyError{Reason: "gone", Err: inner}
	if token.Error() != "bearer: token refused: old" || !errors.Is(token, inner) {
		t.Error(token)
	}
	if key.Error() != "bearer: no key to judge the token with: gone: inner" || !errors.Is(key, inner) {
		t.Error(key)
	}
}

func TestNewRefusesAConfigThatCannotWork(t *testing.T) {
	defer func() {
		err, _ := recover().(error)
		if err == nil || strings.Count(err.Error(), "bearer:") != 3 {
			t.Errorf("got %v", err)
		}
	}()
	New(Config{Sources: Sources{Cookie: " "}, MaxTokenBytes: -1})
}

// A request that has no token is told of the scheme only; one whose token is not a
// token, that it is not: RFC 6750 section 3.1.
func TestATokenThatIsNoneIsNotTheSameAsNone(t *testing.T) {
	h := New(Config{Sources: Sources{Header: "Authorization", Query: "q"}, Verify: func(r *http.Request, _ string) (context.Context, error) { return r.Context(), nil }})(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	const invalid, twice = `Bearer error="invalid_token", error_description="The token is not valid."`, `Bearer error="invalid_token", error_description="There is more than one token."`
	for _, c := range []struct {
		rule          string
		authorization []string
		query         string
		status        int
		challenge     string
	}{
		{"a token", []string{"Bearer a"}, "", 200, ""},
		{"nothing", nil, "", 401, "Bearer"},
		{"another scheme", []string{"Basic a"}, "", 401, "Bearer"},
		{"the scheme alone", []string{"Bearer  "}, "", 401, "Bearer"},
		{"an empty parameter", nil, "q=", 401, "Bearer"},
		{"text behind the token", []string{"Bearer a b"}, "", 401, invalid},
		{"two headers", []string{"Bearer a", "Bearer b"}, "", 401, twice},
		{"two headers that a front door has joined", []string{"Bearer a, Bearer b"}, "", 401, invalid},
		{"two parameters", nil, "q=a&q=b", 401, twice},
		{"two parameters, one empty", nil, "q=a&q=", 401, twice},
	} {
		r := httptest.NewRequest("GET", "/?"+c.query, nil)
		r.Header["Authorization"] = c.authorization
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("WWW-Authenticate"); w.Code != c.status || got != c.challenge {
			t.Errorf("%s: got %d %s, want %d %s", c.rule, w.Code, got, c.status, c.challenge)
		}
	}
}

func TestTheSchemeDPoP(t *testing.T) {
	cfg := Config{DPoP: true, Verify: func(r *http.Request, token string) (context.Context, error) {
		if token != "good" {
			return nil, errors.New("no")
		}
		return r.Context(), nil
	}}
	var got Credentials
	var ok bool
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, ok = FromContext(r.Context()) })
	for _, c := range []struct {
		authorization, scheme string
		challenges            []string
	}{
		{"DPoP good", DPoP, nil},
		{"dpop  good", DPoP, nil},
		{"Bearer good", Bearer, nil},
		{"", "", []string{"Bearer", "DPoP"}},
		{"Basic good", "", []string{"Bearer", "DPoP"}},
		{"DPoP bad", "", []string{`DPoP error="invalid_token", error_description="The token is not valid."`, "Bearer"}},
		{"Bearer bad", "", []string{`Bearer error="invalid_token", error_description="The token is not valid."`, "DPoP"}},
		{"DPoP good junk", "", []string{`DPoP error="invalid_token", error_description="The token is not valid."`, "Bearer"}},
	} {
		got, ok = Credentials{}, false
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", c.authorization)
		w := httptest.NewRecorder()
		New(cfg)(handler).ServeHTTP(w, r)
		if ok != (c.challenges == nil) || got.Scheme != c.scheme || !slices.Equal(w.Header()["Www-Authenticate"], c.challenges) {
			t.Errorf("%q: got %+v, %v", c.authorization, got, w.Header())
		}
		if ok && got.TokenHash != sha256.Sum256([]byte("good")) {
			t.Errorf("%q: the hash is not the token's", c.authorization)
		}
	}
	cfg.DPoP = false
	for authorization, status := range map[string]int{"Bearer good": 200, "DPoP good": 401} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		if New(cfg)(handler).ServeHTTP(w, r); w.Code != status || ok {
			t.Errorf("without DPoP, %q: got %d, credentials %v", authorization, w.Code, ok)
		}
	}
}
