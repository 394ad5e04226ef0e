import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { Registry } from "prom-client";
import { type SpanReceiver, receiveSpans } from "../../dev/traces/receive-spans.ts";
import { until } from "../../dev/until.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { stopwatch, systemClock } from "../../src/kit/clock.ts";
import { type OtlpTracingOptions, openOtlpTracing } from "../../src/traces/open-otlp-tracing.ts";

// What becomes of spans: which traces are recorded, what is sent, and what happens while the receiver takes nothing.

setDefaultTimeout(30_000);

const receivers: SpanReceiver[] = [];
afterEach(async () => {
  await Promise.all(receivers.splice(0).map((receiver) => receiver.stop()));
});

async function receiving(answer?: () => Response | Promise<Response>): Promise<SpanReceiver> {
  const receiver = await receiveSpans(answer);
  receivers.push(receiver);
  return receiver;
}

function openTo(url: string, options: Partial<OtlpTracingOptions> = {}) {
  const registry = new Registry();
  const opened = openOtlpTracing({
    ...{ url: `${url}/v1/traces`, headers: {}, timeoutMs: 300, caFile: undefined, resource: {} },
    ...{ sampler: "parentbased_always_on", ratio: 1, delayMs: 5, maxQueueSize: 2048 },
    ...{ registry, clock: systemClock, log: unshownLog() },
    ...options,
  });
  const figure = async (name: string, reason?: string) => {
    const { values } = (await registry.getSingleMetric(name)?.get()) ?? { values: [] };
    return values.find(({ labels }) => labels["reason"] === reason)?.value ?? 0;
  };
  return { ...opened, figure };
}

const from = (flags: "00" | "01") => `00-${"a".repeat(32)}-${"b".repeat(16)}-${flags}`;

for (const [sampler, ratio, begun, ofRecorded, ofUnrecorded] of [
  ["always_on", 0, [5000, 5000], true, true],
  ["always_off", 1, [0, 0], false, false],
  ["parentbased_always_on", 0, [5000, 5000], true, false],
  ["parentbased_always_off", 1, [0, 0], true, false],
  ["parentbased_traceidratio", 0, [0, 0], true, false],
  ["parentbased_traceidratio", 1, [5000, 5000], true, false],
  // 50 are expected, with a standard deviation of 7: outside of this range in less than one of a million runs
  ["parentbased_traceidratio", 0.01, [14, 86], true, false],
] as const) {
  test(`${sampler} with ${ratio} records ${begun.join(" to ")} of 5000 traces that begin here, and of its senders' what it should`, () => {
    const { tracing } = openTo("http://127.0.0.1:9", { sampler, ratio });
    const recorded = Array.from({ length: 5000 }, () => tracing.begin("scrape", {})).filter(
      (span) => span !== undefined,
    );
    expect(recorded.length).toBeWithin(begun[0], begun[1] + 1);
    expect(tracing.begin("push", { from: from("01") }) !== undefined).toBe(ofRecorded);
    expect(tracing.begin("push", { from: from("00") }) !== undefined).toBe(ofUnrecorded);
  });
}

test("a text that is no traceparent begins a trace, and one of a later version continues it", () => {
  const { tracing } = openTo("http://127.0.0.1:9");
  const idOf = (text: string): string | undefined => tracing.begin("push", { from: text })?.traceId;
  const [trace, span] = ["a".repeat(32), "b".repeat(16)];
  expect(idOf(`00-${trace}-${span}-01`)).toBe(trace);
  expect(idOf(`cc-${trace}-${span}-01-what-follows`)).toBe(trace);
  const unusable = [
    "",
    "00",
    `ff-${trace}-${span}-01`,
    `00-${trace}-${span}-01-more`,
    `00-${trace.toUpperCase()}-${span}-01`,
  ];
  const zeros = [`00-${"0".repeat(32)}-${span}-01`, `00-${trace}-${"0".repeat(16)}-01`];
  for (const text of [...unusable, ...zeros]) expect([text, idOf(text)]).not.toEqual([text, trace]);
});

test("spans are sent together, with the process, the headers and their errors", async () => {
  const receiver = await receiving();
  const resource = { "service.name": "traced", "telemetry.roles": "collector" };
  const { tracing, figure, close } = openTo(receiver.url, { resource, headers: { authorization: "Basic abc" } });
  const first = tracing.begin("collect", { kind: "consumer", attributes: { "telemetry.attempt": 2 } });
  first?.begin("store").end({ error: "the store is full" });
  first?.end();
  first?.end({ error: "told too late" });
  await until(() => receiver.spans.length === 2);
  expect(receiver.headers?.get("authorization")).toBe("Basic abc");
  const [store, collect] = receiver.spans;
  expect(collect).toMatchObject({ name: "collect", kind: 5, parentId: "", resource, error: undefined });
  expect(collect?.attributes).toEqual({ "telemetry.attempt": 2 });
  expect(store).toMatchObject({ name: "store", parentId: first?.spanId, error: "the store is full" });
  // counted when the answer has been read
  await until(async () => (await figure("telemetry_exported_spans_total")) === 2);
  await close();
});

test("a stop sends the spans that wait", async () => {
  const receiver = await receiving();
  const { tracing, close } = openTo(receiver.url, { delayMs: 60_000 });
  tracing.begin("scrape", {})?.end();
  await close();
  expect(receiver.spans).toHaveLength(1);
});

const neverAnswers = (): Promise<Response> => new Promise(() => undefined);
const refuses = (): Response => new Response("no room", { status: 503 });
for (const [what, answer] of [
  ["hangs", neverAnswers],
  ["answers 503", refuses],
  ["is down", undefined],
] as const) {
  test(`while the receiver ${what}, nothing waits for it: spans are dropped and counted, and the stop is short`, async () => {
    const receiver = await receiving(answer);
    if (answer === undefined) await receiver.stop();
    const { tracing, figure, close } = openTo(receiver.url, { maxQueueSize: 100 });
    const elapsedMs = stopwatch();
    for (let at = 0; at < 1000; at += 1) tracing.begin("scrape", {})?.end();
    expect(elapsedMs()).toBeLessThan(500);
    const dropped = async (): Promise<number> => {
      const [full, failed] = await Promise.all(
        ["queue_full", "export_failed"].map((reason) => figure("telemetry_dropped_spans_total", reason)),
      );
      return (full ?? 0) + (failed ?? 0);
    };
    await until(async () => (await dropped()) === 1000);
    expect(await figure("telemetry_dropped_spans_total", "queue_full")).toBeGreaterThanOrEqual(800);
    tracing.begin("scrape", {})?.end();
    const stopMs = stopwatch();
    await close();
    expect(stopMs()).toBeLessThan(2000);
  });
}

test("a receiver that is back is sent spans again", async () => {
  let isBack = false;
  const receiver = await receiving(() => (isBack ? new Response() : new Response("no", { status: 400 })));
  const { tracing, figure, close } = openTo(receiver.url);
  tracing.begin("lost", {})?.end();
  await until(async () => (await figure("telemetry_dropped_spans_total", "export_failed")) === 1);
  isBack = true;
  tracing.begin("sent", {})?.end();
  await until(() => receiver.spans.length === 1);
  expect(receiver.spans[0]?.name).toBe("sent");
  await close();
});
