import { afterAll, expect, test } from "bun:test";
import { createClient } from "graphql-ws";
import { makeBatch } from "../../../dev/make-batch.ts";
import { until } from "../../../dev/until.ts";
import { openToAll } from "../../../src/access/access.ts";
import { Caller } from "../../../src/access/caller.ts";
import type { GpuBounds } from "../../../src/domain/gpu-bounds.ts";
import { begin, recordsOf, steps, stepMs } from "../../support/two-teams.ts";
import { LiveClient, type LiveGateway, openLiveGateway } from "./live-gateway.ts";

// What two gateways send over sockets: one that has the records of two teams, to a caller with a selector, and one that has those of
// one team, to a caller without.

const opened: LiveGateway[] = [];
afterAll(() => Promise.all(opened.map((gateway) => gateway.close())));

/** At this step, the GPUs that will leave the team are still its own. */
const subscribedAt = 9;

async function gatewayFor(selector: GpuBounds | undefined): Promise<LiveGateway> {
  const caller = new Caller({ id: "k", name: "team", scopes: ["read"], selector, expiresAtMs: undefined });
  const access = { ...openToAll, isRequired: true, identify: () => Promise.resolve(caller) };
  const gateway = await openLiveGateway({ access });
  opened.push(gateway);
  return gateway;
}

async function play(gateway: LiveGateway, from: number, to: number, within?: GpuBounds): Promise<void> {
  for (let step = from; step < to; step += 1) {
    const records = recordsOf(step, within);
    if (records.length > 0) await gateway.collect(makeBatch(records));
  }
}

const subscriptions = [
  { type: "subscribe", id: "all" },
  { type: "subscribe", id: "metric", filters: { metrics: ["temperature"], cluster_id: "west" } },
  { type: "subscribe", id: "since", since: new Date(begin + 3 * stepMs).toISOString() },
  { type: "subscribe", id: "foreign", filters: { namespace: "team-b" } },
  { type: "subscribe", id: "named", filters: { gpu_uuids: ["foreign", "shared", "none"] } },
];

/** All messages of a connection, those of each subscription in their order. */
async function messagesOf(selector: GpuBounds | undefined, within: GpuBounds | undefined) {
  const gateway = await gatewayFor(selector);
  await play(gateway, 0, subscribedAt, within);
  const client = await LiveClient.open({ url: `${gateway.url}?ticket=t` });
  for (const message of subscriptions) client.send(message);
  await client.until(() => client.messages.some(({ type }) => type === "replayed"));
  await play(gateway, subscribedAt, steps, within);
  await client.settle();
  client.close();
  return Map.groupBy(
    client.messages.filter(({ type }) => type !== "pong"),
    ({ id }) => id,
  );
}

test.each<[string, GpuBounds]>([
  ["a namespace", { namespaces: ["team-a"] }],
  ["hosts", { hosts: ["e1", "w2"] }],
])("over /ws, a caller with a selector for %s gets what a gateway sends that has nothing else", async (_, within) => {
  const [bounded, alone] = [await messagesOf(within, undefined), await messagesOf(undefined, within)];
  expect(bounded).toEqual(alone);
  expect(alone.get("all")?.length).toBeGreaterThan(50);
  if (within.namespaces !== undefined) expect(bounded.get("foreign")).toHaveLength(1);
});

test("a change that only others can see is no update: its time would tell of them", async () => {
  const gateway = await gatewayFor({ namespaces: ["team-a"] });
  const client = await LiveClient.open({ url: `${gateway.url}?ticket=t` });
  client.send({ type: "subscribe", id: "all" });
  const workload = (namespace: string) => ({ container: "c", pod: "p", namespace });
  const record = { uuid: "shared", timeMs: begin, metrics: { temperature: 1 }, workload: workload("team-a") };
  await gateway.collect(makeBatch([record]));
  await client.until(() => client.messages.length === 2);
  await gateway.publish({ ...record, workload: workload("team-b") });
  await gateway.publish({ ...record, metrics: { 'requests{namespace="team-b"}': 1 } });
  await gateway.publish({ ...record, metrics: { power_draw: 7 } });
  await client.until(() => client.messages.length === 3);
  expect(client.messages[2]).toMatchObject({ data: { temperature: 1, power_draw: 7 } });
  expect(JSON.stringify(client.messages)).not.toContain("team-b");
  client.close();
});

test("a subscription of GraphQL sends what a gateway sends that has nothing else", async () => {
  const within = { namespaces: ["team-a"] };
  const query = `subscription { telemetry { uuid timestamp namespace occupants { namespace } series { name }
    gpu { uuid firstSeenAt properties { value } } } }`;
  const received = async (selector: GpuBounds | undefined, only: GpuBounds | undefined): Promise<string[]> => {
    const gateway = await gatewayFor(selector);
    await play(gateway, 0, subscribedAt, only);
    const client = createClient({ url: `ws://127.0.0.1:${gateway.port}/graphql?ticket=t`, webSocketImpl: WebSocket });
    const texts: string[] = [];
    client.subscribe(
      { query },
      {
        next: (event) => texts.push(JSON.stringify(event)),
        error: (error) => texts.push(`failed: ${JSON.stringify(error)}`),
        complete: () => undefined,
      },
    );
    // the subscription has begun once a repeated record arrives
    let value = 0;
    await until(async () => {
      value += 1;
      await gateway.publish({
        ...(recordsOf(subscribedAt, within)[0] ?? { uuid: "", timeMs: 0 }),
        metrics: { temperature: value },
      });
      return texts.length > 0;
    });
    texts.length = 0;
    for (let step = subscribedAt + 1; step < subscribedAt + 11; step += 1) {
      const before = texts.length;
      const own = recordsOf(step, within).length;
      await play(gateway, step, step + 1, only);
      await until(() => Promise.resolve(texts.length >= before + own));
    }
    await client.dispose();
    return texts;
  };
  expect((await received(within, undefined)).sort()).toEqual((await received(undefined, within)).sort());
});
