import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Registry } from "prom-client";
import { SqlFaultStore } from "../../../src/faults/sql/sql-fault-store.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";
import { EvaluationWatch } from "../../../src/routes/answers/faults/evaluation-watch.ts";
import type { GpuBounds } from "../../../src/domain/gpu-bounds.ts";
import { until } from "../../../dev/until.ts";
import { faultChange, FaultLeader } from "../../support/fault-leader.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { firstSecondMs, gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";
import { securedParts } from "../access/secured-gateway.ts";

setDefaultTimeout(60_000);

const t0 = firstSecondMs;
const minute = 60_000;
const heldBy = (namespace: string) => [{ namespace, pod: "train-0", container: "main" }];
const instantOf = (ms: number): string => new Date(ms).toISOString().replace(".000Z", "Z");

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let store: SqlFaultStore;
let gateway: TestGateway;
let leader: FaultLeader;
let hot: string;
let xid: string;
beforeAll(async () => {
  stored = await openFleetStore();
  store = new SqlFaultStore(stored.client);
  gateway = gatewayOver(stored);
  leader = await FaultLeader.of(store);
  const ml = { uuid: "GPU-host-a-0", holders: heldBy("ml") };
  hot = await leader.tell(
    faultChange({ ...ml, startedAtMs: t0 }, "pending", t0),
    faultChange({ ...ml, startedAtMs: t0 }, "firing", t0 + 5 * minute),
  );
  const other = { uuid: "GPU-host-b-0", hostname: "host-b", holders: heldBy("web") };
  xid = await leader.tell(
    faultChange({ ...other, name: "nvidia.xid.79", severity: "critical", value: 79 }, "firing", t0 + minute),
  );
  const ended = { uuid: "GPU-host-b-0", hostname: "host-b", name: "memory.full", severity: "info" as const };
  await leader.tell(
    faultChange({ ...ended, startedAtMs: t0 - 60 * minute }, "firing", t0 - 60 * minute),
    faultChange({ ...ended, startedAtMs: t0 - 60 * minute }, "resolved", t0 - 30 * minute),
  );
});
afterEach(() => leader.stop());
afterAll(() => stored.close());

const pathOf = (id: string, rest = ""): string => `/api/v1/faults/${encodeURIComponent(id)}${rest}`;
const post = async (path: string): Promise<{ status: number; body: Record<string, unknown> }> => {
  const answer = await gateway.get(path, { method: "POST" });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};
const namesOf = async (query: string): Promise<unknown[]> => {
  const { data } = await gateway.json(`/api/v1/faults${query}`);
  return (data as readonly { name: string }[]).map(({ name }) => name);
};
const graphql = async (query: string): Promise<Record<string, unknown>> => {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ query }) };
  return (await (await gateway.get("/graphql", init)).json()) as Record<string, unknown>;
};

test("what has not ended is listed, the newest beginning first, with holders, value, reason and action", async () => {
  const { data, count } = await gateway.json("/api/v1/faults");
  expect(count).toBe(2);
  expect(data).toMatchObject([
    { id: xid, name: "nvidia.xid.79", severity: "critical", state: "firing" },
    {
      ...{ id: hot, name: "gpu.temperature.high", state: "firing", kind: "device", cluster_id: "alpha" },
      ...{ hostname: "host-a", uuid: "GPU-host-a-0", started_at: instantOf(t0), fired_at: instantOf(t0 + 5 * minute) },
      ...{ value: 90, action: "Check the fans.", runbook: "docs/faults.md#gputemperaturehigh" },
      ...{ holders: heldBy("ml"), silenced: false, silenced_by: [] },
    },
  ]);
});

