package secretsmanager

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gomiddy/middy/emulator/service"
)

type rotationRules struct {
	AutomaticallyAfterDays *int64  `aws:"range=1:1000" json:",omitempty"`
	Duration               *string `aws:"len=2:3" pattern:"^[0-9]+h$" json:",omitempty"`
	ScheduleExpression     *string `aws:"len=1:256" pattern:"^[0-9A-Za-z()#?*/, -]+$" json:",omitempty"`
}

// rotationState is what a secret knows of its rotation.
type rotationState struct {
	Configured, Enabled bool           `json:",omitempty"`
	LambdaARN           string         `json:",omitempty"`
	Rules               *rotationRules `json:",omitempty"`
	Last                epoch          `json:",omitzero"`
	// Due is when the next window opens, Next when it closes.
	Due  epoch `json:",omitzero"`
	Next epoch `json:",omitzero"`
	// Tried is when a scheduled rotation was started last. A failed one is not
	// repeated before the next window, so Next may lie in the past, as on AWS.
	Tried epoch `json:",omitzero"`
}

// reschedule puts the next window after now.
func (st *rotationState) reschedule(now time.Time) {
	st.Due, st.Next = epoch{}, epoch{}
	next, err := parseRules(st.Rules)
	if err != nil || next == nil || !st.Enabled {
		return
	}
	if from, until := next(now); !from.IsZero() {
		st.Due, st.Next = epoch{from}, epoch{until}
	}
}

// A Rotation is the end of one rotation.
type Rotation struct {
	// ARN and VersionID are the secret's and that of the version it staged.
	ARN, VersionID string
	// Step is the step that failed; empty after success.
	Step string
	// Err says why; nil after success.
	Err error
}

// rotation is one in progress.
type rotation struct {
	cancel    context.CancelFunc
	arn       string
	versionID string
	token     string // goes to the function and comes back with PutSecretValue
	steps     []string
	function  string
	probe     bool // RotateImmediately false: test the function, change nothing
}

var fourSteps = []string{"createSecret", "setSecret", "testSecret", "finishSecret"}

type rotateInput struct {
	SecretId           string         `aws:"required,len=1:2048"`
	ClientRequestToken string         `aws:"len=32:64"`
	RotationLambdaARN  string         `aws:"len=0:2048"`
	RotationRules      *rotationRules ``
	RotateImmediately  *bool
}

