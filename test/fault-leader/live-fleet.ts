import type { AnyElysia } from "elysia";
import { unshownLog } from "../../dev/unshown-log.ts";
import { BarLine } from "../../src/terminal/bar-line.ts";
import { composeApp } from "../../src/app.ts";
import { hostNamesOf } from "../../src/config/host-names-of.ts";
import { type Config, parseConfig } from "../../src/config/parse-config.ts";
import type { TimeState } from "../../src/faults/evaluator/state.ts";
import type { Clock } from "../../src/kit/clock.ts";
import { startAll, stopAll } from "../../src/kit/run-services.ts";
import type { LiveBatch } from "../../src/pipeline/source/source.ts";
import { keyedByInstant, messagesOf } from "../../src/pipeline/stream/batch-messages.ts";
import { openRoles, type OpenRoles } from "../../src/roles/roles.ts";
import type { ApiFault, ApiFaultDetail } from "../../src/routes/schemas/fault.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";

/** The fleet begins so long ago that it ends in the past: nothing of it is of the future. */
const beganMs = 3 * 3_600_000;
/** The leader notes the time up to which it has evaluated if five seconds have passed since it did. */
const evaluatedAfterMs = 6000;
/** The longest that the test waits before more of the fleet's time passes. */
const patienceMs = 300;

/** Readings that a test publishes in place of the simulated fleet of the settings. */
export interface LiveReadings {
  /** The fleet's next reading. */
  read(timeMs: number): LiveBatch;
}

export interface LiveFleetOptions {
  /** How long ago the fleet begins. */
  readonly beganMs?: number;
  /** Then no streamer is opened. A coordinator makes the process evaluate faults. */
  readonly readings?: LiveReadings;
}

/** A whole pipeline in this process, opened as main.ts opens it: a simulated fleet, the queue, the collector, the database, the
 *  hot tier, the evaluation of faults and the gateway. Its time passes as fast as the pipeline works. */
export class LiveFleet {
  readonly startMs: number;
  private newestMs = 0;

  private constructor(
    private readonly config: Config,
    private readonly clock: ManualClock,
    private readonly readings: LiveReadings | undefined,
    private opened: OpenPipeline,
    private readonly database: ProvidedDatabase,
  ) {
    this.startMs = clock.nowMs();
    this.follow();
  }

  /** @param env settings of the simulated fleet and the rules */
  static async start(env: Readonly<Record<string, string>>, options: LiveFleetOptions = {}): Promise<LiveFleet> {
    // it takes a third of the embedded store's processor time
    const database = await provideDatabase();
    // a reading is one message; what moves history into blocks has tests of its own
    const parsed = parseConfig({ DATABASE_URL: database.url, BATCH_SIZE: "50000", SETTLE_HISTORY: "false", ...env });
    const config: Config =
      options.readings === undefined ? parsed : { ...parsed, roles: ["collector", "gateway", "coordinator"] };
    const { simIntervalMs: intervalMs } = config;
    const startMs = Date.now() - (options.beganMs ?? beganMs);
    const clock = new ManualClock(Math.floor(startMs / intervalMs) * intervalMs);
    return new LiveFleet(config, clock, options.readings, await openPipeline(config, clock), database);
  }

  /** Since the beginning of the fleet. */
  get seconds(): number {
    return (this.clock.nowMs() - this.startMs) / 1000;
  }

  /** Lets the time pass, reading by reading: each has passed through the pipeline and was evaluated before the next, so no record is
   *  coalesced.
   *  @param isSilent true if the fleet reports nothing */
  async play(seconds: number, { isSilent = false } = {}): Promise<void> {
    const { clock, config } = this;
    const { simIntervalMs: intervalMs } = config;
    const endMs = clock.nowMs() + seconds * 1000;
    while (clock.nowMs() < endMs) {
      const readingMs = clock.nowMs();
      const isPublished = this.readings === undefined || (await this.publish(this.readings.read(readingMs)));
      if (!isSilent && isPublished) await this.passUntil(() => this.newestMs >= readingMs, patienceMs);
      await clock.freeze(evaluatedAfterMs);
      // what had begun at the reading's instant may not have the reading
      await this.passUntil(async () => (await this.evaluatedMs()) > readingMs, 10);
      const nextMs = Math.max(readingMs + intervalMs, Math.ceil(clock.nowMs() / intervalMs) * intervalMs);
      await clock.freeze(nextMs - clock.nowMs());
    }
  }

