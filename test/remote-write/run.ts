import { parseArgs } from "node:util";
import { stringify } from "yaml";
import type { ExporterDialect } from "../../dev/exporters/exporter-dialect.ts";
import { serveExporters } from "../../dev/exporters/serve-exporters.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { openPrometheus } from "../../dev/servers/prometheus.ts";
import { provideDatabase } from "../../dev/servers/provide-database.ts";
import { provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { answersHelp } from "../../src/terminal/answers-help.ts";
import { ofPrometheus, openCollector, openVmagent } from "./other-senders.ts";
import { areAlike, countsOf } from "./live-counts.ts";
import { dataOf, figuresOf } from "./prometheus-data.ts";
import { differencesOf, recordsOf } from "./stored-data.ts";

const usage = `A Prometheus, which is Debian's unless --binary names another, scrapes simulated exporters and writes to a gateway that is killed once and restarted once.
Then the store is compared with what the Prometheus has, and what both count at each second of the last minute, in which the exporters end.
  bun run test:remote-write [--hosts 6] [--seconds 60] [--dialect 4.9] [--shards 3]
                            [--protocol 1] [--binary PATH]
                            [--vmagent PATH] [--collector PATH]
Debian's Prometheus writes version 1.0 of the protocol; version 2.0 needs a Prometheus 3.
With --vmagent or --collector, the vmagent or collector of OpenTelemetry at PATH scrapes and writes instead, to
the gateway and to the Prometheus. A collector writes to the gateway by OTLP.`;

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const { values: given } = parseArgs({
  options: {
    hosts: { type: "string", default: "6" },
    seconds: { type: "string", default: "60" },
    dialect: { type: "string", default: "4.9" },
    shards: { type: "string", default: "3" },
    protocol: { type: "string", default: "1" },
    binary: { type: "string" },
    vmagent: { type: "string" },
    collector: { type: "string" },
  },
});
const [hosts, seconds, shards] = [Number(given.hosts), Number(given.seconds), Number(given.shards)];
const clusterId = "alpha";
const isSecondVersion = given.protocol === "2";

const [port = 0] = await freePorts(1);
const [etcd, database] = await Promise.all([provideEtcd(), provideDatabase()]);
const settings = {
  ...{ ROLE: "collector,gateway", PORT: String(port), CLUSTER_ID: clusterId, DATABASE_URL: database.url },
  ...{ ETCD_ENDPOINTS: etcd.endpoints.join(), QUEUE_TOPIC: `remote-write-${crypto.randomUUID().slice(-8)}` },
};
let pipeline: PipelineProcess = startPipeline(settings);
await urlOf(pipeline);
// the Prometheus has no names of hosts
const url = `http://127.0.0.1:${port}`;

async function restart(signal: NodeJS.Signals): Promise<void> {
  console.log(`the gateway gets ${signal}`);
  await stopPipeline(pipeline, signal);
  await Bun.sleep(2000);
  pipeline = startPipeline(settings);
  await urlOf(pipeline);
}

const exporters = serveExporters({
  ...{ hosts, gpusPerHost: 8, seed: 7, intervalMs: 1000, clusterId, per: "port", port: 0 },
  ...{ dialect: given.dialect as ExporterDialect, shares: { mig: 0.2, timeSlicing: 0.2, vgpu: 0.2, series: 0.5 } },
});
const addresses = exporters.targets.map(({ address }) => address);
const other = given.vmagent ?? given.collector;
const writing = {
  scrape_configs: [{ job_name: "dcgm", static_configs: [{ targets: addresses }] }],
  // more than one shard divides a scrape between requests
  remote_write: [
    {
      url: `${url}/api/v1/write`,
      queue_config: { min_shards: shards, max_samples_per_send: 500 },
      ...(isSecondVersion ? { protobuf_message: "io.prometheus.write.v2.Request" } : {}),
    },
  ],
};
// another sender writes with several connections
const receiving = { storage: { tsdb: { out_of_order_time_window: "1h" } } };
const prometheus = await openPrometheus(
  stringify({ global: { scrape_interval: "1s" }, ...(other === undefined ? writing : receiving) }),
  {},
  {
    binary: given.binary,
    flags: [
      ...(isSecondVersion ? ["--enable-feature=metadata-wal-records"] : []),
      ...(other === undefined ? [] : ["--web.enable-remote-write-receiver"]),
    ],
  },
);
const openOther = given.vmagent === undefined ? openCollector : openVmagent;
const sender =
  other === undefined
    ? ofPrometheus(prometheus)
    : await openOther({ binary: other, addresses, gatewayUrl: url, prometheusUrl: prometheus.url });
try {
  await until(async () => (await dataOf(prometheus.url, clusterId)).records.size > 0, { timeoutMs: 60_000 });
  await Bun.sleep((seconds * 1000) / 3);
  await restart("SIGKILL");
  await Bun.sleep((seconds * 1000) / 3);
  await restart("SIGTERM");
  await Bun.sleep((seconds * 1000) / 3);
  const endsMs = Date.now();
  await exporters.stop();
  const compared = async () => {
    const { samples, records } = await dataOf(prometheus.url, clusterId);
    return {
      samples,
      records: records.size,
      differences: differencesOf(await recordsOf((path) => fetch(url + path)), records),
    };
  };
  let last = await compared();
  const isEqual = async (): Promise<boolean> => {
    await Bun.sleep(3000);
    last = await compared();
    return last.differences.length === 0;
  };
  await until(isEqual, { timeoutMs: 180_000 }).catch(() => undefined);
  const lost = await figuresOf(sender.metricsUrl, sender.figures.lost);
  const again = await figuresOf(sender.metricsUrl, sender.figures.again);
  const { samples, records, differences } = last;
  // another sender writes the series to the two at other instants
  const count = () => countsOf({ gateway: url, prometheus: prometheus.url }, endsMs);
  let counted = other === undefined ? await count() : undefined;
  if (counted !== undefined) {
    const isCountedAlike = async (): Promise<boolean> => areAlike((counted = await count()));
    // the markers of the end are fewer than a request has, and Prometheus sends those after 5 s
    await until(isCountedAlike, { timeoutMs: 30_000, everyMs: 1000 }).catch(() => undefined);
  }
  if (counted !== undefined) console.log("counts and sums at each second:", counted);
  for (const difference of differences.slice(0, 20)) console.log(difference);
  console.log(`${samples} samples in ${records} records; ${differences.length} differ`);
  console.log("the sender counts lost", lost, "sent again", again);
  const isNoneLost = Object.values(lost).every((figure) => figure === 0);
  const isAgain = Object.values(again).every((figure) => figure > 0);
  const isCounted = counted === undefined || areAlike(counted);
  process.exitCode = differences.length === 0 && isNoneLost && isCounted && records > hosts * 8 && isAgain ? 0 : 1;
} finally {
  await sender.close();
  await prometheus.close();
  await stopPipeline(pipeline, "SIGKILL");
  await etcd.stop();
  await database.stop();
}
