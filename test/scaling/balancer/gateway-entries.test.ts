import { expect, test } from "bun:test";
import { gatewayEntries, listedGateways } from "../../../src/scaling/balancer/gateway-entries.ts";
import type { BackendEntry } from "../../../src/scaling/balancer/backend.ts";
import { instanceOf } from "../../contract/service-registry.ts";

test("only gateways are behind the balancer; of two at one address, the one that started last", () => {
  const url = "http://127.0.0.1:8080";
  const gateway = (name: string, started_at: string, state: "ready" | "draining") => ({
    ...instanceOf(name),
    ...{ name, url, started_at, state, roles: ["gateway"] },
  });
  const instances = [
    gateway("a", "2025-07-18T20:42:34Z", "draining"),
    gateway("b", "2025-07-18T20:42:35Z", "ready"),
    { ...instanceOf("c"), roles: ["collector"], url: "http://127.0.0.1:9200" },
  ];
  const expected = [{ name: "b", url, isDraining: false }];
  expect(gatewayEntries(instances)).toEqual(expected);
  expect(gatewayEntries(instances.toReversed())).toEqual(expected);
  expect(gatewayEntries(instances.slice(0, 1))).toEqual([{ name: "a", url, isDraining: true }]);
});

test("a fixed list of gateways has their URLs without a path", async () => {
  let listed: readonly BackendEntry[] = [];
  const watching = listedGateways(["http://one:8080/", "https://two"]);
  await watching((entries) => (listed = entries), new AbortController().signal);
  expect(listed.map(({ name, url }) => [name, url])).toEqual([
    ["one:8080", "http://one:8080"],
    ["two", "https://two"],
  ]);
});
