package middy_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gomiddy/middy"
)

type Order struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
}

type Receipt struct {
	ID string `json:"id"`
}

// A function with two layers. In main, middy.Start takes the same arguments.
func Example() {
	handle := func(ctx context.Context, o Order) (Receipt, error) { return Receipt{o.ID}, nil }

	log := middy.Func(func(next middy.Handler) middy.Handler {
		return func(ctx context.Context, inv *middy.Invocation) (any, error) {
			start := time.Now()
			result, err := next(ctx, inv)
			fmt.Println("done in under a second:", time.Since(start) < time.Second)
			return result, err
		}
	})
	positive := middy.Typed(func(ctx context.Context, o *Order, next func(context.Context) (*Receipt, error)) (*Receipt, error) {
		if o.Cents < 0 {
			return nil, fmt.Errorf("order %s: the amount must not be negative", o.ID)
		}
		return next(ctx)
	})

	f, err := middy.New(handle, log, positive)
	if err != nil {
		panic(err)
	}
	out, err := f.Invoke(context.Background(), []byte(`{"id":"42","cents":-1}`))
	fmt.Println(string(out), err)
	out, err = f.Invoke(context.Background(), []byte(`{"id":"42","cents":100}`))
	fmt.Println(string(out), err)
	// Output:
	// done in under a second: true
	//  order 42: the amount must not be negative
	// done in under a second: true
	// {"id":"42"} <nil>
}
