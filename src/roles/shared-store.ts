import { gpuPricesOf } from "../domain/usage/prices.ts";
import type { UsageSettings } from "../domain/usage/usage-hour.ts";
import type { Logger } from "pino";
import type { Config } from "../config/parse-config.ts";
import type { Clock } from "../kit/clock.ts";
import { toldWhile } from "../kit/told-while.ts";
import type { OnDatabaseChange } from "../pipeline/store/database-change.ts";
import type { OpenStore } from "../pipeline/store/open-store.ts";
import type { PostgresStoreOptions } from "../pipeline/store/sql/open-postgres-store.ts";

/** The process's store: opened by the first role that asks for it, and shared with the roles after it. Only the driver that is
 *  opened is loaded: it takes 80 ms of processor time. */
export class SharedStore {
  private opened: OpenStore | undefined;

  constructor(
    private readonly config: Config,
    private readonly parts: { readonly clock: Clock; readonly log: Logger; readonly onChange: OnDatabaseChange },
  ) {}

  /** The open store; undefined until a role opens it. */
  get current(): OpenStore | undefined {
    return this.opened;
  }

  /** Opens the store for a role that cannot work without it.
   *  @throws as `openPGliteStore` and `openPostgresStore` do */
  async open(): Promise<OpenStore> {
    const { databaseUrl: url } = this.config;
    const { clock, log } = this.parts;
    const onProgress = (text: string): void => log.info(text);
    const open = (): Promise<OpenStore> => (url === undefined ? this.openEmbedded(onProgress) : this.openPostgres(url));
    const what = "the store is being opened, and migrated if an older version has made it";
    this.opened ??= await toldWhile({ clock, what, tell: onProgress }, open);
    return this.opened;
  }

  /** Opens the store for a role that can work without it: a database that does not answer is retried while the process
   *  runs. Roles that need the store must open it first.
   *  @throws as `openPGliteStore` and `openLatePostgresStore` do */
  async openLate(): Promise<OpenStore> {
    const { databaseUrl: url } = this.config;
    if (url === undefined) return this.open();
    const { openLatePostgresStore } = await import("../pipeline/store/sql/open-postgres-store.ts");
    this.opened ??= await openLatePostgresStore(this.postgresOptions(url), this.parts);
    return this.opened;
  }

  /** Closes the store if it is open. */
  async close(): Promise<void> {
    await this.opened?.close();
  }

  private async openEmbedded(onProgress: (text: string) => void): Promise<OpenStore> {
    const { openPGliteStore } = await import("../pipeline/store/sql/open-pglite-store.ts");
    const { dataDir, dataMaxGibibytes: maxGibibytes, queryTimeoutSeconds } = this.config;
    const onNotice = (notice: string): void => this.parts.log.warn(notice);
    const usage = this.usageSettings();
    return openPGliteStore({ dataDir, maxGibibytes, queryTimeoutSeconds, usage, onNotice, onProgress });
  }

  private async openPostgres(url: string): Promise<OpenStore> {
    const { openPostgresStore } = await import("../pipeline/store/sql/open-postgres-store.ts");
    const opened = await openPostgresStore(this.postgresOptions(url));
    this.parts.log.info(opened.engine());
    return opened;
  }

  private readonly report: OnDatabaseChange = (change) => {
    const { log, onChange } = this.parts;
    if (change.kind === "restarted") log.info(change.text);
    else log.warn(change.text);
    onChange(change);
  };

  private usageSettings(): UsageSettings {
    const { usageActivePercent: activePercent, usageEffectivePercent: effectivePercent } = this.config;
    const { gpuPricePerHour, energyPricePerKwh: kilowattHour, currency } = this.config;
    const prices = { gpuHour: gpuPricesOf(gpuPricePerHour), kilowattHour, currency };
    return { activePercent, effectivePercent, prices };
  }

  private postgresOptions(url: string): PostgresStoreOptions {
    const { migrateOnStart: migrate, collectorWorkers, queryTimeoutSeconds, maxHeavyQueries } = this.config;
    // one connection more than the workers need, for /health
    return {
      url,
      migrate,
      maxConnections: collectorWorkers + 1,
      queryTimeoutSeconds,
      heavyQuestions: maxHeavyQueries,
      usage: this.usageSettings(),
      onChange: this.report,
    };
  }
}
