package params

import (
	"context"
	"time"

	"github.com/gomiddy/middy"
)

// A Key names one remote value within a source.
type Key struct {
	// ID is the value's name, path or ARN.
	ID string
	// Version is a version's id or number; empty means whichever the stage
	// points to.
	Version string
	// Stage is a moving label such as "AWSPREVIOUS"; empty means the source's
	// default, such as "AWSCURRENT".
	Stage string
	// Tree: ID is a path, and the value is everything below it.
	Tree bool
}

// RefTo returns a reference to a key of p, for providers whose references are
// not only names; see [NewRef].
func RefTo(p Provider, k Key) Ref { return Ref{provider: p, key: k} }

// A Source says where a [Provider]'s values come from. Two providers with equal
// sources are taken for one: their keys share entries and batches.
type Source struct {
	// Service is a short name for messages and events, such as
	// "secretsmanager".
	Service string
	// Region and Endpoint tell apart what the service alone does not.
	Region, Endpoint string
	// Identity is whose credentials are used: a comparable value, such as the
	// pointer to a credentials provider. It is never printed.
	Identity any
}

// String leaves the identity out.
func (s Source) String() string {
	if s.Region == "" {
		return s.Service
	}
	return s.Service + " in " + s.Region
}

// GoString is String.
func (s Source) GoString() string { return s.String() }

// Raw is what a [Provider] fetched.
type Raw struct {
	// Bytes is the value. The Store owns it from here on and clears it when it
	// is no longer used; the provider must not keep it.
	Bytes []byte
	// Version identifies the content: the same Version means the same Bytes.
	// Empty: unknown, and the bytes are compared.
	Version string
	// Created is when the version was made; zero if unknown. It keeps a lagging
	// replica from taking a value back.
	Created time.Time
}

// A Provider fetches. It decides nothing about caching, retries between
// invocations, batching or staleness: that is the [Store]'s policy, the same for
// all of them.
//
// Methods are called concurrently, and must return soon after ctx is done, since
// a response waits for them.
type Provider interface {
	// Source must not change.
	Source() Source
	// Fetch returns one value, or an [*Error] whose Kind says what the failure
	// means. An error of another type counts as [Unavailable].
	Fetch(ctx context.Context, key Key) (Raw, error)
}

// Result is one key's part of the answer to a batch.
type Result struct {
	Raw Raw
	Err error
}

// A Batcher is a [Provider] that can fetch several keys by one request.
type Batcher interface {
	Provider
	// Batch says how many keys fit into one request, and from how many on one
	// is worth it.
	Batch() (limit, from int)
	// Batchable reports whether key may be part of one.
	Batchable(key Key) bool
	// FetchBatch returns a result for each key, in order. The error is for a
	// request that failed as a whole, and names no key: if it is [Unavailable] it
	// counts for all of them, otherwise each is fetched alone. A key that the
	// answer did not mention has a Result with an [*Error] of Kind [Unanswered],
	// and is fetched alone, too.
	FetchBatch(ctx context.Context, keys []Key) ([]Result, error)
}

// A SeparateQuota is a [Batcher] that may say that its single requests draw on
// another quota than its batches. Only then do single requests follow a batch
// that was throttled; otherwise they would be more of what there is too much of.
type SeparateQuota interface{ SeparateQuota() bool }

// A Rotation says when a value will change.
type Rotation struct {
	// Window is when the change may begin; Latest is when it will have happened
	// at the latest. Zero: no rotation is planned.
	Window, Latest time.Time
}

// A RotationReader is a [Provider] that knows when values rotate. It is asked
// only for values declared with [Ref.FollowRotation].
type RotationReader interface {
	Rotation(ctx context.Context, key Key) (Rotation, error)
}

// A Localizer is a [Provider] whose values live in the process or on its disk.
// That one of them is missing is no revocation: the next fallback is asked.
type Localizer interface{ Local() bool }

// A KeyValidator is a [Provider] that knows of a key, without I/O, that its source
// would refuse it or that it names something else. [Store.Validate] reports it, and
// [Store.Lookup] returns it.
type KeyValidator interface{ ValidateKey(k Key) error }

// A Use is how a key of a provider is used, for its IAM statements.
type Use struct {
	Key
	// Batched: the key is fetched by a batch request, when the function starts.
	Batched bool
	// Rotation: its rotation dates are read.
	Rotation bool
	// KMSKey is the ARN of the customer's key that encrypts it, if any.
	KMSKey string
}

// A Permitter is a [Provider] that can say which permissions uses of it need.
type Permitter interface {
	Permissions(uses []Use) []middy.Permission
}

func isLocal(p Provider) bool {
	l, ok := p.(Localizer)
	return ok && l.Local()
}
