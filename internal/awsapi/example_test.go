package awsapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/gomiddy/middy/internal/awsapi"
)

func ExampleClient_Do() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") != "AmazonSSM.GetParameter" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"UnknownOperationException"}`)
			return
		}
		_, _ = io.WriteString(w, `{"Parameter":{"Value":"25"}}`)
	}))
	defer srv.Close()
	client := awsapi.New(awsapi.Service{ID: "SSM", Signing: "ssm", Target: "AmazonSSM"},
		aws.Config{Region: "eu-west-1", BaseEndpoint: &srv.URL})

	var out struct{ Parameter struct{ Value string } }
	err := client.Do(context.Background(), "GetParameter", struct{ Name string }{"/orders/limit"}, &out)
	fmt.Println(out.Parameter.Value, err)

	err = client.Do(context.Background(), "Nonsense", struct{}{}, nil)
	api, _ := errors.AsType[smithy.APIError](err)
	fmt.Println(api.ErrorCode())
	// Output:
	// 25 <nil>
	// UnknownOperationException
}
