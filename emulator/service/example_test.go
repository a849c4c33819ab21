package service_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomiddy/middy/emulator/service"
)

// echo is the smallest service there can be.
type echo struct{}

func (echo) SigningName() string        { return "echo" }
func (echo) Protocol() service.Protocol { return service.JSON11 }
func (echo) TargetPrefix() string       { return "Echo" }

func (echo) Call(_ context.Context, c *service.Call) (any, error) {
	if c.Operation != "Say" {
		return nil, &service.Error{Code: "UnknownOperationException", Message: "The operation is not known."}
	}
	return map[string]string{"said": string(c.Body)}, nil
}

func ExampleService() {
	var s service.Service = echo{}
	out, err := s.Call(context.Background(), &service.Call{Operation: "Say", Body: []byte("hi")})
	fmt.Println(out, err)

	_, err = s.Call(context.Background(), &service.Call{Operation: "Shout"})
	var aws *service.Error
	fmt.Println(errors.As(err, &aws), err)
	// Output:
	// map[said:hi] <nil>
	// true UnknownOperationException: The operation is not known.
}
