// Command ordersplain is examples/orders as most people write it: the SDK's
// configuration loader, its service clients, and lambda.Start. It exists to be
// measured against.
package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

type database struct {
	Host     string `json:"host"`
	User     string `json:"user"`
	Password string `json:"password"`
}

type order struct {
	ID       string `json:"id"`
	Database string `json:"database"`
	Limit    int    `json:"limit"`
}

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	db, limit, err := load(context.Background())
	if err != nil {
		log.Error("init", "err", err)
		os.Exit(1)
	}
	lambda.Start(func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		id, ok := strings.CutPrefix(e.RawPath, "/orders/")
		if !ok || e.RequestContext.HTTP.Method != "GET" {
			return events.APIGatewayV2HTTPResponse{StatusCode: 404, Body: "404 page not found\n"}, nil
		}
		log.InfoContext(ctx, "order read", "id", id)
		b, err := json.Marshal(order{ID: id, Database: db.User + "@" + db.Host, Limit: limit})
		if err != nil {
			return events.APIGatewayV2HTTPResponse{}, err
		}
		return events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{"content-type": "application/json"}, Body: string(b)}, nil
	})
}

func load(ctx context.Context) (db database, limit int, err error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return db, 0, err
	}
	secret, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/orders/db")})
	if err != nil {
		return db, 0, err
	}
	if err := json.Unmarshal([]byte(aws.ToString(secret.SecretString)), &db); err != nil {
		return db, 0, err
	}
	parameter, err := ssm.NewFromConfig(cfg).GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/orders/limit")})
	if err != nil {
		return db, 0, err
	}
	limit, err = strconv.Atoi(aws.ToString(parameter.Parameter.Value))
	return db, limit, err
}
