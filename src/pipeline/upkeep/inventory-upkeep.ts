import { readFile, stat } from "node:fs/promises";
import type { Logger } from "pino";
import type { InventoryCounts } from "../../domain/inventory.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import { BaseService } from "../../kit/base-service.ts";
import type { Clock } from "../../kit/clock.ts";
import { RepeatedError } from "../../kit/repeated-error.ts";
import type { Inventory } from "../store/inventory.ts";
import { readInventoryFile } from "./inventory-file.ts";

export interface InventoryUpkeepOptions {
  readonly inventory: Pick<Inventory, "counts" | "noteReturned" | "replaceFile">;
  /** The file of hosts and devices that ought to report; undefined if there is none. */
  readonly file: string | undefined;
  /** The cluster of the file's lines without one. */
  readonly clusterId: string;
  readonly clock: Clock;
  readonly log: Logger;
}

const intervalMs = 10_000;
/** The sums are counted every so many checks. */
const checksPerCount = 6;
/** A line takes about 60 bytes, so this is more than 200,000 GPUs. */
const fileMaxBytes = 16 * 1024 * 1024;
/** The number of unusable lines that are logged one by one. */
const loggedLines = 20;

/** Applies the file of declared hosts and devices at the start and whenever it changes, says which decommissioned devices have reported
 *  again, and counts the inventory. Several collectors may run it: the store says each return to one of them, and applying a file
 *  that another has applied changes nothing. A process whose file does not change never undoes what another has applied. */
export class InventoryUpkeep extends BaseService {
  override readonly isUpkeep = true;
  private checks = 0;
  private counted: InventoryCounts | undefined;
  /** The file that was applied last: its time and size. */
  private applied: string | undefined;
  private unusable: string | undefined;
  private readonly storeError = this.repeatedError({
    prefix: "it is not noticed which decommissioned devices report again",
    ended: "it is noticed again which decommissioned devices report",
  });
  /** Not an error of the service: a process that cannot apply a file is still ready. */
  private readonly fileError: RepeatedError;

  constructor(private readonly options: InventoryUpkeepOptions) {
    super("inventory", options.log);
    this.fileError = new RepeatedError({
      log: options.log,
      prefix: "the inventory's file is not applied, and what it declared before stands",
      ended: "the inventory's file is applied again",
    });
  }

  /** The newest sums; undefined until they are counted, and while the store does not answer. */
  get counts(): InventoryCounts | undefined {
    return this.counted;
  }

  override activity(): string | undefined {
    return this.fileError.current ?? this.unusable;
  }

  /** Does what is due. Errors are reported, not thrown. */
  async check(): Promise<void> {
    await this.applyFile().then(
      () => this.fileError.clear(),
      (error: unknown) => this.fileError.record(error),
    );
    await this.askStore().then(
      () => this.storeError.clear(),
      (error: unknown) => {
        this.counted = undefined;
        this.storeError.record(error);
      },
    );
  }

  protected override async run(): Promise<void> {
    while (!this.stopping.aborted) {
      await this.check();
      await this.options.clock.sleep(intervalMs, this.stopping);
    }
  }

  private async askStore(): Promise<void> {
    const { inventory, log } = this.options;
    for (const { clusterId, hostname, uuid, returnedAtMs } of await inventory.noteReturned()) {
      const name = uuid === "" ? "host" : `device ${uuid} of host`;
      log.warn(
        `${name} ${hostname} (cluster ${clusterId}) has reported again at ${formatTimestamp(returnedAtMs)} although it was decommissioned: it is expected again`,
      );
    }
    if (this.counted === undefined || this.checks % checksPerCount === 0) this.counted = await inventory.counts();
    this.checks += 1;
  }

  private async applyFile(): Promise<void> {
    const { file, clusterId, inventory, log } = this.options;
    if (file === undefined) return;
    const { mtimeMs, size } = await stat(file);
    const version = `${mtimeMs} ${size}`;
    if (version === this.applied) return;
    if (size > fileMaxBytes) throw new Error(`${file} has ${size} bytes; expected at most ${fileMaxBytes}`);
    const { items, unusable } = readInventoryFile(await readFile(file, "utf8"), clusterId);
    const { added, changed, deleted } = await inventory.replaceFile(items);
    this.applied = version;
    for (const { line, message } of unusable.slice(0, loggedLines)) log.warn(`${file}:${line}: ${message}`);
    const [first] = unusable;
    this.unusable =
      first && `${unusable.length} line(s) of ${file} declare nothing; line ${first.line}: ${first.message}`;
    if (this.unusable !== undefined) log.warn(this.unusable);
    if (added + changed + deleted > 0)
      log.info(`${file} was applied: ${added} added, ${changed} changed, ${deleted} deleted`);
  }
}
