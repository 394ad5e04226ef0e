import type { Logger } from "pino";
import type { Config } from "../config/parse-config.ts";
import type { Clock } from "../kit/clock.ts";
import type { EtcdRounds } from "../pipeline/source/csv/etcd-rounds.ts";
import { CsvSource, type Playing } from "../pipeline/source/csv/csv-source.ts";
import { SimulatedSource } from "../pipeline/source/simulated/simulated-source.ts";
import type { LiveSource, ReplayableSource } from "../pipeline/source/source.ts";

interface SourceParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined without etcd: processes then do not share rounds. */
  readonly rounds: EtcdRounds | undefined;
}

/** The input of a streamer: a file, round by round, or a live source. */
export type StreamedInput =
  | {
      readonly kind: "replayable";
      readonly first: ReplayableSource;
      /** Opens the source of a round; returns undefined after the last round. The first round is 0. */
      readonly openRound: (round: number) => Promise<ReplayableSource | undefined>;
    }
  | { readonly kind: "live"; readonly source: LiveSource };

/** To end with an instant, a batch may grow beyond BATCH_SIZE up to this many rows: enough for a scrape of 5,000 GPUs
 *  with 20 metrics each. */
const batchMaxRows = 100_000;

/** Opens the configured input: CSV_FILE, or the simulated fleet if CSV_FILE is not set.
 *  @throws UnusableSource; the errors of etcd if rounds are shared through it */
export async function openInput(config: Config, parts: SourceParts): Promise<StreamedInput> {
  const { csvFile } = config;
  if (csvFile === undefined) return { kind: "live", source: simulatedSource(config, parts) };
  const open = roundOpener(config, csvFile, parts);
  const first = await open(0);
  const openLater = (round: number): Promise<ReplayableSource | undefined> =>
    config.loopMode ? open(round) : Promise.resolve(undefined);
  return { kind: "replayable", first, openRound: (round) => (round === 0 ? Promise.resolve(first) : openLater(round)) };
}

function simulatedSource(config: Config, { clock }: SourceParts): SimulatedSource {
  const { simHosts: hosts, simGpusPerHost: gpusPerHost, simSeed: seed, simIntervalMs: intervalMs, clusterId } = config;
  const { simMig: mig, simTimeSlicing: timeSlicing, simVgpu: vgpu, simSeries: series } = config;
  const shares = { mig, timeSlicing, vgpu, series };
  const batchMaxSamples = config.batchSize;
  return new SimulatedSource({ hosts, gpusPerHost, seed, intervalMs, clusterId, shares, clock, batchMaxSamples });
}

/** Streamers that share a file through etcd agree on the round that is played, and on its start. */
function roundOpener(
  config: Config,
  path: string,
  { clock, log, rounds }: SourceParts,
): (round: number) => Promise<ReplayableSource> {
  const { clusterId, batchSize: batchRows, loopMode } = config;
  const timestamps = config.timestamps ?? (loopMode ? "now" : "original");
  const startedAtMs = (fileId: string, round: number): Promise<number> =>
    rounds === undefined ? Promise.resolve(clock.nowMs()) : rounds.startedAtMs(fileId, round);
  const warnings = new Set<string>();
  // each round opens the file again
  const onWarning = (message: string): void => {
    if (!warnings.has(message)) log.warn(message);
    warnings.add(message);
  };
  let firstRound: number | undefined;
  return async (openedBefore) => {
    if (rounds !== undefined && loopMode) firstRound ??= await rounds.current(await CsvSource.fileId(path));
    const round = openedBefore + (firstRound ?? 0);
    const playing: Playing = timestamps === "original" ? { timestamps, round } : { timestamps, round, startedAtMs };
    return CsvSource.open({ path, clusterId, batchRows, batchMaxRows, playing, clock, onWarning });
  };
}
