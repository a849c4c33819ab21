package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/gomiddy/middy/web/internal/eventjson"
	"github.com/gomiddy/middy/web/internal/response"
)

// A Door is a kind of front door: what turned HTTP into the event.
type Door uint8

// The front doors, each with its page of documentation.
const (
	// RESTAPI is API Gateway's REST API:
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
	RESTAPI Door = iota + 1
	// HTTPAPI1 is an HTTP API with payload format 1.0:
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
	HTTPAPI1
	// HTTPAPI is an HTTP API with payload format 2.0, same page.
	HTTPAPI
	// FunctionURL is a function's own URL:
	// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
	FunctionURL
	// ALB is an Application Load Balancer:
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
	ALB
	// ALBMulti is the same with multi-value headers enabled on the target group.
	ALBMulti
	// Lattice1 is a VPC Lattice target group with event structure V1:
	// https://docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html
	Lattice1
	// Lattice is the same with event structure V2.
	Lattice
)

var doorNames = [...]string{"unknown", "REST API", "HTTP API 1.0", "HTTP API 2.0", "function URL", "ALB", "ALB multi-value", "VPC Lattice V1", "VPC Lattice V2"}

func (d Door) String() string { return doorNames[min(int(d), len(doorNames)-1)] }

// A Request is an event of any front door: what they have in common, under one
// name. What only one of them has is in Payload.
//
// It belongs to one invocation. Strings of a small event are pieces of Payload.
type Request struct {
	Door Door
	// Payload is the event as it was delivered. Read only. Decode it into a type
	// of aws-lambda-go's events package where you need a field that is not here.
	Payload []byte

	Method string
	// Path as the front door wrote it: decoded and with the stage in an HTTP API,
	// percent-encoded at any other door, and without the stage in a REST API.
	// [http.Request.URL] has it as net/http's server does, and without the stage.
	Path string
	// Route is the route that matched: "/orders/{id}" in a REST API,
	// "GET /orders/{id}" or "$default" in an HTTP API. The others have none.
	Route string
	// PathParameters as the front door wrote them: percent-encoded in a REST API.
	// [http.Request.PathValue] has them decoded.
	PathParameters map[string]string
	// Stage is "" where there is none, and "$default" where it has no name.
	Stage          string
	StageVariables map[string]string
	// RequestID is the front door's. That of the invocation is in lambdacontext.
	RequestID string
	// SourceIP is the address of the client: what the front door saw, and not what
	// the client may have put into X-Forwarded-For. A load balancer and VPC Lattice
	// say it at the end of that header only: "" where no address stands there, and
	// what the client says where the load balancer's attribute
	// routing.http.xff_header_processing.mode is preserve. It is safe in the default
	// mode, append. [http.Request.RemoteAddr] has the client's port too, where
	// routing.http.xff_client_port.enabled has the load balancer write it.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
	SourceIP   string
	DomainName string
	AccountID  string
	APIID      string
	// Time is when the front door got the request, where it says so.
	Time time.Time

	notHTTP    string // what it is, when it looks like a request and is none
	port       string // of SourceIP, where the door says it
	escaped    bool   // Path is percent-encoded
	protocol   string
	authorizer string // JSON
	identity   string // JSON
	header     fields
	cookies    []string
	query      string // raw, with percent-encoding
	body       string
	encoded    bool
}

// DecodeEvent reads an event in one pass: package middy calls it in place of
// encoding/json. The payload must not change afterwards.
func (e *Request) DecodeEvent(payload []byte) error {
	*e = Request{Payload: payload}
	// The text of the payload is not copied: it does not change.
	d := decoding{s: eventjson.NewScanner(unsafe.String(unsafe.SliceData(payload), len(payload))), e: e}
	if d.s.Kind() == '{' {
		d.event()
	} else {
		d.s.Skip() // some other event
	}
	if err := d.s.End(); err != nil {
		return fmt.Errorf("web: %w", err)
	}
	d.settle()
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler] by DecodeEvent, over a copy.
func (e *Request) UnmarshalJSON(b []byte) error {
	return e.DecodeEvent(bytes.Clone(b))
}

