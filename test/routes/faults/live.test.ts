import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { SqlFaultStore } from "../../../src/faults/sql/sql-fault-store.ts";
import type { OpenStore } from "../../../src/pipeline/store/open-store.ts";
import { faultChange, FaultLeader } from "../../support/fault-leader.ts";
import { openMemoryStore } from "../../support/open-store.ts";
import { LiveClient, type LiveGateway, type Message, openLiveGateway } from "../live/live-gateway.ts";

setDefaultTimeout(60_000);

let stored: OpenStore;
let gateway: LiveGateway;
let leader: FaultLeader;
let told = 0;
beforeAll(async () => {
  stored = await openMemoryStore();
  const faults = new SqlFaultStore(stored.client);
  gateway = await openLiveGateway({ faults });
  leader = await FaultLeader.of(faults);
});
afterAll(async () => {
  await gateway.close();
  await stored.close();
});

/** Tells a fault that fires. @returns its id */
const fire = (): Promise<string> => {
  told += 1;
  return leader.tell(faultChange({ uuid: `GPU-${told}` }, "firing", Date.now()));
};
const idsIn = (messages: readonly Message[]): unknown[] =>
  messages.flatMap(({ type, fault }) => (type === "fault_change" ? [(fault as { id: unknown }).id] : []));

test("changes of faults arrive in order, and a client that comes again with its last sequence misses none", async () => {
  const before = await fire();
  const client = await LiveClient.open(gateway);
  const subscribed = await client.ask({ type: "subscribe_faults", id: "mine" });
  expect(subscribed).toMatchObject({ type: "faults_subscribed", id: "mine", sequence: 1 });
  const first = await fire();
  const change = await client.next();
  expect(change).toMatchObject({
    ...{ type: "fault_change", id: "mine", sequence: 2 },
    ...{ change: { ordinal: 1, state: "firing" }, fault: { id: first, state: "firing", silenced: false } },
  });
  client.close();
  await client.closed;
  const missed = [await fire(), await fire()];
  const again = await LiveClient.open(gateway);
  expect(await again.ask({ type: "subscribe_faults", since: change["sequence"] })).toMatchObject({ sequence: 2 });
  const live = await again.take(2);
  expect(idsIn(live)).toEqual(missed);
  const later = await fire();
  expect(idsIn([await again.next()])).toEqual([later]);
  const whole = await LiveClient.open(gateway);
  whole.send({ type: "subscribe_faults", since: 0 });
  expect(idsIn(await whole.take(6))).toEqual([before, first, ...missed, later]);
  for (const each of [again, whole]) each.close();
});

test("a connection follows faults once, until it ends that", async () => {
  const client = await LiveClient.open(gateway);
  expect(await client.ask({ type: "unsubscribe_faults" })).toMatchObject({ code: "unknown_subscription" });
  await client.ask({ type: "subscribe_faults", since: 1000 });
  expect(await client.ask({ type: "subscribe_faults" })).toMatchObject({ code: "duplicate_subscription" });
  expect(await client.ask({ type: "unsubscribe_faults" })).toMatchObject({ type: "faults_unsubscribed" });
  expect(await client.ask({ type: "subscribe_faults", since: -1 })).toMatchObject({ code: "invalid_field" });
  client.close();
});

test("more changes than are sent at once all arrive", async () => {
  const changes = Array.from({ length: 250 }, (_, index) =>
    faultChange({ uuid: `GPU-burst-${index}` }, "firing", Date.now()),
  );
  const client = await LiveClient.open(gateway);
  await client.ask({ type: "subscribe_faults" });
  await leader.tell(...changes);
  expect(idsIn(await client.take(250))).toEqual(changes.map(({ id }) => id));
  client.close();
});

const sequencesOf = (text: string): number[] =>
  [...text.matchAll(/"sequence":(\d+)/g)].map(([, sequence]) => Number(sequence));

