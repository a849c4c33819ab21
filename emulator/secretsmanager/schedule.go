package secretsmanager

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// windows tells the first rotation window after an instant: when it opens, and
// when it closes, which is the date that DescribeSecret calls NextRotationDate.
type windows func(after time.Time) (from, until time.Time)

var ratePattern = regexp.MustCompile(`^rate\((\d+) (hours?|days?)\)$`)

// parseRules reads rotation rules by
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html.
// It returns nil windows for rules that schedule nothing.
func parseRules(r *rotationRules) (windows, error) {
	if r == nil || r.AutomaticallyAfterDays == nil && r.ScheduleExpression == nil {
		return nil, nil
	}
	if r.AutomaticallyAfterDays != nil && r.ScheduleExpression != nil {
		return nil, fail("InvalidParameterException", "You can't specify both AutomaticallyAfterDays and ScheduleExpression.")
	}
	length := time.Duration(0)
	if r.Duration != nil {
		hours, err := strconv.Atoi(strings.TrimSuffix(*r.Duration, "h"))
		if err != nil || hours < 1 || hours > 24 {
			return nil, fail("InvalidParameterException", "The rotation window's Duration must be between 1h and 24h.")
		}
		length = time.Duration(hours) * time.Hour
	}
	if r.AutomaticallyAfterDays != nil {
		return everyDays(int(*r.AutomaticallyAfterDays), length), nil
	}
	return parseExpression(*r.ScheduleExpression, length)
}

func parseExpression(expr string, length time.Duration) (windows, error) {
	if m := ratePattern.FindStringSubmatch(expr); m != nil {
		n, err := strconv.Atoi(m[1])
		if strings.HasPrefix(m[2], "day") {
			if err != nil || n < 1 || n > 999 {
				return nil, badSchedule("a rate in days lies between 1 and 999")
			}
			return everyDays(n, length), nil
		}
		if err != nil || n < 4 || n > 999*24 {
			return nil, badSchedule("a secret can be rotated as often as every four hours")
		}
		return everyHours(n, length), nil
	}
	body, ok := strings.CutPrefix(expr, "cron(")
	body, ok2 := strings.CutSuffix(body, ")")
	if !ok || !ok2 {
		return nil, badSchedule("it must have the form rate(value unit) or cron(fields)")
	}
	c, err := parseCron(body)
	if err != nil {
		return nil, badSchedule(err.Error())
	}
	return c.windows(length), nil
}

func badSchedule(why string) error {
	return fail("InvalidParameterException", "The ScheduleExpression is not valid: %s.", why)
}