// MarshalJSON returns the event as it was delivered.
func (e Request) MarshalJSON() ([]byte, error) {
	if e.Payload == nil {
		return []byte("null"), nil
	}
	return e.Payload, nil
}

// decoding is what is known of an event before all of it was read.
type decoding struct {
	s *eventjson.Scanner
	e *Request

	version            string
	httpMethod, method string // the latter is Lattice's
	// context2 is requestContext.http of payload 2.0, elb that of a load balancer,
	// lattice2 an ARN of Lattice.
	context2, elb, lattice2 bool
	rawPath, path           string
	httpPath                string // requestContext.http.path
	latticePath             string // raw_path
	single, multi           fields // headers, multiValueHeaders
	rawQuery                string
	hasRawQuery             bool
	query, multiQuery       pairs
	latticeQuery            pairs // query_string_parameters
}

// pairs are query parameters in the order of the event, which no map keeps.
type pairs []pair

type pair struct{ name, value string }

func (d *decoding) event() {
	s, e := d.s, d.e
	for name := range s.Members {
		switch name {
		case "version":
			if s.Kind() == '"' {
				d.version = s.Text()
			} else {
				s.Skip() // an EventBridge event may have a number here
			}
		case "httpMethod":
			d.httpMethod = s.Text()
		case "type": // REQUEST or TOKEN
			if t := d.text(); t == "REQUEST" || t == "TOKEN" {
				e.notHTTP = authorizerEvent
			}
		case "methodArn", "routeArn":
			e.notHTTP = authorizerEvent
			s.Skip()
		case "agent", "apiPath":
			e.notHTTP = "the request of an Amazon Bedrock agent, whose answer has another form"
			s.Skip()
		case "method":
			d.method = d.text()
		case "path":
			d.path = d.text()
		case "rawPath":
			d.rawPath = s.Text()
		case "raw_path":
			d.latticePath = s.Text()
		case "resource", "routeKey":
			e.Route = d.text()
		case "rawQueryString":
			d.rawQuery, d.hasRawQuery = s.Text(), true
		case "queryStringParameters":
			if d.hasRawQuery { // the same, with less left of it
				s.Skip()
			} else {
				d.query = d.pairs()
			}
		case "multiValueQueryStringParameters":
			d.multiQuery = d.pairs()
		case "query_string_parameters":
			d.latticeQuery = d.pairs()
		case "headers":
			d.single = d.headers()
		case "multiValueHeaders":
			d.multi = d.headers()
		case "cookies":
			if s.Kind() == '[' {
				e.cookies = s.Scalars()
			} else {
				s.Skip()
			}
		case "body":
			d.body()
		case "isBase64Encoded", "is_base64_encoded":
			d.encoded()
		case "pathParameters":
			e.PathParameters = d.stringMap()
		case "stageVariables":
			e.StageVariables = d.stringMap()
		case "requestContext":
			d.context()
		default:
			s.Skip()
		}
	}
}

const authorizerEvent = "the request of a Lambda authorizer, whose answer is a policy"

// encoded reads a truth. Front doors write true or false; people who write test
// events have it in quotes, too.
func (d *decoding) encoded() {
	text := d.s.Scalar()
	if text == "" {
		return
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		d.s.Fail("want true or false")
	}
	d.e.encoded = b
}

// text is a string; another value is none, for members that other events use in
// their own way.
func (d *decoding) text() string {
	if d.s.Kind() == '"' {
		return d.s.Text()
	}
	d.s.Skip()
	return ""
}

func (d *decoding) stringMap() map[string]string {
	if d.s.Kind() == '{' {
		return d.s.StringMap()
	}
	d.s.Skip()
	return nil
}

// body keeps a string. A body that is another value is kept as its JSON: no front
// door sends it, but people who write test events do.
func (d *decoding) body() {
	if k := d.s.Kind(); k == '"' || k == 'n' {
		d.e.body = d.s.SharedText()
		return
	}
	d.e.body = d.s.Raw()
}