test("filters select by state, severity, name, place, holder and time", async () => {
  expect(await namesOf("?severity=critical,info")).toEqual(["nvidia.xid.79"]);
  expect(await namesOf("?name=gpu.temperature.high")).toEqual(["gpu.temperature.high"]);
  expect(await namesOf("?hostname=host-b")).toEqual(["nvidia.xid.79"]);
  expect(await namesOf("?gpu_uuid=GPU-host-a-0")).toEqual(["gpu.temperature.high"]);
  expect(await namesOf("?namespace=ml")).toEqual(["gpu.temperature.high"]);
  expect(await namesOf("?cluster_id=beta")).toEqual([]);
  expect(await namesOf("?state=resolved")).toEqual(["memory.full"]);
  expect(await namesOf("?state=firing,resolved")).toEqual(["nvidia.xid.79", "gpu.temperature.high", "memory.full"]);
  expect(await namesOf(`?start_time=${instantOf(t0 - 40 * minute)}&end_time=${instantOf(t0 - minute)}`)).toEqual([
    "memory.full",
  ]);
  const wrong = await gateway.get("/api/v1/faults?state=broken");
  expect(wrong.status).toBe(400);
  expect(await wrong.text()).toContain("pending, firing, acknowledged, resolved, suppressed");
});

test("pages follow each other without a gap, and CSV and NDJSON have the same faults", async () => {
  const first = await gateway.json("/api/v1/faults?limit=1");
  const second = await gateway.json(`/api/v1/faults?limit=1&cursor=${String(first["next_cursor"])}`);
  expect([first["data"], second["data"]]).toMatchObject([[{ id: xid }], [{ id: hot }]]);
  expect(second["next_cursor"]).toBeUndefined();
  const rows = async (accept: string) => (await gateway.get("/api/v1/faults", { headers: { accept } })).text();
  const lines = (await rows("application/x-ndjson")).trim().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual([xid, hot]);
  const csv = await rows("text/csv");
  expect(csv.split("\n")[0]).toStartWith("id,name,rule,severity,state,summary,kind,cluster_id,hostname,uuid,");
  expect(csv).toContain(xid);
});

test("one fault has its changes; an unknown one is 404", async () => {
  const { data } = await gateway.json(pathOf(hot));
  expect(data).toMatchObject({
    id: hot,
    changes: [
      { ordinal: 1, state: "pending", at: instantOf(t0) },
      { ordinal: 2, state: "firing", at: instantOf(t0 + 5 * minute) },
    ],
  });
  expect((await gateway.get(pathOf("none@alpha/GPU-none@0"))).status).toBe(404);
});

test("an acknowledgement waits for the leader, and answers 202 if there is none", async () => {
  const waiting = await post(pathOf(xid, "/acknowledge?comment=drained"));
  expect(waiting).toMatchObject({ status: 202, body: { data: { outcome: "open", fault: { state: "firing" } } } });
  leader.work();
  const done = await post(pathOf(xid, "/acknowledge?comment=drained"));
  const acknowledged = { state: "acknowledged", acknowledged_by: "anyone", comment: "drained" };
  expect(done).toMatchObject({
    status: 200,
    body: { data: { kind: "acknowledge", outcome: "done", fault: acknowledged } },
  });
  expect((await gateway.json(pathOf(xid)))["data"]).toMatchObject(acknowledged);
  const again = await post(pathOf(xid, "/acknowledge?comment=other"));
  expect(again).toMatchObject({ status: 200, body: { data: { fault: acknowledged } } });
});

test("what has ended cannot be acknowledged, and the error says since when", async () => {
  const [ended] = (await gateway.json("/api/v1/faults?state=resolved"))["data"] as { id: string }[];
  const { status, body } = await post(pathOf(ended?.id ?? "", "/acknowledge"));
  expect([status, JSON.stringify(body)]).toEqual([400, expect.stringContaining("the fault is resolved since")]);
  expect((await post(pathOf("none@x@0", "/acknowledge"))).status).toBe(404);
});

