import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type LoadedGateway, realCsv, startLoadedGateway } from "../support/loaded-gateway.ts";
import { walk } from "./openapi/walk.ts";

// `bun run test:fuzz` is the long one.
describe.skipIf(realCsv === undefined)("requests that are generated from the OpenAPI document", () => {
  let gateway: LoadedGateway;
  beforeAll(async () => void (gateway = await startLoadedGateway()), 90_000);
  afterAll(() => gateway.stop());

  test("get what it declares, and never a 5xx", async () => {
    const seed = crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
    const { answers, fault } = await walk(gateway.url, 400, seed);
    expect([seed, fault]).toEqual([seed, undefined]);
    expect(answers.size).toBeGreaterThan(20);
    expect(gateway.isAlive()).toBe(true);
  }, 60_000);
});