func (d *decoding) context() {
	s, e := d.s, d.e
	if s.Kind() != '{' {
		s.Skip()
		return
	}
	for name := range s.Members {
		switch name {
		case "http":
			d.context2 = true
			d.http()
		case "elb":
			d.elb = true
			s.Skip()
		case "connectionId":
			e.notHTTP = "an event of a WebSocket API: see package ws"
			s.Skip()
		case "serviceNetworkArn", "serviceArn", "targetGroupArn":
			d.lattice2 = true
			s.Skip()
		case "identity":
			d.identity()
		case "authorizer":
			e.authorizer = s.Raw()
		case "stage":
			e.Stage = d.text()
		case "requestId":
			e.RequestID = d.text()
		case "domainName":
			e.DomainName = d.text()
		case "accountId":
			e.AccountID = d.text()
		case "apiId":
			e.APIID = d.text()
		case "protocol":
			e.protocol = d.text()
		case "timeEpoch", "requestTimeEpoch":
			d.time()
		default:
			s.Skip()
		}
	}
}

func (d *decoding) http() {
	if d.s.Kind() != '{' {
		d.s.Skip()
		return
	}
	for name := range d.s.Members {
		switch name {
		case "method":
			d.e.Method = d.text()
		case "path":
			d.httpPath = d.text()
		case "protocol":
			d.e.protocol = d.text()
		case "sourceIp":
			d.e.SourceIP = d.text()
		default:
			d.s.Skip()
		}
	}
}

func (d *decoding) identity() {
	d.e.identity = d.s.Raw()
	if !strings.HasPrefix(d.e.identity, "{") {
		return
	}
	in := eventjson.NewScanner(d.e.identity)
	for name := range in.Members {
		if name == "sourceIp" && in.Kind() == '"' {
			d.e.SourceIP = in.Text()
		} else {
			in.Skip()
		}
	}
}

// time reads milliseconds; Lattice writes microseconds, in a string.
func (d *decoding) time() {
	if k := d.s.Kind(); k != '0' && k != '"' {
		d.s.Skip()
		return
	}
	switch n := d.s.Int(); {
	case n > 1e14:
		d.e.Time = time.UnixMicro(n).UTC()
	case n > 0:
		d.e.Time = time.UnixMilli(n).UTC()
	}
}

// fields are header fields in the order of the event, with canonical names. The
// event keeps them as it got them, so that a layer may run the handler twice; each
// request has a map of its own.
type fields struct {
	names, values []string
}

func (f fields) header() http.Header {
	h := make(http.Header, len(f.names)+1)
	for i, name := range f.names {
		if have := h[name]; have == nil {
			h[name] = f.values[i : i+1 : i+1] // one array for all of them, as net/http does it
		} else {
			h[name] = append(have, f.values[i])
		}
	}
	return h
}

// last is the last value of a field.
func (f fields) last(name string) string {
	for i := len(f.names) - 1; i >= 0; i-- {
		if f.names[i] == name {
			return f.values[i]
		}
	}
	return ""
}

// headers reads an object of strings or of lists of strings. People who write test
// events have numbers and truths there.
func (d *decoding) headers() (f fields) {
	if d.s.Kind() != '{' {
		d.s.Skip()
		return f
	}
	both := make([]string, 48)
	f.names, f.values = both[:0:24], both[24:24]
	for name := range d.s.Members {
		name = canonical(name)
		if d.s.Kind() != '[' {
			f.names, f.values = append(f.names, name), append(f.values, d.s.Scalar())
			continue
		}
		for range d.s.Elements {
			f.names, f.values = append(f.names, name), append(f.values, d.s.Scalar())
		}
	}
	return f
}

func (d *decoding) pairs() (p pairs) {
	if d.s.Kind() != '{' {
		d.s.Skip()
		return p
	}
	for name := range d.s.Members {
		if d.s.Kind() == '[' {
			for range d.s.Elements {
				p = append(p, pair{name, d.s.Scalar()})
			}
			continue
		}
		p = append(p, pair{name, d.s.Scalar()})
	}
	return p
}

