package middytest_test

import (
	"context"
	"fmt"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/middytest"
)

// A middleware's budget is part of its promise: this one may add two
// allocations to an invocation.
func ExampleOptions() {
	o := middytest.Options{Event: `{"orderId":"42"}`, Allocs: 2}
	upper := middy.Func(func(next middy.Handler) middy.Handler { return next })
	// In a test: middytest.Run(t, func() middy.Middleware { return upper }, o)
	f, err := middy.New(func(_ context.Context, e map[string]string) (string, error) { return e["orderId"], nil }, upper)
	if err != nil {
		panic(err)
	}
	out, err := f.Invoke(context.Background(), []byte(o.Event))
	fmt.Println(string(out), err)
	// Output: "42" <nil>
}
