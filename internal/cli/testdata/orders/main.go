// Command orders declares three permissions, two of them on the same resource.
package main

import (
	"context"
	"fmt"

	"github.com/gomiddy/middy"
)

type declares []middy.Permission

func (d declares) Wrap(next middy.Handler) middy.Handler { return next }
func (d declares) Permissions() []middy.Permission       { return d }

const (
	db  = "arn:aws:secretsmanager:*:*:secret:prod/db-??????"
	api = "arn:aws:secretsmanager:*:*:secret:prod/api-??????"
)

func main() {
	fmt.Println("a line of the program's own, before it starts")
	middy.Start(func(context.Context, struct{}) (string, error) { return "", nil },
		declares{
			{Actions: []string{"secretsmanager:GetSecretValue"}, Resources: []string{db}, Reason: "secret prod/db"},
			{Actions: []string{"secretsmanager:GetSecretValue"}, Resources: []string{api}, Reason: "secret prod/api"},
			{Actions: []string{"ssm:GetParameters"}, Resources: []string{"arn:aws:ssm:*:*:parameter/limit"}, Reason: "parameter /limit"},
		})
}
