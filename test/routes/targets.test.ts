import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { EtcdUnavailable } from "../../src/domain/errors.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { MemoryTargetStates } from "../../src/pipeline/source/states/memory/memory-target-states.ts";
import { stateOf } from "../contract/target-states.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";

const targetStates = new MemoryTargetStates(systemClock);
const up = stateOf("gpu2:9400");
const down = stateOf("gpu10:9400", { state: "down", message: "HTTP 500, after 0.2 s", consecutive_failures: 3 });
const elsewhere = stateOf("gpu1:9400", { cluster_id: "prod", source_id: "scrape:prod:gpu1:9400" });
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
beforeAll(async () => {
  stored = await openFleetStore();
  gateway = gatewayOver(stored, { targetStates });
  await targetStates.report([elsewhere, down, up]);
});
afterAll(() => stored.close());

describe("the exporters that are scraped", () => {
  test("are listed by cluster and target, with the instant at which the list was read", async () => {
    const { as_of: asOf, ...answer } = await gateway.json("/api/v1/targets");
    expect(answer).toEqual({ success: true, count: 3, total: 3, data: [up, down, elsewhere] });
    expect(Date.parse(String(asOf))).toBeGreaterThan(Date.now() - 10_000);
  });

  test("can be chosen by state and cluster; an unknown state is an error", async () => {
    expect((await gateway.json("/api/v1/targets?state=down"))["data"]).toEqual([down]);
    expect((await gateway.json("/api/v1/targets?cluster_id=prod"))["data"]).toEqual([elsewhere]);
    expect((await gateway.json("/api/v1/targets?state=ill"))["error"]).toMatchObject({
      ...{ code: "invalid_parameter", details: { parameter: "state" } },
    });
  });

  test("come in parts, in an order in which gpu2 is before gpu10", async () => {
    const first = await gateway.json("/api/v1/targets?limit=1");
    expect(first["data"]).toEqual([up]);
    const second = await gateway.json(`/api/v1/targets?limit=1&cursor=${String(first["next_cursor"])}`);
    expect(second["data"]).toEqual([down]);
    const { as_of: asOf, ...last } = await gateway.json(`/api/v1/targets?cursor=${String(second["next_cursor"])}`);
    expect(last).toEqual({ success: true, count: 1, total: 3, data: [elsewhere] });
    expect(asOf).toBeDefined();
    const unusable = await gateway.json(`/api/v1/targets?cursor=${btoa("7:8")}`);
    expect(unusable["error"]).toMatchObject({ code: "invalid_parameter" });
    const query = `{ targetPage(limit: 1, cursor: "${String(second["next_cursor"])}") { targets { target kind } nextCursor } }`;
    expect(await gateway.json(`/graphql?query=${encodeURIComponent(query)}`)).toEqual({
      data: { targetPage: { targets: [{ target: "gpu1:9400", kind: "exporter" }], nextCursor: null } },
    });
  });

  test("are listed with other live sources, which can be chosen", async () => {
    const smi = stateOf("box", { kind: "nvidia_smi", source_id: "nvidia-smi:lab:box", dialect: "nvidia-smi" });
    await targetStates.report([elsewhere, smi, down, up]);
    expect((await gateway.json("/api/v1/targets?kind=nvidia_smi"))["data"]).toEqual([smi]);
    await targetStates.report([elsewhere, down, up]);
  });

  test("are the same in GraphQL", async () => {
    const query =
      "{ targets(state: down) { target state gaps dialect labels { name value } lastError { reason message } } }";
    expect(await gateway.json(`/graphql?query=${encodeURIComponent(query)}`)).toEqual({
      data: {
        targets: [
          {
            ...{ target: "gpu10:9400", state: "down", gaps: 1, dialect: "dcgm" },
            labels: [{ name: "rack", value: "r1" }],
            lastError: { reason: "timeout", message: "no complete answer within 10 s" },
          },
        ],
      },
    });
  });

  test("are unknown while etcd does not answer: an error, and no empty list", async () => {
    const list = () => Promise.reject(new EtcdUnavailable("a read at etcd http://etcd-0:2379 failed"));
    const answer = await gatewayOver(stored, { targetStates: { list } }).get("/api/v1/targets");
    expect(answer.status).toBe(503);
  });
});
