import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AnyElysia } from "elysia";
import { unshownLog } from "../../dev/unshown-log.ts";
import { until } from "../../dev/until.ts";
import { composeApp } from "../../src/app.ts";
import { hostNamesOf } from "../../src/config/host-names-of.ts";
import { type Config, parseConfig } from "../../src/config/parse-config.ts";
import type { TimeState } from "../../src/faults/evaluator/state.ts";
import type { Clock } from "../../src/kit/clock.ts";
import { startAll, stopAll } from "../../src/kit/run-services.ts";
import { openRoles, type OpenRoles } from "../../src/roles/roles.ts";
import type { ApiFault, ApiFaultDetail } from "../../src/routes/schemas/fault.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { makeDataDir } from "../support/open-store.ts";

/** The fleet begins so long ago that it ends in the past: nothing of it is of the future. */
const beganMs = 3 * 3_600_000;
/** A leader that was at work when its time came waits for a second more, which passes after this time of the test. */
const patienceMs = 300;

/** A whole pipeline in this process, opened as main.ts opens it: a simulated fleet, the queue, the collector, the embedded store, the
 *  hot tier, the evaluation of faults and the gateway. Its time passes as fast as the pipeline works. */
export class LiveFleet {
  readonly startMs: number;
  private newestMs = 0;
  private followed = 0;
  private readonly unfollow: () => Promise<void>;

  private constructor(
    private readonly clock: ManualClock,
    private readonly opened: OpenRoles,
    private readonly app: AnyElysia,
    private readonly dir: string,
  ) {
    this.startMs = clock.nowMs();
    this.unfollow = opened.shared.hotTier.follow({
      onChanges: ({ records }) => {
        this.followed += records.length;
        for (const { timeMs } of records) this.newestMs = Math.max(this.newestMs, timeMs);
      },
      onFollowing: () => undefined,
      onInterrupted: () => undefined,
    });
  }

  /** @param env settings of the simulated fleet and the rules */
  static async start(env: Readonly<Record<string, string>>): Promise<LiveFleet> {
    const dir = await mkdtemp(join(tmpdir(), "telemetry-live-fleet-"));
    await makeDataDir(join(dir, "data"));
    // a reading is one message; what moves history into blocks has tests of its own
    const config = parseConfig({ DATA_DIR: join(dir, "data"), BATCH_SIZE: "50000", SETTLE_HISTORY: "false", ...env });
    const { simIntervalMs: intervalMs } = config;
    const clock = new ManualClock(Math.floor((Date.now() - beganMs) / intervalMs) * intervalMs);
    const surroundings = { clock, log: unshownLog(), print: () => undefined, terminal: process.stderr };
    const opened = await openRoles(config, surroundings);
    await startAll(opened.services);
    return new LiveFleet(clock, opened, appOf(config, opened, clock), dir);
  }

  /** Lets the time pass, reading by reading: each has passed through the pipeline and was evaluated before the next, so no record is
   *  coalesced.
   *  @param isSilent true if the fleet reports nothing */
  async play(seconds: number, { isSilent = false } = {}): Promise<void> {
    const { clock, opened } = this;
    const { simIntervalMs: intervalMs } = opened.shared.config;
    for (let passed = 0; passed < seconds * 1000; passed += intervalMs) {
      const readingMs = clock.nowMs();
      if (!isSilent) await until(() => this.newestMs >= readingMs, { everyMs: 1 });
      for (let second = 1; second < intervalMs / 1000 && !(await this.hasEvaluated()); second += 1) {
        await clock.freeze(1000);
        await this.waitForLeader();
      }
      await clock.freeze(readingMs + intervalMs - clock.nowMs());
      await until(async () => (await this.evaluatedMs()) >= readingMs - intervalMs, { everyMs: 10 });
    }
  }

  private async waitForLeader(): Promise<void> {
    const endMs = performance.now() + patienceMs;
    while (performance.now() < endMs && !(await this.hasEvaluated())) await Bun.sleep(1);
  }

  private async hasEvaluated(): Promise<boolean> {
    const metric = this.opened.shared.registry.getSingleMetric("telemetry_fault_evaluated_records_total");
    const evaluated = (await metric?.get())?.values[0]?.value ?? 0;
    return evaluated >= this.followed;
  }

  /** The faults that have fired, with their changes, as the API shows them. */
  async fired(): Promise<readonly ApiFaultDetail[]> {
    const listed = await this.api<ApiFault[]>("?state=pending,firing,acknowledged,resolved&limit=1000");
    const fired = listed.filter(({ fired_at: at }) => at !== undefined);
    return Promise.all(fired.map(({ id }) => this.api<ApiFaultDetail>(`/${encodeURIComponent(id)}`)));
  }

  async close(): Promise<void> {
    const { services, shared } = this.opened;
    await this.unfollow();
    await stopAll(services, AbortSignal.abort());
    await shared.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** The time up to which the leader has evaluated, and has written that. */
  private async evaluatedMs(): Promise<number> {
    const sql = "select state from fault_states where kind = 'time'";
    const [row] = (await this.opened.shared.store.current?.client.query<{ state: string }>(sql)) ?? [];
    return row === undefined ? Infinity : (JSON.parse(row.state) as TimeState).nowMs;
  }

  private async api<Data>(path: string): Promise<Data> {
    const response = await this.app.handle(new Request(`http://localhost/api/v1/faults${path}`));
    return ((await response.json()) as { data: Data }).data;
  }
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
