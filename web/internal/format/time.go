package format

import (
	"strings"
	"time"
)

// date is a full-date of RFC 3339 section 5.6.
func date(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// clock is a full-time of RFC 3339 section 5.6; with iso a time of ISO 8601 as Ajv has
// it, which may lack the offset, or its minutes, or the colon in it. A leap second is
// one only at 23:59:60 UTC.
func clock(s string, iso bool) bool {
	if len(s) < len("15:04:05") || s[2] != ':' || s[5] != ':' {
		return false
	}
	hour, minute, second := two(s), two(s[3:]), two(s[6:])
	s = s[len("15:04:05"):]
	if fraction, ok := strings.CutPrefix(s, "."); ok {
		s = strings.TrimLeft(fraction, "0123456789")
		if len(s) == len(fraction) {
			return false
		}
	}
	east, ok := offset(s, iso)
	if !ok || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return false
	}
	return second < 60 || (hour*60+minute-east+2*24*60)%(24*60) == 23*60+59
}

// offset is a time-offset, in minutes.
func offset(s string, iso bool) (east int, ok bool) {
	if s == "" {
		return 0, iso
	}
	if s == "Z" || s == "z" {
		return 0, true
	}
	sign, s := s[0], s[1:]
	hour, minute := -1, -1
	switch {
	case len(s) == len("07:00") && s[2] == ':':
		hour, minute = two(s), two(s[3:])
	case iso && len(s) == len("0700"):
		hour, minute = two(s), two(s[2:])
	case iso && len(s) == len("07"):
		hour, minute = two(s), 0
	}
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 || sign != '+' && sign != '-' {
		return 0, false
	}
	if sign == '-' {
		return -hour*60 - minute, true
	}
	return hour*60 + minute, true
}

// two are the two digits that s begins with, or -1.
func two(s string) int {
	if len(s) < 2 || !digit(s[0]) || !digit(s[1]) {
		return -1
	}
	return int(s[0]-'0')*10 + int(s[1]-'0')
}

const dateLength = len(time.DateOnly)

// dateTime is a date-time of RFC 3339 section 5.6. A blank in place of the T is what
// the section's note allows applications to agree on, and no date-time.
func dateTime(s string) bool {
	return len(s) > dateLength && (s[dateLength] == 'T' || s[dateLength] == 't') && date(s[:dateLength]) && clock(s[dateLength+1:], false)
}

// ISOTime is a time of ISO 8601, as Ajv has it.
func ISOTime(s string) bool { return clock(s, true) }

// ISODateTime is a date and time of ISO 8601, as Ajv has it: a blank may separate them.
func ISODateTime(s string) bool {
	return len(s) > dateLength && strings.IndexByte("Tt ", s[dateLength]) >= 0 && date(s[:dateLength]) && clock(s[dateLength+1:], true)
}

// Time returns the instant that a date-time is, or false when it is none. Go has no
// leap second: as in POSIX it is the first second of the next day.
func Time(s string) (time.Time, bool) {
	if !dateTime(s) {
		return time.Time{}, false
	}
	s = strings.ToUpper(s)
	leap := time.Duration(0)
	if second := dateLength + len("T15:04:"); s[second] == '6' {
		s, leap = s[:second]+"59"+s[second+2:], time.Second
	}
	t, err := time.Parse(time.RFC3339, s)
	return t.Add(leap), err == nil
}

// duration is one of RFC 3339 appendix A: units follow each other without a gap.
func duration(s string) bool {
	s, ok := strings.CutPrefix(s, "P")
	if weeks, isWeeks := strings.CutSuffix(s, "W"); isWeeks {
		return ok && weeks != "" && only(weeks, digit, "")
	}
	days, clock, timed := strings.Cut(s, "T")
	return ok && (days != "" || timed) && units(days, "YMD") && (!timed || clock != "" && units(clock, "HMS"))
}

func units(s, order string) bool {
	for i := -1; s != ""; {
		rest := strings.TrimLeft(s, "0123456789")
		if rest == "" || len(rest) == len(s) {
			return false
		}
		next := strings.IndexByte(order, rest[0])
		if next < 0 || i >= 0 && next != i+1 {
			return false
		}
		i, s = next, rest[1:]
	}
	return true
}
