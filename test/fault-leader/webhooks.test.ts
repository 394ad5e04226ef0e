import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { Registry } from "prom-client";
import { until } from "../../dev/until.ts";
import type { FaultState } from "../../src/faults/fault.ts";
import { FaultInstruments } from "../../src/faults/leader/fault-instruments.ts";
import { Notifier } from "../../src/faults/notify/notifier.ts";
import { Webhook } from "../../src/faults/notify/webhook.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import { type Clock, systemClock } from "../../src/kit/clock.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";

const secret = "a key of sixteen or more";
const runbookUrl = "https://wiki.example.org/gpu#";
/** Waits take a fiftieth of their time. */
const startedMs = Date.now();
const clock: Clock = {
  ...systemClock,
  nowMs: () => startedMs + (Date.now() - startedMs) * 50,
  sleep: (ms, signal) => systemClock.sleep(ms / 50, signal),
};

/** What a receiver has read of a request. */
interface Received {
  readonly delivery: string;
  readonly host: string;
  readonly alerts: readonly string[];
}

const statuses = { ok: 200, fails: 503, hangs: 503, refuses: 404, redirects: 302 } as const;

/** A receiver of Alertmanager's webhooks, whose answers a test chooses. */
class Receiver {
  /** The requests that it has accepted. */
  readonly accepted: Received[] = [];
  /** The requests that it has read and not answered with success. */
  readonly others: Received[] = [];
  answer: "ok" | "fails" | "hangs" | "refuses" | "redirects" = "ok";
  private server = this.listen(0);

  get url(): string {
    return `http://localhost:${this.server.port}/hook`;
  }

  async restart(): Promise<void> {
    const { port } = this.server;
    await this.server.stop(true);
    await Bun.sleep(100);
    this.server = this.listen(port ?? 0);
  }

  stop(): Promise<void> {
    return this.server.stop(true);
  }

  private listen(port: number) {
    return Bun.serve({ port, hostname: "localhost", idleTimeout: 60, fetch: (request) => this.receive(request) });
  }

  private async receive(request: Request): Promise<Response> {
    const body = await request.text();
    const signature = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
    if (request.headers.get("X-Telemetry-Signature") !== signature) return new Response("not signed", { status: 401 });
    const { alerts, groupLabels, version } = JSON.parse(body) as {
      version: string;
      groupLabels: Record<string, string>;
      alerts: { status: string; labels: Record<string, string>; annotations: Record<string, string> }[];
    };
    const isLinked = alerts.every(({ annotations }) => annotations["runbook_url"] === `${runbookUrl}memoryfull`);
    if (!isLinked) return new Response("without a link to the runbook", { status: 400 });
    const received = {
      delivery: request.headers.get("X-Telemetry-Delivery") ?? "",
      host: `${version} ${groupLabels.hostname ?? ""}`,
      alerts: alerts.map(({ status, labels }) => `${labels.alertname} ${labels.uuid}: ${status}`),
    };
    (this.answer === "ok" ? this.accepted : this.others).push(received);
    if (this.answer === "hangs") await Bun.sleep(30_000);
    return new Response("", { status: statuses[this.answer], headers: { location: "/elsewhere" } });
  }
}

let opened: OpenStore;
let store: SqlFaultStore;
let batch = 0;
const errors: unknown[] = [];
const refusals: (number | undefined)[] = [];

beforeAll(async () => {
  opened = await openMemoryStore();
  store = new SqlFaultStore(opened.client);
}, 60_000);
afterAll(() => opened.close());

async function begin(): Promise<number> {
  batch = 0;
  return store.ledger.begin("one");
}

