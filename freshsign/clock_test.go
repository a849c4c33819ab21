package freshsign

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

func (e *engine) shift() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.offsets[""].value
}

func TestTheClocksDisagreeBeyondASecond(t *testing.T) {
	const tick = time.Nanosecond
	for _, c := range []struct {
		wall, mono time.Duration
		epoch      uint64
		pool       uint64
	}{
		{0, 0, 0, 0},
		{time.Second, 0, 0, 0},
		{time.Second + tick, 0, 1, 1},
		{0, time.Second, 0, 0},
		{0, time.Second + tick, 1, 1},
		{-time.Second, 0, 0, 0},
		{-time.Second - tick, 0, 1, 1},
		{time.Minute, time.Minute, 0, 0},
		{time.Minute + tick, time.Minute + tick, 0, 1},
		{9 * time.Hour, 9 * time.Hour, 0, 1},
		{9 * time.Hour, time.Second, 1, 1},
	} {
		v := newVirtual()
		e := newEngine(Config{Clock: v.read})
		e.look("")
		e.offsets[""] = offset{value: time.Hour}
		v.move(c.wall, c.mono)
		m := e.look("")
		if m.epoch != c.epoch || m.pool != c.pool {
			t.Errorf("wall %v, mono %v: epoch %d, pool %d; want %d, %d", c.wall, c.mono, m.epoch, m.pool, c.epoch, c.pool)
		}
		if forgotten := e.shift() == 0; forgotten != (m.offset == 0) || forgotten != (c.epoch > 0) {
			t.Errorf("wall %v, mono %v: offset forgotten: %v", c.wall, c.mono, forgotten)
		}
		if again := e.look(""); again != m {
			t.Errorf("a second look sees %v, not %v", again, m)
		}
	}
}

func TestAWaitIsCertainIfBothClocksSawIt(t *testing.T) {
	const sec, tick = time.Second, time.Nanosecond
	for _, c := range []struct {
		age, wall, mono time.Duration
		want            Confidence
	}{
		{360 * sec, 330 * sec, 330 * sec, Certain}, // half a minute may be the clocks' difference
		{360 * sec, 330*sec - tick, 330 * sec, Likely},
		{360 * sec, 330 * sec, 330*sec - tick, Likely},
		{360 * sec, 330*sec - tick, 330*sec - tick, Possible},
		{31 * sec, sec, sec, Certain},
		{31*sec + tick, sec, sec, Possible},
		{0, sec, sec, Certain}, // less than a second is no wait
		{0, sec - tick, sec, Likely},
		{0, sec, sec - tick, Likely},
		{0, sec - tick, sec - tick, Possible},
		{-tick, 360 * sec, 360 * sec, Possible}, // nothing grows younger
	} {
		from := moment{wall: start, mono: time.Hour}
		to := moment{wall: start.Add(c.wall), mono: time.Hour + c.mono}
		if got := waited(from, to, c.age); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
		if waited(moment{}, to, c.age) != Likely || waited(from, moment{}, c.age) != Likely {
			t.Error("without looks nobody is certain, and nothing speaks against it")
		}
	}
}

func TestALookThatComesLateChangesNothing(t *testing.T) {
	v := newVirtual()
	e := newEngine(Config{Clock: v.read})
	v.move(time.Minute, time.Minute)
	last := e.look("")
	v.move(-time.Minute, -time.Millisecond)
	if m := e.look(""); m.epoch != 0 || e.last != last {
		t.Errorf("%+v", m)
	}
}

func TestMomentsCarryNoMonotonicReading(t *testing.T) {
	e := newEngine(Config{})
	if m := e.look(""); m.wall != m.wall.Round(0) || m.wall.IsZero() {
		t.Error(m.wall)
	}
}

func TestDefaults(t *testing.T) {
	e := newEngine(Config{})
	if e.Window != 5*time.Minute || e.strong() != 4*time.Minute || e.MaxHeals != 3 || e.err != nil {
		t.Errorf("%+v", e)
	}
	if e = newEngine(Config{Window: 10 * time.Second, MaxHeals: -1}); e.strong() != 8*time.Second || e.MaxHeals != -1 {
		t.Errorf("%+v", e)
	}
	if newEngine(Config{Window: -1}).err == nil {
		t.Error("a negative window is accepted")
	}
}