// settle decides which door it was, and gives each thing its one name.
func (d *decoding) settle() {
	e := d.e
	e.Door = d.door()
	switch e.Door {
	case RESTAPI, HTTPAPI1:
		e.Method, e.Path = d.httpMethod, d.path
		e.header = preferred(d.multi, d.single)
		e.query = preferredPairs(d.multiQuery, d.query).encode(url.QueryEscape)
	case HTTPAPI, FunctionURL:
		e.Path, e.header = cmp.Or(d.rawPath, d.httpPath), d.single
		if e.query = d.rawQuery; !d.hasRawQuery {
			e.query = d.query.encode(url.QueryEscape)
		}
	case ALB, ALBMulti: // as the client wrote them: ALB does not decode
		e.Method, e.Path = d.httpMethod, d.path
		e.header = preferred(d.multi, d.single)
		e.query = preferredPairs(d.multiQuery, d.query).encode(illegalEscape)
	case Lattice1, Lattice:
		e.Method, e.Path = d.method, d.path
		p := d.query
		if e.Door == Lattice1 {
			e.Path, p = d.latticePath, preferredPairs(d.latticeQuery, d.query)
		}
		var found bool
		if e.Path, e.query, found = strings.Cut(e.Path, "?"); !found {
			e.query = p.encode(url.QueryEscape)
		}
		e.header = preferred(d.single, d.multi)
	}
	e.escaped = d.escaped()
	if e.SourceIP == "" || e.Door >= ALB {
		// A load balancer puts the address that it saw at the end of what the
		// client sent, which may be anything.
		line := e.header.last("X-Forwarded-For")
		e.SourceIP, e.port = address(strings.TrimSpace(line[strings.LastIndexByte(line, ',')+1:]))
	}
}

// escaped reports whether the door sends the path percent-encoded, as it came. An HTTP
// API decodes it; a function URL does not, whose event is the same, but for
// requestContext.http.path: https://github.com/hotsock/voker/pull/8.
//
// Of an HTTP API with payload 1.0 it is not known: its documentation does not say, no
// event of one is public, and github.com/middleapi/standard-server/pull/93 says that it
// decodes. So a path is decoded there unless it has what an encoded path cannot have.
func (d *decoding) escaped() bool {
	switch d.e.Door {
	case HTTPAPI:
		if d.e.AccountID == "anonymous" {
			return d.rawPath != "" // a function URL under another name
		}
		plain, _ := url.PathUnescape(d.rawPath) // "" when it has a bad escape
		return plain == d.httpPath && plain != d.rawPath
	case FunctionURL:
		return d.rawPath != ""
	case HTTPAPI1:
		return !strings.ContainsFunc(d.e.Path, func(c rune) bool { return notInPath(c) || c > 0x7f })
	}
	return true
}

// address reads an entry of X-Forwarded-For: "192.0.2.7", "192.0.2.7:54321",
// "2001:db8::1" or "[2001:db8::1]:443". What is no address is none: it goes into
// logs and rate limits.
func address(s string) (ip, port string) {
	if a, err := netip.ParseAddrPort(s); err == nil && a.Addr().Zone() == "" {
		return a.Addr().String(), strconv.Itoa(int(a.Port()))
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return a.String(), ""
	}
	return "", ""
}

// door goes by what only one door writes, and then by the version.
func (d *decoding) door() Door {
	switch {
	case d.e.notHTTP != "":
		return 0
	case d.elb && d.multi.names != nil:
		return ALBMulti
	case d.elb:
		return ALB
	case d.context2 && d.e.Method != "":
		if strings.Contains(d.e.DomainName, ".lambda-url.") {
			return FunctionURL
		}
		return HTTPAPI
	case d.httpMethod != "" && d.version == "1.0":
		return HTTPAPI1
	case d.httpMethod != "" && d.version == "":
		return RESTAPI
	case d.method != "" && d.latticePath != "":
		return Lattice1
	case d.method != "" && d.path != "" && (d.version == "2.0" || d.lattice2):
		return Lattice
	}
	return 0
}

func preferred(a, b fields) fields {
	if len(a.names) > 0 {
		return a
	}
	return b
}

func preferredPairs(a, b pairs) pairs {
	if len(a) > 0 {
		return a
	}
	return b
}

// encode writes a query.
func (p pairs) encode(escape func(string) string) string {
	if len(p) == 0 {
		return ""
	}
	var b strings.Builder
	for i, kv := range p {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(kv.name))
		b.WriteByte('=')
		b.WriteString(escape(kv.value))
	}
	return b.String()
}

