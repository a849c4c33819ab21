// Package clients holds the emulator beside clients that nobody here wrote.
//
// An emulator that is tested with the SDK it was written against proves that the
// two agree, and both may be wrong. So its tests run what people run: the AWS
// command line interface as Debian ships it, and the AWS SDK for JavaScript from
// npm, over a real socket, through the life of a secret: create, read, put, list,
// describe, rotate (the rotation function is called for its four steps), delete,
// restore. A wrong key, an unknown key, a wrong region and a clock that is ten
// minutes off must reach the person at the terminal as AWS's own errors.
//
// There is nothing to import. The tests install what is missing when they run as
// root on Debian (the command line interface) or find npm (the SDK, pinned by
// testdata/package-lock.json, into the user's cache directory), and say what they
// lack where they cannot. MIDDY_INSTALL=0, and -short, install nothing.
package clients
