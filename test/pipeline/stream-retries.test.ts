import { expect, test } from "bun:test";
import pino from "pino";
import { EtcdUnavailable } from "../../src/domain/errors.ts";
import { silentListener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { StreamRetries } from "../../src/pipeline/stream/stream-retries.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("streaming continues when every operation that failed has succeeded, not when another one succeeds", async () => {
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) });
  const clock = new ManualClock();
  const retries = new StreamRetries({ clock, listener: silentListener, log });
  const { signal } = new AbortController();
  let isAway = true;
  const claiming = retries.retrying(
    () => (isAway ? Promise.reject(new EtcdUnavailable("away")) : Promise.resolve()),
    signal,
  );
  while (retries.error === undefined) await Bun.sleep(1);
  await retries.retrying(() => Promise.resolve(), signal);
  retries.succeeded();
  expect([retries.error, lines.length]).toEqual([expect.stringContaining("away"), 1]);
  isAway = false;
  while (retries.error !== undefined) await clock.advance(1000);
  await claiming;
  expect(lines.at(-1)).toContain("streaming continues");
  // an operation that ends with its signal holds nothing up any more
  const aborting = new AbortController();
  const refused = () => Promise.reject(new EtcdUnavailable("gone"));
  const failing = retries.retrying(refused, aborting.signal).catch(() => undefined);
  while (retries.error === undefined) await Bun.sleep(1);
  aborting.abort(new Error("enough"));
  await failing;
  retries.succeeded();
  expect(retries.error).toBeUndefined();
});