// illegalEscape leaves what is encoded, and encodes what would end a value.
func illegalEscape(s string) string {
	if strings.ContainsAny(s, "&#\x00 \r\n\t") {
		return strings.NewReplacer("&", "%26", "#", "%23", " ", "+", "\x00", "%00", "\r", "%0D", "\n", "%0A", "\t", "%09").Replace(s)
	}
	return s
}

// canonical is textproto's form, without an allocation for the names that AWS
// and browsers send and textproto does not know.
func canonical(name string) string {
	switch name {
	case "x-amzn-trace-id":
		return "X-Amzn-Trace-Id"
	case "x-forwarded-port":
		return "X-Forwarded-Port"
	case "x-forwarded-proto":
		return "X-Forwarded-Proto"
	case "sec-fetch-site":
		return "Sec-Fetch-Site"
	case "sec-fetch-mode":
		return "Sec-Fetch-Mode"
	case "sec-fetch-dest":
		return "Sec-Fetch-Dest"
	case "sec-fetch-user":
		return "Sec-Fetch-User"
	case "sec-ch-ua":
		return "Sec-Ch-Ua"
	case "sec-ch-ua-mobile":
		return "Sec-Ch-Ua-Mobile"
	case "sec-ch-ua-platform":
		return "Sec-Ch-Ua-Platform"
	case "upgrade-insecure-requests":
		return "Upgrade-Insecure-Requests"
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}

// Claims are the claims of the token that the front door has verified: a Cognito
// or JWT authorizer's. They are nil where there was none. Claims of a REST API
// are strings; those of an HTTP API are strings too, lists as "[a b]".
func (e *Request) Claims() map[string]any {
	var a struct {
		Claims map[string]any `json:"claims"`
		JWT    struct {
			Claims map[string]any `json:"claims"`
		} `json:"jwt"`
	}
	if e.Authorizer(&a) != nil {
		return nil
	}
	if a.JWT.Claims != nil {
		return a.JWT.Claims
	}
	return a.Claims
}

// Authorizer decodes requestContext.authorizer into v, as encoding/json does:
// what a Lambda authorizer returned, IAM's view of the caller, or claims. Without
// an authorizer v stays as it is.
func (e *Request) Authorizer(v any) error { return unmarshal("authorizer", e.authorizer, v) }

// Identity decodes requestContext.identity into v: the caller of a REST API or of
// a VPC Lattice service.
func (e *Request) Identity(v any) error { return unmarshal("identity", e.identity, v) }

func unmarshal(what, text string, v any) error {
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("web: requestContext.%s: %w", what, err)
	}
	return nil
}

type eventKey struct{}

// Event returns the event that r was made from. It is false for a request that
// came over HTTP.
func Event(r *http.Request) (*Request, bool) {
	e, ok := r.Context().Value(eventKey{}).(*Request)
	return e, ok
}

var errBase64 = errors.New("the request body is not the base64 that it is said to be")

// HTTPRequest makes the request that the handler gets. A body that is not the
// base64 that the event says it is is an [*Error] with status 400, beside the request
// without it: no front door sends that, so the client is the one that wrote the
// event.
func (e *Request) HTTPRequest(ctx context.Context) (*http.Request, error) {
	return e.request(ctx, nil)
}

