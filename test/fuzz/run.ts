import { parseArgs } from "node:util";
import { startLoadedGateway } from "../support/loaded-gateway.ts";
import { walk } from "./openapi/walk.ts";

// Sends generated requests of every operation of the OpenAPI document to a pipeline that has imported the real
// CSV, or to the gateway at --url.
//   bun run test:fuzz [--requests 10000] [--seed N] [--url http://localhost:8080]
// If a response is wrong, prints the smallest such request that it finds, and exits with status 1.
// The same seed sends the same requests.

const { values } = parseArgs({
  options: { requests: { type: "string", default: "10000" }, seed: { type: "string" }, url: { type: "string" } },
});
const seed = Number(values.seed ?? crypto.getRandomValues(new Int32Array(1))[0]);
const gateway = values.url === undefined ? await startLoadedGateway() : undefined;
const url = (values.url ?? gateway?.url ?? "").replace(/\/$/, "");
const startedAt = performance.now();
console.log(`seed ${seed}`);
const { answers, mismatch } = await walk(url, Number(values.requests), seed);
for (const [answer, count] of [...answers].sort()) console.log(`${String(count).padStart(6)} ${answer}`);
const sent = [...answers.values()].reduce((sum, count) => sum + count, 0);
console.log(`${sent} requests in ${((performance.now() - startedAt) / 1000).toFixed(1)} s, seed ${seed}`);
await gateway?.stop();
const target = values.url === undefined ? "" : ` --url ${values.url}`;
if (mismatch !== undefined)
  console.log(`\n${mismatch}\n\nTo repeat: bun run test:fuzz --seed ${seed} --requests ${values.requests}${target}`);
process.exit(mismatch === undefined ? 0 : 1);
