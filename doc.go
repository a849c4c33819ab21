// Package middy is a middleware engine for AWS Lambda functions.
//
// A Go developer on Lambda writes secrets caching, retries, CORS and timeouts by
// hand, in every function again, around lambda.Start(handler). This package gives
// these things a place: layers around an ordinary handler, checked before the
// first event, told when the sandbox starts, freezes, thaws and ends.
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
//	func timed(next middy.Handler) middy.Handler {
//		return func(ctx context.Context, inv *middy.Invocation) (any, error) {
//			start := time.Now()
//			result, err := next(ctx, inv)
//			slog.InfoContext(ctx, "done", "took", time.Since(start), "err", err)
//			return result, err
//		}
//	}
//
// Never end the context that you gave to next when it returns: the result may be
// a stream that still needs it. Never wrap the error that next returned: Lambda
// reports its type, and Step Functions' ErrorEquals matches on that name.
//
// [Hooks] are Middy's phases, [Typed] gives the types back, [When] makes a layer
// conditional, a [Key] carries a value of one invocation in both directions. A
// configuration is checked by [Validator], the handler's types by [Accepter], work
// at cold start is done by [Initer], what an invocation began is joined by
// [Settler]; [New] finds them all. Package middytest has the suite that every
// middleware must pass.
//
// # Errors
//
// The name that Lambda reports is that of the first error in the chain that says
// what went wrong: fmt.Errorf("order %d: %w", id, NotFound{}) is reported as
// "NotFound", where aws-lambda-go reports "wrapError". So it is behind the
// wrappers of other libraries. An error of an AWS service goes by its code, as in
// Node.js. A type may choose its name with a method ErrorType() string.
//
// A panic is a [*PanicError] to the layers and, when none of them answers, ends
// the sandbox as it does with aws-lambda-go. An event that does not decode is a
// [*DecodeError] and travels through the layers; so does a panic of the event's
// own decoder.
//
// A result is encoded, and a stream is read, when the layers have returned: they
// do not see what fails there. An [Observer] and the caller do, by the name that
// it would have from the handler: an error of Read, a panic of MarshalJSON, Read
// or Close. JSON beyond the 6 MB that Lambda takes is a [*ResultSizeError]; it is
// not sent, and the sandbox lives.
//
// # The life of a sandbox
//
//	INIT ──► ( thaw ──► INVOKE ──► settle ──► freeze )* ──► SHUTDOWN
//
// All Inits have ended before the first event is polled. At the start of an
// invocation both clocks are compared, and a gap is told to every [Thawer]. An
// invocation ends when its response has ended, which for a stream is later than
// the return of the handler; then every [Settler] joins what it began. A [Closer]
// runs on SIGTERM.
package middy
