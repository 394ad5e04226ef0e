import { hostname } from "node:os";
import type { Logger } from "pino";
import type { Config } from "../config/parse-config.ts";
import { defaultBatchSize } from "../config/settings/input-settings.ts";
import { UnusableSource } from "../domain/errors.ts";
import type { Clock } from "../kit/clock.ts";
import type { ExporterTargets } from "../pipeline/source/exporter/exporter-targets.ts";
import type { BegunRound, EtcdRounds } from "../pipeline/source/csv/etcd-rounds.ts";
import { isSmiFile } from "../pipeline/source/nvidia-smi/is-smi-file.ts";
import { CsvSource, originalTimes } from "../pipeline/source/csv/csv-source.ts";
import { type ChooseId, idOfContent } from "../pipeline/source/file-ids.ts";
import { FileLook } from "../pipeline/source/file/file-look.ts";
import type { ReplayableSource } from "../pipeline/source/source.ts";
import { ObservedSource } from "../pipeline/source/states/observed-source.ts";
import { defined } from "../kit/defined.ts";
import type { OnMissed } from "../domain/reading.ts";

interface SourceParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined without etcd: processes then do not share rounds. */
  readonly rounds: EtcdRounds | undefined;
  /** Chooses the ids of files. */
  readonly chooseFileId: ChooseId;
  /** Identifies this process. */
  readonly instanceId: string;
  readonly onMissed: OnMissed;
}

/** An input of a streamer: a file, round by round, or a live source. */
export type StreamedInput = {
  /** The name of the service that streams it. */
  readonly name: string;
  /** Returns why the source gives no telemetry now, for people; undefined if it gives some. */
  readonly error: () => string | undefined;
  /** Returns what people should know about the source though it gives telemetry; absent: nothing. */
  readonly activity?: () => string | undefined;
} & (
  | ReplayableInput
  | { readonly kind: "live"; readonly source: ObservedSource }
  | { readonly kind: "targets"; readonly targets: ExporterTargets }
);

interface ReplayableInput {
  readonly kind: "replayable";
  /** A description for people. */
  readonly description: string;
  /** Opens the source of a round; returns undefined after the last round. The first round is 0. */
  readonly openRound: (round: number) => Promise<ReplayableSource | undefined>;
}

/** The service that streams the file or the simulated fleet. */
const mainService = "streamer";
/** The service that streams what nvidia-smi says. */
const smiService = "nvidia-smi";
/** The service that scrapes exporters. */
const exporterService = "exporters";
const smiTimeoutMaxMs = 30_000;
const noError = (): undefined => undefined;

/** The default of BATCH_SIZE for a file that is read as fast as possible. The work for a batch's GPUs, its transactions and its calls of etcd hardly
 *  depends on its size: with four times the rows, an import takes a fifth to a quarter less processor time. */
export const importedBatchRows = 40_000;

/** To end with an instant, a batch may grow beyond BATCH_SIZE up to this many rows: enough for a scrape of 5,000 GPUs
 *  with 20 metrics each. */
export const batchMaxRows = 100_000;

/** Opens the configured inputs: CSV_FILE, NVIDIA_SMI, exporters, or several of them; the simulated fleet if none of them is set. Only
 *  the code of these is loaded, except for that of CSV files.
 *  @throws UnusableSource; the errors of etcd if rounds are shared through it */
export async function openInputs(config: Config, parts: SourceParts): Promise<readonly StreamedInput[]> {
  const { csvFile, nvidiaSmi: command } = config;
  const inputs: StreamedInput[] = [];
  if (csvFile !== undefined) inputs.push(await fileInput(config, csvFile, parts));
  if (command !== undefined && !/^(?:false|0)$/i.test(command)) inputs.push(await smiInput(config, command, parts));
  const targets = await targetsOf(config, parts);
  if (targets !== undefined) {
    const [error, activity] = [() => targets.error, () => targets.activity];
    inputs.push({ name: exporterService, error, activity, kind: "targets", targets });
  }
  if (inputs.length > 0) return inputs;
  return [{ name: mainService, error: noError, kind: "live", source: await simulatedInput(config, parts) }];
}