test("a remediation names a known host or device, and reaches the leader with its place", async () => {
  const place = "kind=reset&gpu_uuid=GPU-host-a-0";
  expect(await post(`/api/v1/remediations?${place}&comment=ticket`)).toMatchObject({
    status: 202,
    body: { data: { kind: "reset", outcome: "open" } },
  });
  expect(await store.ledger.requests(10)).toMatchObject([
    { kind: "reset", clusterId: "alpha", hostname: "host-a", uuid: "GPU-host-a-0", by: "anyone", comment: "ticket" },
  ]);
  leader.work();
  const reboot = (query: string) => post(`/api/v1/remediations?kind=reboot&${query}`);
  expect((await reboot("hostname=host-b")).status).toBe(200);
  expect((await reboot("hostname=none")).status).toBe(404);
  expect(await reboot("hostname=host-a")).toMatchObject({
    status: 400,
    body: { error: { details: { parameter: "cluster_id" } } },
  });
  expect((await reboot("hostname=host-a&cluster_id=beta")).status).toBe(200);
  expect((await reboot("comment=x")).status).toBe(400);
});

test("a silence marks matching faults until it is ended, and keeps its author and reason", async () => {
  const end = encodeURIComponent(new Date(Date.now() + 7_200_000).toISOString());
  const made = await post(
    `/api/v1/silences?name=gpu.temperature.*&hostname=host-a&severity=!critical&reason=fans&end_time=${end}`,
  );
  const { id } = made.body["data"] as { id: number };
  const silence = {
    ...{ id, state: "active", author: "anyone", reason: "fans" },
    matchers: { name: "gpu.temperature.*", hostname: "host-a", severity: "!critical" },
  };
  expect(made).toMatchObject({ status: 200, body: { data: silence } });
  expect((await gateway.json(pathOf(hot)))["data"]).toMatchObject({ silenced: true, silenced_by: [id] });
  expect((await gateway.json(pathOf(xid)))["data"]).toMatchObject({ silenced: false });
  expect((await gateway.json("/api/v1/silences"))["data"]).toMatchObject([silence]);
  const ended = await gateway.get(`/api/v1/silences/${id}`, { method: "DELETE" });
  expect(await ended.json()).toMatchObject({ data: { id, state: "ended", ended_by: "anyone" } });
  expect((await gateway.json("/api/v1/silences"))["data"]).toEqual([]);
  expect((await gateway.json("/api/v1/silences?ended=true"))["data"]).toMatchObject([{ id, state: "ended" }]);
  expect((await gateway.json(pathOf(hot)))["data"]).toMatchObject({ silenced: false, silenced_by: [] });
  expect((await gateway.get(`/api/v1/silences/${id}`, { method: "DELETE" })).status).toBe(404);
});

test("a silence needs a matcher that can fit, a reason, and an end after its begin", async () => {
  const past = encodeURIComponent(instantOf(t0));
  const future = encodeURIComponent(new Date(Date.now() + 60_000).toISOString());
  for (const query of [
    `reason=x&end_time=${future}`,
    `name=x&end_time=${future}`,
    `name=x&reason=x`,
    `name=x&reason=x&end_time=${past}`,
    `name=x&reason=x&end_time=2999-01-01T00:00:00Z`,
    `name=x&reason=%20&end_time=${future}`,
    // these would silence every fault
    `name=!&reason=x&end_time=${future}`,
    `severity=!citrical&reason=x&end_time=${future}`,
  ]) {
    expect([query, (await post(`/api/v1/silences?${query}`)).status]).toEqual([query, 400]);
  }
});

