package frontdoor

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// Lattice is a VPC Lattice service with a Lambda target group.
// https://docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html
type Lattice struct {
	// EventVersion is the target group's event structure version, "V1" or "V2".
	// Default: V1, as of target groups made by the API or CloudFormation; the
	// console makes V2.
	EventVersion string
	// Region defaults to "us-east-1", AccountID to "000000000000".
	Region, AccountID string
	// Identity is requestContext.identity of V2: "type", "principal", "sourceVpcArn",
	// "x509SanUri", … Default: only a sourceVpcArn.
	Identity map[string]any
}

var _ Door = Lattice{}

// latticeV1 has names unlike those of any other event.
type latticeV1 struct {
	RawPath         string            `json:"raw_path"`
	Method          string            `json:"method"`
	Headers         map[string]string `json:"headers"`
	Query           map[string]string `json:"query_string_parameters"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"is_base64_encoded"`
}

// latticeV2 has version 2.0, as an HTTP API's event has, and is not one.
type latticeV2 struct {
	Version         string              `json:"version"`
	Path            string              `json:"path"`
	Method          string              `json:"method"`
	Headers         map[string][]string `json:"headers"`
	Query           map[string][]string `json:"queryStringParameters,omitempty"`
	Body            string              `json:"body,omitempty"`
	IsBase64Encoded bool                `json:"isBase64Encoded"`
	RequestContext  latticeContext      `json:"requestContext"`
}

type latticeContext struct {
	ServiceNetworkARN string         `json:"serviceNetworkArn"`
	ServiceARN        string         `json:"serviceArn"`
	TargetGroupARN    string         `json:"targetGroupArn"`
	Identity          map[string]any `json:"identity"`
	Region            string         `json:"region"`
	TimeEpoch         string         `json:"timeEpoch"`
}

// Validate reports an event version that does not exist.
func (d Lattice) Validate() error {
	if d.EventVersion != "" && d.EventVersion != "V1" && d.EventVersion != "V2" {
		return fmt.Errorf("frontdoor: Lattice event version %q: write V1 or V2", d.EventVersion)
	}
	return nil
}

// Limits: 6 MB, and as long as the function may take.
func (d Lattice) Limits() Limits { return Limits{Body: 6 << 20} }

// NewID makes a UUID, which neither event nor response shows.
func (d Lattice) NewID() string { return runtimeapi.NewRequestID() }

// Event makes the event.
func (d Lattice) Event(r *http.Request, body []byte, in Arrival) ([]byte, error) {
	m := lowered(r, ends(r))
	m["host"] = []string{r.Host}
	m["x-forwarded-for"] = []string{forwarded(m["x-forwarded-for"], r)}
	text, encoded := encodeBody(r.Header, body)
	last, all := queryLists(r.URL.RawQuery, unescape)
	if d.EventVersion == "V2" {
		return encode(latticeV2{
			Version: "2.0", Path: r.URL.EscapedPath(), Method: r.Method, Headers: m, Query: all,
			Body: text, IsBase64Encoded: encoded, RequestContext: d.context(in),
		})
	}
	if last == nil {
		last = map[string]string{}
	}
	return encode(latticeV1{
		RawPath: r.URL.RequestURI(), Method: r.Method, Headers: joined(m), Query: last, Body: text, IsBase64Encoded: encoded,
	})
}

// joined puts a comma between the values of a name.
func joined(lists map[string][]string) map[string]string {
	m := make(map[string]string, len(lists))
	for name, values := range lists {
		m[name] = strings.Join(values, ",")
	}
	return m
}

func (d Lattice) context(in Arrival) latticeContext {
	region, account := cmp.Or(d.Region, "us-east-1"), cmp.Or(d.AccountID, "000000000000")
	arn := func(service, resource string) string {
		return "arn:aws:" + service + ":" + region + ":" + account + ":" + resource
	}
	id := d.Identity
	if id == nil {
		id = map[string]any{"sourceVpcArn": arn("ec2", "vpc/vpc-00000000000000000")}
	}
	return latticeContext{
		ServiceNetworkARN: arn("vpc-lattice", "servicenetwork/sn-00000000000000000"),
		ServiceARN:        arn("vpc-lattice", "service/svc-00000000000000000"),
		TargetGroupARN:    arn("vpc-lattice", "targetgroup/tg-00000000000000000"),
		Identity:          id, Region: region, TimeEpoch: strconv.FormatInt(in.Time.UnixMicro(), 10),
	}
}

// Respond writes the result. Of several spellings of one header name the first in
// the JSON counts: what the service does is not known.
func (d Lattice) Respond(w http.ResponseWriter, result *runtimeapi.Response, in Arrival) error {
	f, err := readFields(result.Payload, nil)
	if err != nil {
		return err
	}
	reply, err := f.status()
	if err != nil {
		return err
	}
	reply.header["Content-Type"] = nil // it adds none
	if err := f.setHeaders(reply); err != nil {
		return err
	}
	if f["multiValueHeaders"] != nil {
		reply.warn("multiValueHeaders was ignored: VPC Lattice reads headers")
	}
	f.checkDescription(reply)
	if err := f.setBody(reply, true); err != nil {
		return err
	}
	return reply.write(w, in)
}

// Refuse writes Lattice's own answers.
func (d Lattice) Refuse(w http.ResponseWriter, reason error, _ Arrival) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(reason, ErrNoRoute):
		status = http.StatusNotFound
	case errors.Is(reason, ErrTooLarge):
		status = http.StatusRequestEntityTooLarge
	}
	page(w, status, "text/plain", http.StatusText(status))
}
