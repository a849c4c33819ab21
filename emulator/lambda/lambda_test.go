package lambda_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/gomiddy/middy/emulator/internal/testfn"
	"github.com/gomiddy/middy/emulator/lambda"
	"github.com/gomiddy/middy/emulator/runtimeapi"
)

var fnBinary string

func TestMain(m *testing.M) { testfn.Main(m, &fnBinary) }

// client returns AWS's own SDK client, on a socket, in front of a real process
// named orders.
func client(t *testing.T, cfg runtimeapi.Config) *awslambda.Client {
	t.Helper()
	cfg.Command, cfg.FunctionName = []string{fnBinary}, "orders"
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	cfg.InitTimeout = 30 * time.Second
	fn, err := runtimeapi.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	api := lambda.Handler(func(name string) runtimeapi.Invoker {
		if name == "orders" || name == "" {
			return fn
		}
		return nil
	}).Describe(lambda.Description{Name: "orders", Region: "us-east-1", AccountID: "000000000000", MemoryMB: 128, Timeout: 3 * time.Second})
	srv := httptest.NewServer(api)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close()
		api.Close()
		_ = fn.Shutdown(context.Background())
	})
	return awslambda.New(awslambda.Options{
		BaseEndpoint: aws.String(srv.URL), Region: "us-east-1", Retryer: aws.NopRetryer{},
		HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
}

func TestTheSDKInvokesByEveryNameThatLambdaTakes(t *testing.T) {
	c := client(t, runtimeapi.Config{})
	for _, tt := range []struct{ name, qualifier, arn string }{
		{"orders", "", "orders"},
		{"orders:live", "", "orders:live"},
		{"orders", "7", "orders:7"},
		{"function", "", "orders"},
		{"000000000000:function:orders", "", "orders"},
		{"arn:aws:lambda:us-east-1:000000000000:function:orders", "", "orders"},
		{"arn:aws:lambda:us-east-1:000000000000:function:orders:$LATEST", "", "orders:$LATEST"},
	} {
		t.Run(tt.name+" "+tt.qualifier, func(t *testing.T) {
			in := &awslambda.InvokeInput{FunctionName: &tt.name, Payload: []byte(`{"do":"context"}`)}
			if tt.qualifier != "" {
				in.Qualifier = &tt.qualifier
			}
			out, err := c.Invoke(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			want := `"arn":"arn:aws:lambda:us-east-1:000000000000:function:` + tt.arn + `"`
			if out.StatusCode != 200 || out.FunctionError != nil || *out.ExecutedVersion != "$LATEST" || !strings.Contains(string(out.Payload), want) {
				t.Errorf("%d %s, want %s", out.StatusCode, out.Payload, want)
			}
		})
	}
}

func TestTheSDKGetsLambdasErrors(t *testing.T) {
	c := client(t, runtimeapi.Config{})
	for _, tt := range []struct {
		name string
		in   awslambda.InvokeInput
		code string
		into any
	}{
		{"no such function", awslambda.InvokeInput{FunctionName: aws.String("other")}, "ResourceNotFoundException", new(*types.ResourceNotFoundException)},
		{"not JSON", awslambda.InvokeInput{FunctionName: aws.String("orders"), Payload: []byte("{")}, "InvalidRequestContentException", new(*types.InvalidRequestContentException)},
		{"too large", awslambda.InvokeInput{FunctionName: aws.String("orders"), Payload: []byte(`"` + strings.Repeat("x", runtimeapi.MaxPayload) + `"`)}, "RequestTooLargeException", new(*types.RequestTooLargeException)},
		{"too large for an asynchronous one", awslambda.InvokeInput{FunctionName: aws.String("orders"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`"` + strings.Repeat("x", 1<<20) + `"`)}, "RequestTooLargeException", new(*types.RequestTooLargeException)},
		{"two qualifiers", awslambda.InvokeInput{FunctionName: aws.String("orders:a"), Qualifier: aws.String("b")}, "InvalidParameterValueException", new(*types.InvalidParameterValueException)},
		{"not a name", awslambda.InvokeInput{FunctionName: aws.String("a:b:c:d")}, "InvalidParameterValueException", new(*types.InvalidParameterValueException)},
		{"client context not base64", awslambda.InvokeInput{FunctionName: aws.String("orders"), ClientContext: aws.String("***")}, "InvalidRequestContentException", new(*types.InvalidRequestContentException)},
		{"client context not JSON", awslambda.InvokeInput{FunctionName: aws.String("orders"), ClientContext: aws.String("eA==")}, "InvalidRequestContentException", new(*types.InvalidRequestContentException)},
		{"client context too long", awslambda.InvokeInput{FunctionName: aws.String("orders"), ClientContext: aws.String(strings.Repeat("e", 3584))}, "InvalidRequestContentException", new(*types.InvalidRequestContentException)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.Invoke(t.Context(), &tt.in)
			var api smithy.APIError
			if !errors.As(err, &api) || api.ErrorCode() != tt.code || !errors.As(err, tt.into) {
				t.Errorf("got %v, want %s", err, tt.code)
			}
		})
	}
}

func TestAFunctionsFailureIsA200WithItsLog(t *testing.T) {
	c := client(t, runtimeapi.Config{})
	out, err := c.Invoke(t.Context(), &awslambda.InvokeInput{
		FunctionName: aws.String("orders"), Payload: []byte(`{"do":"typed-error","text":"42"}`), LogType: types.LogTypeTail,
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.StatusCode != 200 || aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), `"errorType":"orderRejected"`) {
		t.Errorf("%d %s", out.StatusCode, out.Payload)
	}
	tail, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if err != nil || !strings.Contains(string(tail), "order 42 was rejected") || !strings.Contains(string(tail), "REPORT RequestId: ") {
		t.Errorf("%s %v", tail, err)
	}
}

func TestClientContextArrivesDecoded(t *testing.T) {
	c := client(t, runtimeapi.Config{})
	out, err := c.Invoke(t.Context(), &awslambda.InvokeInput{
		FunctionName: aws.String("orders"), Payload: []byte(`{"do":"context"}`),
		ClientContext: aws.String(base64.StdEncoding.EncodeToString([]byte(`{"client":{"app_title":"shop"}}`))),
	})
	if err != nil || !strings.Contains(string(out.Payload), `"client":"shop"`) {
		t.Errorf("%v %v", out, err)
	}
}

func TestDryRunRunsNothing(t *testing.T) {
	c := client(t, runtimeapi.Config{})
	out, err := c.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("orders"), InvocationType: types.InvocationTypeDryRun})
	if err != nil || out.StatusCode != 204 {
		t.Fatalf("%v %v", out, err)
	}
	one, err := c.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("orders"), Payload: []byte(`{"do":"count"}`)})
	if err != nil || string(one.Payload) != "1" {
		t.Errorf("%s %v", one.Payload, err)
	}
}

