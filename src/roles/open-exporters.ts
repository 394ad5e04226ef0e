import { hostname } from "node:os";
import type { Logger } from "pino";
import type { Config } from "../config/parse-config.ts";
import type { Clock } from "../kit/clock.ts";
import { AnswerMemory } from "../pipeline/source/exporter/answer-memory.ts";
import { fileDiscovery } from "../pipeline/source/exporter/discovery/file-discovery.ts";
import { KubernetesDiscovery } from "../pipeline/source/exporter/discovery/kubernetes/kubernetes-discovery.ts";
import { srvDiscovery } from "../pipeline/source/exporter/discovery/srv-discovery.ts";
import { StaticDiscovery } from "../pipeline/source/exporter/discovery/static-discovery.ts";
import type { TargetDiscovery } from "../pipeline/source/exporter/discovery/target-discovery.ts";
import { ExporterSource } from "../pipeline/source/exporter/exporter-source.ts";
import { ExporterTargets } from "../pipeline/source/exporter/exporter-targets.ts";
import { ScrapeClient } from "../pipeline/source/exporter/scrape-client.ts";
import type { Target } from "../pipeline/source/exporter/target.ts";
import { ExpositionReader } from "../pipeline/source/exposition/exposition-reader.ts";
import type { TargetContext } from "../pipeline/source/exposition/target-context.ts";
import type { OnMissed } from "../domain/reading.ts";
import { SharedTexts } from "../pipeline/source/labels/shared-texts.ts";
import { openKubernetes } from "./open-kubernetes.ts";
import { scrapeSecurityOf } from "./scrape-security.ts";

interface ExporterParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Identifies this process. */
  readonly instanceId: string;
  readonly onMissed: OnMissed;
}

const timeoutMaxMs = 10_000;
/** The memory of all answers that are received at once: 1,250 targets of 8 GPUs that answer together take a sixth. */
const answersMaxBytes = 256 * 1024 * 1024;

/** Opens the exporters that the settings name.
 *  @returns undefined if they name none
 *  @throws UnusableSource if a target or a certificate is not usable */
export function openExporters(config: Config, parts: ExporterParts): ExporterTargets | undefined {
  const discoveries = discoveriesOf(config, parts);
  if (discoveries.length === 0) return undefined;
  const { clock, log, instanceId, onMissed } = parts;
  const { dcgmIntervalMs: intervalMs, dcgmMaxAnswerMebibytes, instanceName: streamer = instanceId } = config;
  const maxBytes = dcgmMaxAnswerMebibytes * 1024 * 1024;
  const timeoutMs = config.dcgmTimeoutMs ?? Math.min(timeoutMaxMs, Math.round((intervalMs * 2) / 3));
  const memory = new AnswerMemory(Math.max(answersMaxBytes, maxBytes));
  const { security, error } = scrapeSecurityOf(config, parts);
  const client = new ScrapeClient({ timeoutMs, maxBytes, memory, security });
  const texts = new SharedTexts();
  const openReader = (target: Target): ExpositionReader => new ExpositionReader(contextOf(target), texts);
  const options = { client, openReader, clock, intervalMs, streamer, log, onMissed };
  return new ExporterTargets({ discoveries, open: (target) => new ExporterSource(target, options), error, log });
}

function discoveriesOf(config: Config, { clock, log }: ExporterParts): readonly TargetDiscovery[] {
  const { dcgmTargets, dcgmTargetsFile: path, dcgmTargetsSrv = [], clusterId } = config;
  return [
    ...(dcgmTargets === undefined ? [] : [new StaticDiscovery(dcgmTargets, clusterId)]),
    ...(path === undefined ? [] : [fileDiscovery({ path, clusterId, clock, log })]),
    ...dcgmTargetsSrv.map((name) => srvDiscovery({ name, clusterId, clock, log })),
    ...(config.dcgmDiscovery === undefined ? [] : [podDiscovery(config, { clock, log })]),
  ];
}

function podDiscovery(config: Config, { clock, log }: Pick<ExporterParts, "clock" | "log">): TargetDiscovery {
  const { clusterId, dcgmPodSelector: selector, dcgmPodNamespace: namespace, dcgmPodPort: port } = config;
  const api = openKubernetes(config, clock);
  return new KubernetesDiscovery({ api, selector, namespace, port, clusterId, clock, log });
}

function contextOf({ name: target, host, clusterId, labels }: Target): TargetContext {
  // an exporter on this machine may not know its name, and localhost is the name of every machine
  const isOwn = /^(?:localhost|127\.[0-9.]+|::1)$/.test(host);
  return { target, host: isOwn ? hostname() : host, clusterId, labels };
}
