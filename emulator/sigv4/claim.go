package sigv4

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"

	// maxAuthorization bounds what is parsed. The longest honest value is a few
	// hundred bytes of header names; net/http allows a megabyte.
	maxAuthorization = 16 << 10
)

// A Claim is what a request says of itself before anything is verified. It is
// fit for routing and for a log, and for nothing else.
type Claim struct {
	// AccessKeyID, Date (YYYYMMDD), Region, Service and Terminator are the five
	// parts of the credential.
	AccessKeyID, Date, Region, Service, Terminator string
	// SignedHeaders are the names as listed, lower case and sorted.
	SignedHeaders []string
	// SignedAt is X-Amz-Date, or Date where that is absent; in UTC.
	SignedAt time.Time
	// Presigned says that the signature is in the query.
	Presigned bool
	// Expires is X-Amz-Expires; 0 where absent.
	Expires time.Duration
}

// A parsed request is its claim and what must not leave the package: an Error
// carries the claim into logs, and the signature in it may still be good.
type parsed struct {
	Claim
	algorithm  string
	credential string
	signature  string
	token      string
}

// Parse reads what the request claims, from its Authorization header or its
// query. The claim is filled as far as it could be read even when the error, an
// [*Error], is not nil.
func Parse(r *http.Request) (Claim, error) {
	p, err := parse(r)
	return p.Claim, err
}

func parse(r *http.Request) (parsed, error) {
	query := parseQuery(r.URL.RawQuery)
	auth := r.Header.Get("Authorization")
	presigned := query.count("X-Amz-Algorithm") > 0
	switch {
	case len(r.Header.Values("Authorization")) > 1:
		return parsed{}, refuse(Ambiguous, "Found more than one 'Authorization' header.")
	case auth != "" && presigned:
		return parsed{}, refuse(Ambiguous, "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")
	case presigned:
		return parsePresigned(query)
	case strings.HasPrefix(auth, "AWS4-"):
		return parseHeader(r, auth)
	default:
		return parsed{}, refuse(Missing, "Request is missing Authentication Token")
	}
}

func refuse(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, message: fmt.Sprintf(format, args...)}
}

// parseHeader reads "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".
// The parts come in any order, parted by commas or spaces.
func parseHeader(r *http.Request, auth string) (parsed, error) {
	c := parsed{token: r.Header.Get("X-Amz-Security-Token")}
	if len(auth) > maxAuthorization {
		return c, refuse(Incomplete, "Authorization header is longer than %d bytes.", maxAuthorization)
	}
	var rest string
	c.algorithm, rest, _ = strings.Cut(auth, " ")
	parts := map[string]string{}
	for _, pair := range strings.FieldsFunc(rest, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return c, refuse(Incomplete, "'%s' not a valid key=value pair (missing equal-sign) in Authorization header: '%s'.", pair, redactSignature(auth))
		}
		if _, twice := parts[key]; twice {
			return c, refuse(Incomplete, "Duplicate '%s' parameter in Authorization header: '%s'.", key, redactSignature(auth))
		}
		parts[key] = value
	}
	stamp := r.Header.Get("X-Amz-Date")
	if stamp == "" {
		stamp = r.Header.Get("Date")
	}
	var missing strings.Builder
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parts[name] == "" {
			missing.WriteString("Authorization header requires '" + name + "' parameter. ")
		}
	}
	if stamp == "" {
		missing.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	c.credential, c.signature = parts["Credential"], parts["Signature"]
	c.setHeaders(parts["SignedHeaders"])
	c.setCredential()
	if missing.Len() > 0 {
		return c, c.refuse(Incomplete, "%sAuthorization=%s", missing.String(), redactSignature(auth))
	}
	return c, c.setDate(stamp)
}

// redactSignature keeps a live signature out of an error text, which may be
// logged while the signature is still good.
func redactSignature(auth string) string {
	return signatureValue.ReplaceAllString(auth, "Signature=…")
}

var signatureValue = regexp.MustCompile(`Signature=[^, ]*`)

func parsePresigned(q query) (parsed, error) {
	c := parsed{Claim: Claim{Presigned: true}, token: q.get("X-Amz-Security-Token"), algorithm: q.get("X-Amz-Algorithm")}
	var missing strings.Builder
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		switch {
		case q.get(name) == "":
			missing.WriteString("AWS query-string parameters must include '" + name + "'. ")
		case q.count(name) > 1:
			missing.WriteString("AWS query-string parameters must include '" + name + "' only once. ")
		}
	}
	c.credential, c.signature = q.get("X-Amz-Credential"), q.get("X-Amz-Signature")
	c.setHeaders(q.get("X-Amz-SignedHeaders"))
	c.setCredential()
	if missing.Len() > 0 {
		return c, c.refuse(Incomplete, "%sRe-examine the query-string parameters.", missing.String())
	}
	if q.bad {
		return c, c.refuse(Incomplete, "The query string contains a syntax error.")
	}
	if s := q.get("X-Amz-Expires"); s != "" {
		n, err := strconv.Atoi(s)
		switch {
		case err != nil:
			return c, c.refuse(Incomplete, "X-Amz-Expires should be a number")
		case n < 1:
			return c, c.refuse(Incomplete, "X-Amz-Expires must be non-negative")
		case n > 604800:
			return c, c.refuse(Incomplete, "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
		}
		c.Expires = time.Duration(n) * time.Second
	}
	return c, c.setDate(q.get("X-Amz-Date"))
}

func (c *parsed) refuse(reason Reason, format string, args ...any) *Error {
	e := refuse(reason, format, args...)
	e.Claim = c.Claim
	return e
}

func (c *parsed) setHeaders(list string) {
	if list == "" {
		return
	}
	names := strings.Split(strings.ToLower(list), ";")
	slices.Sort(names)
	c.SignedHeaders = slices.Compact(names)
}

// setCredential fills the five parts where there are five; [Verifier.Verify]
// complains where there are not, after it has looked at the date, as AWS does.
func (c *parsed) setCredential() {
	parts := strings.Split(strings.TrimRight(c.credential, "/"), "/")
	if len(parts) != 5 {
		return
	}
	c.AccessKeyID, c.Date, c.Region, c.Service, c.Terminator = parts[0], parts[1], parts[2], parts[3], parts[4]
}

func (c *parsed) setDate(stamp string) error {
	t, err := time.Parse(basicTime, stamp)
	if err != nil && !c.Presigned {
		// A Date header in HTTP's own format is a date, too.
		t, err = http.ParseTime(stamp)
	}
	if err != nil {
		return c.refuse(Incomplete, "Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", stamp)
	}
	c.SignedAt = t.UTC()
	return nil
}

// A query is the query string as it came, decoded once, in its own order.
type query struct {
	pairs []pair
	bad   bool // an escape that is none
}

type pair struct{ key, value string }

func parseQuery(raw string) query {
	var q query
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		key, err1 := url.QueryUnescape(k)
		value, err2 := url.QueryUnescape(v)
		if err1 != nil || err2 != nil {
			q.bad = true
			continue
		}
		q.pairs = append(q.pairs, pair{key, value})
	}
	return q
}

func (q query) count(key string) (n int) {
	for _, p := range q.pairs {
		if p.key == key {
			n++
		}
	}
	return n
}

func (q query) get(key string) string {
	for _, p := range q.pairs {
		if p.key == key {
			return p.value
		}
	}
	return ""
}
