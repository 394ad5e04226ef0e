import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Registry } from "prom-client";
import { parse, stringify } from "yaml";
import { serveExporters } from "../../dev/exporters/serve-exporters.ts";
import { openPrometheus } from "../../dev/servers/prometheus.ts";
import { until } from "../../dev/until.ts";
import { decodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { dataOf, figuresOf } from "../remote-write/prometheus-data.ts";
import { differencesOf, recordsOf } from "../remote-write/stored-data.ts";
import { securedParts } from "./access/secured-gateway.ts";
import { gatewayOver, openFleetStore } from "./gateway.ts";
import { listening } from "../support/listening.ts";

// A Prometheus with the documented configuration scrapes simulated exporters and writes to a gateway. `bun run test:remote-write` does
// it for longer, while the gateway is killed.

const document = readFileSync(join(import.meta.dir, "../../docs/remote-write.md"), "utf8");
const [, yaml = ""] = /^```yaml\n(.*?)^```$/ms.exec(document) ?? [];
const fleet = { hosts: 2, gpusPerHost: 2, seed: 3, intervalMs: 1000, clusterId: "alpha" };
const shares = { mig: 0.3, timeSlicing: 0.3, vgpu: 0, series: 0.5 };

test("a Prometheus with the documented configuration writes what it scrapes, and the store has it once", async () => {
  const opened = await openFleetStore([]);
  const secured = securedParts(opened);
  const key = (await secured.create("write", "read")).text;
  const gateway = gatewayOver(opened, { ...secured.parts, registry: new Registry() });
  const port = await listening(gateway);
  const stop = new AbortController();
  const collecting = (async () => {
    while (!stop.signal.aborted) {
      const deliveries = await gateway.queue.claim({ consumerId: "test", maxMessages: 5, signal: stop.signal });
      for (const { envelope, ...encoded } of deliveries) {
        const batch = decodeBatch({ ...envelope, ...encoded });
        await opened.store.ingest({ ...envelope, messageId: envelope.id, batch });
      }
      await gateway.queue.acknowledge(deliveries);
    }
  })();
  const exporters = serveExporters({ ...fleet, shares, dialect: "4.9", per: "port", port: 0 });
  const targets = exporters.targets.map(({ address }) => address);
  const written = yaml.replace("localhost:8080", `127.0.0.1:${port}`);
  const config = {
    global: { scrape_interval: "1s" },
    scrape_configs: [{ job_name: "dcgm", static_configs: [{ targets }] }],
    ...(parse(written.replaceAll("/etc/prometheus/", "/srv/")) as object),
  };
  const prometheus = await openPrometheus(stringify(config), { "telemetry-key": key });
  try {
    // Prometheus begins to scrape some seconds after its start
    await until(async () => (await dataOf(prometheus.url, "alpha")).records.size >= 16, { timeoutMs: 60_000 });
    await exporters.stop();
    const read = () => recordsOf((path) => gateway.get(path, { headers: { authorization: `Bearer ${key}` } }));
    const compared = async () => {
      const { samples, records } = await dataOf(prometheus.url, "alpha");
      return { samples, records: records.size, differences: differencesOf(await read(), records) };
    };
    await until(async () => (await compared()).differences.length === 0, { timeoutMs: 30_000 }).catch(() => undefined);
    const { samples, records, differences } = await compared();
    expect(differences.slice(0, 5)).toEqual([]);
    expect([records >= 16, samples > records * 10]).toEqual([true, true]);
    const failed = "prometheus_remote_storage_samples_failed_total";
    expect(await figuresOf(`${prometheus.url}/metrics`, [failed])).toEqual({ [failed]: 0 });
  } finally {
    await prometheus.close();
    stop.abort();
    await collecting;
    await gateway.app.stop(true);
    await opened.close();
  }
}, 600_000);
