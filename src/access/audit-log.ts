import type { Logger } from "pino";
import { shortened } from "../domain/cut-text.ts";
import { StoreRejected } from "../domain/errors.ts";
import { BaseService } from "../kit/base-service.ts";
import type { Clock } from "../kit/clock.ts";
import { within } from "../kit/within.ts";
import type { AuditStore, AuditTrail } from "./audit.ts";
import type { AuditEntry } from "../domain/audit-entry.ts";

const writeEveryMs = 1000;
const writeTimeoutMs = 5000;
/** Equal refusals of a minute are one entry. */
const refusalsEveryMs = 60_000;
/** The maximum number of different refusals in a minute; more of them are one entry. */
const maxRefusals = 50;
/** The maximum number of changes that wait for the database. */
const maxWaiting = 10_000;
const deleteEveryMs = 3_600_000;
/** Texts are cut to this many characters: clients choose some of them. */
const textMaxLength = 300;

export interface AuditLogOptions {
  /** Undefined for a process without a store: the entries are only logged. */
  readonly store: AuditStore | undefined;
  /** 0: for ever. */
  readonly keepDays: number;
  /** Milliseconds of a clock that cannot be set. */
  readonly monotonicMs: () => number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Logs each change at once, and writes it to the store within a second. Refusals are counted for a minute, and are logged and
 *  written then, so that a flood of them costs little. What waits when the process is killed is in the log only. */
export class AuditLog extends BaseService implements AuditTrail {
  private waiting: AuditEntry[] = [];
  private lost = 0;
  private refusals = new Map<string, AuditEntry>();
  private refusalsAtMs: number;
  private deletedAtMs = -Infinity;
  private readonly storeError = this.repeatedError({
    prefix: "the audit log cannot be written, and waits",
    ended: "the audit log is written again",
  });

  constructor(private readonly options: AuditLogOptions) {
    super("audit", options.log);
    this.refusalsAtMs = options.monotonicMs();
  }

  override error(): string | undefined {
    const lost = this.lost === 0 ? undefined : `${this.lost} entries of the audit log are only in the process's log`;
    return super.error() ?? lost;
  }

  changed(entry: Omit<AuditEntry, "atMs" | "count">): void {
    this.keep({ ...cut(entry), atMs: this.options.clock.nowMs(), count: 1 });
  }

  refused(entry: Omit<AuditEntry, "atMs" | "count">): void {
    const own = cut(entry);
    const known = this.refusals.get(keyOf(own));
    const isRoom = known !== undefined || this.refusals.size < maxRefusals;
    const counted = isRoom
      ? own
      : { ...own, keyId: "", keyName: "", address: "several", action: "several", target: "" };
    const before = known ?? this.refusals.get(keyOf(counted));
    const atMs = before?.atMs ?? this.options.clock.nowMs();
    this.refusals.set(keyOf(counted), { ...counted, atMs, count: (before?.count ?? 0) + 1 });
  }

  protected override async run(): Promise<void> {
    const { clock, monotonicMs } = this.options;
    while (!this.stopping.aborted) {
      if (monotonicMs() - this.refusalsAtMs >= refusalsEveryMs) this.takeRefusals();
      await this.write();
      await this.deleteOld();
      await clock.sleep(writeEveryMs, this.stopping);
    }
  }

  protected override async close(): Promise<void> {
    this.takeRefusals();
    if (!this.deadline.aborted) await this.write();
  }

  private takeRefusals(): void {
    this.refusalsAtMs = this.options.monotonicMs();
    const entries = [...this.refusals.values()];
    this.refusals = new Map();
    for (const entry of entries) this.keep(entry);
  }

  private keep(entry: AuditEntry): void {
    const { log, store } = this.options;
    log.info({ audit: entry }, "audit");
    if (store === undefined) return;
    if (this.waiting.length < maxWaiting) this.waiting.push(entry);
    else this.lost += 1;
  }

  private async write(): Promise<void> {
    const { store, clock } = this.options;
    if (store === undefined || this.waiting.length === 0) return;
    const entries = this.waiting;
    this.waiting = [];
    try {
      await within(clock, writeTimeoutMs, () => store.add(entries));
      this.storeError.clear();
    } catch (error) {
      if (error instanceof StoreRejected) {
        this.lost += entries.length;
        this.storeError.clear();
        return;
      }
      this.storeError.record(error);
      const kept = [...entries, ...this.waiting];
      this.waiting = kept.slice(0, maxWaiting);
      this.lost += kept.length - this.waiting.length;
    }
  }

  private async deleteOld(): Promise<void> {
    const { store, keepDays, clock, monotonicMs } = this.options;
    if (store === undefined || monotonicMs() - this.deletedAtMs < deleteEveryMs) return;
    try {
      const isMore = await within(clock, writeTimeoutMs, () => store.deleteOld(keepDays));
      if (!isMore) this.deletedAtMs = monotonicMs();
    } catch (error) {
      this.options.log.warn(
        { err: error },
        "old entries of the audit log are not deleted; the next attempt is in a minute",
      );
      this.deletedAtMs = monotonicMs() - deleteEveryMs + 60_000;
    }
  }
}

function cut(entry: Omit<AuditEntry, "atMs" | "count">): Omit<AuditEntry, "atMs" | "count"> {
  // PostgreSQL's JSON refuses half of a surrogate pair
  const short = (text: string): string => shortened(text.toWellFormed(), textMaxLength);
  return { ...entry, action: short(entry.action), target: short(entry.target), address: short(entry.address) };
}

function keyOf({ keyId, address, action, target, result }: Omit<AuditEntry, "atMs" | "count">): string {
  return JSON.stringify([keyId, address, action, target, result]);
}
