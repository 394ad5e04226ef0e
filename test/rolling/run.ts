import { answersHelp } from "../../src/terminal/answers-help.ts";
import { rollingRestart } from "./rolling-restart.ts";

const usage = `Restarts both gateways twice under 200 requests a second and 500 WebSockets, and then ends one by kill -9.
  bun run test:rolling
Exits with 1 if a request failed, or a WebSocket missed a record or got it twice.`;

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const outcome = await rollingRestart({ requestsPerSecond: 200, sockets: 500, rounds: 2, calmMs: 5000 }, print);
print(JSON.stringify(outcome, undefined, 2));
const { failed, failedByKill, inFlightAtKill, missed, repeated } = outcome;
const isGood = failed.length + missed + repeated === 0 && failedByKill.length <= inFlightAtKill;
print(isGood ? "good: nothing failed, missed or came twice" : "BAD");
process.exit(isGood ? 0 : 1);
