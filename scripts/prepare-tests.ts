import { trixieFolder, trixieObstacle } from "../dev/servers/trixie.ts";

// Builds once, before any test's time runs, the folder that the tests' servers are started from. Where it cannot be built the
// tests use what the environment names or containers give, or say in a sentence what they miss.

const obstacle = trixieObstacle();
if (obstacle === undefined) await trixieFolder();
else process.stdout.write(`etcd and TimescaleDB are not started from a Debian folder: ${obstacle}\n`);
process.exit(0);
