import type { Logger } from "pino";
import type { Config } from "../config/parse-config.ts";
import type { Clock } from "../kit/clock.ts";
import type { EtcdRounds } from "../pipeline/source/csv/etcd-rounds.ts";
import { CsvSource } from "../pipeline/source/csv/csv-source.ts";
import { SimulatedSource } from "../pipeline/source/simulated/simulated-source.ts";
import type { Source } from "../pipeline/source/source.ts";

interface SourceParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined where no other process plays the file. */
  readonly rounds: EtcdRounds | undefined;
}

/** Rows of one instant that stay in one batch whatever BATCH_SIZE says: a scrape of some 5,000 GPUs. */
const batchMaxRows = 100_000;

/** Opens the source of a round. Streamers that share a file through etcd agree on the round and on its beginning. */
export function sourceOpener(config: Config, { clock, log, rounds }: SourceParts): (round: number) => Promise<Source> {
  const { csvFile, clusterId, batchSize } = config;
  if (csvFile === undefined) {
    const { simHosts: hosts, simGpusPerHost: gpusPerHost, simSeed: seed, simIntervalMs: intervalMs } = config;
    const source = new SimulatedSource({ hosts, gpusPerHost, seed, intervalMs, clusterId, clock, batchSize });
    return () => Promise.resolve(source);
  }
  const timestamps = config.timestamps ?? (config.loopMode ? "now" : "original");
  let firstRound: number | undefined;
  return async (round) => {
    if (rounds !== undefined && config.loopMode) firstRound ??= await rounds.current(await CsvSource.fileId(csvFile));
    return CsvSource.open({
      path: csvFile,
      clusterId,
      batchSize,
      batchMaxRows,
      timestamps,
      clock,
      round: round + (firstRound ?? 0),
      onGrown: (message) => log.warn(message),
      ...(rounds === undefined ? {} : { roundStart: (fileId, ofRound) => rounds.startedAtMs(fileId, ofRound) }),
    });
  };
}
