package secrets_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/secrets"
)

func Example() {
	// In a function: cfg := freshsign.FromEnv().
	endpoint := secretsManager()
	defer endpoint.Close()
	cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: &endpoint.URL}

	type Credentials struct {
		User     string
		Password params.Secret
	}
	store := params.New(params.Config{})
	db := params.JSON[Credentials](store, secrets.From(cfg).Secret("prod/orders/db"))

	// middy.Start(handle, store) would do this, and in the handler:
	creds := db.Get(context.Background())
	fmt.Println(creds.User, creds.Password)
	fmt.Println(creds.Password.Reveal() == "correct horse")
	// Output:
	// orders [redacted 13 B]
	// true
}

// secretsManager stands in for the service.
func secretsManager() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || !strings.Contains(string(body), `"prod/orders/db"`) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret."}`)
			return
		}
		_, _ = io.WriteString(w, `{"Name":"prod/orders/db","VersionId":"f2c4","SecretString":"{\"User\":\"orders\",\"Password\":\"correct horse\"}"}`)
	}))
}