test("GraphQL reads and changes the same", async () => {
  const read = await graphql(`{
    faults(severity: [warning]) { faults { id state holders { namespace } silencedBy } nextCursor }
    fault(id: ${JSON.stringify(hot)}) { id changes { ordinal state } }
  }`);
  expect(read).toEqual({
    data: {
      faults: {
        faults: [{ id: hot, state: "firing", holders: [{ namespace: "ml" }], silencedBy: [] }],
        nextCursor: null,
      },
      fault: {
        id: hot,
        changes: [
          { ordinal: 1, state: "pending" },
          { ordinal: 2, state: "firing" },
        ],
      },
    },
  });
  leader.work();
  const end = new Date(Date.now() + 60_000).toISOString();
  const changed = await graphql(`mutation {
    acknowledgeFault(id: ${JSON.stringify(hot)}, comment: "seen") { outcome fault { state comment } }
    tellRemediation(kind: reset, gpuUuid: "GPU-host-a-0") { kind outcome }
    createFaultSilence(job: "ml/*", reason: "planned", endTime: "${end}") { id state matchers { name value } }
  }`);
  expect(changed).toMatchObject({
    data: {
      acknowledgeFault: { outcome: "done", fault: { state: "acknowledged", comment: "seen" } },
      tellRemediation: { kind: "reset", outcome: "done" },
      createFaultSilence: { state: "active", matchers: [{ name: "job", value: "ml/*" }] },
    },
  });
  const { id } = (changed["data"] as { createFaultSilence: { id: number } }).createFaultSilence;
  expect(await graphql("{ faultSilences { id reason } }")).toEqual({
    data: { faultSilences: [{ id, reason: "planned" }] },
  });
  expect(await graphql(`mutation { endFaultSilence(id: ${id}) { state endedBy } }`)).toEqual({
    data: { endFaultSilence: { state: "ended", endedBy: "anyone" } },
  });
});

test("a key with a selector sees and changes its own faults only, and silences no others; changes are in the audit trail", async () => {
  const secured = securedParts(stored);
  const changes: unknown[] = [];
  const trail = { changed: (entry: object) => void changes.push(entry), refused: () => undefined };
  const guarded = gatewayOver(stored, { ...secured.parts, trail });
  const keyOf = async (name: string, scopes: readonly ("read" | "operate")[], selector?: GpuBounds) => {
    const key = { name, scopes, expiresAtMs: undefined, ...(selector && { selector }) };
    return { authorization: `Bearer ${(await secured.parts.administration.keys.create(key)).text}` };
  };
  const ask = async (headers: Record<string, string>, path: string, method = "GET") => {
    const answer = await guarded.get(path, { method, headers });
    return { status: answer.status, text: await answer.text() };
  };
  const team = await keyOf("team", ["read"], { namespaces: ["ml"] });
  const { text } = await ask(team, "/api/v1/faults?state=firing,acknowledged,resolved");
  expect((JSON.parse(text) as { data: { id: string }[] }).data.map(({ id }) => id)).toEqual([hot]);
  expect((await ask(team, pathOf(xid))).status).toBe(404);
  expect((await ask(team, pathOf(hot, "/acknowledge"), "POST")).status).toBe(403);
  leader.work();
  const operator = await keyOf("operator", ["read", "operate"]);
  const lead = await keyOf("lead", ["read", "operate"], { namespaces: ["ml"] });
  const other = await keyOf("other", ["read", "operate"], { namespaces: ["web"] });
  expect((await ask(other, pathOf(hot, "/acknowledge"), "POST")).status).toBe(404);
  expect((await ask(lead, pathOf(xid, "/acknowledge"), "POST")).status).toBe(404);
  expect((await ask(lead, pathOf(hot, "/acknowledge"), "POST")).status).toBe(200);
  // the trail is told after the answer
  await until(() => changes.length === 3);
  expect(changes).toMatchObject([
    { action: "acknowledgeFault", keyName: "other", result: "404" },
    { action: "acknowledgeFault", keyName: "lead", result: "404" },
    { action: "acknowledgeFault", keyName: "lead", result: "ok" },
  ]);
  expect((await ask(lead, "/api/v1/remediations?kind=reset&gpu_uuid=GPU-host-a-0", "POST")).status).toBe(403);
  expect((await ask(lead, "/api/v1/pipeline/dead-letters/01K0F3Z8Q4W5X6Y7Z8A9B0C1D2", "DELETE")).status).toBe(403);

  const end = encodeURIComponent(new Date(Date.now() + 60_000).toISOString());
  const made = await ask(lead, `/api/v1/silences?name=*&reason=all&end_time=${end}`, "POST");
  const { id } = (JSON.parse(made.text) as { data: { id: number } }).data;
  const isSilenced = async (fault: string): Promise<unknown> =>
    (JSON.parse((await ask(operator, pathOf(fault))).text) as { data: { silenced: boolean } }).data.silenced;
  expect([await isSilenced(hot), await isSilenced(xid)]).toEqual([true, false]);
  expect(JSON.parse((await ask(other, "/api/v1/silences")).text)).toMatchObject({ data: [] });
  expect((await ask(other, `/api/v1/silences/${id}`, "DELETE")).status).toBe(404);
  expect((await ask(lead, `/api/v1/silences/${id}`, "DELETE")).status).toBe(200);
});

