import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { openPrometheus } from "../../dev/servers/prometheus.ts";
import { provideDatabase } from "../../dev/servers/provide-database.ts";
import { provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { ChangingExporter, type SaidSeries } from "./changing-exporter.ts";

/** The time within which both have to agree after a change: without ends, a series counts for 5 minutes. */
const agreeWithinMs = 90_000;
const stepSeconds = 1;

/** A question, and what the answer has to be while the exporters have these series. */
interface Question {
  readonly query: string;
  readonly expected: (series: readonly SaidSeries[]) => Answer;
}

/** Values by the labels that the question keeps. */
type Answer = ReadonlyMap<string, number>;

/** A metric of the board, which an exporter repeats for each instance, is in a gateway once. */
const perDevice = ["Hostname", "UUID", "GPU_I_ID", "pod"];
const perBoard = ["Hostname", "UUID"];

function question(
  operator: "count" | "sum",
  by: readonly string[],
  [name, device]: readonly [string, readonly string[]],
): Question {
  return {
    query: `${operator} by (${by.join()}) (max by (${device.join()}) (${name}))`,
    expected: (series) => {
      const devices = new Map(
        series
          .filter((each) => each.name === name)
          .map((each) => [device.map((label) => each.labels[label] ?? "").join(), each] as const),
      );
      const groups = Map.groupBy(devices.values(), ({ labels }) => by.map((label) => labels[label] ?? "").join());
      return new Map(
        Array.from(groups, ([key, of]) => [
          key,
          operator === "count" ? of.length : of.reduce((sum, { value }) => sum + value, 0),
        ]),
      );
    },
  };
}

const memory = ["DCGM_FI_DEV_FB_USED", perDevice] as const;
const temperature = ["DCGM_FI_DEV_GPU_TEMP", perBoard] as const;
const errors = ["DCGM_EXP_XID_ERRORS_TOTAL", [...perBoard, "xid"]] as const;
const questions: readonly Question[] = [memory, temperature, errors].flatMap((of) => [
  question("count", [], of),
  question("sum", ["Hostname"], of),
]);
const byPod = question("count", ["pod"], memory);

/** How a step of the comparison went. */
interface Step {
  readonly name: string;
  /** From when on both had the right answers, until the next change; milliseconds since the epoch. */
  readonly agreedMs: number;
  untilMs: number;
}

interface Compared {
  /** Instants and questions at which the two differ, or differ from what the exporters had; empty if there are none. */
  readonly differing: readonly string[];
  /** The number of instants that were compared. */
  readonly instants: number;
  readonly steps: readonly Step[];
}

/** A streamer and a Prometheus scrape the same exporters, whose GPUs change their MIG mode, vanish and come back, and which fail, die, and
 *  leave the list. After each change, both have to give the right answers, and later, when they are asked again, at each second of the time
 *  in which both did.
 *  @param holdMs how long a step lasts after both had the right answers
 *  @throws Error if one of the two has a wrong answer for too long */
export async function compareScraped({ holdMs }: { readonly holdMs: number }): Promise<Compared> {
  const folder = await mkdtemp(join(tmpdir(), "scraped-counts-"));
  const [a, b] = [new ChangingExporter("host-a"), new ChangingExporter("host-b")];
  let listed = [a, b];
  const discovery = Bun.serve({
    ...{ port: 0, hostname: "127.0.0.1" },
    fetch: () => Response.json([{ targets: listed.map(({ address }) => address), labels: {} }]),
  });
  const list = async (exporters: readonly ChangingExporter[]): Promise<void> => {
    listed = [...exporters];
    const file = join(folder, "targets.json");
    await writeFile(`${file}.new`, JSON.stringify([{ targets: listed.map(({ address }) => address) }]));
    await rename(`${file}.new`, file);
  };
  await list(listed);
  const sides = await openSides(folder, `http://127.0.0.1:${discovery.port}`);
  const steps: Step[] = [];
  const wrongAt = (url: string, atMs: number) =>
    wrongAnswers(
      url,
      atMs,
      listed.flatMap(({ series }) => series),
    );
  const step = async (name: string, change: () => unknown): Promise<void> => {
    const last = steps.at(-1);
    if (last !== undefined) {
      await Bun.sleep(Math.max(0, last.agreedMs + holdMs - Date.now()));
      last.untilMs = Date.now();
    }
    await change();
    let agreedMs = NaN;
    const agree = async (): Promise<boolean> => {
      agreedMs = Date.now();
      return [...(await wrongAt(sides.ours, agreedMs)), ...(await wrongAt(sides.theirs, agreedMs))].length === 0;
    };
    await until(agree, { timeoutMs: agreeWithinMs, everyMs: 250 }).catch(async () => {
      const wrong = [...(await wrongAt(sides.ours, agreedMs)), "Prometheus:"];
      throw new Error([`${name}:`, ...wrong, ...(await wrongAt(sides.theirs, agreedMs))].join("\n"));
    });
    steps.push({ name, agreedMs, untilMs: agreedMs });
  };
  try {
    b.say([{ index: 0 }, { index: 1, pod: "b" }]);
    await step("the exporters answer", () =>
      a.say([
        { index: 0, instances: [1, 2], xids: [31] },
        { index: 1, pod: "a" },
        { index: 2, xids: [31, 79] },
      ]),
    );
    await step("a MIG instance is removed", () =>
      a.say([
        { index: 0, instances: [2] },
        { index: 1, pod: "a" },
        { index: 2, xids: [79] },
      ]),
    );
    await step("MIG mode is off, and a pod follows another one", () =>
      a.say([{ index: 0 }, { index: 1, pod: "c" }, { index: 2 }]),
    );
    await step("a GPU vanishes, and a pod leaves", () => a.say([{ index: 0 }, { index: 1 }]));
    await step("the GPU comes back", () => a.say([{ index: 0, instances: [1, 3] }, { index: 1 }, { index: 2 }]));
    await step("an exporter fails", () => a.fail(500));
    await step("it answers again", () =>
      a.say([
        { index: 0, instances: [1, 3] },
        { index: 2, xids: [48] },
      ]),
    );
    await step("the streamer stops, and meanwhile a GPU and an instance vanish", async () => {
      await sides.restart("SIGTERM", () =>
        a.say([
          { index: 0, instances: [3] },
          { index: 1, pod: "a" },
        ]),
      );
    });
    await step("the streamer is killed, and meanwhile MIG mode changes", async () => {
      await sides.restart("SIGKILL", () => a.say([{ index: 0, pod: "b" }, { index: 2 }]));
    });
    await step("a target leaves the list", () => list([a]));
    await step("it is listed again", () => list([a, b]));
    await step("an exporter dies", () => b.die());
    await step("all GPUs of the other one are gone", () => a.say([]));
    return { ...(await compareAgain(sides, steps)), steps };
  } finally {
    await sides.close();
    await discovery.stop(true);
    await Promise.all([a.die(), b.die()]);
    await rm(folder, { recursive: true, force: true });
  }
}

/** The two that answer. */
interface Sides {
  /** The URL of a gateway. */
  readonly ours: string;
  /** The URL of a Prometheus. */
  readonly theirs: string;
  /** Ends the streamer, and starts another one after what happens meanwhile. */
  readonly restart: (signal: NodeJS.Signals, meanwhile: () => void) => Promise<void>;
  readonly close: () => Promise<void>;
}

async function openSides(folder: string, discoveryUrl: string): Promise<Sides> {
  const [etcd, database] = await Promise.all([provideEtcd(), provideDatabase()]);
  const settings = {
    ...{ CLUSTER_ID: "lab", DATABASE_URL: database.url, ETCD_ENDPOINTS: etcd.endpoints.join() },
    ...{ QUEUE_TOPIC: `scraped-${crypto.randomUUID().slice(-8)}`, QUEUE_LEASE_SECONDS: "2" },
  };
  const startStreamer = (): PipelineProcess =>
    startPipeline({
      ...{ ...settings, ROLE: "streamer", DCGM_TARGETS_FILE: join(folder, "targets.json") },
      ...{ DCGM_INTERVAL: `${stepSeconds}s` },
    });
  const gateway = startPipeline({ ...settings, ROLE: "collector,gateway" });
  let streamer = startStreamer();
  const config = {
    global: { scrape_interval: `${stepSeconds}s` },
    scrape_configs: [{ job_name: "dcgm", http_sd_configs: [{ url: discoveryUrl, refresh_interval: "1s" }] }],
  };
  const prometheus = await openPrometheus(stringify(config), {});
  const close = async (): Promise<void> => {
    await prometheus.close();
    for (const process of [streamer, gateway]) await stopPipeline(process, "SIGKILL");
    await Promise.all([etcd.stop(), database.stop()]);
  };
  const ours = await urlOf(gateway).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    ours,
    theirs: prometheus.url,
    restart: async (signal, meanwhile) => {
      await stopPipeline(streamer, signal);
      meanwhile();
      streamer = startStreamer();
    },
    close,
  };
}

