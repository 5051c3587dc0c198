// Runs the Node program that the first argument names, and ends with the pipe on standard input: Azurite does not outlive the test
// process, however that ends.
"use strict";

process.argv.splice(1, 1);
process.stdin.on("end", () => process.exit()).resume();
require(process.argv[1]);
