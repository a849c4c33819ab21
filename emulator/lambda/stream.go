package lambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// complete is the event at the end of a stream.
type complete struct {
	ErrorCode    string `json:"ErrorCode,omitempty"`
	ErrorDetails string `json:"ErrorDetails,omitempty"`
	LogResult    string `json:"LogResult,omitempty"`
}

// writeStream answers with frames: PayloadChunk as the function writes, then one
// InvokeComplete, which says whether it failed on the way.
func (c *call) writeStream(w http.ResponseWriter, resp *runtimeapi.Response) {
	h := w.Header()
	h.Set("Content-Type", "application/vnd.amazon.eventstream")
	h.Set("X-Amz-Executed-Version", resp.ExecutedVersion)
	h.Set("X-Amzn-Trace-Id", resp.TraceID)
	w.WriteHeader(http.StatusOK)
	frames := &frameWriter{w: w, flush: http.NewResponseController(w).Flush, enc: eventstream.NewEncoder()}
	var end complete
	if resp.Streamed {
		end = frames.copy(resp.Stream)
		_ = resp.Stream.Close()
	} else {
		end = complete{ErrorCode: resp.FunctionError, ErrorDetails: string(resp.Payload)}
		if resp.FunctionError == "" {
			frames.event("PayloadChunk", "application/octet-stream", resp.Payload)
			end = complete{}
		}
	}
	if c.tail {
		end.LogResult = base64.StdEncoding.EncodeToString(resp.LogTail)
	}
	data, _ := json.Marshal(end) // strings only
	frames.event("InvokeComplete", "application/json", data)
}

type frameWriter struct {
	w     io.Writer
	flush func() error
	enc   *eventstream.Encoder
	gone  bool // the caller left
}

func (f *frameWriter) copy(from io.Reader) complete {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			f.event("PayloadChunk", "application/octet-stream", buf[:n])
		}
		switch {
		case errors.Is(err, io.EOF):
			return complete{}
		case err != nil:
			var failed *runtimeapi.FunctionError
			if errors.As(err, &failed) {
				return complete{ErrorCode: failed.Type, ErrorDetails: string(failed.Payload)}
			}
			return complete{ErrorCode: "Unhandled", ErrorDetails: err.Error()}
		case f.gone:
			return complete{}
		}
	}
}

func (f *frameWriter) event(typ, contentType string, payload []byte) {
	if f.gone {
		return
	}
	var m eventstream.Message
	m.Headers.Set(":message-type", eventstream.StringValue("event"))
	m.Headers.Set(":event-type", eventstream.StringValue(typ))
	m.Headers.Set(":content-type", eventstream.StringValue(contentType))
	m.Payload = payload
	f.gone = f.enc.Encode(f.w, m) != nil || f.flush() != nil
}