/** What a subscription of GraphQL sends until a text of it. */
async function sentUntil(last: string, query: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${gateway.port}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ query }),
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes(last)) {
    const part = await reader?.read();
    if (part?.value === undefined) throw new Error(`The answer ended before ${last}: ${text}`);
    text += part.value;
  }
  await reader?.cancel();
  return text;
}

test("a subscription of GraphQL gives the same, from a sequence on", async () => {
  const query = "subscription { faultChanges(since: 1) { sequence change { state } fault { id } } }";
  expect(sequencesOf(await sentUntil('"sequence":4', query)).slice(0, 3)).toEqual([2, 3, 4]);
});

test("filters select changes by the fault and by the state that it changes to", async () => {
  const holders = [{ namespace: "ml", pod: "train-0", container: "main" }];
  const at = { startedAtMs: Date.now(), clusterId: "filtered", hostname: "host-f" };
  const hot = { ...at, uuid: "GPU-hot", holders };
  const fallen = { ...at, uuid: "GPU-fallen", severity: "critical" as const, name: "nvidia.xid.79" };
  const client = await LiveClient.open(gateway);
  const { sequence: since } = await client.ask({ type: "subscribe_faults" });
  client.close();
  await leader.tell(
    faultChange(hot, "pending", at.startedAtMs),
    faultChange(hot, "firing", at.startedAtMs),
    faultChange(fallen, "firing", at.startedAtMs),
    faultChange(hot, "resolved", at.startedAtMs + 1),
    faultChange({ ...at, uuid: "GPU-last" }, "firing", at.startedAtMs),
  );
  const expected: [filters: object, changes: string[]][] = [
    [{ state: ["firing"] }, ["GPU-hot firing", "GPU-fallen firing", "GPU-last firing"]],
    [{ state: ["pending", "resolved"], gpu_uuid: "GPU-hot" }, ["GPU-hot pending", "GPU-hot resolved"]],
    [{ severity: ["critical", "info"] }, ["GPU-fallen firing"]],
    [{ name: "nvidia.xid.79", hostname: "host-f" }, ["GPU-fallen firing"]],
    [{ namespace: "ml" }, ["GPU-hot pending", "GPU-hot firing", "GPU-hot resolved"]],
    [{ cluster: "filtered", gpu_uuid: "GPU-last" }, ["GPU-last firing"]],
    [{ cluster_id: "another" }, []],
    [{ job: "ml/train" }, []],
  ];
  const clients = await Promise.all(
    expected.map(async ([filters]) => {
      const follower = await LiveClient.open(gateway);
      follower.send({ type: "subscribe_faults", since, filters });
      return follower;
    }),
  );
  const sent = await Promise.all(
    clients.map(async (follower, index) => {
      const changes = await follower.take(1 + (expected[index]?.[1].length ?? 0));
      return changes.flatMap(({ type, change, fault }) =>
        type === "fault_change" ? [`${(fault as { uuid: string }).uuid} ${(change as { state: string }).state}`] : [],
      );
    }),
  );
  expect(sent).toEqual(expected.map(([, changes]) => changes));
  // whatever else was sent to them would have come before
  await leader.tell(
    faultChange({ ...hot, clusterId: "another", uuid: "GPU-ends", severity: "critical" }, "firing", Date.now()),
  );
  const later = await Promise.all([0, 2, 4, 6].map((index) => clients[index]?.next()));
  expect(later.map((message) => (message?.["fault"] as { uuid: string }).uuid)).toEqual(Array(4).fill("GPU-ends"));
  for (const each of clients) each.close();
});

test("a subscription of GraphQL takes the same filters, and refuses wrong ones", async () => {
  const query = (filter: string) => `subscription { faultChanges(since: 0, ${filter}) { sequence fault { uuid } } }`;
  const sent = await sentUntil("GPU-ends", query('severity: [critical], state: [firing], namespace: "ml"'));
  expect(sequencesOf(sent)).toHaveLength(1);
  expect(await sentUntil("}", query("severity: [awful]"))).toContain("info, warning, critical");
});
