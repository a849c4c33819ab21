package secretsmanager_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/emulator/service"
)

func Example() {
	secrets := secretsmanager.New(secretsmanager.Config{})
	if err := secrets.Put("prod/orders/db", map[string]string{"user": "app", "password": "old"}); err != nil {
		fmt.Println(err)
	}
	if err := secrets.Rotate("prod/orders/db", map[string]string{"user": "app", "password": "new"}); err != nil {
		fmt.Println(err)
	}

	for _, stage := range []string{"AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"} {
		out, err := secrets.Call(context.Background(), &service.Call{
			Operation: "GetSecretValue",
			Body:      fmt.Appendf(nil, `{"SecretId":"prod/orders/db","VersionStage":%q}`, stage),
		})
		if err != nil {
			fmt.Println(err)
			continue
		}
		b, _ := json.Marshal(out)
		var answer struct{ SecretString string }
		_ = json.Unmarshal(b, &answer)
		fmt.Println(stage, answer.SecretString)
	}
	// Output:
	// AWSCURRENT {"password":"new","user":"app"}
	// AWSPREVIOUS {"password":"old","user":"app"}
	// ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSPENDING
}
