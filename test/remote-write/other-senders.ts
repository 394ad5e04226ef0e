import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { freePorts } from "../../dev/servers/free-ports.ts";
import type { OpenPrometheus } from "../../dev/servers/prometheus.ts";
import { until } from "../../dev/until.ts";

/** A program that scrapes exporters, and sends what it has scraped to a gateway and to a Prometheus. */
export interface OpenSender {
  /** What it says about itself, in the form of an exporter. */
  readonly metricsUrl: string;
  /** The figures that are not 0 if it has lost something, and those that count what it had to send again. */
  readonly figures: { readonly lost: readonly string[]; readonly again: readonly string[] };
  close(): Promise<void>;
}

interface SenderParts {
  readonly binary: string;
  /** Of the scraped exporters. */
  readonly addresses: readonly string[];
  readonly gatewayUrl: string;
  readonly prometheusUrl: string;
}

/** A Prometheus that scrapes and writes itself. */
export function ofPrometheus({ url }: OpenPrometheus): OpenSender {
  const figure = (name: string): string => `prometheus_remote_storage_samples_${name}_total`;
  const figures = { lost: [figure("failed"), figure("dropped")], again: [figure("retried")] };
  return { metricsUrl: `${url}/metrics`, figures, close: () => Promise.resolve() };
}

/** Starts a vmagent, which tries its own form of remote write first. */
export async function openVmagent(parts: SenderParts): Promise<OpenSender> {
  const [port = 0] = await freePorts(1);
  const config = { global: { scrape_interval: "1s" }, scrape_configs: scrapeConfigs(parts.addresses) };
  return startSender(stringify(config), `http://127.0.0.1:${port}/metrics`, {
    command: (folder) => [
      ...[parts.binary, `-promscrape.config=${folder}/config.yml`, `-httpListenAddr=127.0.0.1:${port}`],
      ...[parts.gatewayUrl, parts.prometheusUrl].map((url) => `-remoteWrite.url=${url}/api/v1/write`),
      `-remoteWrite.tmpDataPath=${folder}/waiting`,
    ],
    figures: {
      lost: ["vmagent_remotewrite_packets_dropped_total", "vmagent_remotewrite_samples_dropped_total"],
      again: ["vmagent_remotewrite_retries_count_total"],
    },
  });
}

/** Starts a collector of OpenTelemetry with the receiver `prometheus` and the exporters `otlphttp` and `prometheusremotewrite`. */
export async function openCollector(parts: SenderParts): Promise<OpenSender> {
  const [port = 0] = await freePorts(1);
  const config = {
    receivers: {
      prometheus: {
        config: { global: { scrape_interval: "1s" }, scrape_configs: scrapeConfigs(parts.addresses) },
      },
    },
    exporters: {
      otlphttp: { endpoint: parts.gatewayUrl },
      prometheusremotewrite: { endpoint: `${parts.prometheusUrl}/api/v1/write`, add_metric_suffixes: false },
    },
    service: {
      pipelines: { metrics: { receivers: ["prometheus"], exporters: ["otlphttp", "prometheusremotewrite"] } },
      telemetry: {
        metrics: { readers: [{ pull: { exporter: { prometheus: { host: "127.0.0.1", port } } } }] },
      },
    },
  };
  return startSender(stringify(config), `http://127.0.0.1:${port}/metrics`, {
    command: (folder) => [parts.binary, `--config=${folder}/config.yml`],
    figures: {
      lost: [
        "otelcol_exporter_send_failed_metric_points_total",
        "otelcol_exporter_enqueue_failed_metric_points_total",
        "otelcol_receiver_refused_metric_points_total",
      ],
      // it counts none
      again: [],
    },
  });
}

const scrapeConfigs = (targets: readonly string[]) => [{ job_name: "dcgm", static_configs: [{ targets }] }];

async function startSender(
  config: string,
  metricsUrl: string,
  { command, figures }: { command: (folder: string) => readonly string[]; figures: OpenSender["figures"] },
): Promise<OpenSender> {
  const folder = await mkdtemp(join(tmpdir(), "sender-"));
  await writeFile(join(folder, "config.yml"), config);
  const log = Bun.file(join(folder, "log"));
  const child = Bun.spawn([...command(folder)], { stdout: log, stderr: log, cwd: folder });
  const close = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
    await rm(folder, { recursive: true });
  };
  const answers = () =>
    fetch(metricsUrl).then(
      ({ ok }) => ok,
      () => false,
    );
  try {
    await until(answers, { timeoutMs: 30_000 });
  } catch (error) {
    console.log((await log.text()).slice(-4000));
    await close();
    throw error;
  }
  return { metricsUrl, figures, close };
}
