package sigv4

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPathsInCanonicalForm(t *testing.T) {
	for _, tc := range []struct{ wire, others, s3 string }{
		{"", "/", "/"},
		{"/", "/", "/"},
		{"/a", "/a", "/a"},
		{"/a/", "/a/", "/a/"},
		{"/..", "/", "/.."},
		{"/../a/..", "/", "/../a/.."},
		{"/a//b/./c/../d", "/a/b/d", "/a//b/./c/../d"},
		{"/a%20b", "/a%2520b", "/a%20b"},
		{"/%zz", "/%25zz", "/%25zz"},
		{"/AZaz09-._~", "/AZaz09-._~", "/AZaz09-._~"},
		{"/@[`{/:", "/%40%5B%60%7B/%3A", "/%40%5B%60%7B/%3A"},
		{"/\xe1\x88\xb4", "/%E1%88%B4", "/%E1%88%B4"},
	} {
		if got := canonicalPath(tc.wire, false); got != tc.others {
			t.Errorf("%q: %q, want %q", tc.wire, got, tc.others)
		}
		if got := canonicalPath(tc.wire, true); got != tc.s3 {
			t.Errorf("%q for S3: %q, want %q", tc.wire, got, tc.s3)
		}
	}
}

func TestQueriesInCanonicalForm(t *testing.T) {
	for raw, want := range map[string]string{
		"":                         "",
		"a":                        "a=",
		"b=1&a=2&a=1&A=0":          "A=0&a=1&a=2&b=1",
		"a=b=c":                    "a=b%3Dc",
		"a+b=c%20d":                "a%20b=c%20d",
		"X-Amz-Signature=x&a=%2f":  "a=%2F",
		"&&a=/?":                   "a=%2F%3F",
		"a-b=1&a=2":                "a=2&a-b=1",
		"x=%E1%88%B4&x-amz-date=1": "x=%E1%88%B4&x-amz-date=1",
	} {
		if got := canonicalQuery(parseQuery(raw)); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestValuesAreFolded(t *testing.T) {
	for in, want := range map[string]string{"": "", " a ": "a", "\ta\t": "a", "a  b": "a b", `"a   b"  c`: `"a b" c`, "a b": "a b", "a \t b": "a \t b"} {
		if got := fold(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestHeadersThatTheServerMoves: net/http keeps them elsewhere than in the map.
func TestHeadersThatTheServerMoves(t *testing.T) {
	r := &http.Request{Host: "h:1", ContentLength: 10, TransferEncoding: []string{"chunked"}, Header: http.Header{"X-Empty": {""}}}
	for name, want := range map[string][]string{"host": {"h:1"}, ":authority": {"h:1"}, "transfer-encoding": {"chunked"}, "content-length": {"10"}, "x-empty": {""}} {
		if got, ok := headerValues(r, name); !ok || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %t", name, got, ok)
		}
	}
	r.Header.Set("Content-Length", "7")
	if got, _ := headerValues(r, "content-length"); !slices.Equal(got, []string{"7"}) {
		t.Errorf("content-length as sent: %q", got)
	}
	absent := &http.Request{ContentLength: -1, Header: http.Header{}}
	for _, name := range []string{"transfer-encoding", "content-length", "x-none"} {
		if got, ok := headerValues(absent, name); ok {
			t.Errorf("%s: %q out of nothing", name, got)
		}
	}
}

// parseWith reads an Authorization header and a date.
func parseWith(auth, date string) (parsed, error) {
	h := http.Header{"Authorization": {auth}}
	if date != "" {
		h.Set("X-Amz-Date", date)
	}
	return parse(&http.Request{Method: "GET", URL: &url.URL{Path: "/"}, Header: h})
}

func TestAuthorizationHeaders(t *testing.T) {
	const date = "20260228T235930Z"
	const good = "AWS4-HMAC-SHA256 Credential=K/20260228/r/s/aws4_request,SignedHeaders=X-B;host;x-b,Signature=ab"
	c, err := parseWith(good, date)
	if err != nil || c.AccessKeyID != "K" || c.signature != "ab" || !slices.Equal(c.SignedHeaders, []string{"host", "x-b"}) ||
		!c.SignedAt.Equal(time.Date(2026, 2, 28, 23, 59, 30, 0, time.UTC)) {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := parseWith(strings.ReplaceAll(good, ",", " ,\t"), date); err != nil || c.signature != "ab" {
		t.Errorf("spaced: %+v, %v", c, err)
	}
	if c, _ := parseWith("AWS4-HMAC-SHA256 Credential=K/20260228/r/s/aws4_request/,SignedHeaders=host,Signature=ab", date); c.AccessKeyID != "K" {
		t.Errorf("trailing slash: %+v", c)
	}
	pad := maxAuthorization - len(good)
	if _, err := parseWith(good+strings.Repeat("0", pad), date); err != nil {
		t.Errorf("longest: %v", err)
	}
	for name, tc := range map[string]struct{ auth, date, text string }{
		"too long":      {good + strings.Repeat("0", pad+1), date, "longer than 16384 bytes"},
		"no credential": {"AWS4-HMAC-SHA256 SignedHeaders=host, Signature=ab", date, "requires 'Credential' parameter. Authorization=AWS4-HMAC-SHA256 SignedHeaders=host, Signature=…"},
		"nothing":       {"AWS4-HMAC-SHA256", "", "requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256"},
		"a space in the key": {"AWS4-HMAC-SHA256 Credential=K /20260228/r/s/aws4_request, SignedHeaders=host, Signature=ab, x=1", date,
			"'/20260228/r/s/aws4_request' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 Credential=K /20260228/r/s/aws4_request, SignedHeaders=host, Signature=…, x=1'."},
		"twice":    {good + ",Signature=cd", date, "Duplicate 'Signature' parameter in Authorization header: "},
		"bad date": {good, "2026", "Date must be in ISO-8601 'basic format'. Got '2026'. See http://en.wikipedia.org/wiki/ISO_8601"},
	} {
		_, err := parseWith(tc.auth, tc.date)
		refused, ok := errors.AsType[*Error](err)
		if !ok || refused.Reason != Incomplete || !strings.Contains(refused.Message(JSON), tc.text) || strings.Contains(refused.Message(JSON), "=ab") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDateHeaderStandsInForXAmzDate(t *testing.T) {
	for _, date := range []string{"20260228T235930Z", "Sat, 28 Feb 2026 23:59:30 GMT"} {
		r := &http.Request{URL: &url.URL{Path: "/"}, Header: http.Header{"Date": {date},
			"Authorization": {"AWS4-HMAC-SHA256 Credential=K/20260228/r/s/aws4_request,SignedHeaders=host,Signature=ab"}}}
		c, err := Parse(r)
		if err != nil || !c.SignedAt.Equal(time.Date(2026, 2, 28, 23, 59, 30, 0, time.UTC)) {
			t.Errorf("%s: %v, %v", date, c.SignedAt, err)
		}
	}
}

func TestPresignedLifetimes(t *testing.T) {
	const base = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=K%2F20260228%2Fr%2Fs%2Faws4_request&X-Amz-Date=20260228T235930Z&X-Amz-SignedHeaders=host&X-Amz-Signature=ab"
	for expires, want := range map[string]string{
		"": "", "1": "", "604800": "", "0": "must be non-negative", "604801": "less than a week", "x": "should be a number", "99999999999999999999": "should be a number",
	} {
		q := base
		if expires != "" {
			q += "&X-Amz-Expires=" + expires
		}
		_, err := Parse(&http.Request{URL: &url.URL{Path: "/", RawQuery: q}, Header: http.Header{}})
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("X-Amz-Expires=%s: %v", expires, err)
		}
	}
	_, err := Parse(&http.Request{URL: &url.URL{Path: "/", RawQuery: "X-Amz-Algorithm=&X-Amz-Date=1&X-Amz-Date=1"}, Header: http.Header{}})
	if err == nil || !strings.Contains(err.Error(), "must include 'X-Amz-Algorithm'. AWS query-string parameters must include 'X-Amz-Credential'. ") ||
		!strings.Contains(err.Error(), "must include 'X-Amz-Date' only once. Re-examine the query-string parameters.") {
		t.Errorf("incomplete: %v", err)
	}
}

// TestVocabulary holds every code and status, in all three dialects.
func TestVocabulary(t *testing.T) {
	type answer struct {
		code   string
		status int
	}
	for reason, want := range map[Reason][3]answer{
		Missing:        {{"MissingAuthenticationTokenException", 400}, {"MissingAuthenticationToken", 403}, {"AccessDenied", 403}},
		Incomplete:     {{"IncompleteSignatureException", 400}, {"IncompleteSignature", 400}, {"AuthorizationHeaderMalformed", 400}},
		Ambiguous:      {{"InvalidSignatureException", 400}, {"SignatureDoesNotMatch", 403}, {"InvalidArgument", 400}},
		Expired:        {{"InvalidSignatureException", 400}, {"SignatureDoesNotMatch", 403}, {"RequestTimeTooSkewed", 403}},
		NotYetCurrent:  {{"InvalidSignatureException", 400}, {"SignatureDoesNotMatch", 403}, {"RequestTimeTooSkewed", 403}},
		PresignExpired: {{"InvalidSignatureException", 400}, {"RequestExpired", 403}, {"AccessDenied", 403}},
		Scope:          {{"InvalidSignatureException", 400}, {"SignatureDoesNotMatch", 403}, {"AuthorizationHeaderMalformed", 400}},
		Unsigned:       {{"InvalidSignatureException", 400}, {"SignatureDoesNotMatch", 403}, {"AccessDenied", 403}},
		UnknownKey:     {{"UnrecognizedClientException", 400}, {"InvalidClientTokenId", 403}, {"InvalidAccessKeyId", 403}},
		WrongToken:     {{"UnrecognizedClientException", 400}, {"InvalidClientTokenId", 403}, {"InvalidToken", 400}},
		TokenExpired:   {{"ExpiredTokenException", 400}, {"ExpiredToken", 403}, {"ExpiredToken", 400}},
		Payload:        {{"InvalidSignatureException", 400}, {"SignatureDoesNotMatch", 403}, {"XAmzContentSHA256Mismatch", 400}},
		Mismatch:       {{"InvalidSignatureException", 400}, {"SignatureDoesNotMatch", 403}, {"SignatureDoesNotMatch", 403}},
		TooLarge:       {{"RequestEntityTooLargeException", 413}, {"RequestEntityTooLarge", 413}, {"EntityTooLarge", 413}},
	} {
		e := refuse(reason, "text")
		for i, d := range []Dialect{JSON, Query, S3} {
			if got := (answer{e.Code(d), e.Status(d)}); got != want[i] {
				t.Errorf("%s, dialect %d: %v, want %v", reason, d, got, want[i])
			}
		}
	}
	if got := refuse(PresignExpired, "x").Message(Query); got != "Request has expired." {
		t.Errorf("presigned in a query service: %q", got)
	}
	if refuse(Expired, "x").Message(Query) != "x" || refuse(Mismatch, "x").Message(S3) != "x" || refuse(Expired, "x").Message(JSON) != "x" {
		t.Error("a message was lost")
	}
	if TooLarge.String() != "too large" || Missing.String() != "missing" || Reason(0).String() != "reason 0" || (TooLarge+1).String() != "reason 15" {
		t.Errorf("%s, %s, %s, %s", TooLarge, Missing, Reason(0), TooLarge+1)
	}
}

func TestEmptyBodyHasALength(t *testing.T) {
	if got, ok := headerValues(&http.Request{Header: http.Header{}}, "content-length"); !ok || !slices.Equal(got, []string{"0"}) {
		t.Errorf("%q, %t", got, ok)
	}
}
