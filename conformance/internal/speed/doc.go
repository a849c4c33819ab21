// Package speed runs our middlewares and Middy's, each as a whole function in a
// process of its own on the emulator, in one run.
//
// A faster language does not make a faster function by itself: what a stack of
// middlewares costs shows only where both do the same work on the same event, from
// Lambda's Runtime API and back.
package speed