/** The exporters that the settings name; undefined if they name none. */
async function targetsOf(config: Config, parts: SourceParts): Promise<ExporterTargets | undefined> {
  const { dcgmTargets, dcgmTargetsFile, dcgmTargetsSrv, dcgmDiscovery } = config;
  if ((dcgmTargets ?? dcgmTargetsFile ?? dcgmTargetsSrv ?? dcgmDiscovery) === undefined) return undefined;
  const { openExporters } = await import("./open-exporters.ts");
  return openExporters(config, parts);
}

/** The time from the beginning of a round to that of the next one, at least: a file of a single instant takes no time by itself. */
const roundMinMs = 1000;

/** The file is opened here to report one that cannot be used, and again when it is read: the ids of files, and the rounds, are found in
 *  etcd or in the store, which may not answer yet. */
async function fileInput(config: Config, path: string, parts: SourceParts): Promise<StreamedInput> {
  const { clock } = parts;
  const look = new FileLook(path, clock);
  const makeOpener = (await isSmiFile(path)) ? smiFileOpener : roundOpener;
  const opener = makeOpener(config, look, parts);
  await opener.check();
  let nextRoundAtMs = clock.nowMs();
  const openRound: ReplayableInput["openRound"] = async (round) => {
    if (round > 0 && !config.loopMode) return undefined;
    const waitMs = nextRoundAtMs - clock.nowMs();
    if (waitMs > 0) await clock.sleep(waitMs);
    nextRoundAtMs = clock.nowMs() + roundMinMs;
    return opener.open(round);
  };
  return { name: mainService, error: noError, kind: "replayable", description: path, openRound };
}

interface FileOpener {
  /** Opens the file without finding out its id. @throws UnusableSource */
  check(): Promise<unknown>;
  /** @throws UnusableSource, and the errors of etcd or of the store */
  open(round: number): Promise<ReplayableSource>;
}

/** Opens a file of nvidia-smi's XML, which can only be played once, with its own times. */
function smiFileOpener(config: Config, look: FileLook, { log, chooseFileId }: SourceParts): FileOpener {
  const { clusterId, batchSize: batchRows = defaultBatchSize, loopMode, timestamps } = config;
  const { path } = look;
  if (loopMode || timestamps === "now") {
    throw new UnusableSource(`${path} is XML of nvidia-smi: LOOP_MODE and TIMESTAMPS=now need a CSV file.`);
  }
  const hostname = hostOfFile(config);
  if (hostname === undefined) {
    throw new UnusableSource(`${path} does not name the host of its GPUs; set SOURCE_HOSTNAME to the host's name.`);
  }
  const onWarning = (message: string): void => log.warn(message);
  const open = async (): Promise<ReplayableSource> => {
    const { SmiFile } = await import("../pipeline/source/nvidia-smi/smi-file.ts");
    return SmiFile.open({ look, chooseId: chooseFileId, clusterId, hostname, batchRows, onWarning });
  };
  return { check: () => look.see(), open };
}

/** The host of GPUs in a file that names none; undefined if streamers on several machines may read the file, because each would give
 *  its own name. */
function hostOfFile({ sourceHostname, etcdEndpoints }: Config): string | undefined {
  return sourceHostname ?? (etcdEndpoints === undefined ? hostname() : undefined);
}

/** nvidia-smi on this machine, or a command in its place. It may take as long as the interval, but at most 30 s. */
async function smiInput(config: Config, command: string, parts: SourceParts): Promise<StreamedInput> {
  const { SmiCommand } = await import("../pipeline/source/nvidia-smi/smi-command.ts");
  const { SmiSource } = await import("../pipeline/source/nvidia-smi/smi-source.ts");
  const { clock, log } = parts;
  const { clusterId, nvidiaSmiIntervalMs: intervalMs, sourceHostname = hostname() } = config;
  const timeoutMs = Math.min(intervalMs, smiTimeoutMaxMs);
  const program = new SmiCommand({ command: /^(?:true|1)$/i.test(command) ? "nvidia-smi" : command, timeoutMs, clock });
  const source = new SmiSource({ program, clusterId, hostname: sourceHostname, intervalMs, clock, log });
  const subject = { kind: "nvidia_smi", name: sourceHostname, clusterId, dialect: "nvidia-smi" } as const;
  const observed = new ObservedSource({ ...observing(config, parts), source, subject, intervalMs });
  return { name: smiService, error: () => source.error, kind: "live", source: observed };
}