func (e *Request) request(ctx context.Context, broken *response.Reason) (*http.Request, error) {
	r := new(http.Request).WithContext(&requestContext{ctx, e, broken})
	r.Method, r.Host, r.Header = e.Method, e.DomainName, e.header.header()
	r.URL, r.RequestURI = e.target()
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	if major, minor, ok := http.ParseHTTPVersion(e.protocol); ok {
		r.Proto, r.ProtoMajor, r.ProtoMinor = e.protocol, major, minor
	}
	if host := r.Header["Host"]; len(host) > 0 { // net/http keeps it out of the map
		r.Host = host[0]
		delete(r.Header, "Host")
	}
	delete(r.Header, "Transfer-Encoding") // what the front door has undone
	r.RemoteAddr = net.JoinHostPort(e.SourceIP, cmp.Or(e.port, "0"))
	if len(e.cookies) > 0 {
		r.Header["Cookie"] = []string{strings.Join(e.cookies, "; ")}
	} else if c := r.Header["Cookie"]; len(c) > 1 {
		r.Header["Cookie"] = []string{strings.Join(c, "; ")}
	}
	for name, value := range e.PathParameters {
		r.SetPathValue(strings.TrimSuffix(name, "+"), e.pathValue(value))
	}
	r.Body = http.NoBody
	if e.body == "" {
		return r, nil
	}
	if !e.encoded {
		r.Body, r.ContentLength = &body[string]{rest: e.body}, int64(len(e.body))
	} else {
		b, err := base64.StdEncoding.DecodeString(e.body)
		if err != nil {
			return r, &Error{Status: http.StatusBadRequest, Detail: errBase64.Error(), Err: err}
		}
		r.Body, r.ContentLength = &body[[]byte]{rest: b}, int64(len(b))
	}
	if _, passed := r.Header["Content-Length"]; !passed { // a REST API does not
		r.Header["Content-Length"] = []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	return r, nil
}

// requestContext is what net/http's server puts into the context of a request, and
// the event, in one allocation.
type requestContext struct {
	context.Context
	event  *Request
	broken *response.Reason
}

var (
	// server is what handlers find, such as httputil.ReverseProxy, which breaks a
	// response off only when it finds one. It serves nothing.
	server = new(http.Server)
	// localAddr is where the runtime hands the event over. It has no port.
	localAddr net.Addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
)

// Value implements [context.Context].
func (c *requestContext) Value(key any) any {
	switch key {
	case eventKey{}:
		return c.event
	case http.ServerContextKey:
		return server
	case http.LocalAddrContextKey:
		return localAddr
	case response.ReasonKey{}:
		if c.broken != nil {
			return c.broken
		}
	}
	return c.Context.Value(key)
}

// body is a request's body. Like that of net/http's server, it cannot be read after
// it was closed, which may happen in another goroutine.
type body[T string | []byte] struct {
	rest   T
	closed atomic.Bool
}

func (b *body[T]) Read(p []byte) (int, error) {
	switch {
	case b.closed.Load():
		return 0, http.ErrBodyReadAfterClose
	case len(b.rest) == 0:
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *body[T]) Close() error {
	b.closed.Store(true)
	return nil
}

// target is the URL, and the request target as the client sent it, as far as the
// front door tells.
func (e *Request) target() (*url.URL, string) {
	u := &url.URL{Path: e.Path, RawQuery: e.query}
	switch e.Door {
	case HTTPAPI, HTTPAPI1, FunctionURL:
		u.Path = withoutStage(u.Path, e.Stage)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	sent := u.Path
	asCame := e.escaped && !strings.ContainsFunc(sent, notInPath)
	if e.escaped {
		if plain, err := url.PathUnescape(sent); err != nil {
			asCame = false
		} else if u.Path = plain; asCame && u.EscapedPath() != sent {
			u.RawPath = sent // for paths with another spelling than the usual one: net/url
		}
	}
	if !asCame {
		sent = u.EscapedPath()
	}
	if e.query != "" {
		sent += "?" + e.query
	}
	return u, sent
}

// notInPath are characters that the path of a request line has not.
func notInPath(c rune) bool { return c <= ' ' || c == '?' || c == 0x7f }

// pathValue decodes what a REST API sends encoded.
func (e *Request) pathValue(value string) string {
	if e.Door == RESTAPI {
		if plain, err := url.PathUnescape(value); err == nil {
			return plain
		}
	}
	return value
}

// withoutStage removes the stage that an HTTP API puts before the path, unless
// it is $default.
func withoutStage(path, stage string) string {
	if stage == "" || stage == "$default" {
		return path
	}
	rest := strings.TrimPrefix(path, "/"+stage)
	if rest != "" && rest[0] != '/' {
		return path
	}
	return rest
}

// describe names an event that no door has sent, for the error.
func (e *Request) describe() string {
	if e.notHTTP != "" {
		return "it is " + e.notHTTP
	}
	s := "it begins with " + strconv.Quote(string(e.Payload[:min(len(e.Payload), 80)]))
	if len(e.Payload) > 80 {
		s += "…"
	}
	return s
}