/** Tells changes: `host-1/GPU-1 firing`. */
async function tell(term: number, ...told: readonly string[]): Promise<void> {
  const changes = told.map((text) => {
    const [hostname = "", uuid = "", state = "", again] = text.split(/[/ ]/);
    const facts = {
      name: "memory.full",
      rule: "memory.full",
      severity: "info",
      summary: "Full",
      action: "None.",
    } as const;
    const subject = { kind: "device", clusterId: "c", hostname, uuid, job: "" } as const;
    const times = {
      startedAtMs: startedMs,
      atMs: startedMs + (state === "firing" && again === undefined ? 0 : 60_000),
    };
    const change = {
      ...facts,
      ...times,
      subject,
      holders: [],
      runbook: "docs/faults.md#memoryfull",
      value: 0.97,
      why: "It is full.",
    };
    return { change: { ...change, id: `memory.full@c/${uuid}`, state: state as FaultState }, by: "", comment: "" };
  });
  batch += 1;
  await store.ledger.write({ term, batch, changes, states: [], requests: [] });
}

/** Notifies a receiver in a term until `stop`. */
function notify(receiver: Receiver, term: number): { readonly stop: () => Promise<unknown> } {
  const ended = new AbortController();
  const notifier = new Notifier({
    ...{
      webhook: new Webhook(receiver.url, { secret, runbookUrl }),
      term,
      outbox: store.outbox,
      queries: store.queries,
      clock,
    },
    instruments: new FaultInstruments(new Registry()),
    onError: (error) => void (error === undefined || errors.push(error)),
    onRefused: (status) => void refusals.push(status),
  });
  const running = notifier.run(ended.signal).catch((error: unknown) => error);
  return {
    stop: () => {
      ended.abort();
      return running;
    },
  };
}

/** Waits until a receiver is notified of all changes. */
async function untilNotified(receiver: Receiver): Promise<void> {
  const { id } = new Webhook(receiver.url, { secret, runbookUrl });
  await until(async () => {
    const [row] = await opened.client.query<{ isDone: boolean }>(
      `select r.sequence = l.sequence as "isDone" from fault_receivers r, fault_leader l where r.receiver = $1`,
      [id],
    );
    return row?.isDone === true;
  });
}

const alertsOf = (receiver: Receiver): string[] => receiver.accepted.flatMap(({ alerts }) => alerts).toSorted();

test("a receiver that fails, hangs and restarts gets each state once, across a leader change, and holds up no other", async () => {
  const [receiver, other] = [new Receiver(), new Receiver()];
  const first = await begin();
  const former = [notify(receiver, first), notify(other, first)];
  await Promise.all([untilNotified(receiver), untilNotified(other)]);
  receiver.answer = "fails";
  await tell(first, "host-1/GPU-1 pending", "host-1/GPU-1 firing", "host-1/GPU-2 firing", "host-2/GPU-3 firing");
  await untilNotified(other);
  await until(() => receiver.others.length >= 2);
  expect(alertsOf(other)).toEqual([1, 2, 3].map((gpu) => `memory.full GPU-${gpu}: firing`));
  expect(other.accepted.map(({ host, alerts }) => `${host} ${alerts.length}`)).toEqual(["4 host-1 2", "4 host-2 1"]);
  receiver.answer = "hangs";
  await until(() => receiver.others.length >= 4);
  await tell(
    first,
    "host-1/GPU-1 resolved",
    "host-1/GPU-2 suppressed",
    "host-1/GPU-2 firing again",
    "host-1/GPU-2 acknowledged",
  );
  const second = await begin();
  await Promise.all(former.map(({ stop }) => stop()));
  await receiver.restart();
  receiver.answer = "ok";
  const latter = [notify(receiver, second), notify(other, second)];
  await tell(second, "host-2/GPU-3 resolved", "host-1/GPU-4 pending", "host-1/GPU-4 resolved");
  await Promise.all([untilNotified(receiver), untilNotified(other)]);
  await Promise.all(latter.map(({ stop }) => stop()));
  // all attempts at a delivery have its name
  const names = new Set(receiver.others.map(({ delivery, alerts }) => `${delivery} ${alerts.join()}`));
  expect(names.size).toBe(1);
  expect(new Set(receiver.accepted.map(({ delivery }) => delivery)).has(receiver.others[0]?.delivery ?? "")).toBe(true);
  const expected = [
    "memory.full GPU-1: firing",
    "memory.full GPU-1: resolved",
    "memory.full GPU-2: firing",
    "memory.full GPU-3: firing",
    "memory.full GPU-3: resolved",
  ];
  for (const each of [receiver, other]) expect([...new Set(alertsOf(each))]).toEqual(expected);
  expect(new Set(receiver.accepted.map(({ delivery }) => delivery)).size).toBe(receiver.accepted.length);
  await Promise.all([receiver.stop(), other.stop()]);
}, 60_000);

