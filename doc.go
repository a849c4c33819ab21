// Package middy is a middleware engine for AWS Lambda functions.
//
// A Go developer on Lambda writes secrets caching, retries, CORS, partial batch
// failures and timeouts by hand, in every function again, around
// lambda.Start(handler). This package gives these things a place: layers around
// an ordinary handler, checked before the first event, told when the sandbox
// starts, freezes, thaws and ends.
//
//	func handle(ctx context.Context, o Order) (Receipt, error) { … }
//
//	func main() {
//		middy.Start(handle,
//			&middy.Timeout{},  // outermost: it covers all that follows
//			store,             // a params.Store: secrets, fetched before the first event
//		)
//	}
//
// # Order
//
// The first middleware is the outermost. New(h, a, b) runs
//
//	a before, b before, handler, b after, a after
//
// and a layer sees what happens inside it: its own failures and those of outer
// layers pass it by.
//
// # Writing a middleware
//
// A [Middleware] is one method, and [Func] adapts a function:
//
//	func deadline(next middy.Handler) middy.Handler {
//		return func(ctx context.Context, inv *middy.Invocation) (any, error) {
//			ctx, cancel := context.WithTimeout(ctx, time.Second)
//			defer cancel()
//			return next(ctx, inv)
//		}
//	}
//
// Never wrap the error that next returned: Lambda reports its type, and Step
// Functions' ErrorEquals matches on that name. [Hooks] are Middy's phases,
// [Typed] gives the types back, [When] makes a layer conditional, a [Key] carries
// a value of one invocation in both directions. A configuration is checked by
// [Validator], the handler's types by [Accepter], work at cold start is done by
// [Initer]; all three are found by [New]. Package middytest has the suite that
// every middleware must pass.
//
// # Errors
//
// The name that Lambda reports is that of the first error in the chain that says
// what went wrong: fmt.Errorf("order %d: %w", id, NotFound{}) is reported as
// "NotFound", where aws-lambda-go reports "wrapError". A type may choose its name
// with a method ErrorType() string. A panic is a [*PanicError] to the layers and,
// when none of them answers, ends the sandbox as it does with aws-lambda-go. An
// event that does not decode is a [*DecodeError] and travels through the layers.
//
// # The life of a sandbox
//
//	INIT ──► ( thaw ──► INVOKE ──► settle ──► freeze )* ──► SHUTDOWN
//
// All Inits have ended before the first event is polled. At the start of an
// invocation both clocks are compared, and a gap is told to every [Thawer]. A
// [Closer] runs on SIGTERM.
package middy
