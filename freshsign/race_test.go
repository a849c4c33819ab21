//go:build race

package freshsign

const raceEnabled = true