test("a receiver that refuses for good is reported until it accepts something; one that redirects is asked again", async () => {
  const receiver = new Receiver();
  const term = await begin();
  const notifying = notify(receiver, term);
  await untilNotified(receiver);
  receiver.answer = "refuses";
  await tell(term, "host-8/GPU-80 firing");
  await untilNotified(receiver);
  expect([receiver.others.length, refusals.at(-1)]).toEqual([1, 404]);
  receiver.answer = "redirects";
  await tell(term, "host-8/GPU-81 firing");
  await until(() => receiver.others.length >= 3);
  expect(errors.map(String).at(-1)).toContain(
    "status 302; redirects are not followed, FAULT_WEBHOOK_URL has to lead there",
  );
  receiver.answer = "ok";
  await untilNotified(receiver);
  expect(alertsOf(receiver)).toEqual(["memory.full GPU-81: firing"]);
  expect(refusals.at(-1)).toBeUndefined();
  await notifying.stop();
  await receiver.stop();
}, 60_000);

test("what a former leader notes is refused", async () => {
  const former = await begin();
  await tell(former, "host-5/GPU-50 firing");
  const position = await store.outbox.begin(former, "noted");
  await begin();
  const codeOf = (call: Promise<unknown>) => call.catch((error: unknown) => (error as { code?: string }).code);
  const moved = { sequence: position.sequence + 1, until: position.until + 1 };
  const note = { position: moved, postponed: ["a"], settled: [] };
  expect(await codeOf(store.outbox.move(former, "noted", note))).toBe("term_ended");
  expect(await codeOf(store.outbox.begin(former, "noted"))).toBe("term_ended");
  const latter = await begin();
  expect(await store.outbox.begin(latter, "noted")).toEqual(position);
}, 60_000);

test("what is silenced is sent when the silence ends before the fault does, and otherwise never", async () => {
  const receiver = new Receiver();
  const term = await begin();
  const notifying = notify(receiver, term);
  await untilNotified(receiver);
  const silence = await store.orders.silence({
    matchers: [{ field: "host", pattern: "quiet-*", isEqual: true }],
    ...{
      within: undefined,
      author: "anna",
      reason: "cabling",
      startsAtMs: startedMs,
      endsAtMs: startedMs + 86_400_000,
    },
  });
  await tell(term, "quiet-1/GPU-10 firing", "quiet-1/GPU-11 firing", "loud/GPU-12 firing");
  await untilNotified(receiver);
  await tell(term, "quiet-1/GPU-11 resolved");
  await untilNotified(receiver);
  expect(alertsOf(receiver)).toEqual(["memory.full GPU-12: firing"]);
  await store.orders.endSilence({ id: silence?.id ?? 0, by: "anna" });
  await until(() => receiver.accepted.length === 2);
  await tell(term, "quiet-1/GPU-10 resolved");
  await untilNotified(receiver);
  expect(alertsOf(receiver)).toEqual([
    "memory.full GPU-10: firing",
    "memory.full GPU-10: resolved",
    "memory.full GPU-12: firing",
  ]);
  await notifying.stop();
  await receiver.stop();
}, 60_000);
