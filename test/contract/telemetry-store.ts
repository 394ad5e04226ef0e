import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { allTime } from "../../src/domain/time-range.ts";
import type { RejectedInput } from "../../src/domain/batch.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { propertyRuns } from "../support/property-runs.ts";

const t0 = Date.UTC(2025, 6, 18, 20, 42, 34);

const rejection = (byte: number): RejectedInput => ({
  line: 3,
  byte,
  reason: "invalid_value",
  field: "value",
  value: "a \u0000 NUL",
  message: "no number",
  raw: 'a "quoted", \\ raw',
});

/** The contract of every driver of the store. Each test has uuids and sources of its own. */
export function exerciseTelemetryStore(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} keeps the store's contract`, () => {
    let opened: OpenStore;
    beforeAll(async () => void (opened = await open()));
    afterAll(() => opened.close());

    test("records merge across messages, and a missing value never removes a stored one", async () => {
      const { store, queries } = opened;
      const first = makeBatch([{ uuid: "merge", timeMs: t0, metrics: { temperature: 28, power_draw: 73.136 } }]);
      const second = makeBatch([
        { uuid: "merge", timeMs: t0, metrics: { power_draw: 80, sm_clock_mhz: 1980, odd: 1 } },
      ]);
      expect(await store.ingest(messageOf("m1", first))).toEqual({
        duplicate: false,
        recordsInserted: 1,
        recordsMerged: 0,
        conflicts: 0,
        rejected: {},
        contested: [],
      });
      expect(await store.ingest(messageOf("m2", second))).toEqual({
        duplicate: false,
        recordsInserted: 0,
        recordsMerged: 1,
        conflicts: 1,
        rejected: {},
        contested: [],
      });
      const [record] = (await queries.history.records({ gpus: { uuids: ["merge"] }, range: allTime, limit: 10 }))
        .elements;
      expect(record?.metrics).toEqual({ temperature: 28, power_draw: 80, sm_clock_mhz: 1980 });
      expect(record).toMatchObject({
        custom: { odd: 1 },
        timeMs: t0,
        gpu: { properties: { job: 'a "quoted" \\ job' } },
      });
    });

    test("a message is stored exactly once, even if it comes twice at the same time, or again with another id", async () => {
      const { store, queries } = opened;
      const message = messageOf("once", makeBatch([{ uuid: "once", timeMs: t0, metrics: { temperature: 1 } }]));
      const results = await Promise.all([store.ingest(message), store.ingest(message)]);
      expect(results.map(({ duplicate }) => duplicate).sort()).toEqual([false, true]);
      expect(await store.ingest({ ...message, messageId: "another id" })).toMatchObject({ duplicate: true });
      expect(
        (await queries.history.records({ gpus: { uuids: ["once"] }, range: allTime, limit: 10 })).elements,
      ).toHaveLength(1);
    });

    test("a rejected input is stored exactly once per position, even if it contains a NUL character, quotes and a backslash", async () => {
      const { store, queries } = opened;
      const range = { source: "rejects" };
      await store.ingest(messageOf("r1", makeBatch([], [rejection(5), rejection(9)]), range));
      await store.ingest(messageOf("r2", makeBatch([], [rejection(9)]), range));
      const rejections = await queries.quarantine.rejections({ sourceId: "rejects", limit: 10 });
      expect(rejections.map(({ byte }) => byte).sort()).toEqual([5, 9]);
      expect(rejections[0]).toMatchObject({ line: 3, value: "a \ufffd NUL", raw: 'a "quoted", \\ raw' });
    });

    test("the rejected inputs of two messages are all kept, even if they are at the same index of their messages", async () => {
      const { store, queries } = opened;
      // the last one is a row of a file, at the byte that the others have as index
      const inMessage = { ...rejection(5), line: 0 };
      await store.ingest(messageOf("items-1", makeBatch([], [inMessage, inMessage]), { source: "items" }));
      const second = messageOf("items-2", makeBatch([], [inMessage, rejection(5)]), { source: "items" });
      await store.ingest(second);
      await store.ingest({ ...second, messageId: "items-2 again" });
      const rejections = await queries.quarantine.rejections({ sourceId: "items", limit: 10 });
      expect(rejections.map(({ line, byte }) => [line, byte]).sort()).toEqual([
        ...[0, 0, 0].map((line) => [line, 5]),
        [3, 5],
      ]);
    });

    test("a line that is bad in every reading is in quarantine once an hour, and counted every time", async () => {
      const { store, queries } = opened;
      const hour = Date.UTC(2025, 6, 18, 20);
      const bad = (raw: string, byte: number): RejectedInput => ({ ...rejection(byte), field: raw.slice(0, 4), raw });
      const onTwoHosts = { ...rejection(1), line: 0, reason: "uuid_on_two_hosts" as const, raw: '{"uuid":"GPU-1"}' };
      const ofUuid = (uuid: string, at: number) => ({
        ...rejection(0),
        line: 0,
        raw: `{"uuid":"${uuid}","at":"${at}"}`,
      });
      for (const [index, timeMs] of [hour, hour + 15_000, hour + 3_599_999, hour + 3_600_000].entries()) {
        const rejected = [
          bad(`temp{gpu="0",pod="a}b\\"c"} ${index} # {trace="${index}"} 1`, index),
          bad(`temp{gpu="1",pod="a}b\\"c"} ${index}`, 90 + index),
          bad(`open{gpu="1 ${index}`, 180 + index),
          ...[ofUuid("GPU-1", index), ofUuid("GPU-2", index), onTwoHosts],
        ];
        const reading = { timeMs, intervalMs: 15_000, outcome: "read" as const, count: 1 };
        const batch = { ...makeBatch([], rejected), reading };
        const { rejected: counted } = await store.ingest(messageOf(`bad-${timeMs}`, batch, { source: "bad target" }));
        expect(counted).toEqual({ invalid_value: 5, uuid_on_two_hosts: 1 });
      }
      const rejections = await queries.quarantine.rejections({ sourceId: "bad target", limit: 100 });
      const count = (text: string): number => rejections.filter(({ raw }) => raw.includes(text)).length;
      expect(['gpu="0"', 'temp{gpu="1"', "open{", '"GPU-1","at"', '"GPU-2","at"'].map(count)).toEqual([2, 2, 2, 2, 2]);
      expect(rejections.filter(({ reason }) => reason === "uuid_on_two_hosts")).toHaveLength(4);
      const { totals } = await store.progressOf("bad target");
      expect(totals.rejected).toEqual({ invalid_value: 20, uuid_on_two_hosts: 4 });
    });

    test("a row of a file that is rejected for two devices is kept twice, however often the row is read", async () => {
      const { store, queries } = opened;
      const ofDevice = (uuid: string): RejectedInput => ({ ...rejection(5), message: uuid });
      const rows = [rejection(4), ofDevice("GPU-1"), ofDevice("GPU-1:mig:3:1g.10gb")];
      for (const id of ["devices-1", "devices-2"]) {
        await store.ingest(messageOf(id, makeBatch([], rows), { source: "devices" }));
      }
      const rejections = await queries.quarantine.rejections({ sourceId: "devices", limit: 10 });
      expect(rejections.map(({ byte, message }) => [byte, message]).sort()).toEqual([
        [4, "no number"],
        [5, "GPU-1"],
        [5, "GPU-1:mig:3:1g.10gb"],
      ]);
    });

    test("records that the store rejects are all kept, even if the times of their messages are milliseconds apart", async () => {
      const { store, queries } = opened;
      const uuids = ["GPU-clone-0", "GPU-clone-1"];
      const batchOf = (hostname: string, timeMs: number, parts = uuids) =>
        makeBatch(parts.map((uuid) => ({ uuid, hostname, timeMs, metrics: { temperature: 1 } })));
      for (const timeMs of [t0, t0 + 1]) {
        const range = { source: "clones", from: timeMs, to: timeMs };
        await store.ingest(messageOf(`clones-a-${timeMs}`, batchOf("vm-a", timeMs), range));
        await store.ingest(messageOf(`clones-b-${timeMs}`, batchOf("vm-b", timeMs), range));
      }
      const rejections = await queries.quarantine.rejections({ sourceId: "clones", limit: 10 });
      expect(rejections.map(({ byte }) => byte).sort()).toEqual([0, 0, 1, 1]);
      expect((await store.progressOf("clones")).totals.rejected).toEqual({ uuid_on_two_hosts: 4 });
    });

    test("progress joins adjacent ranges, and sums up the stored messages", async () => {
      const { store } = opened;
      const batch = (timeMs: number) =>
        makeBatch([{ uuid: "progress", timeMs, metrics: { temperature: 1 } }], [rejection(timeMs)]);
      await store.ingest(messageOf("p1", batch(t0), { source: "file", from: 0, to: 10 }));
      await store.ingest(messageOf("p3", batch(t0 + 2000), { source: "file", from: 20, to: 30 }));
      const ranges = async () =>
        (await store.progressOf("file")).stored.map(({ from, to }) => [from.offset, to.offset]);
      expect(await ranges()).toEqual([
        [0, 10],
        [20, 30],
      ]);
      await store.ingest(messageOf("p2", batch(t0 + 1000), { source: "file", from: 10, to: 20 }));
      expect(await ranges()).toEqual([[0, 30]]);
      const { totals } = await store.progressOf("file");
      expect(totals).toMatchObject({
        messages: 3,
        rows: 3,
        samples: 3,
        recordsInserted: 3,
        rejected: { invalid_value: 3 },
      });
    });

    test("a live source has a latest time and totals, but no stored ranges", async () => {
      const { store } = opened;
      expect(await store.latestInstantMs("live")).toBeUndefined();
      for (const [index, timeMs] of [t0, t0 + 2000, t0 + 1000].entries()) {
        const batch = makeBatch([{ uuid: "live", timeMs, metrics: { temperature: 1 } }]);
        await store.ingest(messageOf(`l${index}`, batch, { source: "live", from: timeMs, to: timeMs }));
      }
      expect(await store.latestInstantMs("live")).toBe(t0 + 2000);
      expect(await store.progressOf("live")).toMatchObject({ stored: [], totals: { messages: 3, recordsInserted: 3 } });
    });

    test("refused data adds no GPU, and a later message with the same idempotency key is stored", async () => {
      const { store, queries } = opened;
      const bad = makeBatch([{ uuid: "refused", timeMs: 9e18, metrics: { temperature: 1 } }]);
      await expect(store.ingest(messageOf("bad", bad))).rejects.toMatchObject({
        code: "store_rejected",
        retryable: false,
      });
      expect(await queries.fleet.gpus({ uuids: ["refused"] })).toEqual([]);
      const good = makeBatch([{ uuid: "refused", timeMs: t0, metrics: { temperature: 1 } }]);
      expect(await store.ingest(messageOf("bad", good))).toMatchObject({ duplicate: false });
    });

    test("late data makes a GPU's first-seen time earlier, but replaces neither its hostname nor its newest record", async () => {
      const { store, queries } = opened;
      const on = (hostname: string, timeMs: number) =>
        makeBatch([{ uuid: "moved", hostname, timeMs, metrics: { temperature: 1 } }]);
      await store.ingest(messageOf("new", on("host-new", t0)));
      await store.ingest(messageOf("old", on("host-old", t0 - 60_000)));
      const [gpu] = await queries.fleet.gpus({ uuids: ["moved"] });
      expect(gpu).toMatchObject({ hostname: "host-new", firstSeenAtMs: t0 - 60_000, lastSeenAtMs: t0 });
      expect(await queries.fleet.latest({ uuids: ["moved"] })).toMatchObject([{ timeMs: t0 }]);
    });

    test("a range includes its start and excludes its end; a limit selects the newest records, in order of time", async () => {
      const { store, queries } = opened;
      const times = [0, 1, 2, 3].map((second) => t0 + second * 1000 + 7);
      const records = times.map((timeMs) => ({ uuid: "window", timeMs, metrics: { temperature: 1 } }));
      await store.ingest(messageOf("w", makeBatch(records)));
      const found = async (filter: object) =>
        (
          await queries.history.records({ gpus: { uuids: ["window"] }, range: allTime, limit: 10, ...filter })
        ).elements.map(({ timeMs }) => timeMs);
      expect(await found({})).toEqual(times);
      expect(await found({ range: { fromMs: times[1], toMs: times[3] } })).toEqual(times.slice(1, 3));
      expect(await found({ range: { fromMs: times[1], toMs: Infinity } })).toEqual(times.slice(1));
      expect(await found({ range: { fromMs: -Infinity, toMs: times[1] } })).toEqual(times.slice(0, 1));
      expect(await found({ limit: 2 })).toEqual(times.slice(2));
    });

    test("doubles are stored and returned exactly", async () => {
      const { store, queries } = opened;
      let run = 0;
      const anyDouble = fc.double({ noNaN: true, noDefaultInfinity: true });
      const property = fc.asyncProperty(fc.array(anyDouble, { minLength: 1, maxLength: 200 }), async (some) => {
        run += 1;
        const uuid = `bits-${run}`;
        const values = [5e-324, 1.7976931348623157e308, 2 ** 53, 0.1 + 0.2, -0, 73.136, 1 / 3, ...some];
        const records = values.map((value, index) => ({ uuid, timeMs: t0 + index, metrics: { power_draw: value } }));
        await store.ingest(messageOf(uuid, makeBatch(records)));
        const { elements: found } = await queries.history.records({
          gpus: { uuids: [uuid] },
          range: allTime,
          limit: 1000,
        });
        const isSame = found.map(({ metrics }, index) => Object.is(metrics.power_draw, values[index]));
        expect(isSame).toEqual(values.map(() => true));
      });
      await fc.assert(property, { numRuns: propertyRuns(6) });
    });

    test("a closed store is unavailable, and may be closed twice", async () => {
      const other = await open();
      await other.close();
      await other.close();
      await expect(other.store.ping()).rejects.toMatchObject({ code: "store_unavailable" });
    });
  });
}
