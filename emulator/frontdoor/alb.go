package frontdoor

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// ALB is an Application Load Balancer with a Lambda target group.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
type ALB struct {
	// MultiValue is the target group's attribute lambda.multi_value_headers.enabled.
	// Event and result then have multiValueHeaders in place of headers.
	MultiValue bool
	// ClientPort is the load balancer's attribute routing.http.xff_client_port.enabled:
	// X-Forwarded-For then has the client's port, as "192.0.2.7:54321" or
	// "[2001:db8::1]:443".
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
	ClientPort bool
	// TargetGroupARN defaults to one that is well-formed.
	TargetGroupARN string
}

var _ Door = ALB{}

const (
	defaultTargetGroup = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/local/0000000000000000"
	// maxALB is the most a load balancer takes and gives, in JSON for the response.
	maxALB = 1 << 20
)

type eventALB struct {
	RequestContext struct {
		ELB struct {
			TargetGroupARN string `json:"targetGroupArn"`
		} `json:"elb"`
	} `json:"requestContext"`
	HTTPMethod                      string              `json:"httpMethod"`
	Path                            string              `json:"path"`
	QueryStringParameters           map[string]string   `json:"queryStringParameters,omitzero"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters,omitzero"`
	Headers                         map[string]string   `json:"headers,omitzero"`
	MultiValueHeaders               map[string][]string `json:"multiValueHeaders,omitzero"`
	Body                            string              `json:"body"`
	IsBase64Encoded                 bool                `json:"isBase64Encoded"`
}

// Limits: 1 MB, 64 KB of headers of which none has more than 16, and as long as
// the function may take.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
func (d ALB) Limits() Limits { return Limits{Body: maxALB, Head: 64 << 10, Line: 16 << 10} }

// NewID makes a UUID, which neither event nor response shows.
func (d ALB) NewID() string { return runtimeapi.NewRequestID() }

// Event makes the event. Path and query stay encoded, and Connection, with what it
// names, is passed on, as in aws-lambda-go's captured events. A WebSocket upgrade is
// an [ErrUpgrade].
func (d ALB) Event(r *http.Request, body []byte, in Arrival) ([]byte, error) {
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return nil, fmt.Errorf("%w: a load balancer cannot pass a WebSocket to a function; use --front ws", ErrUpgrade)
	}
	m := lowered(r, func(name string) bool { return name == "transfer-encoding" || name == "host" })
	m["host"] = []string{r.Host}
	m["x-amzn-trace-id"] = []string{in.TraceID}
	before := m["x-forwarded-for"]
	m["x-forwarded-for"] = []string{forwarded(before, r)}
	if d.ClientPort {
		m["x-forwarded-for"] = []string{strings.Join(append(before, r.RemoteAddr), ", ")}
	}
	m["x-forwarded-port"] = []string{port(r)}
	m["x-forwarded-proto"] = []string{scheme(r)}
	last, all := queryLists(r.URL.RawQuery, asSent)
	e := d.event(r.Method, r.URL.EscapedPath(), last, all, m)
	e.Body, e.IsBase64Encoded = encodeBodyALB(r.Header, body)
	return encode(e)
}

// event has either the single or the multi-value fields, which are {} when empty.
func (d ALB) event(method, path string, last map[string]string, all, header map[string][]string) eventALB {
	e := eventALB{HTTPMethod: method, Path: path}
	e.RequestContext.ELB.TargetGroupARN = cmp.Or(d.TargetGroupARN, defaultTargetGroup)
	if d.MultiValue {
		e.MultiValueQueryStringParameters, e.MultiValueHeaders = all, header
		if all == nil {
			e.MultiValueQueryStringParameters = map[string][]string{}
		}
		return e
	}
	e.QueryStringParameters, e.Headers = last, lastOf(header)
	if last == nil {
		e.QueryStringParameters = map[string]string{}
	}
	return e
}

// HealthCheck is the event of a health check of path, default "/": no address, no
// trace, and one header. A function that reads more of a request without looking
// is found unhealthy.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html#enable-health-checks-lambda
func (d ALB) HealthCheck(path string) []byte {
	event, _ := encode(d.event("GET", cmp.Or(path, "/"), nil, nil, // strings only: it cannot fail
		map[string][]string{"user-agent": {"ELB-HealthChecker/2.0"}}))
	return event
}