func midnight(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// closing ends a window after length, else by its default.
func closing(from time.Time, length time.Duration, daily bool) time.Time {
	switch {
	case length > 0:
		return from.Add(length)
	case daily:
		return midnight(from).Add(24*time.Hour - time.Second)
	}
	return from.Add(time.Hour)
}

func everyDays(n int, length time.Duration) windows {
	return func(after time.Time) (time.Time, time.Time) {
		from := midnight(after).AddDate(0, 0, n)
		return from, closing(from, length, true)
	}
}

// everyHours counts from the midnight before, where AWS lets windows start.
func everyHours(n int, length time.Duration) windows {
	return func(after time.Time) (time.Time, time.Time) {
		from := midnight(after)
		for !from.After(after) {
			from = from.Add(time.Duration(n) * time.Hour)
		}
		return from, closing(from, length, false)
	}
}

// cron is a parsed expression of six fields: minutes (always 0), hours, day of
// month, month, day of week, year (always *).
type cron struct {
	hours, days, months, weekdays []int
	anyDay, anyWeekday            bool
	lastDay                       bool // L in day of month
	lastWeekday                   int  // 5L: the last Thursday; 0 is none
	nthWeekday, nth               int  // 3#2: the second Tuesday
}

var (
	monthNames = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	dayNames   = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

func parseCron(body string) (*cron, error) {
	f := strings.Fields(strings.ToUpper(body))
	if len(f) != 6 {
		return nil, fmt.Errorf("a cron expression has six fields, this one has %d", len(f))
	}
	if f[0] != "0" {
		return nil, fmt.Errorf("the minutes of a cron expression must be 0")
	}
	if f[5] != "*" {
		return nil, fmt.Errorf("the year of a cron expression must be *")
	}
	if f[2] != "?" && f[2] != "*" && f[4] != "?" && f[4] != "*" {
		return nil, fmt.Errorf("day of month and day of week cannot both be given; put ? in one of them")
	}
	c := &cron{}
	var err error
	if c.hours, err = cronField(f[1], 0, 23, nil); err != nil {
		return nil, fmt.Errorf("hours: %w", err)
	}
	if c.months, err = cronField(f[3], 1, 12, monthNames); err != nil {
		return nil, fmt.Errorf("month: %w", err)
	}
	if err := c.setDays(f[2]); err != nil {
		return nil, fmt.Errorf("day of month: %w", err)
	}
	if err := c.setWeekdays(f[4]); err != nil {
		return nil, fmt.Errorf("day of week: %w", err)
	}
	return c, nil
}

func (c *cron) setDays(field string) (err error) {
	switch field {
	case "?", "*":
		c.anyDay = true
	case "L":
		c.lastDay = true
	default:
		c.days, err = cronField(field, 1, 31, nil)
	}
	return err
}

func (c *cron) setWeekdays(field string) (err error) {
	if field == "?" || field == "*" {
		c.anyWeekday = true
		return nil
	}
	if field == "L" {
		field = "7"
	}
	if day, ok := strings.CutSuffix(field, "L"); ok {
		c.lastWeekday, err = cronNumber(day, 1, 7, dayNames)
		return err
	}
	if day, nth, ok := strings.Cut(field, "#"); ok {
		if c.nthWeekday, err = cronNumber(day, 1, 7, dayNames); err != nil {
			return err
		}
		c.nth, err = cronNumber(nth, 1, 5, nil)
		return err
	}
	c.weekdays, err = cronField(field, 1, 7, dayNames)
	return err
}

// cronField expands lists, ranges and steps: "1,5", "MON-FRI", "8/4", "/4".
func cronField(field string, low, high int, names []string) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(field, ",") {
		span, step, stepped := strings.Cut(part, "/")
		from, to, every := low, high, 1
		var err error
		if stepped {
			if every, err = cronNumber(step, 1, high, nil); err != nil {
				return nil, err
			}
		}
		if a, b, ranged := strings.Cut(span, "-"); ranged {
			if from, err = cronNumber(a, low, high, names); err == nil {
				to, err = cronNumber(b, low, high, names)
			}
		} else if span != "*" && !(span == "" && stepped) {
			from, err = cronNumber(span, low, high, names)
			if !stepped {
				to = from
			}
		}
		if err != nil {
			return nil, err
		}
		if from > to {
			return nil, fmt.Errorf("%q runs backwards", part)
		}
		for n := from; n <= to; n += every {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func cronNumber(s string, low, high int, names []string) (int, error) {
	if i := slices.Index(names, s); i >= 0 {
		return i + 1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q is not a number from %d to %d", s, low, high)
	}
	return n, nil
}

func (c *cron) windows(length time.Duration) windows {
	return func(after time.Time) (from, until time.Time) {
		// 29 February is at most eight years away; the Fifth Monday of a month less.
		for day, end := midnight(after), after.AddDate(9, 0, 0); day.Before(end); day = day.AddDate(0, 0, 1) {
			if !c.matchesDay(day) {
				continue
			}
			for _, h := range c.hours {
				if from := day.Add(time.Duration(h) * time.Hour); from.After(after) {
					return from, closing(from, length, len(c.hours) == 1)
				}
			}
		}
		return time.Time{}, time.Time{}
	}
}

func (c *cron) matchesDay(day time.Time) bool {
	if !slices.Contains(c.months, int(day.Month())) {
		return false
	}
	if c.lastDay && day.AddDate(0, 0, 1).Day() != 1 {
		return false
	}
	if !c.anyDay && !c.lastDay && !slices.Contains(c.days, day.Day()) {
		return false
	}
	weekday := int(day.Weekday()) + 1
	switch {
	case c.anyWeekday:
		return true
	case c.lastWeekday > 0:
		return weekday == c.lastWeekday && day.AddDate(0, 0, 7).Month() != day.Month()
	case c.nthWeekday > 0:
		return weekday == c.nthWeekday && (day.Day()-1)/7+1 == c.nth
	}
	return slices.Contains(c.weekdays, weekday)
}
