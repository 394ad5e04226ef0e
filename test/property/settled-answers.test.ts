import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import document from "../../clients/typescript/openapi.json";
import { settledStates } from "../support/settled.ts";
import { type ApiDocument, type ApiRequest, arbitraryGraphql, arbitraryRequest } from "./bounded-keys/requests.ts";
import { type Twin, TwinDatabase } from "./bounded-keys/twins.ts";
import { arbitraryWorld, worldEndMs, worldStartMs } from "./bounded-keys/worlds.ts";
import { propertyRuns } from "../support/property-runs.ts";

// The same fleet in rows, half of it in blocks, and all of it in blocks: whatever is asked, over REST, GraphQL or as CSV, with or without
// bounds, the answer is the same, byte by byte. TELEMETRY_PROPERTY_RUNS sets the number of fleets.

/** The paths that read history. */
const { paths } = document as unknown as ApiDocument;
const ofHistory = {
  paths: Object.fromEntries(
    Object.entries(paths).filter(([path]) => /telemetry|metrics|coverage|usage|holders|query/.test(path)),
  ),
};

const window = `start_time=${new Date(worldStartMs - 3_600_000).toISOString()}&end_time=${new Date(worldEndMs).toISOString()}`;
/** What is asked of each fleet. */
const always: readonly ApiRequest[] = [
  { path: "/api/v1/telemetry?limit=7", accept: "application/json" },
  { path: "/api/v1/telemetry?order=asc&namespace=own-team", accept: "text/csv" },
  { path: "/api/v1/gpus/GPU-own-0/telemetry?limit=2", accept: "application/json" },
  { path: `/api/v1/telemetry/aggregates?group_by=namespace&metrics=temperature&${window}`, accept: "application/json" },
  { path: `/api/v1/usage?group_by=pod&step=hour&${window}`, accept: "application/json" },
  { path: `/api/v1/usage/jobs?${window}`, accept: "text/csv" },
];

const numRuns = propertyRuns(1);
let database: TwinDatabase;
beforeAll(async () => void (database = await TwinDatabase.open(0)), 60_000);
afterAll(() => database.close());

/** The answers to a request, and to those for the following parts of a list. */
async function answersTo({ gateway }: Twin, headers: Twin["headers"], request: ApiRequest): Promise<unknown[]> {
  const answers: unknown[] = [];
  const { accept, query } = request;
  const post =
    query === undefined
      ? { headers: { ...headers, accept } }
      : {
          method: "POST",
          body: JSON.stringify({ query }),
          headers: { ...headers, accept, "content-type": "application/json" },
        };
  let { path } = request;
  for (let part = 0; part < 4; part += 1) {
    const answer = await gateway.get(path, post);
    const text = (await answer.text()).replaceAll(/20(?:2[6-9]|[3-9]\d)-\d\d-\d\dT[\d:.]+Z/g, "now");
    answers.push([path, query, accept, answer.status, text]);
    const next = /"next_cursor":"([^"]+)"/.exec(text)?.[1];
    if (next === undefined) break;
    path = `${request.path}${request.path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(next)}`;
  }
  return answers;
}

test(
  "an answer does not depend on how much of the history is settled",
  async () => {
    const rest = fc.array(arbitraryRequest(ofHistory), { minLength: 15, maxLength: 15 });
    const operations = fc.array(arbitraryGraphql, { minLength: 6, maxLength: 6 });
    const property = fc.asyncProperty(arbitraryWorld, rest, operations, async (world, requests, queries) => {
      const answers: unknown[][] = [];
      for (const state of settledStates) {
        const twin = await database.twin(world, undefined, state);
        const ofState: unknown[] = [];
        for (const headers of [twin.headers, twin.unboundedHeaders]) {
          for (const request of [...always, ...requests, ...queries])
            ofState.push(...(await answersTo(twin, headers, request)));
        }
        answers.push(ofState);
        await twin.close();
      }
      for (const [index, state] of settledStates.entries()) {
        answers[0]?.forEach((answer, at) => expect([state, answers[index]?.[at]]).toEqual([state, answer]));
        expect(answers[index]).toHaveLength(answers[0]?.length ?? NaN);
      }
    });
    // a failure names the seed; to make it smaller would take minutes
    await fc.assert(property, { numRuns, endOnFailure: true });
  },
  60_000 + numRuns * 15_000,
);
