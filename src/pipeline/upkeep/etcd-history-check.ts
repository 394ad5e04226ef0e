import type { Logger } from "pino";
import { PeriodicService } from "../../kit/periodic-service.ts";
import type { Clock } from "../../kit/clock.ts";
import type { EtcdClient } from "../../etcd/etcd-client.ts";
import { get, isAbsent, put } from "../../etcd/requests.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";

export interface EtcdHistoryCheckOptions {
  readonly client: EtcdClient;
  /** The key of the mark. */
  readonly markKey: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called when etcd has lost what it had. */
  readonly onLost: () => void;
}

/** A process that reads and writes nothing else notices a lost history after this time. */
const everyMs = 2000;
/** For this time, /health says what was lost. */
const shownMs = 3_600_000;

/** Looks whether etcd still has the history that this process knows, and says for an hour if it has not: what the queue had is then
 *  lost, unless its source can be read again. Says as well if a watch of this process does not go on. */
export class EtcdHistoryCheck extends PeriodicService {
  override readonly isUpkeep = true;
  private lost: { readonly text: string; readonly atMs: number } | undefined;
  private toldNotice: string | undefined;
  private readonly leaveHistory: () => void;

  constructor(private readonly options: EtcdHistoryCheckOptions) {
    super({
      ...options,
      name: "etcd-history",
      everyMs,
      failing: {
        prefix: "whether etcd has lost what it had is not known",
        ended: "etcd says again what it has",
      },
    });
    this.leaveHistory = options.client.history.onChange((what) => this.tell(what));
  }

  override error(): string | undefined {
    const { clock, client } = this.options;
    const isRecent = this.lost !== undefined && Math.abs(clock.nowMs() - this.lost.atMs) < shownMs;
    const parts = [isRecent ? this.lost?.text : super.error(), client.watchProblems.text()];
    return parts.filter((part) => part !== undefined).join("; ") || undefined;
  }

  override activity(): string | undefined {
    return this.options.client.notice;
  }

  protected override async step(): Promise<void> {
    const { client, markKey: key } = this.options;
    const { kvs } = await client.range({ key: Buffer.from(key) });
    this.tellNotice();
    client.history.compareMark(key, kvs[0]?.value.toString());
    if (kvs.length > 0) return;
    const { responses } = await client.txn({
      compare: [isAbsent(key)],
      success: [put(key, crypto.randomUUID()), get(key)],
      failure: [get(key)],
    });
    client.history.compareMark(key, responses.at(-1)?.response_range.kvs[0]?.value.toString());
  }

  protected override close(): Promise<void> {
    this.leaveHistory();
    return Promise.resolve();
  }

  private tellNotice(): void {
    const { client, log } = this.options;
    const { notice } = client;
    if (notice !== undefined && notice !== this.toldNotice) log.warn(notice);
    this.toldNotice = notice;
  }

  private tell(what: string): void {
    const { client, clock, log, onLost } = this.options;
    const atMs = clock.nowMs();
    const text =
      `etcd at ${client.description} has come back empty or with an older state: ${what} (${formatTimestamp(atMs)}). Messages that no ` +
      "collector had stored are lost, except those of files, which are read again from the positions that etcd has now; nothing that " +
      "the database has is lost or stored twice. Scrapes of that time are missing";
    this.lost = { text, atMs };
    log.error(text);
    onLost();
  }
}