func (s *Service) rotateSecret(r *request, in *rotateInput) (any, error) {
	sec, err := s.change(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	if _, err := parseRules(in.RotationRules); err != nil {
		return nil, err
	}
	st := &sec.Rotation
	if in.RotationLambdaARN != "" {
		st.LambdaARN = in.RotationLambdaARN
	}
	if in.RotationRules != nil {
		st.Rules = in.RotationRules
	}
	if st.LambdaARN == "" && sec.owner() == "" {
		return nil, fail("InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.")
	}
	if p := sec.staged(pending); p != nil && !slices.Contains(p.Stages, current) {
		return s.rotateAgain(sec, p, in.ClientRequestToken, r.now)
	}
	id := token(in.ClientRequestToken)
	if v := sec.Versions[id]; v != nil {
		if slices.Contains(v.Stages, current) {
			return writeOutput{ARN: sec.ARN, Name: sec.Name, VersionId: id}, nil // a repeated request, long done
		}
		return nil, errTokenUsed(id, sec)
	}
	st.Configured, st.Enabled = true, true
	st.reschedule(r.now)
	steps := fourSteps
	probe := in.RotateImmediately != nil && !*in.RotateImmediately
	if probe {
		steps = []string{"testSecret"}
	}
	sec.attach(sec.add(id, value{}, r.now), pending)
	sec.Changed = epoch{r.now}
	if err := s.commit(sec); err != nil {
		return nil, err
	}
	s.start(sec, id, steps, probe)
	return writeOutput{ARN: sec.ARN, Name: sec.Name, VersionId: id}, nil
}

// rotateAgain meets a version that an earlier rotation left behind. A request
// with its token continues it; any other is refused, and the earlier rotation is
// attempted again if it is not running.
func (s *Service) rotateAgain(sec *secret, p *version, clientToken string, now time.Time) (any, error) {
	running := s.rotations[sec.ARN] != nil
	if !running {
		sec.Rotation.Configured, sec.Rotation.Enabled = true, true
		sec.Rotation.reschedule(now)
		if err := s.commit(sec); err != nil {
			return nil, err
		}
		s.start(sec, p.ID, fourSteps, false)
	}
	if clientToken == p.ID {
		return writeOutput{ARN: sec.ARN, Name: sec.Name, VersionId: p.ID}, nil
	}
	return nil, fail("InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted.")
}

func (s *Service) cancelRotateSecret(r *request, in *secretIDInput) (any, error) {
	sec, err := s.change(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	if !sec.Rotation.Configured {
		return nil, fail("InvalidRequestException", "You tried to cancel the rotation of a secret that has no rotation configured.")
	}
	sec.Rotation.Enabled = false
	sec.Rotation.reschedule(r.now)
	sec.Changed = epoch{r.now}
	if err := s.commit(sec); err != nil {
		return nil, err
	}
	if running := s.rotations[sec.ARN]; running != nil {
		running.cancel()
	}
	out := writeOutput{ARN: sec.ARN, Name: sec.Name}
	if p := sec.staged(pending); p != nil {
		out.VersionId = p.ID
	}
	return out, nil
}

func (s *Service) rotationDue(sec *secret, now time.Time) bool {
	st := sec.Rotation
	return st.Enabled && !st.Due.IsZero() && !now.Before(st.Due.Time) && st.Tried.Before(st.Due.Time) &&
		sec.Deletion.IsZero() && !sec.isReplica() && s.rotations[sec.ARN] == nil && !s.closed
}

func (s *Service) startScheduled(sec *secret, now time.Time) error {
	next := sec.clone()
	next.Rotation.Tried = epoch{now}
	p := next.staged(pending)
	if p == nil || slices.Contains(p.Stages, current) {
		p = next.add(newUUID(), value{}, now)
		next.attach(p, pending)
	}
	if err := s.commit(next); err != nil {
		return err
	}
	s.start(next, p.ID, fourSteps, false)
	return nil
}

// start runs the steps apart from the request, as AWS does.
func (s *Service) start(sec *secret, versionID string, steps []string, probe bool) {
	if s.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	ro := &rotation{
		cancel: cancel, arn: sec.ARN, versionID: versionID, token: newUUID(),
		steps: steps, function: sec.Rotation.LambdaARN, probe: probe,
	}
	s.rotations[sec.ARN] = ro
	done := make(chan struct{})
	s.running[ro] = done
	go func() {
		defer s.ended(ro, done)
		step, err := s.runSteps(ctx, ro)
		result := s.finish(ro, step, err)
		if s.cfg.OnRotation != nil {
			s.cfg.OnRotation(result)
		}
	}()
}

func (s *Service) ended(ro *rotation, done chan struct{}) {
	ro.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, ro)
	close(done)
}

func (s *Service) runSteps(ctx context.Context, ro *rotation) (failed string, err error) {
	for _, step := range ro.steps {
		payload, err := json.Marshal(map[string]string{
			"Step": step, "SecretId": ro.arn, "ClientRequestToken": ro.versionID, "RotationToken": ro.token,
		})
		if err != nil {
			return step, err
		}
		if err := s.invoke(ctx, ro.function, payload); err != nil {
			return step, err
		}
	}
	return "", nil
}

func (s *Service) invoke(ctx context.Context, function string, payload []byte) (err error) {
	if s.cfg.RotationTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.cfg.RotationTimeout)
		defer cancel()
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("secretsmanager: the rotation function panicked: %v", p)
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err = s.cfg.Invoke(ctx, function, payload)
	return err
}

// finish writes down how a rotation ended. After a failure AWSPENDING stays where
// the function left it.
func (s *Service) finish(ro *rotation, step string, err error) Rotation {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rotations[ro.arn] == ro {
		delete(s.rotations, ro.arn)
	}
	done := Rotation{ARN: ro.arn, VersionID: ro.versionID, Step: step, Err: err}
	sec := s.byARN(ro.arn)
	if sec == nil {
		if err == nil {
			done.Err = fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
		}
		return done
	}
	next := sec.clone()
	v := next.Versions[ro.versionID]
	switch {
	case ro.probe && v != nil && !slices.Contains(v.Stages, current):
		delete(next.Versions, ro.versionID)
	case err != nil || ro.probe:
		return done
	case v == nil || !slices.Contains(v.Stages, current):
		done.Step, done.Err = "finishSecret", errors.New("secretsmanager: the rotation function returned from finishSecret without moving AWSCURRENT to the new version")
		return done
	default:
		next.Rotation.Last = epoch{now}
		next.Rotation.reschedule(now)
	}
	if err := s.commit(next); err != nil && done.Err == nil {
		done.Err = err
	}
	return done
}

func (s *Service) byARN(arn string) *secret {
	for _, names := range s.places {
		for _, sec := range names {
			if sec.ARN == arn {
				return sec
			}
		}
	}
	return nil
}

// checkRotationToken refuses a token that does not belong to the rotation in
// progress; without a token the caller's own identity counts.
func (s *Service) checkRotationToken(sec *secret, token string) error {
	if token == "" {
		return nil
	}
	ro := s.rotations[sec.ARN]
	if ro == nil || subtle.ConstantTimeCompare([]byte(ro.token), []byte(token)) != 1 {
		return fail("InvalidParameterException", "The RotationToken is not valid for this secret.")
	}
	return nil
}