// at makes an exchange that starts after the given time, with a service whose clock is off by skew.
func at(after, rtt, monoRTT, skew time.Duration) exchange {
	s := moment{wall: start.Add(after), mono: after}
	return exchange{start: s, end: moment{wall: start.Add(after + rtt), mono: after + monoRTT}, date: start.Add(after + rtt/2 + skew)}
}

func TestAnExchangeIsTrustedWithinLimits(t *testing.T) {
	const tick = time.Nanosecond
	for _, c := range []struct {
		rtt, mono time.Duration
		trusted   bool
	}{
		{0, 0, true},
		{5 * time.Second, 5 * time.Second, true},
		{5*time.Second + tick, 5*time.Second + tick, false},
		{time.Second - tick, 0, true},
		{time.Second, 0, false},
		{-time.Second + tick, 0, true},
		{-time.Second, 0, false},
		{0, time.Second, false},
		{time.Hour, 0, false},
	} {
		if got := at(0, c.rtt, c.mono, 0).trusted(); got != c.trusted {
			t.Errorf("%+v: %v", c, got)
		}
	}
	x := at(0, 0, 0, 0)
	x.end.epoch++
	if x.trusted() {
		t.Error("across an epoch")
	}
	x = at(0, 0, 0, 0)
	x.date = time.Time{}
	if x.trusted() {
		t.Error("without a date")
	}
	if x = (exchange{date: start}); x.trusted() {
		t.Error("never watched")
	}
}

func TestASkewBelowHalfAMinuteIsNone(t *testing.T) {
	for skew, want := range map[time.Duration]time.Duration{
		0: 0, 29 * time.Second: 0, -29 * time.Second: 0,
		30 * time.Second: 30 * time.Second, -30 * time.Second: -30 * time.Second,
	} {
		if got := at(0, 4*time.Second, 4*time.Second, skew).skew(); got != want {
			t.Errorf("%v: %v, want %v", skew, got, want)
		}
	}
}

