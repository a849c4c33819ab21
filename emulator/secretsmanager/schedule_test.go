package secretsmanager

import (
	"strings"
	"testing"
	"time"
)

func TestSchedulesOpenAndCloseTheirWindows(t *testing.T) {
	ptr := func(s string) *string { return &s }
	days := func(n int64) *rotationRules { return &rotationRules{AutomaticallyAfterDays: &n} }
	expr := func(e string) *rotationRules { return &rotationRules{ScheduleExpression: ptr(e)} }
	long := expr("rate(1 day)")
	long.Duration = ptr("3h")
	const after = "2026-03-10 15:30:00" // a Tuesday
	for _, c := range []struct {
		name        string
		rules       *rotationRules
		from, until string
	}{
		{"30 days", days(30), "2026-04-09 00:00:00", "2026-04-09 23:59:59"},
		{"1 day", days(1), "2026-03-11 00:00:00", "2026-03-11 23:59:59"},
		{"rate in days with a duration", long, "2026-03-11 00:00:00", "2026-03-11 03:00:00"},
		{"rate in hours", expr("rate(4 hours)"), "2026-03-10 16:00:00", "2026-03-10 17:00:00"},
		{"rate of 36 hours", expr("rate(36 hours)"), "2026-03-11 12:00:00", "2026-03-11 13:00:00"},
		{"daily at 8", expr("cron(0 8 * * ? *)"), "2026-03-11 08:00:00", "2026-03-11 23:59:59"},
		{"later today", expr("cron(0 18 ? * * *)"), "2026-03-10 18:00:00", "2026-03-10 23:59:59"},
		{"every 4 hours", expr("cron(0 /4 * * ? *)"), "2026-03-10 16:00:00", "2026-03-10 17:00:00"},
		{"from 2 every 8 hours", expr("cron(0 2/8 * * ? *)"), "2026-03-10 18:00:00", "2026-03-10 19:00:00"},
		{"first of the month", expr("cron(0 0 1 * ? *)"), "2026-04-01 00:00:00", "2026-04-01 23:59:59"},
		{"last of the month", expr("cron(0 23 L * ? *)"), "2026-03-31 23:00:00", "2026-03-31 23:59:59"},
		{"leap day", expr("cron(0 1 29 2 ? *)"), "2028-02-29 01:00:00", "2028-02-29 23:59:59"},
		{"Saturdays", expr("cron(0 1 ? * SAT *)"), "2026-03-14 01:00:00", "2026-03-14 23:59:59"},
		{"last Thursday", expr("cron(0 1 ? * 5L *)"), "2026-03-26 01:00:00", "2026-03-26 23:59:59"},
		{"every Saturday by L", expr("cron(0 1 ? * L *)"), "2026-03-14 01:00:00", "2026-03-14 23:59:59"},
		{"second Tuesday, passed at 1", expr("cron(0 1 ? * 3#2 *)"), "2026-04-14 01:00:00", "2026-04-14 23:59:59"},
		{"months by name", expr("cron(0 1 ? JAN,JUN-JUL MON-FRI *)"), "2026-06-01 01:00:00", "2026-06-01 23:59:59"},
		{"never", expr("cron(0 1 31 2 ? *)"), "0001-01-01 00:00:00", "0001-01-01 00:00:00"},
	} {
		w, err := parseRules(c.rules)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		at, _ := time.Parse(time.DateTime, after)
		from, until := w(at)
		if from.Format(time.DateTime) != c.from || until.Format(time.DateTime) != c.until {
			t.Errorf("%s: got %s to %s, want %s to %s", c.name, from.Format(time.DateTime), until.Format(time.DateTime), c.from, c.until)
		}
	}
	if w, err := parseRules(nil); w != nil || err != nil {
		t.Error("no rules schedule something")
	}
}

func TestWrongSchedulesAreRefused(t *testing.T) {
	for _, e := range []string{"", "rate(3 hours)", "rate(0 days)", "rate(1000 days)", "rate(1 week)", "every day", "cron(0 1 * * *)", "cron(5 1 * * ? *)",
		"cron(0 1 * * ? 2026)", "cron(0 24 * * ? *)", "cron(0 1 1 * MON *)", "cron(0 1 32 * ? *)", "cron(0 1 ? 13 * *)", "cron(0 1 ? * 8 *)", "cron(0 1 ? * 9L *)",
		"cron(0 1 ? * 3#6 *)", "cron(0 1 ? * 0#1 *)", "cron(0 5-1 * * ? *)", "cron(0 1/0 * * ? *)", "cron(0 a-b * * ? *)", "cron(0 1 x * ? *)"} {
		_, err := parseRules(&rotationRules{ScheduleExpression: &e})
		if err == nil || !strings.HasPrefix(err.Error(), "InvalidParameterException: ") {
			t.Errorf("%q: %v", e, err)
		}
	}
	for _, d := range []string{"0h", "25h", "xh"} {
		e := "rate(1 day)"
		if _, err := parseRules(&rotationRules{ScheduleExpression: &e, Duration: &d}); err == nil {
			t.Errorf("duration %s", d)
		}
	}
}

// FuzzSchedule: whatever the expression, a window opens after the instant.
func FuzzSchedule(f *testing.F) {
	for _, e := range []string{"rate(4 hours)", "rate(99999999999 days)", "cron(0 8 * * ? *)", "cron(0 /4 L * ? *)", "cron(0 1 ? * 3#2 *)"} {
		f.Add(e)
	}
	at := time.Date(2026, 3, 10, 15, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, e string) {
		w, err := parseRules(&rotationRules{ScheduleExpression: &e})
		if err != nil {
			return
		}
		if from, until := w(at); !from.IsZero() && (!from.After(at) || until.Before(from)) {
			t.Errorf("%q: %s to %s", e, from, until)
		}
	})
}
