import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type SentProtocol, type SentSeries, staleValue } from "../remote-write/make-request.ts";
import { seriesOfText } from "../remote-write/series-of-text.ts";
import { WriteGateway } from "../remote-write/write-gateway.ts";
import { firstSecondMs } from "./gateway.ts";

// A Prometheus sends a marker at the scrape from which a series is absent: it ends at once, not 5 minutes after its last value.

setDefaultTimeout(60_000);

let writing: WriteGateway;
beforeAll(async () => void (writing = await WriteGateway.open()));
afterAll(() => writing.close());

const protocols: readonly SentProtocol[] = ["1.0", "2.0"];
const intervalMs = 15_000;

/** The series of a line of dcgm-exporter. */
function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  return `${name}{${Object.entries(labels)
    .map(([label, text]) => `${label}="${text}"`)
    .join(",")}} ${value}\n`;
}

/** What an exporter of a host says in each scrape: a GPU with two MIG instances, of which one is removed; a GPU whose pod is followed by
 *  another one, and then by none; and a GPU that falls off the bus with its XID. */
function scrapes(host: string): string[] {
  const gpu = (index: number) => ({
    ...{ gpu: String(index), UUID: `GPU-${host}-${index}`, device: `nvidia${index}`, modelName: "H100" },
    Hostname: host,
  });
  const instance = (id: number) => {
    const labels = { ...gpu(0), GPU_I_PROFILE: "1g.10gb", GPU_I_ID: String(id) };
    return line("DCGM_FI_DEV_FB_USED", labels, 100 * id) + line("DCGM_FI_DEV_POWER_USAGE", labels, 300);
  };
  const held = (pod: string) =>
    line("DCGM_FI_DEV_GPU_UTIL", { ...gpu(1), ...(pod === "" ? {} : { pod, namespace: "ml", container: "c" }) }, 50);
  const lost =
    line("DCGM_FI_DEV_GPU_UTIL", gpu(2), 90) +
    line("DCGM_EXP_XID_ERRORS_TOTAL", { ...gpu(2), xid: "79" }, 1) +
    line("DCGM_EXP_XID_ERRORS_TOTAL", { ...gpu(2), xid: "31" }, 4);
  return [
    instance(1) + instance(2) + held("a") + lost,
    instance(1) + instance(2) + held("a") + lost,
    instance(2) + held("b"),
    instance(2) + held("b"),
    instance(2) + held(""),
    // the scrape fails
    "",
    instance(1) + instance(2) + held(""),
  ];
}

/** The series of each scrape, with the markers of those that were in the one before. */
function sentBy(host: string, text: string, index: number, before: string): SentSeries[] {
  const timeMs = firstSecondMs + index * intervalMs;
  const target = { instance: `${host}:9400`, job: "dcgm" };
  const series = seriesOfText(text, timeMs, target);
  const keys = new Set(series.map(({ labels }) => JSON.stringify(labels)));
  const gone = seriesOfText(before, timeMs, target).filter(({ labels }) => !keys.has(JSON.stringify(labels)));
  return [...gone.map(({ labels }) => ({ labels, samples: [[staleValue, timeMs]] as const })), ...series];
}

async function valueAt(query: string, index: number, afterMs = 0): Promise<unknown> {
  const time = (firstSecondMs + index * intervalMs + afterMs) / 1000;
  const answer = await writing.gateway.json(`/api/v1/query?time=${time}&query=${encodeURIComponent(query)}`);
  const { result } = answer["data"] as { result: { metric: Record<string, string>; value: [number, string] }[] };
  return result.map(({ metric, value: [, text] }) => [...Object.values(metric), Number(text)]).sort();
}