func TestStreamsThroughTheSDK(t *testing.T) {
	c := client(t, runtimeapi.Config{Env: []string{"FN_MODE=stream"}})
	read := func(t *testing.T, payload string) (body string, end types.InvokeWithResponseStreamCompleteEvent) {
		t.Helper()
		out, err := c.InvokeWithResponseStream(t.Context(), &awslambda.InvokeWithResponseStreamInput{
			FunctionName: aws.String("orders"), Payload: []byte(payload), LogType: types.LogTypeTail,
		})
		if err != nil {
			t.Fatal(err)
		}
		s := out.GetStream()
		defer s.Close()
		for e := range s.Events() {
			switch e := e.(type) {
			case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
				body += string(e.Value.Payload)
			case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
				end = e.Value
			}
		}
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		return body, end
	}
	t.Run("success", func(t *testing.T) {
		body, end := read(t, `{"size":100000}`)
		if len(body) != len("first second ")+100000 || end.ErrorCode != nil {
			t.Errorf("%d bytes, %v", len(body), aws.ToString(end.ErrorCode))
		}
		if tail, _ := base64.StdEncoding.DecodeString(aws.ToString(end.LogResult)); !strings.Contains(string(tail), "REPORT") {
			t.Errorf("log: %s", tail)
		}
	})
	t.Run("a failure on the way", func(t *testing.T) {
		body, end := read(t, `{"do":"break","text":"7"}`)
		if body != "first " || aws.ToString(end.ErrorCode) != "orderRejected" || !strings.Contains(aws.ToString(end.ErrorDetails), "order 7 was rejected") {
			t.Errorf("%q %v %v", body, aws.ToString(end.ErrorCode), aws.ToString(end.ErrorDetails))
		}
	})
	t.Run("a failure before", func(t *testing.T) {
		body, end := read(t, `{"do":"error","text":"no"}`)
		if body != "" || aws.ToString(end.ErrorCode) != "Unhandled" || !strings.Contains(aws.ToString(end.ErrorDetails), "errorString") {
			t.Errorf("%q %v", body, end)
		}
	})
}