  /** Closes the pipeline, and opens it again on its database after a pause. What is read meanwhile is lost. */
  async restart(pauseSeconds: number): Promise<void> {
    const { clock, config, readings } = this;
    await closePipeline(this.opened);
    for (let passed = 0; passed < pauseSeconds * 1000; passed += config.simIntervalMs) {
      readings?.read(clock.nowMs());
      await clock.freeze(config.simIntervalMs);
    }
    this.opened = await openPipeline(config, clock);
    this.follow();
  }

  /** @returns false if the batch has no record */
  private async publish(read: LiveBatch): Promise<boolean> {
    const { queue } = this.opened.roles.shared;
    const messages = messagesOf(keyedByInstant("test", read), Infinity).map(({ message }) => message);
    await queue.publish(messages, { signal: new AbortController().signal });
    return read.batch.recordCount > 0;
  }

  private follow(): void {
    this.opened.roles.shared.hotTier.follow({
      onChanges: ({ records }) => {
        for (const { timeMs } of records) this.newestMs = Math.max(this.newestMs, timeMs);
      },
      onFollowing: () => undefined,
      onInterrupted: () => undefined,
    });
  }

  /** Waits for what may need more of the fleet's time: a part was at work when its time came, or repeats something later, as a leader
   *  does that was lost because its server seemed to answer late.
   *  @param firstMs how long the test waits before a second of the fleet's time passes; then twice as long each time */
  private async passUntil(holds: () => boolean | Promise<boolean>, firstMs: number): Promise<void> {
    const limitMs = performance.now() + 60_000;
    for (let waitMs = firstMs; ; waitMs = Math.min(2 * waitMs, patienceMs)) {
      const endMs = performance.now() + waitMs;
      while (performance.now() < endMs) {
        if (await holds()) return;
        await Bun.sleep(1);
      }
      if (performance.now() > limitMs) throw new Error(`after a minute this did not hold: ${holds.toString()}`);
      await this.clock.freeze(1000);
    }
  }

  /** The faults that have fired, with their changes, as the API shows them. */
  async fired(): Promise<readonly ApiFaultDetail[]> {
    const states = "pending,firing,acknowledged,resolved,suppressed";
    const listed = await this.api<ApiFault[]>(`/faults?state=${states}&limit=1000`);
    const fired = listed.filter(({ fired_at: at }) => at !== undefined);
    return Promise.all(fired.map(({ id }) => this.api<ApiFaultDetail>(`/faults/${encodeURIComponent(id)}`)));
  }

  async close(): Promise<void> {
    await closePipeline(this.opened);
    await this.database.stop();
  }

  /** @param path what follows /api/v1 */
  async api<Data>(path: string, method = "GET"): Promise<Data> {
    const response = await this.opened.app.handle(new Request(`http://localhost/api/v1${path}`, { method }));
    const body = (await response.json()) as { data: Data };
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(body)}`);
    return body.data;
  }

  /** The time up to which the leader has evaluated, and has written that. */
  private async evaluatedMs(): Promise<number> {
    const sql = "select state from fault_states where kind = 'time'";
    const [row] = (await this.opened.roles.shared.store.current?.client.query<{ state: string }>(sql)) ?? [];
    return row === undefined ? 0 : (JSON.parse(row.state) as TimeState).nowMs;
  }
}

interface OpenPipeline {
  readonly roles: OpenRoles;
  readonly app: AnyElysia;
}

async function openPipeline(config: Config, clock: Clock): Promise<OpenPipeline> {
  const surroundings = { clock, log: unshownLog(), print: () => undefined, terminal: new BarLine(process.stderr) };
  const roles = await openRoles(config, surroundings);
  await startAll(roles.services);
  return { roles, app: appOf(config, roles, clock) };
}

async function closePipeline({ roles: { services, shared } }: OpenPipeline): Promise<void> {
  await stopAll(services, AbortSignal.abort());
  await shared.close();
}

function appOf(config: Config, { shared, roles, services, access, tls }: OpenRoles, clock: Clock): AnyElysia {
  const [version, stopping] = ["0", new AbortController().signal];
  return composeApp({
    ...{ roles: config.roles, clusterId: config.clusterId, version, clock, services, queue: shared.queue },
    store: shared.store.current?.store,
    engine: () => undefined,
    notice: () => undefined,
    servesFromMemory: () => true,
    draining: stopping,
    webSocket: config,
    bodyMaxBytes: 65_536,
    registry: shared.registry,
    log: shared.log,
    door: { hosts: hostNamesOf(config), corsOrigins: undefined },
    access: access.access,
    trail: access.audit,
    tls,
    trustsForwardedFor: false,
    unauthenticatedPerSecond: 0,
    routes: (app) => roles.flatMap((role) => role.routes({ app, services, version, stopping, access })),
  });
}
