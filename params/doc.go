// Package params keeps values that live elsewhere, such as secrets and
// parameters, at hand: typed, fresh, and never the reason for a failed
// invocation.
//
// A function that asks for its secret on every invocation is slow and pays for
// each call; one that asks once never sees a rotation; one that asks again after
// some minutes fails in the minute when the service does. And whoever starts a
// refresh that the sandbox freezes finds a request with a dead signature after
// the thaw. A [Store] has one policy for all of that.
//
//	store := params.New(params.Config{})
//	db := params.JSON[Credentials](store, secrets.From(cfg).Secret("prod/orders/db"))
//
//	middy.Start(handle, store) // the Store is a middleware
//
//	creds := db.Get(ctx) // in the handler: nanoseconds
//
// # The policy
//
// A value is used for its TTL, 5 minutes ±15 %, by the wall clock: the monotonic
// one may stand still while a sandbox is frozen. In the last fifth of the TTL it
// is refreshed beside the handler while readers get the value they have; the
// refresh is awaited when the response has ended, for 250 ms at most, and then
// cancelled, so that nothing crosses into a freeze. After the TTL readers wait
// for the new value, those of one value for one request.
//
// If the source does not answer, the old value is served for up to 24 hours
// since it was last confirmed, and the source is left alone for 5 to 60 seconds
// after each failure. Then it is tried beside the handler; one invocation in four
// that tries waits for it, 250 ms and sometimes 1 s, so that an outage does not
// become the latency of a function and its end is noticed all the same.
// After the 24 hours readers get a [*StaleError].
//
// An answer counts only if it names what was asked for: an empty success, or one
// about another secret, is no value. Values of one source come by batches; what a
// batch refuses as a whole is asked for one by one, so that one bad name or one
// key that KMS has disabled takes no other value with it.
//
// That there never was a value is an answer, too. For a [Ref.Optional] one it is kept
// as a value is: for its TTL, refreshed beside the handler, and through an outage.
// If somebody needs the value it is asked for again after 5 to 60 seconds.
//
// A wait never takes all the time until ctx's deadline: a tenth of it, 200 ms at
// most, is left for reporting the failure.
//
// If the source does answer, that the value is missing, deleted or denied, it is
// asked once more after 5 seconds, and then the value is gone: revocation must
// bite.
//
// # Errors
//
// [Value.Lookup] returns them, [Value.Get] turns them into the invocation's.
// Each names the value, what happened and what to do, and none has any of the
// content. errors.Is finds the condition ([ErrNotFound], [ErrDenied],
// [ErrStale], ...). Lambda reports them by [Error.ErrorCode], such as
// SecretNotFound.
//
// # Rotation
//
// [Retry] runs a login and follows a rotation: it fetches anew when the login is
// refused, and may try the pending version. It needs a login that uses the value
// which it is given: see there for pools of connections.
//
// # The end
//
// [Store.Close] waits for the invocations under way, and wipes all values. A
// [Secret] that is revealed afterwards panics: an empty one might pass for a
// password.
//
// # Providers
//
// Subpackages fetch from Secrets Manager (secrets), Parameter Store (ssm), the
// environment (env) and encrypted files (file). A [Provider] of your own is two
// methods.
package params
