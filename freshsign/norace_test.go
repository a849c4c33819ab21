//go:build !race

package freshsign

const raceEnabled = false
