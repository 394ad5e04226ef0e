import { expect, test } from "bun:test";
import { makeBatch } from "../../dev/make-batch.ts";
import type { ReadingFault, SourceReading } from "../../src/domain/reading.ts";
import type { LiveBatch } from "../../src/pipeline/source/source.ts";
import { type ReadSeries, withEnds } from "../../src/pipeline/stream/read-series.ts";

const intervalMs = 1000;
type Devices = Readonly<Record<string, Readonly<Record<string, number>>>>;

function live(second: number, devices: Devices, reading: Partial<SourceReading> = {}): LiveBatch {
  const timeMs = second * intervalMs;
  const batch = makeBatch(Object.entries(devices).map(([uuid, metrics]) => ({ uuid, timeMs, metrics })));
  return {
    ...{ timeMs, idempotencyKey: `a:${timeMs}`, batch },
    reading: { timeMs, intervalMs, outcome: "read", count: 1, ...reading },
  };
}

const read = (second: number, devices: Devices): LiveBatch => live(second, devices);
const missed = (second: number, reason: ReadingFault): LiveBatch => live(second, {}, { outcome: "missed", reason });

/** What each reading ends, as `second since: device series`. */
function endsOf(readings: readonly LiveBatch[], known?: ReadSeries): string[][] {
  let before = known;
  return readings.map((reading) => {
    const { live: told, after } = withEnds(reading, before);
    before = after;
    return (told.batch.ends ?? []).map(({ uuid, timeMs, sinceMs = NaN, series }) =>
      [timeMs / 1000, `${sinceMs / 1000}:`, uuid, ...series].join(" "),
    );
  });
}

test("what the reading before had and this one has not has ended, once, until it comes back", () => {
  const both = { a: { temperature: 30, power_draw: 90 }, b: { temperature: 40 } };
  const scrapes = [both, both, { a: { temperature: 31 } }, { a: { temperature: 31 } }, both, {}];
  expect(endsOf(scrapes.map((devices, index) => read(index + 1, devices)))).toEqual([
    [],
    [],
    ["3 2: a power_draw", "3 2: b temperature"],
    [],
    [],
    ["6 5: a power_draw temperature", "6 5: b temperature"],
  ]);
});

test("a source that does not answer has no series, but what the pipeline itself has missed tells nothing", () => {
  const one = { a: { temperature: 30 } };
  const ended = live(9, {}, { outcome: "missed", count: 0, ended: true });
  const readings = [
    ...[read(1, one), missed(2, "timeout"), missed(3, "timeout")],
    ...[read(4, one), missed(5, "no_streamer"), missed(6, "memory_full"), missed(7, "stopped"), read(8, one), ended],
  ];
  const ends: string[][] = readings.map(() => []);
  ends[1] = ["2 1: a temperature"];
  ends[8] = ["9 8: a temperature"];
  expect(endsOf(readings)).toEqual(ends);
});

test("an answer that was cut off ends nothing, and what it lacks may end in the next whole one", () => {
  const both = { a: { temperature: 30 }, b: { temperature: 40 } };
  const cut = { ...read(2, { a: { temperature: 30 } }), isCut: true };
  expect(endsOf([read(1, both), cut, read(3, both)])).toEqual([[], [], []]);
  expect(endsOf([read(1, both), cut, read(3, { a: { temperature: 30 } })])).toEqual([[], [], ["3 2: b temperature"]]);
});

test("labelled series end one by one, and the plain value that follows from them is no series", () => {
  const xids = (...names: readonly string[]) => ({
    a: Object.fromEntries(names.map((xid) => [`xid_errors{xid="${xid}"}`, 1])),
  });
  const readings = [read(1, xids("31", "79")), read(2, xids("79")), read(3, { a: { xid_errors: 2 } }), read(4, {})];
  expect(endsOf(readings)).toEqual([
    [],
    ['2 1: a xid_errors{xid="31"}'],
    ['3 2: a xid_errors{xid="79"}'],
    ["4 3: a xid_errors"],
  ]);
  // a plain value that is followed by labelled ones
  expect(endsOf([read(1, { a: { xid_errors: 2 } }), read(2, xids("31"))])).toEqual([[], ["2 1: a xid_errors"]]);
});

test("samples with times of their own do not end", () => {
  const old = makeBatch([{ uuid: "a", timeMs: 500, metrics: { temperature: 30 } }]);
  expect(endsOf([{ ...read(1, {}), batch: old }, read(2, {})])).toEqual([[], []]);
});

test("nothing ends while it is not known what was read before, as with a text that cannot be read", () => {
  const one = [read(2, { a: { temperature: 30 } })];
  for (const text of ["", "no JSON", '{"a":["power_draw"]}']) expect(endsOf(one, { text, timeMs: 1000 })).toEqual([[]]);
  const { after } = withEnds(read(1, { a: { power_draw: 1, temperature: 2 } }), undefined);
  expect(endsOf(one, after)).toEqual([["2 1: a power_draw"]]);
});

test("the text is the same in any order of devices and metrics, and names the series of like devices once", () => {
  const textOf = (devices: Devices) => withEnds(read(1, devices), undefined).after?.text;
  const text = textOf({ b: { temperature: 1, power_draw: 2 }, a: { power_draw: 3, temperature: 4 }, c: { own: 5 } });
  expect(textOf({ c: { own: 5 }, a: { temperature: 4, power_draw: 3 }, b: { power_draw: 2, temperature: 1 } })).toBe(
    text as string,
  );
  expect(JSON.parse(text as string)).toEqual([
    { series: ["own"], devices: ["c"] },
    { series: ["power_draw", "temperature"], devices: ["a", "b"] },
  ]);
});
