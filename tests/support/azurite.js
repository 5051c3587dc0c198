// Runs the Node program named by the first argument, and exits when the pipe on standard input
// closes: so Azurite does not outlive the test process, however that ends.
"use strict";

process.argv.splice(1, 1);
process.stdin.on("end", () => process.exit()).resume();
require(process.argv[1]);