// BuiltinRotation returns a rotation function that runs inside the process: it
// puts a random password of the old one's length class (32 characters) in the
// field "password" of a JSON secret, or in place of the whole value, and follows
// the four-step protocol through s itself. There is no database to tell, so its
// setSecret and testSecret only check that the staged value can be read.
func BuiltinRotation(s *Service) func(ctx context.Context, functionARN string, payload []byte) ([]byte, error) {
	return func(ctx context.Context, _ string, payload []byte) ([]byte, error) {
		var ev rotationEvent
		if err := json.Unmarshal(payload, &ev); err != nil {
			return nil, fmt.Errorf("secretsmanager: rotation event: %w", err)
		}
		switch ev.Step {
		case "createSecret":
			return nil, s.builtinCreate(ctx, ev)
		case "setSecret", "testSecret":
			_, err := s.builtinGet(ctx, ev, map[string]any{"VersionId": ev.ClientRequestToken, "VersionStage": pending})
			if isNotFound(err) {
				err = nil // a test of the configuration: nothing is staged
			}
			return nil, err
		case "finishSecret":
			return nil, s.builtinFinish(ctx, ev)
		}
		return nil, fmt.Errorf("secretsmanager: rotation event has the unknown step %q", ev.Step)
	}
}

type rotationEvent struct{ Step, SecretId, ClientRequestToken, RotationToken string }

func (s *Service) builtinCreate(ctx context.Context, ev rotationEvent) error {
	_, err := s.builtinGet(ctx, ev, map[string]any{"VersionId": ev.ClientRequestToken, "VersionStage": pending})
	if !isNotFound(err) {
		return err // it was created by an earlier attempt, or cannot be read
	}
	old, err := s.builtinGet(ctx, ev, map[string]any{})
	if err != nil {
		return err
	}
	in := map[string]any{
		"SecretId": ev.SecretId, "ClientRequestToken": ev.ClientRequestToken,
		"RotationToken": ev.RotationToken, "VersionStages": []string{pending},
	}
	password := randomPassword(32, []string{lowercase, uppercase, digits}, true)
	if old.SecretString == nil {
		in["SecretBinary"] = []byte(password)
	} else {
		in["SecretString"] = withPassword(*old.SecretString, password)
	}
	_, err = s.do(ctx, ev.SecretId, "PutSecretValue", in)
	return err
}

func withPassword(old, password string) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(old), &fields) != nil || fields["password"] == nil {
		return password
	}
	fields["password"], _ = json.Marshal(password)
	b, err := json.Marshal(fields)
	if err != nil {
		return password
	}
	return string(b)
}

func (s *Service) builtinGet(ctx context.Context, ev rotationEvent, in map[string]any) (*secretValue, error) {
	in["SecretId"] = ev.SecretId
	out, err := s.do(ctx, ev.SecretId, "GetSecretValue", in)
	if err != nil {
		return nil, err
	}
	return out.(*secretValue), nil
}

func (s *Service) builtinFinish(ctx context.Context, ev rotationEvent) error {
	out, err := s.do(ctx, ev.SecretId, "DescribeSecret", map[string]any{"SecretId": ev.SecretId})
	if err != nil {
		return err
	}
	in := map[string]any{"SecretId": ev.SecretId, "VersionStage": current, "MoveToVersionId": ev.ClientRequestToken}
	for id, stages := range out.(description).VersionIdsToStages {
		if slices.Contains(stages, current) {
			if id == ev.ClientRequestToken {
				return nil // finished by an earlier attempt
			}
			in["RemoveFromVersionId"] = id
		}
	}
	if _, err := s.do(ctx, ev.SecretId, "UpdateSecretVersionStage", in); err != nil {
		return err
	}
	_, err = s.do(ctx, ev.SecretId, "UpdateSecretVersionStage", map[string]any{
		"SecretId": ev.SecretId, "VersionStage": pending, "RemoveFromVersionId": ev.ClientRequestToken,
	})
	return err
}

// do calls the service as its own client, in the place that an ARN names.
func (s *Service) do(ctx context.Context, arn, operation string, in map[string]any) (any, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("secretsmanager: encode %s: %w", operation, err)
	}
	c := &service.Call{Operation: operation, Body: body, Now: s.cfg.Now()}
	if p, ok := arnPlace(arn); ok {
		c.Account, c.Region = p.account, p.region
	}
	return s.Call(ctx, c)
}

func isNotFound(err error) bool {
	if err == nil {
		return false
	}
	code, _ := errorParts(err)
	return code == "ResourceNotFoundException"
}