// encodeBodyALB takes only these for text: text/*, JSON, JavaScript and XML by
// their plain names, without a content coding. Anything else, a body without a
// type too, goes in base64.
func encodeBodyALB(h http.Header, body []byte) (string, bool) {
	if len(body) == 0 {
		return "", false
	}
	t, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	text := strings.HasPrefix(t, "text/") || slices.Contains([]string{"application/json", "application/javascript", "application/xml"}, t)
	if text && h.Get("Content-Encoding") == "" && utf8.Valid(body) {
		return string(body), false
	}
	return base64.StdEncoding.EncodeToString(body), true
}

// Respond writes the result. Headers in the map of the other mode are ignored, as
// by the load balancer, and warned of. Names that differ in case only are headers of
// their own, which lets a function set several cookies without multi-value headers:
// https://github.com/Kludex/mangum/pull/189. They keep the order of the JSON here; the
// load balancer promises none.
func (d ALB) Respond(w http.ResponseWriter, result *runtimeapi.Response, in Arrival) error {
	if len(result.Payload) > maxALB {
		return fmt.Errorf("%w: the result has %d bytes of JSON, and a load balancer takes %d", ErrMalformed, len(result.Payload), maxALB)
	}
	f, err := readFields(result.Payload, nil)
	if err != nil {
		return err
	}
	if err := d.typed(f); err != nil {
		return err
	}
	reply, err := f.status()
	if err != nil {
		return err
	}
	reply.header["Content-Type"] = nil // it adds none
	reply.spellings = true
	if err := d.setHeaders(f, reply); err != nil {
		return err
	}
	f.checkDescription(reply)
	if err := f.setBody(reply, true); err != nil {
		return err
	}
	return reply.write(w, in)
}

// typed refuses a member that is there and not of its type, as the load balancer
// does, and no other door: null is none, nor is a number in place of a header's
// string. Go's events.ALBTargetGroupResponse writes null for Headers that are nil.
// https://github.com/aws/aws-lambda-go/issues/438
func (d ALB) typed(f fields) error {
	headers := "headers"
	if d.MultiValue {
		headers = "multiValueHeaders"
	}
	for _, m := range []struct{ name, want string }{
		{"statusCode", "a number"}, {"statusDescription", "a string"}, {headers, "an object"}, {"body", "a string"}, {"isBase64Encoded", "a boolean"},
	} {
		if raw := f[m.name]; raw != nil && kind(raw) != m.want {
			return fmt.Errorf("%w: %s is %s, and a load balancer takes %s", ErrMalformed, m.name, kind(raw), m.want)
		}
	}
	values := map[string]json.RawMessage{}
	if err := f.read(headers, &values); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		want, list := "a string", []json.RawMessage{values[name]}
		if d.MultiValue {
			want = "a list"
		}
		if got := kind(values[name]); got != want {
			return fmt.Errorf("%w: %s: %q is %s, and a load balancer takes %s", ErrMalformed, headers, name, got, want)
		}
		if d.MultiValue {
			_ = json.Unmarshal(values[name], &list) // a list, as was seen
		}
		for _, raw := range list {
			if got := kind(raw); got != "a string" {
				return fmt.Errorf("%w: %s: %q is %s, and a load balancer takes a string", ErrMalformed, headers, name, got)
			}
		}
	}
	return nil
}

// kind names the type of a JSON value.
func kind(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

func (d ALB) setHeaders(f fields, reply *reply) error {
	set, unset, right, wrong := f.setHeaders, f.setMultiValue, "headers", "multiValueHeaders"
	if d.MultiValue {
		set, unset, right, wrong = unset, set, wrong, right
	}
	if err := set(reply); err != nil {
		return err
	}
	ignored := newReply()
	if unset(ignored) != nil {
		return nil //nolint:nilerr // nobody reads it
	}
	for name := range ignored.header {
		if reply.header[name] == nil {
			reply.warn("%s was ignored, with %s in it: the target group's multi-value headers are %s, so it reads %s",
				wrong, name, onOff(d.MultiValue), right)
			return nil
		}
	}
	return nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// Refuse writes a load balancer's own pages.
func (d ALB) Refuse(w http.ResponseWriter, reason error, _ Arrival) {
	status := http.StatusBadGateway
	switch {
	case errors.Is(reason, ErrUpgrade), errors.Is(reason, ErrHeadTooLarge):
		status = http.StatusBadRequest
	case errors.Is(reason, ErrTooLarge):
		status = http.StatusRequestEntityTooLarge
	}
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	w.Header().Set("Server", "awselb/2.0")
	page(w, status, "text/html", "<html>\r\n<head><title>"+title+"</title></head>\r\n<body>\r\n<center><h1>"+title+"</h1></center>\r\n</body>\r\n</html>\r\n")
}
