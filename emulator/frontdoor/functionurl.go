package frontdoor

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// FunctionURL is a function URL with the authorisation type NONE.
type FunctionURL struct {
	// Stream is the invoke mode RESPONSE_STREAM. Default: BUFFERED.
	Stream bool
	// ID is the URL's id. Default: "local".
	ID string
}

var _ Door = FunctionURL{}

// Limits: 6 MB, and as long as the function may take.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
func (d FunctionURL) Limits() Limits { return Limits{Body: 6 << 20, Stream: d.Stream} }

// NewID makes a UUID.
func (d FunctionURL) NewID() string { return runtimeapi.NewRequestID() }

// Event makes the event. Unlike that of an HTTP API, rawPath is percent-encoded as
// the client sent it, and only requestContext.http.path is decoded; and the cookies
// are in the headers too:
// https://github.com/hotsock/voker/pull/8 and https://github.com/aws/aws-lambda-go/issues/597
func (d FunctionURL) Event(r *http.Request, body []byte, in Arrival) ([]byte, error) {
	e := newEvent2(r, body, in, r.URL.EscapedPath(), r.URL.Path)
	e.RouteKey = "$default"
	c := &e.RequestContext
	c.RouteKey, c.Stage, c.APIID, c.AccountID = "$default", "$default", cmp.Or(d.ID, "local"), "anonymous"
	return encode(e)
}

// Respond writes the result. A JSON string without a statusCode keeps its quotes
// here, as documented.
func (d FunctionURL) Respond(w http.ResponseWriter, result *runtimeapi.Response, in Arrival) error {
	d.identify(w.Header(), in)
	if result.Streamed {
		return respondStream(w, result, in)
	}
	reply, err := readReply(result.Payload, false)
	if err != nil {
		return err
	}
	return reply.write(w, in)
}

func (d FunctionURL) identify(h http.Header, in Arrival) {
	h.Set("X-Amzn-Requestid", in.RequestID)
	h.Set("X-Amzn-Trace-Id", in.TraceID)
}

// Refuse writes a function URL's own answers.
func (d FunctionURL) Refuse(w http.ResponseWriter, reason error, in Arrival) {
	d.identify(w.Header(), in)
	switch {
	case errors.Is(reason, ErrTooLarge):
		message(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	case errors.Is(reason, ErrThrottled):
		message(w, http.StatusTooManyRequests, "Rate Exceeded.")
	default:
		message(w, http.StatusInternalServerError, "Internal Server Error")
	}
}

const (
	// integrationType is the content type of a stream that begins with a prelude.
	integrationType = "application/vnd.awslambda.http-integration-response"
	// maxPrelude bounds the prelude with its delimiter.
	maxPrelude = 16 << 10
)

// delimiter ends the prelude.
var delimiter = make([]byte, 8)

// respondStream passes a stream on, piece by piece. An [ErrLenient] says that a stream
// without a body ended here.
// https://docs.aws.amazon.com/lambda/latest/dg/response-streaming-tutorial.html
func respondStream(w http.ResponseWriter, result *runtimeapi.Response, arrival Arrival) error {
	in := bufio.NewReaderSize(result.Stream, maxPrelude)
	head := &reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/octet-stream"}}}
	if result.ContentType == integrationType {
		prelude, err := readPrelude(in)
		if err != nil {
			return err
		}
		if head, err = readHead(prelude); err != nil {
			return err
		}
	} else if _, err := in.Peek(1); err != nil && !errors.Is(err, io.EOF) {
		return streamFailed(ErrFunction, err) // nothing was sent yet
	} else if result.ContentType != "" {
		head.header.Set("Content-Type", result.ContentType)
	}
	body := &counted{Reader: in}
	if err := head.stream(w, body); err != nil || body.n > 0 || arrival.Head || !bodyAllowed(head.status) {
		return err
	}
	return fmt.Errorf("%w: the stream has no body; function URLs have been seen to keep the client waiting then, so send one: %s",
		ErrLenient, "https://github.com/aws/aws-lambda-nodejs-runtime-interface-client/issues/95")
}

// counted counts what was read.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// readHead reads a function URL's prelude.
func readHead(prelude []byte) (*reply, error) {
	f, err := readFields(prelude, nil)
	if err != nil {
		return nil, fmt.Errorf("the stream's prelude: %w", err)
	}
	if f["statusCode"] == nil {
		f["statusCode"] = json.RawMessage("200")
	}
	return f.reply2(remappedLength)
}

// remappedLength renames the length that a function says of its stream, as seen in
// https://github.com/cargo-lambda/cargo-lambda/issues/862.
func remappedLength(name string) string {
	if strings.EqualFold(name, "content-length") {
		return "x-amzn-Remapped-" + name
	}
	return passed(name)
}

// readPrelude reads the JSON before the eight zero bytes.
func readPrelude(in *bufio.Reader) ([]byte, error) {
	var prelude []byte
	for !bytes.HasSuffix(prelude, delimiter) {
		c, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: the stream ended before the eight zero bytes that end its prelude", ErrMalformed)
		}
		if err != nil {
			return nil, streamFailed(ErrFunction, err)
		}
		if prelude = append(prelude, c); len(prelude) > maxPrelude {
			return nil, fmt.Errorf("%w: the stream's prelude has no end within %d bytes", ErrMalformed, maxPrelude)
		}
	}
	return bytes.TrimSuffix(prelude, delimiter), nil
}

func streamFailed(kind, err error) error { return fmt.Errorf("%w: %w", kind, err) }

// pass copies and flushes each piece. A failure on the way breaks the connection,
// for the status was sent.
func pass(w http.ResponseWriter, in io.Reader) error {
	flush := http.NewResponseController(w).Flush
	buf := make([]byte, 32<<10)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return nil //nolint:nilerr // the client left; the function goes on
			}
			_ = flush() // best effort: a recorder cannot
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return streamFailed(ErrBroken, err)
		}
	}
}
