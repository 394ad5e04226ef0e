import { makeBatch, messageOf } from "../../../../dev/make-batch.ts";
import { unshownLog } from "../../../../dev/unshown-log.ts";
import { until } from "../../../../dev/until.ts";
import { SqlFaultStore } from "../../../../src/faults/sql/sql-fault-store.ts";
import { systemClock as clock } from "../../../../src/kit/clock.ts";
import { retry } from "../../../../src/kit/retry.ts";
import { EtcdHotTier } from "../../../../src/pipeline/hot/etcd/etcd-hot-tier.ts";
import type { OpenStore } from "../../../../src/pipeline/store/open-store.ts";
import { openLatePostgresStore } from "../../../../src/pipeline/store/sql/open-postgres-store.ts";
import { type Ledger, watchedSource } from "../ledger.ts";
import { stallMs } from "../processes.ts";
import type { PlainRun } from "../seed-run.ts";
import { brokenName, drawScript, everyMs, type Reading, uuidOf } from "./script.ts";

/** GPUs of a cluster of their own, which report present times. This process stores their records and writes them to the hot tier, as a
 *  collector does. The first one is broken from the beginning; what else happens waits until that was told: before a leader has
 *  remembered anything, the first record that the next one sees says what happened before. */
export class WatchedFleet {
  /** What was reported. */
  readonly readings: Reading[] = [];
  private readonly ended = new AbortController();
  private reporting = Promise.resolve();
  private hasBegun = false;

  private constructor(
    private readonly run: PlainRun,
    private readonly store: OpenStore,
    private readonly draw: { readonly seed: number; readonly durationMs: number },
  ) {}

  /** @param draw what the script is drawn from */
  static async open(
    run: PlainRun,
    draw: { readonly seed: number; readonly durationMs: number },
  ): Promise<WatchedFleet> {
    const store = await openLatePostgresStore({ url: run.databaseUrl, migrate: true }, { clock, log: unshownLog() });
    return new WatchedFleet(run, store, draw);
  }

  /** Begins to report. Tries again while the database or etcd do not answer. Resolves when the script has begun. */
  async begin(): Promise<void> {
    this.reporting = this.report();
    await Promise.race([this.reporting, until(() => this.hasBegun, { timeoutMs: stallMs })]);
  }

  /** Waits until everything is reported. @returns the error that it has ended with */
  async untilReported(timeoutMs: number): Promise<Error | undefined> {
    const timeout = setTimeout(() => this.ended.abort(new Error("not in time")), timeoutMs);
    try {
      await this.reporting;
      return undefined;
    } catch (error) {
      return error as Error;
    } finally {
      clearTimeout(timeout);
    }
  }

  /** A ledger with what the watched GPUs have reported, too. */
  addTo(ledger: Ledger): Ledger {
    const records = new Map(ledger.records);
    for (const { timeMs, gpus } of this.readings) {
      gpus.forEach((metrics, gpu) => records.set(`${uuidOf(gpu)} ${timeMs}`, metrics));
    }
    return { ...ledger, records };
  }

  async close(): Promise<void> {
    this.ended.abort();
    await this.reporting.catch(() => undefined);
    await this.store.close();
  }

  private async report(): Promise<void> {
    const script = drawScript(this.draw.seed, this.draw.durationMs);
    const hotTier = new EtcdHotTier({
      ...{ client: this.run.etcd, topic: this.run.topic, clock, windowSeconds: 600 },
      ...{ onCoalesced: () => undefined, onRefused: (error) => this.ended.abort(error) },
    });
    for (let round = -1; round < script.rounds;) {
      this.ended.signal.throwIfAborted();
      await this.take(script.read(round, Date.now()), hotTier);
      this.hasBegun ||= await this.isWatched();
      if (this.hasBegun) round += 1;
      await Bun.sleep(everyMs);
    }
  }

  private async take(reading: Reading, hotTier: EtcdHotTier): Promise<void> {
    const { timeMs, gpus } = reading;
    const number = this.readings.push(reading);
    const place = { clusterId: watchedSource, hostname: "host-0" };
    const batch = makeBatch(gpus.map((metrics, gpu) => ({ ...place, uuid: uuidOf(gpu), timeMs, metrics })));
    const message = messageOf(`${watchedSource}-${number}`, batch, { source: watchedSource });
    const options = { clock, signal: this.ended.signal, onRetry: () => undefined };
    await retry(() => this.store.store.ingest(message), options);
    await retry(() => hotTier.write(batch), options);
  }

  /** True if the broken GPU was told, and what is told from now on is sent to the receiver. */
  private async isWatched(): Promise<boolean> {
    const { client } = this.store;
    const read = async (): Promise<boolean> => {
      const { faults } = await new SqlFaultStore(client).queries.faults({ name: brokenName, limit: 1 });
      return faults.length > 0 && (await client.query("select from fault_receivers")).length > 0;
    };
    return read().catch(() => false);
  }
}