// A scripted function answers from a list.
type scripted struct {
	answers []func() (*runtimeapi.Response, error)
	at      []time.Duration
	ids     []string
	began   time.Time
}

func (s *scripted) Invoke(_ context.Context, req runtimeapi.Request) (*runtimeapi.Response, error) {
	s.at, s.ids = append(s.at, time.Since(s.began)), append(s.ids, req.RequestID)
	next := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	return next()
}

func ok() (*runtimeapi.Response, error) { return &runtimeapi.Response{}, nil }
func fails() (*runtimeapi.Response, error) {
	return &runtimeapi.Response{FunctionError: "Unhandled"}, nil
}
func throttled() (*runtimeapi.Response, error) {
	return nil, &runtimeapi.InvokeError{Reason: runtimeapi.ErrThrottled}
}
func closed() (*runtimeapi.Response, error) {
	return nil, &runtimeapi.InvokeError{Reason: runtimeapi.ErrClosed}
}

func TestAsynchronousInvocationsAreRetriedAsLambdaDoes(t *testing.T) {
	type answers = []func() (*runtimeapi.Response, error)
	for _, tt := range []struct {
		name    string
		answers answers
		want    string
	}{
		{"success: once", answers{ok}, "[0s]"},
		{"failure: after 1 and 2 minutes more, then given up", answers{fails}, "[0s 1m0s 3m0s]"},
		{"success at the second attempt", answers{fails, ok}, "[0s 1m0s]"},
		{"throttled: ever slower", answers{throttled, throttled, throttled, ok}, "[0s 1s 3s 7s]"},
		{"shut down: not again", answers{closed}, "[0s]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{answers: tt.answers, began: time.Now()}
				api := lambda.Handler(func(string) runtimeapi.Invoker { return s })
				w := post(api, "/2015-03-31/functions/orders/invocations", http.Header{"X-Amz-Invocation-Type": {"Event"}})
				if w.Code != http.StatusAccepted || w.Body.Len() != 0 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				api.Wait()
				api.Close()
				if got := fmt.Sprint(s.at); got != tt.want {
					t.Errorf("attempts at %s, want %s", got, tt.want)
				}
				for _, id := range s.ids {
					if id != w.Header().Get("X-Amzn-Requestid") {
						t.Errorf("request id %s: a retry keeps the first one's", id)
					}
				}
			})
		})
	}
	t.Run("throttled for 6 hours: given up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &scripted{answers: answers{throttled}, began: time.Now()}
			api := lambda.Handler(func(string) runtimeapi.Invoker { return s })
			post(api, "/2015-03-31/functions/orders/invocations", http.Header{"X-Amz-Invocation-Type": {"Event"}})
			api.Wait()
			api.Close()
			if last := s.at[len(s.at)-1]; last > 6*time.Hour || last < 5*time.Hour+50*time.Minute {
				t.Errorf("the last of %d attempts was at %v", len(s.at), last)
			}
		})
	})
	t.Run("Close ends a wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &scripted{answers: answers{fails}, began: time.Now()}
			api := lambda.Handler(func(string) runtimeapi.Invoker { return s })
			post(api, "/2015-03-31/functions/orders/invocations", http.Header{"X-Amz-Invocation-Type": {"Event"}})
			synctest.Wait()
			api.Close()
			if got := fmt.Sprint(s.at); got != "[0s]" {
				t.Errorf("attempts at %s", got)
			}
		})
	})
}

