import { expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { SeriesEnd } from "../../src/domain/series-end.ts";
import { firstSecondMs } from "./gateway.ts";
import { fleetGateway } from "../support/fleet-gateway.ts";

// Two exporters of a host have metrics of the same GPU. If one of them no longer answers, what the other one measures goes on.

setDefaultTimeout(60_000);

const running = fleetGateway([]);

const uuid = "GPU-of-two";
const atMs = (second: number): number => firstSecondMs + second * 1000;
let messages = 0;

async function store(second: number, metrics: Readonly<Record<string, number>>, ends: readonly SeriesEnd[] = []) {
  messages += 1;
  const records = Object.keys(metrics).length === 0 ? [] : [{ uuid, timeMs: atMs(second), metrics }];
  await running.stored.store.ingest(messageOf(`two sources ${messages}`, { ...makeBatch(records), ends }));
}

async function valuesOf(query: string, seconds: readonly number[]): Promise<(number | undefined)[]> {
  return Promise.all(
    seconds.map(async (second) => {
      const path = `/api/v1/query?time=${atMs(second) / 1000}&query=${encodeURIComponent(query)}`;
      const { data } = (await running.gateway.json(path)) as unknown as {
        data: { result: { value: [number, string] }[] };
      };
      const [first] = data.result;
      return first && Number(first.value[1]);
    }),
  );
}

test("an end concerns only a series of which no other source has had a value since, in any order of the messages", async () => {
  const end = (second: number, sinceSecond: number, ...series: string[]): SeriesEnd => ({
    ...{ uuid, timeMs: atMs(second), sinceMs: atMs(sinceSecond), series },
  });
  // the first source is read at 0, 15 and so on, the other one at 5, 20 and so on
  await store(0, { temperature: 50, power_draw: 100 });
  await store(5, { temperature: 51 });
  // the first source does not answer at 30: what the other one has gone on to measure at 20 does not end, which is stored later
  await store(15, { temperature: 52, power_draw: 110 });
  await store(30, {}, [end(30, 15, "temperature", "power_draw")]);
  await store(20, { temperature: 53 });
  // then, the other one no longer answers either
  await store(50, {}, [end(50, 20, "temperature")]);
  await store(60, { power_draw: 120 });
  const seconds = [0, 15, 29.999, 30, 35, 49.999, 50, 59.999, 60];
  expect(await valuesOf("DCGM_FI_DEV_GPU_TEMP", seconds)).toEqual([
    ...[50, 52, 53, 53, 53, 53],
    ...[undefined, undefined, undefined],
  ]);
  expect(await valuesOf("DCGM_FI_DEV_POWER_USAGE", seconds)).toEqual([
    ...[100, 110, 110],
    ...[undefined, undefined, undefined, undefined, undefined, 120],
  ]);
  expect(await valuesOf("count_over_time(DCGM_FI_DEV_GPU_TEMP[1m])", [60])).toEqual([4]);
});