function observing({ instanceName }: Config, { clock, onMissed, instanceId }: SourceParts) {
  return { clock, onMissed, streamer: instanceName ?? instanceId };
}

async function simulatedInput(config: Config, parts: SourceParts): Promise<ObservedSource> {
  const { SimulatedSource } = await import("../pipeline/source/simulated/simulated-source.ts");
  const { readChosenFaults } = await import("../pipeline/source/simulated/faults/chosen-faults.ts");
  const { clock } = parts;
  const { simHosts: hosts, simGpusPerHost: gpusPerHost, simSeed: seed, simIntervalMs: intervalMs, clusterId } = config;
  const { simMig: mig, simTimeSlicing: timeSlicing, simVgpu: vgpu, simSeries: series } = config;
  const shares = { mig, timeSlicing, vgpu, series };
  const batchMaxSamples = config.batchSize ?? defaultBatchSize;
  const fleet = { hosts, gpusPerHost, seed, intervalMs, clusterId, shares };
  const chosenFaults = readChosenFaults(config.simFaults);
  const source = new SimulatedSource({ ...fleet, ...defined({ chosenFaults }), clock, batchMaxSamples });
  const subject = { kind: "simulated", name: source.description, clusterId, dialect: undefined } as const;
  return new ObservedSource({ ...observing(config, parts), source, subject, intervalMs });
}

/** Streamers that share a file through etcd agree on the round that is played, and on its start. */
function roundOpener(config: Config, look: FileLook, parts: SourceParts): FileOpener {
  const { clock, log, rounds, chooseFileId: chooseId } = parts;
  const { clusterId, loopMode, streamIntervalMs, rateLimitSamplesPerSecond } = config;
  const timestamps = config.timestamps ?? (loopMode ? "now" : "original");
  const isPaced = timestamps === "now" || streamIntervalMs > 0 || rateLimitSamplesPerSecond > 0;
  const batchRows = config.batchSize ?? (isPaced ? defaultBatchSize : importedBatchRows);
  // the rounds of this file that other streamers have played without this one
  let skipped = 0;
  const begin = async (fileId: string, round: number): Promise<BegunRound> => {
    if (rounds === undefined) return { round, startedAtMs: clock.nowMs() };
    if (!loopMode) return rounds.beginOnce(fileId);
    const begun = await rounds.begin(fileId, round);
    skipped += begun.round - round;
    return begun;
  };
  const warnings = new Set<string>();
  // each round opens the file again
  const onWarning = (message: string): void => {
    if (!warnings.has(message)) log.warn(message);
    warnings.add(message);
  };
  const hosts = { hostname: hostOfFile(config), namedHostname: config.sourceHostname };
  const options = { look, clusterId, ...hosts, batchRows, batchMaxRows, clock, onWarning };
  const open = async (openedBefore: number): Promise<ReplayableSource> => {
    if (openedBefore === 0) skipped = 0;
    const wanted = openedBefore + skipped;
    if (timestamps === "now")
      return CsvSource.open({ ...options, chooseId, playing: { timestamps, round: wanted, begin } });
    // the round's beginning also says, to streamers that start later, which round is played
    const isShared = rounds !== undefined && loopMode;
    const round = isShared ? (await begin(await CsvSource.fileId(look, chooseId), wanted)).round : wanted;
    return CsvSource.open({ ...options, chooseId, playing: { timestamps, round } });
  };
  return { check: () => CsvSource.open({ ...options, chooseId: idOfContent, playing: originalTimes }), open };
}
