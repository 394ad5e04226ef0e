/** The addresses of two that answer PromQL. */
interface Answering {
  readonly gateway: string;
  readonly prometheus: string;
}

/** What two have counted at each second. */
interface LiveCounts {
  /** Instants and queries at which they differ. */
  readonly differing: readonly string[];
  /** How often a value changed from one second to the next. */
  readonly changes: number;
  /** Values that are still counted some seconds after the exporters have ended. */
  readonly afterEnd: number;
}

/** A Prometheus has a series for each pod that shares a device, a gateway one: each device counts once. */
const perDevice = "UUID, GPU_I_ID, GPU_I_PROFILE";
/** A metric of the board, which an exporter repeats for each instance, is in a gateway once. */
const ofDevices = [
  ...["DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_UTIL_RATIO", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_USED_BYTES"],
].map((name) => `max by (${perDevice}) (${name})`);
const ofBoards = ["DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_GPU_TEMP_CELSIUS"].map((name) => `max by (UUID) (${name})`);
/** The Prometheus has those of one dialect, a gateway all. */
const queries = [...ofDevices, ...ofBoards].flatMap((each) => [`count(${each})`, `sum(${each})`]);
const secondsBefore = 50;
const secondsAfter = 10;

type Values = ReadonlyMap<number, number>;

/** Compares what a gateway and a Prometheus count at each second around the instant at which the exporters ended: a MIG instance that is
 *  removed, and a host that no longer answers, count at once no more. */
export async function countsOf({ gateway, prometheus }: Answering, endsMs: number): Promise<LiveCounts> {
  const from = Math.floor(endsMs / 1000) - secondsBefore;
  const to = Math.floor(endsMs / 1000) + secondsAfter;
  const differing: string[] = [];
  let [changes, afterEnd] = [0, 0];
  for (const query of queries) {
    const [ours, theirs] = [
      await valuesOf(gateway, query, { from, to }),
      await valuesOf(prometheus, query, { from, to }),
    ];
    if (theirs.size === 0) continue;
    for (let second = from; second <= to; second += 1) {
      const [own, other] = [ours.get(second), theirs.get(second)];
      if (!isEqual(own, other)) differing.push(`${second - to + secondsAfter} s ${query}: ${own} instead of ${other}`);
      if (second > from && other !== theirs.get(second - 1)) changes += 1;
      // each exporter is scraped once a second
      if (second > to - secondsAfter + 3 && own !== undefined) afterEnd += 1;
    }
  }
  return { differing, changes, afterEnd };
}

/** True if two have counted the same, something has changed meanwhile, and nothing is counted after the end. */
export function areAlike({ differing, changes, afterEnd }: LiveCounts): boolean {
  return differing.length === 0 && changes > 0 && afterEnd === 0;
}

/** Sums of doubles differ by the order in which they are added. */
function isEqual(a: number | undefined, b: number | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && Math.abs(a - b) <= 1e-9 * Math.abs(b));
}

async function valuesOf(
  url: string,
  query: string,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<Values> {
  const path = `/api/v1/query_range?query=${encodeURIComponent(query)}&start=${from}&end=${to}&step=1`;
  const text = await (await fetch(url + path)).text();
  const { status, data } = JSON.parse(text) as {
    status: string;
    data: { result: readonly { values: readonly (readonly [number, string])[] }[] };
  };
  if (status !== "success") throw new Error(`${url} answers ${query}: ${text}`);
  return new Map((data.result[0]?.values ?? []).map(([second, value]) => [second, Number(value)]));
}
