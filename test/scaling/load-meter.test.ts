import { describe, expect, test } from "bun:test";
import { makeBatch } from "../../dev/make-batch.ts";
import { LoadMeter } from "../../src/scaling/registry/load-meter.ts";

function openMeter(...roles: string[]) {
  const machine = { elapsedMs: 0, cpuMs: 500, rssBytes: 100 };
  const meter = new LoadMeter({ roles, elapsedMs: () => machine.elapsedMs, usage: () => machine });
  const after = (seconds: number, cpuSeconds = 0) => {
    machine.elapsedMs += seconds * 1000;
    machine.cpuMs += cpuSeconds * 1000;
    return meter.read();
  };
  const published = (messages: number, duplicate = false): void => {
    const tally = { ...makeBatch([]).tally, samples: 100 };
    for (let message = 0; message < messages; message += 1) meter.listener.published(tally, duplicate);
  };
  const stored = (messages: number, duplicate = false): void => {
    const batch = makeBatch([{ uuid: "GPU-a", timeMs: 1, metrics: { temperature: 40, power_draw: 100 } }]);
    const message = { messageId: "m", idempotencyKey: "k", batch, source: { sourceId: "s", from: start, to: start } };
    for (let count = 0; count < messages; count += 1) {
      meter.listener.stored(message, {
        duplicate,
        recordsInserted: 1,
        recordsMerged: 0,
        conflicts: 0,
        rejected: {},
        contested: [],
      });
    }
  };
  return { after, published, stored };
}

const start = { offset: 0, line: 0 };

describe("the load of a process", () => {
  test("has no rates until a second has passed, because they are unknown and not 0", () => {
    expect(openMeter("streamer").after(0.5)).toEqual({ rss_bytes: 100 });
  });

  test("of a streamer is what it published; messages that were already published do not count", () => {
    const { after, published } = openMeter("streamer");
    published(10);
    published(5, true);
    expect(after(5, 2)).toEqual({
      ...{ samples_per_second: 200, published_messages_per_second: 2, cpu_percent: 40, rss_bytes: 100 },
    });
  });

  test("of a collector is what it stored; messages that were already stored do not count", () => {
    const { after, stored } = openMeter("collector");
    stored(20);
    stored(5, true);
    expect(after(5)).toMatchObject({ samples_per_second: 8, stored_messages_per_second: 4 });
  });

  test("of a process with both roles has both rates of messages, and the samples that are stored", () => {
    const { after, published, stored } = openMeter("streamer", "collector");
    published(10);
    stored(20);
    expect(after(10)).toMatchObject({
      ...{ samples_per_second: 4, published_messages_per_second: 1, stored_messages_per_second: 2 },
    });
  });

  test("of a gateway has no samples, because it handles none", () => {
    expect(openMeter("gateway").after(5, 5)).toEqual({ cpu_percent: 100, rss_bytes: 100 });
  });

  test("is that of the last seconds, and not of the whole time", () => {
    const { after, published } = openMeter("streamer");
    published(1000);
    expect(after(5).published_messages_per_second).toBe(200);
    expect(after(5).published_messages_per_second).toBe(0);
    published(20);
    expect(after(1).published_messages_per_second).toBe(3.3);
    expect(after(5).published_messages_per_second).toBe(0);
  });
});
