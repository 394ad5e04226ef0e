import { parseArgs } from "node:util";
import { walkExpositions } from "./walk.ts";

// Scans mutated expositions and compares every line with a slow reference.
//   bun run test:fuzz-expositions [--expositions 1000000] [--seed N]
// If a line has a wrong outcome, prints it, and exits with status 1. The same seed gives the same expositions.

const { values } = parseArgs({
  options: { expositions: { type: "string", default: "1000000" }, seed: { type: "string" } },
});
const seed = Number(values.seed ?? crypto.getRandomValues(new Int32Array(1))[0]);
const startedAt = performance.now();
const { expositions, lines, rejected, mismatch } = walkExpositions(Number(values.expositions), seed);
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
console.log(`${expositions} expositions, ${lines} lines, ${rejected} rejected, ${seconds} s, seed ${seed}`);
if (mismatch !== undefined) console.log(mismatch);
process.exit(mismatch === undefined ? 0 : 1);
