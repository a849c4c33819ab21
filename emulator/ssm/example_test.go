package ssm_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gomiddy/middy/emulator/service"
	"github.com/gomiddy/middy/emulator/ssm"
)

func Example() {
	params := ssm.New(ssm.Config{})
	if err := params.Put("/orders/limit", 10); err != nil {
		fmt.Println(err)
	}
	if err := params.Put("/orders/limit", 20); err != nil {
		fmt.Println(err)
	}

	out, err := params.Call(context.Background(), &service.Call{
		Operation: "GetParameters",
		Body:      []byte(`{"Names":["/orders/limit","/orders/limit:1","/orders/typo"]}`),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, _ := json.Marshal(out)
	var answer struct {
		Parameters []struct {
			Name, Value, Selector string
			Version               int
		}
		InvalidParameters []string
	}
	_ = json.Unmarshal(b, &answer)
	for _, p := range answer.Parameters {
		fmt.Println(p.Name+p.Selector, p.Value, "version", p.Version)
	}
	fmt.Println("invalid:", answer.InvalidParameters)
	// Output:
	// /orders/limit 20 version 2
	// /orders/limit:1 10 version 1
	// invalid: [/orders/typo]
}