func TestAnOffsetIsLearnedByTheRules(t *testing.T) {
	const min, sec = time.Minute, time.Second
	type offer struct {
		after, skew time.Duration
		rejected    bool
	}
	for name, c := range map[string]struct {
		offers []offer
		want   time.Duration
	}{
		"one sample is not enough":                  {[]offer{{0, 3 * min, false}}, 0},
		"two that agree are":                        {[]offer{{0, 3 * min, false}, {3 * sec, 3*min + 2*sec, false}}, 3*min + 2*sec},
		"two that differ are not":                   {[]offer{{0, 3 * min, false}, {3 * sec, 3*min + 2*sec + 1, false}}, 0},
		"two at once could be a mock's fixed date":  {[]offer{{0, 3 * min, false}, {3*sec - 1, 3 * min, false}}, 0},
		"nor later, in a long life":                 {[]offer{{10 * sec, 3 * min, false}, {12 * sec, 3 * min, false}}, 0},
		"and a third decides":                       {[]offer{{0, 3 * min, false}, {2 * sec, 3 * min, false}, {4 * sec, 3 * min, false}}, 3 * min},
		"a fixed date never agrees with itself":     {[]offer{{0, 60 * min, false}, {3 * sec, 60*min - 3*sec, false}, {6 * sec, 60*min - 6*sec, false}, {9 * sec, 60*min - 9*sec, false}}, 0},
		"a rejection is enough":                     {[]offer{{0, 10 * min, true}}, 10 * min},
		"below half a minute nothing":               {[]offer{{0, 29 * sec, true}}, 0},
		"an exchange that started earlier is late":  {[]offer{{10 * sec, 10 * min, true}, {9 * sec, -10 * min, true}}, 10 * min},
		"one that started at the same time is not":  {[]offer{{10 * sec, 10 * min, true}, {10 * sec, -10 * min, true}}, -10 * min},
		"a confirmation counts as later":            {[]offer{{0, 10 * min, true}, {20 * sec, 10 * min, false}, {19 * sec, 0, true}}, 10 * min},
		"a confirmation clears a doubt":             {[]offer{{0, 3 * min, false}, {5 * sec, 0, false}, {10 * sec, 3 * min, false}}, 0},
		"two seconds are a confirmation":            {[]offer{{0, 10 * min, true}, {5 * sec, 10*min + 2*sec, true}}, 10 * min},
		"more are news":                             {[]offer{{0, 10 * min, true}, {5 * sec, 10*min + 3*sec, true}}, 10*min + 3*sec},
		"back to none by two":                       {[]offer{{0, 10 * min, true}, {5 * sec, 0, false}, {10 * sec, 0, false}}, 0},
		"a better sample replaces a doubtful one":   {[]offer{{0, 3 * min, false}, {3 * sec, 7 * min, false}, {6 * sec, 7 * min, false}}, 7 * min},
		"a rejection clears the sample that waited": {[]offer{{0, 3 * min, false}, {sec, 7 * min, true}, {5 * sec, 3 * min, false}}, 7 * min},
	} {
		e := newEngine(Config{Clock: newVirtual().read})
		for _, o := range c.offers {
			e.learn(at(o.after, 0, 0, o.skew), o.rejected)
		}
		if got := e.shift(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestAnOffsetOfAnotherEpochIsNotLearned(t *testing.T) {
	e := newEngine(Config{Clock: newVirtual().read})
	e.last.epoch = 1
	e.learn(at(0, 0, 0, time.Hour), true)
	if e.shift() != 0 {
		t.Error("learned from before a clock event")
	}
	e.learn(at(0, 6*time.Second, 6*time.Second, time.Hour), true)
	x := at(0, 6*time.Second, 6*time.Second, time.Hour)
	x.start.epoch, x.end.epoch = 1, 1
	if e.learn(x, true); e.shift() != 0 {
		t.Error("learned from a slow exchange")
	}
}

func TestASlowOldResponseNeverOverwritesAGoodMeasurement(t *testing.T) {
	g := newRig()
	x := at(0, 6*time.Minute, 6*time.Minute, 0) // frozen; its Date is six minutes old when it is read
	x.date = start
	g.clock.move(time.Minute, time.Minute)
	client := g.client()
	for range 3 {
		if _, err := client.GetSecretValue(t.Context(), getInput); err != nil {
			t.Fatal(err)
		}
	}
	o := client.Options()
	e := o.HTTPSignerV4.(*signer).engine
	if e.learn(x, false); e.shift() != 0 {
		t.Error(e.shift())
	}
}

// Only answers below 400 teach by themselves, and only two together; a rejection teaches when it is judged.
func TestWhatAnAnswerTeaches(t *testing.T) {
	const skew = 3 * time.Minute
	for _, c := range []struct {
		status, answers int
		want            time.Duration
	}{{200, 1, 0}, {200, 2, skew}, {399, 2, skew}, {400, 2, 0}, {500, 2, 0}} {
		v := newVirtual()
		var incidents int
		e := newEngine(Config{Clock: v.read, OnIncident: func(context.Context, Incident) { incidents++ }})
		for range c.answers {
			s := &sending{call: &call{engine: e}, req: httpRequest(), start: e.look("")}
			w, _ := v.read()
			s.received(&http.Response{StatusCode: c.status, Header: http.Header{"Date": {w.Add(skew).UTC().Format(http.TimeFormat)}}})
			v.move(4*time.Second, 4*time.Second)
		}
		if e.shift() != c.want || incidents != 0 {
			t.Errorf("%+v: offset %v, %d incidents: a clock that is wrong is no poison", c, e.shift(), incidents)
		}
	}
}

func TestAnAnswerWithoutADateSuggestsNothing(t *testing.T) {
	g := newRig()
	g.service.noDate = true
	g.wire.read = g.freeze(time.Hour)
	if err := g.get(); err != nil || len(g.incidents) != 0 {
		t.Errorf("%v; %v", err, g.incidents)
	}
}

func TestDatesThatAreNotTrusted(t *testing.T) {
	const date = "Tue, 24 Nov 2026 10:00:00 GMT"
	for name, c := range map[string]struct {
		h    http.Header
		want bool
	}{
		"one":         {http.Header{"Date": {date}}, true},
		"none":        {http.Header{}, false},
		"two":         {http.Header{"Date": {date, date}}, false},
		"unparsable":  {http.Header{"Date": {"yesterday"}}, false},
		"Age":         {http.Header{"Date": {date}, "Age": {"0"}}, false},
		"ANSI C form": {http.Header{"Date": {"Tue Nov 24 10:00:00 2026"}}, true},
	} {
		if d := serverDate(c.h); d.Equal(start) != c.want || d.IsZero() == c.want {
			t.Errorf("%s: %v", name, d)
		}
	}
}

type idleCounter struct {
	http.Client
	closed int
}

func (c *idleCounter) CloseIdleConnections() { c.closed++ }

func TestIdleConnectionsAreNotUsedAgainAfterAnEvent(t *testing.T) {
	user := &idleCounter{}
	tr := &transport{client: user}
	if tr.current(0) != user || user.closed != 0 {
		t.Error("closed without an event")
	}
	tr.current(1)
	if tr.current(1) != user || user.closed != 1 {
		t.Errorf("closed %d times", user.closed)
	}
	sdk := awshttp.NewBuildableClient().WithTimeout(42 * time.Second).WithReadTimeout(7 * time.Second)
	tr = &transport{client: sdk}
	if tr.current(0) != sdk {
		t.Error("replaced without an event")
	}
	again, ok := tr.current(1).(*awshttp.BuildableClient)
	if !ok || again == sdk || again.GetTimeout() != 42*time.Second {
		t.Errorf("%v", again)
	}
	if r, ok := again.GetReadTimeout(); !ok || r != 7*time.Second {
		t.Error("read timeout lost")
	}
	own := doFunc(nil)
	if c := (&transport{client: own}).current(1); c == nil {
		t.Error("own client lost")
	}
}

// What one endpoint says of the time is about its own clock: a wrong or hostile one never dates what others receive.
func TestAnOffsetBelongsToTheHostThatTaughtIt(t *testing.T) {
	e := newEngine(Config{Clock: newVirtual().read})
	teach := func(host string, skew time.Duration) {
		x := at(0, 0, 0, skew)
		x.start.host, x.end.host = host, host
		e.learn(x, true)
	}
	teach("minio.partner.example", 20*365*24*time.Hour)
	teach("s3.us-east-1.amazonaws.com", -10*time.Minute)
	for host, want := range map[string]time.Duration{
		"minio.partner.example":           20 * 365 * 24 * time.Hour,
		"s3.us-east-1.amazonaws.com":      -10 * time.Minute,
		"s3.us-east-1.amazonaws.com:8443": 0,
		"sts.us-east-1.amazonaws.com":     0,
	} {
		if got := e.look(host).offset; got != want {
			t.Errorf("%s is signed for with an offset of %v, want %v", host, got, want)
		}
	}
}

func TestOffsetsOfCountlessHostsAreBounded(t *testing.T) {
	e := newEngine(Config{Clock: newVirtual().read})
	for i := range 3*maxHosts + 1 {
		x := at(0, 0, 0, 10*time.Minute)
		x.start.host = fmt.Sprintf("bucket-%d.s3.amazonaws.com", i)
		e.learn(x, true)
		if e.offsets[x.start.host].value != 10*time.Minute {
			t.Fatalf("the offset of host %d was not learned", i)
		}
	}
	for len(e.offsets) < maxHosts {
		e.offsets[fmt.Sprint(len(e.offsets))] = offset{}
	}
	x := at(0, 0, 0, 20*time.Minute)
	x.start.host = "1"
	if e.learn(x, true); len(e.offsets) != maxHosts {
		t.Errorf("news of a known host left %d offsets, want all %d", len(e.offsets), maxHosts)
	}
	if len(e.offsets) > maxHosts {
		t.Errorf("%d offsets are kept, want at most %d", len(e.offsets), maxHosts)
	}
}
