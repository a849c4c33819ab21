package frontdoor

import (
	"context"
	"fmt"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// InProcess puts a function behind a door without building it: for tests of an
// HTTP function through what a gateway does to requests and responses. It is
// called as Lambda calls it, but for the freeze, the time limit, streaming and a
// process of its own.
func InProcess(f *middy.Function) runtimeapi.Invoker { return inProcess{f} }

type inProcess struct{ f *middy.Function }

func (p inProcess) Invoke(ctx context.Context, req runtimeapi.Request) (*runtimeapi.Response, error) {
	resp := &runtimeapi.Response{RequestID: runtimeapi.NewRequestID(), TraceID: req.TraceID, ContentType: "application/json"}
	out, err := p.f.Invoke(ctx, req.Payload)
	if err != nil {
		resp.FunctionError, resp.ErrorType, resp.ErrorMessage = "Unhandled", fmt.Sprintf("%T", err), err.Error()
		resp.Explanation = "the function failed: " + err.Error()
		return resp, nil
	}
	resp.Payload = out
	return resp, nil
}