test.each(protocols)(
  "version %s: what is absent from a scrape ends at it, and begins again with its next value",
  async (protocol) => {
    const host = `ends-${protocol}`;
    const texts = scrapes(host);
    for (const [index, text] of texts.entries()) {
      const sent = sentBy(host, text, index, texts[index - 1] ?? "");
      // the markers in one request and the values in another, in either order, and once more
      const [markers, values] = [true, false].map((isMarker) =>
        sent.filter(({ samples }) => samples.some(([value]) => (value === staleValue) === isMarker)),
      ) as [SentSeries[], SentSeries[]];
      const requests = index % 2 === 0 ? [markers, values, markers] : [values, markers, values];
      for (const request of requests) {
        expect(await writing.sendSeries(protocol, request)).toMatchObject({
          status: 204,
          written: [String(request.length), "0", "0"],
        });
      }
    }
    const ofHost = (name: string) => `${name}{Hostname="${host}"}`;
    const at = async (query: string, afterMs = 0) =>
      Promise.all(texts.map((_, index) => valueAt(query, index, afterMs)));
    const memory = [[[300]], [[300]], [[200]], [[200]], [[200]], [], [[300]]];
    expect(await at(`sum(${ofHost("DCGM_FI_DEV_FB_USED")})`)).toEqual(memory);
    expect(await at(`sum(${ofHost("DCGM_FI_DEV_FB_USED")})`, intervalMs - 1)).toEqual(memory);
    // the power of the board, which both instances repeat, goes on with one of them
    expect(await at(`count(${ofHost("DCGM_FI_DEV_POWER_USAGE")})`)).toEqual([
      [[1]],
      [[1]],
      [[1]],
      [[1]],
      [[1]],
      [],
      [[1]],
    ]);
    expect(await at(`count by (pod) (${ofHost("DCGM_FI_DEV_GPU_UTIL")})`)).toEqual([
      ...Array.from({ length: 2 }, () => [[1], ["a", 1]]),
      ...Array.from({ length: 2 }, () => [["b", 1]]),
      ...[[[1]], [], [[1]]],
    ]);
    expect(await at(`count(${ofHost("DCGM_EXP_XID_ERRORS_TOTAL")})`)).toEqual([[[2]], [[2]], [], [], [], [], []]);
    // ranges have the values, not the ends
    expect(await valueAt(`sum(count_over_time(${ofHost("DCGM_FI_DEV_FB_USED")}[5m]))`, 6)).toEqual([[9]]);
    expect(await valueAt(`sum(max_over_time(${ofHost("DCGM_EXP_XID_ERRORS_TOTAL")}[5m]))`, 6)).toEqual([[5]]);
  },
);

test("a marker of a device that is not known, or of a series that is no device's, is dropped, and counts as written", async () => {
  writing.registry.resetMetrics();
  const marker = (labels: Readonly<Record<string, string>>) => ({
    labels: { __name__: "DCGM_FI_DEV_GPU_TEMP", instance: "x:1", job: "dcgm", ...labels },
    samples: [[staleValue, firstSecondMs]] as const,
  });
  const unknown = { UUID: "GPU-never-seen", gpu: "0", Hostname: "x" };
  const sent = [marker(unknown), marker({ UUID: "GPU-without-index" }), marker({ sensor: "attic" })];
  // a name that is too long, and an instant that no record can have
  sent.push(marker({ ...unknown, xid: "7".repeat(2000), __name__: "DCGM_EXP_XID_ERRORS_TOTAL" }));
  sent.push({ ...marker(unknown), samples: [[staleValue, 9e14]] });
  expect(await writing.sendSeries("1.0", sent)).toMatchObject({ status: 204, written: ["5", "0", "0"] });
  const counted = await writing.registry.getSingleMetric("telemetry_remote_write_samples_total")?.get();
  const values = Object.fromEntries(
    (counted?.values ?? []).map(({ labels, value }) => [String(labels["outcome"]), value] as const),
  );
  expect(values).toMatchObject({ stale: 4, no_gpu: 1, rejected: 0, stored: 0 });
  expect(await valueAt('count({UUID="GPU-never-seen"})', 0)).toEqual([]);
});
