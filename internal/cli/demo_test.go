package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/internal/demo"
)

func TestDemoFreezePrintsOneTableAndTheCauses(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and plays a round")
	}
	r := run(t, "demo", "freeze", "--rounds", "1")
	r.wantCode(exitOK)
	for _, want := range []string{
		"invocations", "rejected", "healed", "p99", "plain SDK: 7 of 32 invocations failed; Middy: none.",
		"Signature expired: ", "freeze gap: the service found the signature 5m10s old", "the value confirmed 9m1s ago was served",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the output has no %q:\n%s", want, r.stdout)
		}
	}
	if strings.Contains(r.stdout+r.stderr, "not-a-real-password") {
		t.Error("the output has the secret")
	}
}

func TestDemoFreezeForMachines(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and plays a round")
	}
	r := run(t, "demo", "freeze", "--json", "--rounds", "1")
	r.wantCode(exitOK)
	var got demo.Report
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatalf("stdout is no JSON object: %v\n%s", err, r.stdout)
	}
	if !got.Proven || got.Middy.Failed != 0 || got.Plain.Failed != 7 || got.Middy.Healed == 0 {
		t.Errorf("report %+v", got)
	}
}

func TestDemoFreezeEndsOnCtrlC(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer time.AfterFunc(300*time.Millisecond, cancel).Stop()
	var out, errs bytes.Buffer
	code := Run(ctx, []string{"demo", "freeze", "--rounds", "100"}, strings.NewReader(""), &out, &errs, os.Environ())
	if code != exitInterrupted {
		t.Errorf("exit code %d, want %d; stderr:\n%s", code, exitInterrupted, errs.String())
	}
}

func TestDemoHasOneShow(t *testing.T) {
	for _, args := range [][]string{{"demo"}, {"demo", "thaw"}, {"demo", "freeze", "--rounds", "0"}} {
		run(t, args...).wantCode(exitUsage)
	}
}