/** What is wrong with the answers at an instant. */
async function wrongAnswers(url: string, atMs: number, series: readonly SaidSeries[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const { query, expected } of [...questions, byPod]) {
    const path = `/api/v1/query?time=${atMs / 1000}&query=${encodeURIComponent(query)}`;
    const [given, right] = [await answerOf(url + path), expected(series)];
    if (shown(given) !== shown(right)) wrong.push(`${query}: ${shown(given)} instead of ${shown(right)}`);
  }
  return wrong;
}

async function answerOf(url: string): Promise<Answer> {
  const result = await resultOf<{ metric: Record<string, string>; value: [number, string] }>(url);
  return new Map(result.map(({ metric, value }) => [Object.values(metric).join(), Number(value[1])]));
}

async function resultOf<Element>(url: string): Promise<readonly Element[]> {
  const text = await (await fetch(url)).text();
  const { status, data } = JSON.parse(text) as { status: string; data: { result: readonly Element[] } };
  if (status !== "success") throw new Error(`${url}: ${text}`);
  return data.result;
}

function shown(answer: Answer): string {
  return JSON.stringify([...answer].sort());
}

/** Asks both again about the time in which both had the right answers: at each second, and at the instants at which they were asked. */
async function compareAgain(
  { ours, theirs }: Sides,
  steps: readonly Step[],
): Promise<Pick<Compared, "differing" | "instants">> {
  const differing: string[] = [];
  let instants = 0;
  for (const { name, agreedMs, untilMs } of steps) {
    const range = `start=${agreedMs / 1000}&end=${untilMs / 1000}&step=${stepSeconds}`;
    for (const { query } of [...questions, byPod]) {
      const path = `/api/v1/query_range?${range}&query=${encodeURIComponent(query)}`;
      const [own, other] = [await valuesOf(ours + path), await valuesOf(theirs + path)];
      for (const key of new Set([...own.keys(), ...other.keys()])) {
        if (own.get(key) !== other.get(key)) {
          differing.push(`${name}: ${query} at ${key}: ${own.get(key)} instead of ${other.get(key)}`);
        }
      }
    }
    instants += Math.floor((untilMs - agreedMs) / 1000 / stepSeconds) + 1;
  }
  return { differing, instants };
}

/** Values by the instant and the labels. */
async function valuesOf(url: string): Promise<ReadonlyMap<string, number>> {
  const result = await resultOf<{ metric: Record<string, string>; values: readonly [number, string][] }>(url);
  return new Map(
    result.flatMap(({ metric, values }) =>
      values.map(([second, text]) => [`${second} ${Object.values(metric).join()}`, Number(text)] as const),
    ),
  );
}
