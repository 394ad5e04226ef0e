import { rollingRestart } from "./rolling-restart.ts";

// bun run test:rolling
// Two rounds of restarts of both gateways under 200 requests a second and 500 WebSockets, and then kill -9 of one.

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const outcome = await rollingRestart({ requestsPerSecond: 200, sockets: 500, rounds: 2, calmMs: 5000 }, print);
print(JSON.stringify(outcome, undefined, 2));
const { failed, failedByKill, inFlightAtKill, missed, repeated } = outcome;
const isGood = failed.length + missed + repeated === 0 && failedByKill.length <= inFlightAtKill;
print(isGood ? "good: nothing failed, missed or came twice" : "BAD");
process.exit(isGood ? 0 : 1);
