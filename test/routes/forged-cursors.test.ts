import { expect, test } from "bun:test";
import { fleetGateway } from "../support/fleet-gateway.ts";

const running = fleetGateway();

/** What a cursor may hold that no gateway has made. */
const forged = [
  ...["", "x", "null", "{}", "[]", "[null]", "[[1]]", "[1,2,{}]", '["a"', "1.5:2", "[1.5,2.5]", "[0.1]", "1:2:3"],
  ...[
    "[1e308,1]",
    "[1e999]",
    "99999999999999999999:1",
    "1:99999999999999999999",
    "9007199254740993:0",
    "8640000000000001:1",
  ],
  ...['["\\u0000",1,"x"]', '["a",0,"b\\u0000"]', '["a\\ud800",0,"b"]', '[3600000,"\\u0000"]', '["a","b","\\u0000"]'],
  ...['[0,"a","b\\udfff",""]', '["a",1.5,"b"]'],
];

const lists = [
  ...["/api/v1/gpus?limit=1", "/api/v1/hosts?limit=1", "/api/v1/telemetry?limit=1", "/api/v1/telemetry?resolution=1m"],
  ...["/api/v1/gpus/GPU-host-a-0/telemetry?limit=1", "/api/v1/faults?limit=1", "/api/v1/usage?limit=1"],
  ...["/api/v1/usage/jobs?limit=1", "/api/v1/coverage?limit=1", "/api/v1/inventory?limit=1", "/api/v1/targets?limit=1"],
];

test("a cursor that no gateway has made is refused by every list, and never an error inside", async () => {
  for (const list of lists) {
    for (const content of forged) {
      const cursor = Buffer.from(content).toString("base64url");
      const answer = await running.gateway.get(`${list}&cursor=${cursor}`);
      expect([list, content, answer.status]).toEqual([list, content, 400]);
      expect(await answer.text()).toContain("next_cursor of the previous answer, unchanged");
    }
  }
  expect(running.gateway.logged.filter((line) => line.includes('"level":50'))).toEqual([]);
});

test("the cursors of every list lead on", async () => {
  for (const list of ["/api/v1/gpus?limit=1", "/api/v1/hosts?limit=1", "/api/v1/telemetry?limit=1"]) {
    const { next_cursor: cursor } = await running.gateway.json(list);
    const following = await running.gateway.json(`${list}&cursor=${cursor as string}`);
    expect([list, following["count"]]).toEqual([list, 1]);
  }
});
