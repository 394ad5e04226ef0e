import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import type { Workload } from "../../src/domain/gpu.ts";
import type { GpuBounds } from "../../src/domain/gpu-bounds.ts";
import type { SeriesEnd } from "../../src/domain/series-end.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";

/** The instant of the first records, milliseconds since the epoch. */
export const begin = Date.UTC(2025, 6, 18, 20, 3);
/** The time between the records of a GPU. */
export const stepMs = 10_000;
/** The number of records of a GPU. */
export const steps = 40;

const own = (pod: string): Workload => ({ container: "c", pod, namespace: "team-a" });
const other = (pod: string): Workload => ({ container: "c", pod, namespace: "team-b" });
const third: Workload = { container: "c", pod: "x", namespace: "team-c" };

/** Where a GPU is and who holds it, step by step. */
interface Played {
  readonly uuid: string;
  readonly hostAt: (step: number) => readonly [clusterId: string, hostname: string];
  readonly holdersAt: (step: number) => readonly Workload[];
}

const still = (clusterId: string, hostname: string) => () => [clusterId, hostname] as const;
export const mig = "GPU-0000abcd:mig:1:1g.10gb";
const played: readonly Played[] = [
  { uuid: "own", hostAt: still("east", "e1"), holdersAt: () => [own("p")] },
  { uuid: "own-west", hostAt: still("west", "w1"), holdersAt: () => [own("q")] },
  { uuid: "foreign", hostAt: still("east", "e2"), holdersAt: () => [other("p")] },
  { uuid: "unheld", hostAt: still("west", "w2"), holdersAt: () => [] },
  {
    uuid: "shared",
    hostAt: still("east", "e1"),
    holdersAt: (step) => (step % 3 === 0 ? [own("s"), other("s")] : [own("s"), third]),
  },
  { uuid: "comes", hostAt: still("east", "e2"), holdersAt: (step) => (step < 17 ? [other("m")] : [own("m")]) },
  {
    uuid: "goes",
    hostAt: still("west", "w1"),
    holdersAt: (step) => (step < 17 ? [own("n")] : step < 30 ? [] : [other("n")]),
  },
  {
    uuid: "returns",
    hostAt: still("west", "w1"),
    holdersAt: (step) => (step > 9 && step < 21 ? [other("r")] : [own(`r${step % 7 === 0 ? 1 : 2}`)]),
  },
  { uuid: "moves", hostAt: (step) => (step < 11 ? ["east", "e1"] : ["west", "w2"]), holdersAt: () => [own("v")] },
  {
    uuid: "moves-back",
    hostAt: (step) => (step > 8 && step < 33 ? ["west", "w1"] : ["east", "e2"]),
    holdersAt: () => [own("u")],
  },
  { uuid: mig, hostAt: still("west", "w2"), holdersAt: () => [other("i")] },
];
export const uuids = played.map(({ uuid }) => uuid);

const isWithin = (
  { clusters, hosts, namespaces }: GpuBounds,
  place: readonly [string, string],
  holders: readonly Workload[],
) =>
  (clusters?.includes(place[0]) ?? true) &&
  (hosts?.includes(place[1]) ?? true) &&
  (namespaces === undefined || holders.some(({ namespace }) => namespaces.includes(namespace)));

/** The records of a step; with bounds, only what a pipeline of the team alone would have read. */
export function recordsOf(step: number, within?: GpuBounds): TestRecord[] {
  return played.flatMap(({ uuid, hostAt, holdersAt }, index) => {
    const [place, all] = [hostAt(step), holdersAt(step)];
    if (within !== undefined && !isWithin(within, place, all)) return [];
    const names = within?.namespaces;
    const [workload, ...sharing] = names === undefined ? all : all.filter(({ namespace }) => names.includes(namespace));
    const series = all.map(
      ({ namespace, pod }) => [`requests{namespace="${namespace}",pod="${pod}"}`, namespace] as const,
    );
    const shown = series.filter(([, namespace]) => names?.includes(namespace) ?? true);
    return {
      ...{ uuid, clusterId: place[0], hostname: place[1], timeMs: begin + step * stepMs },
      metrics: {
        temperature: index + step,
        power_draw: 100 * index,
        ...Object.fromEntries(shown.map(([name]) => [name, step])),
      },
      properties: names === undefined ? { pod_uid: all[0]?.pod ?? "" } : {},
      ...(workload === undefined ? {} : { workload }),
      sharing,
    };
  });
}

/** The temperature of each GPU ends at each instant of a record, and at the one after the last; with bounds, where the record before it is own. */
function endsOf(step: number, within: GpuBounds | undefined): SeriesEnd[] {
  const timeMs = begin + step * stepMs;
  return recordsOf(step - 1, within).map(({ uuid }) => ({ uuid, timeMs, series: ["temperature"] }));
}

/** Bounds of teams, with what they are. */
export const cases: readonly (readonly [string, GpuBounds])[] = [
  ["hosts", { hosts: ["e1", "w2"] }],
  ["two namespaces", { namespaces: ["team-a", "team-c"] }],
  ["a namespace in a cluster", { clusters: ["west"], namespaces: ["team-a"] }],
  ["nothing that there is", { clusters: ["north"] }],
];

/** Stores what two teams have. @param within only what a pipeline of the team with these bounds would have read */
export async function storeTeams({ store }: Pick<OpenStore, "store">, within?: GpuBounds): Promise<void> {
  for (let step = 0; step < steps; step += 5) {
    const records = [0, 1, 2, 3, 4].flatMap((more) => recordsOf(step + more, within));
    const ends = [1, 2, 3, 4, 5].flatMap((more) => endsOf(step + more, within));
    if (records.length === 0) continue;
    const range = { source: "csv:both.csv", from: step, to: step + 5 };
    await store.ingest(messageOf(`step ${step}`, { ...makeBatch(records), ends }, range));
  }
}

/** The uuids of the GPUs that are within the bounds at the end. */
export function ownAtEnd(within: GpuBounds): string[] {
  return played
    .filter(({ hostAt, holdersAt }) => isWithin(within, hostAt(steps - 1), holdersAt(steps - 1)))
    .map(({ uuid }) => uuid);
}