const healthOf = async (watched: TestGateway): Promise<unknown> =>
  ((await watched.json("/health"))["components"] as Record<string, unknown>)["evaluation"];

test("a gateway where no process has ever evaluated faults says so at once, and is degraded after a minute", async () => {
  const [clock, registry] = [new ManualClock(), new Registry()];
  const queries = { lastEvaluation: () => Promise.resolve({ atMs: undefined, isCurrent: false }) };
  const watch = new EvaluationWatch({ queries, registry, clock, log: unshownLog() });
  expect(await registry.metrics()).not.toContain("\ntelemetry_fault_evaluation_age_seconds ");
  await watch.start();
  await until(() => watch.activity() === "no process has evaluated faults yet");
  expect([watch.error(), await registry.metrics()]).toEqual([
    undefined,
    expect.stringContaining("\ntelemetry_fault_evaluation_age_seconds +Inf\n"),
  ]);
  await clock.advance(minute);
  await until(() => watch.error()?.startsWith("faults may be missing: No process has ever evaluated faults"));
  await watch.stop(AbortSignal.abort());
});

test("lists, GraphQL, metrics and /health say since when no process evaluates; the gateway stays ready", async () => {
  const { notice: nothingYet, evaluated_at: never } = await gateway.json("/api/v1/faults");
  expect([nothingYet, never]).toEqual([undefined, undefined]);
  const save = "insert into fault_states (kind, place, state, saved_at) values ('time', '', '{}', $1::timestamptz)";
  await stored.client.query(save, [instantOf(t0)]);
  const clock = new ManualClock(t0 + 5 * minute);
  const registry = new Registry();
  const watch = new EvaluationWatch({ queries: store.queries, registry, clock, log: unshownLog() });
  const watched = gatewayOver(stored, { services: [watch] });
  await watch.start();
  // it is said at once, but another process may start to evaluate at the same time as the gateway
  const activity = `faults were last evaluated ${instantOf(t0)}`;
  await until(async () => Bun.deepEquals(await healthOf(watched), { status: "ok", activity }));
  await clock.advance(59_000);
  expect(watch.error()).toBeUndefined();
  expect(await registry.metrics()).toContain("\ntelemetry_fault_evaluation_age_seconds 359\n");
  await clock.advance(1000);
  const since = `No process has evaluated faults since ${instantOf(t0)}, so what started later is not found`;
  await until(() => watch.error()?.includes(since));
  expect(await watched.json("/health")).toMatchObject({
    status: "degraded",
    components: { evaluation: { reason: expect.stringContaining("ROLE=coordinator") as string, activity } },
  });
  expect((await watched.get("/health/ready")).status).toBe(200);
  const { notice, evaluated_at: at, count } = await gateway.json("/api/v1/faults?name=none");
  expect([notice, at, count]).toEqual([expect.stringContaining(since), instantOf(t0), 0]);
  expect(await graphql("{ faults { evaluatedAt notice } }")).toEqual({
    data: { faults: { evaluatedAt: instantOf(t0), notice } },
  });

  await stored.client.query("update fault_states set saved_at = now() where kind = 'time'");
  await clock.advance(10_000);
  await until(() => watch.error() === undefined);
  expect(await gateway.json("/api/v1/faults")).not.toHaveProperty("notice");
  await watch.stop(AbortSignal.abort());
});