func post(h http.Handler, path string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://127.0.0.1:3000"+path, strings.NewReader("{}"))
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWhatIsRefused(t *testing.T) {
	s := &scripted{answers: []func() (*runtimeapi.Response, error){throttled, closed}}
	api := lambda.Handler(func(name string) runtimeapi.Invoker {
		if name == "orders" {
			return s
		}
		return nil
	})
	defer api.Close()
	const path = "/2015-03-31/functions/orders/invocations"
	if w := post(api, path, nil); w.Code != 429 || w.Header().Get("X-Amzn-Errortype") != "TooManyRequestsException" || !strings.Contains(w.Body.String(), `"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded"`) {
		t.Errorf("throttled: %d %s", w.Code, w.Body)
	}
	if w := post(api, path, nil); w.Code != 500 || !strings.Contains(w.Body.String(), `"Type":"Service"`) {
		t.Errorf("closed: %d %s", w.Code, w.Body)
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"another Host":      postTo(api, "http://attacker.example"+path, nil),
		"a web page":        post(api, path, http.Header{"Origin": {"http://localhost:8080"}}),
		"another operation": post(api, "/2015-03-31/functions/orders/code", nil),
		"a stranger":        post(api, "/2015-03-31/functions/stranger/invocations", nil),
		"another type":      post(api, path, http.Header{"X-Amz-Invocation-Type": {"Later"}}),
	} {
		want := map[string]int{"another Host": 403, "a web page": 403, "another operation": 404, "a stranger": 404, "another type": 400}[name]
		if w.Code != want {
			t.Errorf("%s: %d, want %d", name, w.Code, want)
		}
	}
}

func postTo(h http.Handler, url string, body []byte) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", url, strings.NewReader(string(body))))
	return w
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"orders", "orders:live", "000000000000:function:orders", "arn:aws:lambda:us-east-1:000000000000:function:orders:1", ":::", "arn:", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, qualifier, err := lambda.ParseName(s)
		if err != nil {
			return
		}
		if name == "" || strings.ContainsAny(name, ":/") || strings.Contains(qualifier, ":") {
			t.Errorf("%q is read as %q and %q", s, name, qualifier)
		}
	})
}

func ExampleParseName() {
	name, qualifier, _ := lambda.ParseName("arn:aws:lambda:eu-west-1:123456789012:function:orders:live")
	fmt.Println(name, qualifier)
	// Output: orders live
}

func TestTheSDKLooksAtFunctions(t *testing.T) {
	c := client(t, runtimeapi.Config{})
	const arn = "arn:aws:lambda:us-east-1:000000000000:function:orders"
	for _, name := range []string{"orders", "orders:live", arn} {
		got, err := c.GetFunction(t.Context(), &awslambda.GetFunctionInput{FunctionName: &name})
		if err != nil || *got.Configuration.FunctionArn != arn || *got.Configuration.MemorySize != 128 {
			t.Errorf("GetFunction of %s: %+v %v", name, got, err)
		}
		cfg, err := c.GetFunctionConfiguration(t.Context(), &awslambda.GetFunctionConfigurationInput{FunctionName: &name})
		if err != nil || *cfg.Timeout != 3 || cfg.State != types.StateActive {
			t.Errorf("GetFunctionConfiguration of %s: %+v %v", name, cfg, err)
		}
	}
	list, err := c.ListFunctions(t.Context(), &awslambda.ListFunctionsInput{})
	if err != nil || len(list.Functions) != 1 || *list.Functions[0].FunctionName != "orders" {
		t.Errorf("ListFunctions: %+v %v", list, err)
	}
	_, err = c.GetFunction(t.Context(), &awslambda.GetFunctionInput{FunctionName: aws.String("other")})
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		t.Errorf("another function: %v, want ResourceNotFoundException", err)
	}
}
