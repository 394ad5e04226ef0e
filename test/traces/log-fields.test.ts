import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import { unshownLog } from "../../dev/unshown-log.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { inSpan, spanFields } from "../../src/kit/tracing.ts";
import { openOtlpTracing } from "../../src/traces/open-otlp-tracing.ts";

test("what is logged within a span has its ids, until the span has ended", async () => {
  const { tracing } = openOtlpTracing({
    ...{ url: "http://127.0.0.1:9/v1/traces", headers: {}, timeoutMs: 100, caFile: undefined, resource: {} },
    ...{ sampler: "always_on", ratio: 1, delayMs: 60_000, maxQueueSize: 10 },
    ...{ registry: new Registry(), clock: systemClock, log: unshownLog() },
  });
  const span = tracing.begin("collect", {});
  const ended = Promise.withResolvers<void>();
  const later = inSpan(span, async () => {
    expect(spanFields()).toEqual({ trace_id: span?.traceId ?? "", span_id: span?.spanId ?? "" });
    await ended.promise;
    return spanFields();
  });
  expect(spanFields()).toEqual({});
  span?.end();
  ended.resolve();
  // a connection that was opened within the span, for example
  expect(await later).toEqual({});
});
