package emulator

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gomiddy/middy/emulator/service"
	"github.com/gomiddy/middy/emulator/sigv4"
)

// An errorKind decides a detail of AWS's JSON: what answers before the service
// (signature, throttling) says "message", Secrets Manager itself "Message".
type errorKind string

const (
	frameworkError errorKind = "message"
	serviceError   errorKind = "Message"
)

func dialect(p service.Protocol) sigv4.Dialect {
	if p == service.Query {
		return sigv4.Query
	}
	return sigv4.JSON
}

// form is the request's query-protocol parameters, or nil where it is no such request.
func (x *exchange) form() url.Values {
	raw := ""
	switch {
	case x.r.Method == http.MethodGet:
		raw = x.r.URL.RawQuery
	case strings.HasPrefix(x.r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		raw = string(x.body)
	}
	form, err := url.ParseQuery(raw)
	if err != nil || !form.Has("Action") {
		return nil
	}
	return form
}

// payload is the body as the service reads it; a presigned GET has it in the URL.
func (x *exchange) payload() []byte {
	if x.protocol == service.Query && x.r.Method == http.MethodGet {
		return []byte(x.r.URL.RawQuery)
	}
	return x.body
}

func unknownOperation(p service.Protocol) *service.Error {
	if p == service.Query {
		return &service.Error{Status: 400, Code: "InvalidAction", Message: "The action or operation requested is invalid. Verify that the action is typed correctly."}
	}
	return &service.Error{Status: 400, Code: "UnknownOperationException", Message: "The requested operation is not recognized by the service."}
}

func (x *exchange) failWith(err error) answer {
	if e, ok := errors.AsType[*service.Error](err); ok {
		return x.fail(e, serviceError)
	}
	x.s.log.Error("emulator: service failed", "service", x.rec.Service, "operation", x.rec.Operation, "error", err)
	return x.fail(&service.Error{Status: 500, Code: "InternalServiceError", Message: "An error occurred on the server side."}, serviceError)
}

func (x *exchange) fail(e *service.Error, kind errorKind) answer {
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	if x.protocol == service.Query {
		type inner struct {
			Type, Code, Message string
		}
		doc := struct {
			XMLName   xml.Name `xml:"ErrorResponse"`
			Xmlns     string   `xml:"xmlns,attr,omitempty"`
			Error     inner
			RequestID string `xml:"RequestId"`
		}{Xmlns: x.xmlns(), Error: inner{"Sender", e.Code, e.Message}, RequestID: x.rec.RequestID}
		if status >= 500 {
			doc.Error.Type = "Receiver"
		}
		body, _ := xml.Marshal(doc) // three strings
		return answer{status: status, header: contentType("text/xml"), body: body, code: e.Code}
	}
	doc := map[string]string{"__type": e.Code}
	if e.Message != "" {
		doc[string(kind)] = e.Message
	}
	body, _ := json.Marshal(doc) // three strings
	return answer{status: status, header: contentType("application/x-amz-json-1.1"), body: body, code: e.Code}
}

func (x *exchange) succeed(result any) answer {
	if x.protocol == service.Query {
		return x.succeedXML(result)
	}
	if result == nil {
		result = struct{}{}
	}
	body, err := json.Marshal(result)
	if err != nil {
		return x.failWith(err)
	}
	return answer{status: http.StatusOK, header: contentType("application/x-amz-json-1.1"), body: body}
}

// succeedXML wraps the result: <OpResponse><OpResult/><ResponseMetadata/></OpResponse>.
func (x *exchange) succeedXML(result any) answer {
	type metadata struct {
		RequestID string `xml:"RequestId"`
	}
	doc := struct {
		XMLName  xml.Name
		Xmlns    string `xml:"xmlns,attr,omitempty"`
		Result   any
		Metadata metadata `xml:"ResponseMetadata"`
	}{xml.Name{Local: x.rec.Operation + "Response"}, x.xmlns(), result, metadata{x.rec.RequestID}}
	body, err := xml.Marshal(doc)
	if err != nil {
		return x.failWith(err)
	}
	return answer{status: http.StatusOK, header: contentType("text/xml"), body: body}
}

// xmlns is the namespace of a query service that has one: a method
// XMLNamespace() string, such as sts.Service has.
func (x *exchange) xmlns() string {
	if n, ok := x.svc.(interface{ XMLNamespace() string }); ok {
		return n.XMLNamespace()
	}
	return ""
}

func contentType(t string) http.Header { return http.Header{"Content-Type": {t}} }
