package freshsign

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// A Cause says what broke a signature.
type Cause int

const (
	FreezeGap      Cause = iota + 1 // signed in time, but the process or the network stood still before the request arrived
	PoisonedSkew                    // signed by a clock offset that was learned wrong
	RealSkew                        // signed by a clock that is wrong
	ExpiredSession                  // signed with credentials that are no longer, or not yet, valid
	WrongKey                        // the age is fine: a wrong secret key, region or service, or a header or body changed on the way
)

var causeNames = [...]string{"unknown", "freeze gap", "poisoned skew", "real skew", "expired session", "wrong key"}

// String returns the cause in words, for example "freeze gap".
func (c Cause) String() string { return name(causeNames[:], int(c)) }

// Confidence says how sure the [Cause] is. A service tells less than it knows.
type Confidence int

const (
	Possible Confidence = iota + 1 // the service said so, and nothing here confirms it
	Likely                         // the evidence points there, or one of the two clocks in this process saw it
	Certain                        // measured by both clocks in this process, or said by the service
)

var confidenceNames = [...]string{"unknown", "possible", "likely", "certain"}

// String returns the confidence in words.
func (c Confidence) String() string { return name(confidenceNames[:], int(c)) }

// An Outcome says what became of it.
type Outcome int

const (
	Resigned Outcome = iota + 1 // an old signature was renewed before its first byte left
	Refused                     // a false clock offset was not learned
	Healed                      // rejected by the service, accepted after another pass
	Unhealed                    // the call failed
)

var outcomeNames = [...]string{"unknown", "signed again before sending", "false offset refused", "healed", "not healed"}

// String returns the outcome in words.
func (o Outcome) String() string { return name(outcomeNames[:], int(o)) }

// name returns the word for i, or the first, which stands for what has none.
func name(names []string, i int) string {
	if i < 1 || i >= len(names) {
		return names[0]
	}
	return names[i]
}

// An Incident is one signature that failed, or would have. It never holds a key, a token, a name or a value of the
// request. Instants that are not known are zero.
type Incident struct {
	Cause      Cause
	Confidence Confidence
	Outcome    Outcome

	Service   string // the SDK's service id, for example "Secrets Manager"
	Operation string // for example "GetSecretValue"
	Region    string // the region that was signed for
	RequestID string // the service's, if it answered

	SignedAt   time.Time     // the date in the signature
	SentAt     time.Time     // when the connection was handed out, by our wall clock
	ServerTime time.Time     // what the service's clock said
	Age        time.Duration // how old the signature was on arrival; negative if it was signed in the future
	Offset     time.Duration // the clock offset that was applied, refused or found: the service's clock minus ours

	EpochAtSign uint64 // clock events seen by this process before signing …
	EpochAtSend uint64 // … and before sending; a difference is a freeze that stopped one clock, or a clock step

	Pass int // 1 for the call's first pass, up to 1 + MaxHeals
}

// String returns one sentence that names the cause.
func (i Incident) String() string {
	return fmt.Sprintf("%s %s: %s; %s (%s)", i.Service, i.Operation, i.why(), i.Outcome, i.Confidence)
}

func (i Incident) why() string {
	const sec = time.Second
	switch i.Cause {
	case FreezeGap:
		if i.Confidence == Possible {
			return fmt.Sprintf("freeze gap: the service found the signature %v old, but no clock in this process saw it wait: the machine stood still with its clocks, or the service was wrong for a moment", i.Age.Round(sec))
		}
		return fmt.Sprintf("freeze gap: the signature was %v old because the process or the network stood still between signing and arrival", i.Age.Round(sec))
	case PoisonedSkew:
		if i.Outcome == Refused {
			return fmt.Sprintf("poisoned skew: a response that waited suggested that our clock is %v off", i.Offset.Abs().Round(sec))
		}
		return fmt.Sprintf("poisoned skew: signed with a clock offset of %v that no longer holds, %v off on arrival", i.Offset.Round(sec), i.Age.Abs().Round(sec))
	case RealSkew:
		return fmt.Sprintf("real skew: this machine's clock differs from the service's by %v", i.Offset.Abs().Round(sec))
	case ExpiredSession:
		return "expired session: the credentials are no longer valid; give the client a provider that can refresh them"
	case WrongKey:
		return "wrong key: the signature's age is fine, so the secret key, the region or service it was made for, or a header changed on the way must be wrong"
	}
	return "signature rejected"
}

// An Error is a signature fault that could not be healed. errors.As still finds the service's error inside.
type Error struct {
	Incident Incident
	Err      error // what the SDK returned
}

// Error names the cause, then what the service said.
func (e *Error) Error() string { return "freshsign: " + e.Incident.String() + ": " + e.Err.Error() }

// Unwrap returns the SDK's error.
func (e *Error) Unwrap() error { return e.Err }

// incident starts the description of what happened to the call's current signature. The caller holds c.mu, or is the
// only one left.
func (c *call) incident(ctx context.Context, cause Cause, sure Confidence, outcome Outcome) Incident {
	return Incident{
		Cause: cause, Confidence: sure, Outcome: outcome,
		Service:   awsmiddleware.GetServiceID(ctx),
		Operation: middleware.GetOperationName(ctx),
		Region:    c.sig.region,
		Pass:      c.pass + 1,
	}
}

// caught describes a signature that grew old before it was sent, or that a clock made which was set back since.
func (c *call) caught(ctx context.Context, signed, now moment) Incident {
	age := now.wall.Sub(signed.wall)
	i := c.incident(ctx, FreezeGap, waited(signed, now, age), Resigned)
	if age < 0 {
		i.Cause, i.Confidence, i.Offset = RealSkew, Likely, age
	}
	i.SignedAt, i.SentAt, i.Age = signed.service(), now.wall, age
	i.EpochAtSign, i.EpochAtSend = signed.epoch, now.epoch
	return i
}

// report tells the callback and the log.
func (e *engine) report(ctx context.Context, i Incident) {
	if e.OnIncident != nil {
		e.OnIncident(ctx, i)
	}
	if e.Logger == nil {
		return
	}
	level := slog.LevelInfo
	if i.Outcome == Unhealed {
		level = slog.LevelWarn
	}
	e.Logger.LogAttrs(ctx, level, i.String(),
		slog.String("cause", i.Cause.String()), slog.String("confidence", i.Confidence.String()),
		slog.String("outcome", i.Outcome.String()), slog.String("service", i.Service),
		slog.String("operation", i.Operation), slog.String("region", i.Region), slog.String("request_id", i.RequestID),
		slog.Time("signed_at", i.SignedAt), slog.Time("sent_at", i.SentAt), slog.Time("server_time", i.ServerTime),
		slog.Duration("age", i.Age), slog.Duration("offset", i.Offset), slog.Int("pass", i.Pass))
}
