import {
  type ICompare,
  type ILeaseKeepAliveResponse,
  type IRangeRequest,
  type IRangeResponse,
  type IRequestOp,
  type IStatusResponse,
  type ITxnResponse,
  type IWatchRequest,
  type IWatchResponse,
  MaintenanceClient,
} from "etcd3";
import { deadlineIn } from "../kit/clock.ts";
import { EtcdRefused, EtcdUnavailable, LeaseGone } from "../domain/errors.ts";
import { messageOf } from "../kit/message-of.ts";
import { callTimeoutMs, type Endpoint, type EtcdClientOptions } from "./etcd-endpoint.ts";
import { EtcdEndpoints } from "./etcd-endpoints.ts";
import { translateEtcdError } from "./etcd-errors.ts";
import { EtcdHistory } from "./etcd-history.ts";
import { prefixesOf } from "./keys-of-request.ts";
import { WatchProblems } from "./watch-problems.ts";

/** The result of a transaction. */
export interface TxnResult {
  readonly succeeded: boolean;
  readonly responses: ITxnResponse["responses"];
  /** etcd's revision after the transaction, a decimal number. */
  readonly revision: string;
}

/** A transaction: if every comparison is true, etcd executes `success`, otherwise `failure`. */
export interface Txn {
  readonly compare?: readonly ICompare[];
  readonly success: readonly IRequestOp[];
  readonly failure?: readonly IRequestOp[];
}

/** The parts of a gRPC stream that are used here. */
export interface EtcdStream<Request, Response> {
  on(event: "data", listener: (message: Response) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  write(message: Request): unknown;
  cancel(): void;
}

/** Time limit of a physical compaction or a defragmentation: enough for 8 GB, the maximum that etcd advises, on a slow disk. */
const upkeepTimeoutMs = 120_000;

/** Calls etcd: one endpoint until it fails, then the next. A failed call is not repeated, because only the caller knows whether
 *  a repetition is safe. The exception is a call that etcd refused because of an invalid token. */
export class EtcdClient {
  /** Notices when etcd has lost what it had. */
  readonly history = new EtcdHistory();
  readonly watchProblems = new WatchProblems();
  private readonly endpoints: EtcdEndpoints;

  constructor(private readonly options: EtcdClientOptions) {
    this.endpoints = new EtcdEndpoints(options);
  }

  /** What an operator should know although it works; undefined if there is nothing. */
  get notice(): string | undefined {
    if (!this.endpoints.isAuthOff) return undefined;
    return (
      "ETCD_USERNAME is set, but authentication is off in etcd, so that anyone who reaches it may read and change everything: " +
      "etcdctl auth enable switches it on, also while the pipeline runs"
    );
  }

  /** The endpoints, for messages. */
  get description(): string {
    return this.endpoints.description;
  }

  /** @throws EtcdUnavailable (outcome unknown), EtcdOutOfSpace, LeaseGone or EtcdRefused (nothing was changed) */
  async txn({ compare = [], success, failure = [] }: Txn, timeoutMs = callTimeoutMs): Promise<TxnResult> {
    const request = { compare: [...compare], success: [...success], failure: [...failure] };
    const before = this.history.current;
    const { header, succeeded, responses } = await this.call(
      "a transaction",
      ({ kv }, limits) => kv.txn(request, limits),
      timeoutMs,
    ).catch((error: unknown) => this.failWithRights(error, request));
    this.history.compare(header, before);
    return { succeeded, responses, revision: header.revision };
  }

  async range(request: IRangeRequest): Promise<IRangeResponse> {
    const before = this.history.current;
    const reading = this.call("a read", ({ kv }, limits) => kv.range(request, limits));
    const response = await reading.catch((error: unknown) => this.failWithRights(error, request));
    this.history.compare(response.header, before);
    return response;
  }

  /** @returns the lease's id, a decimal number of 64 bits */
  async grantLease(ttlSeconds: number): Promise<string> {
    const { ID } = await this.call("granting a lease", ({ lease }, limits) =>
      lease.leaseGrant({ TTL: ttlSeconds }, limits),
    );
    return ID;
  }

  /** Ends a lease, and thereby deletes its keys. @returns false if it had already ended, which is not an error */
  async revokeLease(id: string): Promise<boolean> {
    return this.call("revoking a lease", ({ lease }, limits) => lease.leaseRevoke({ ID: id }, limits)).then(
      () => true,
      (error: unknown) => {
        if (error instanceof LeaseGone) return false;
        throw error;
      },
    );
  }

  /** Restarts a lease's time. @returns the seconds that the lease lasts from now; 0 if the lease has ended */
  keepLease(id: string, timeoutMs: number): Promise<number> {
    return this.call(
      "renewing a lease",
      async ({ lease }, limits) => {
        const stream = await lease.leaseKeepAlive(limits);
        try {
          return await new Promise<number>((resolve, reject) => {
            stream.on("data", ({ TTL }: ILeaseKeepAliveResponse) => resolve(Number(TTL)));
            stream.on("error", reject);
            stream.write({ ID: id });
          });
        } finally {
          stream.on("error", () => undefined);
          stream.end();
        }
      },
      timeoutMs,
    );
  }

  /** Opens a stream for watches. A member that has no leader closes the stream. Call `failed` if the stream breaks.
   *  @param key one of those that are to be watched, read first: etcd would silently wait for a revision that it had before it lost
   *  what it had, and only a unary call renews a token that etcd no longer accepts */
  async openWatch(key: Buffer): Promise<EtcdStream<IWatchRequest, IWatchResponse> & { readonly failed: () => void }> {
    await this.range({ key, count_only: true });
    const index = this.endpoints.current;
    const endpoint = this.endpoints.at(index);
    const stream = await endpoint.pool
      .withConnection("Watch", ({ client, metadata }) => {
        const withLeader = metadata.clone();
        withLeader.set("hasleader", "true");
        const calls = client as unknown as { watch(metadata: unknown): EtcdStream<IWatchRequest, IWatchResponse> };
        return calls.watch(withLeader);
      })
      .catch((error: unknown) => {
        this.endpoints.leave(index);
        throw this.translated(error, "a watch", endpoint);
      });
    return Object.assign(stream, { failed: () => this.endpoints.leave(index) });
  }

  /** @returns the size of the database file of the member in use, the part of that file with data, and the current revision */
  async databaseSize(): Promise<{
    readonly fileBytes: number;
    readonly inUseBytes: number;
    readonly revision: string;
  }> {
    const { dbSize, dbSizeInUse, header } = await this.status();
    return { fileBytes: Number(dbSize), inUseBytes: Number(dbSizeInUse), revision: header.revision };
  }

  /** True if the member in use is the leader. */
  async isLeader(): Promise<boolean> {
    const { leader, header } = await this.status();
    return leader === header.member_id;
  }

  /** The ids of the members that have raised the alarm NOSPACE. */
  async membersWithoutSpace(): Promise<string[]> {
    const { alarms } = await this.call("reading the alarms", ({ pool }, limits) =>
      new MaintenanceClient(pool).alarm({ action: "Get", memberID: 0, alarm: "None" }, limits),
    );
    return alarms.filter(({ alarm }) => alarm === "Nospace").map(({ memberID }) => memberID);
  }

  /** Shrinks the database files of all endpoints, one by one, because a member does not respond during this operation. */
  async defragment(): Promise<void> {
    for (const endpoint of this.endpoints.all) {
      const limits = { deadline: deadlineIn(upkeepTimeoutMs) };
      await this.authorized(endpoint, ({ pool }) => new MaintenanceClient(pool).defragment(limits)).catch(
        (error: unknown) => {
          throw this.translated(error, "a defragmentation", endpoint);
        },
      );
    }
  }

  /** Clears a member's alarm NOSPACE. Once no member has this alarm, etcd accepts writes until the quota is reached again. */
  async disarm(memberID: string): Promise<void> {
    await this.call("disarming an alarm", ({ pool }, limits) =>
      new MaintenanceClient(pool).alarm({ action: "Deactivate", memberID, alarm: "Nospace" }, limits),
    );
  }

  /** Deletes the history before a revision. @param physically true to wait for the deletion, not only for its scheduling */
  async compact(revision: string, physically = false): Promise<void> {
    await this.call(
      "a compaction",
      ({ kv }, limits) => kv.compact({ revision, physical: physically }, limits),
      physically ? upkeepTimeoutMs : callTimeoutMs,
    );
  }

  close(): void {
    this.endpoints.close();
  }

  private status(): Promise<IStatusResponse> {
    return this.call("reading the status", ({ pool }, limits) => new MaintenanceClient(pool).status(limits));
  }

  private async call<T>(
    operation: string,
    run: (endpoint: Endpoint, limits: { deadline: Date }) => Promise<T>,
    timeoutMs = callTimeoutMs,
  ): Promise<T> {
    const index = this.endpoints.current;
    const endpoint = this.endpoints.at(index);
    try {
      return await this.authorized(endpoint, (authorized) => run(authorized, { deadline: deadlineIn(timeoutMs) }));
    } catch (error) {
      const translated = this.translated(error, operation, endpoint);
      if (translated instanceof EtcdUnavailable) this.endpoints.leave(index);
      throw translated;
    }
  }

  /** Repeats a call that etcd refused because of an invalid token, as after a restart, or because authentication was switched on or
   *  off; the refused call changed nothing. etcd3 renews the token only in unary calls, so a unary call comes first. */
  private async authorized<T>(endpoint: Endpoint, run: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    try {
      return await run(endpoint);
    } catch (error) {
      const text = messageOf(error);
      if (this.options.user !== undefined && /authentication is not enabled|user name is empty/.test(text)) {
        return run(this.endpoints.switchUser(endpoint, text.includes("not enabled")));
      }
      if (!text.includes("invalid auth token")) throw error;
      // a user without rights to this key gets a token, too
      await endpoint.kv.range({ key: Buffer.from("/"), count_only: true }).catch(() => undefined);
      return run(endpoint);
    }
  }

  /** @throws the error; if a right is missing, with the prefixes for which it is needed */
  private failWithRights(error: unknown, request: unknown): never {
    if (!(error instanceof EtcdRefused) || !error.message.includes("permission denied")) throw error;
    const prefixes = prefixesOf(request);
    const user = this.options.user?.name ?? "of the certificate";
    const grants = prefixes.map((prefix) => `etcdctl role grant-permission ROLE readwrite --prefix ${prefix}`);
    throw new EtcdRefused(
      `${error.message}; the user ${user} lacks a right to ${prefixes.join(", ")}, where ROLE is one of its roles: ${grants.join("; ")}`,
      { cause: error },
    );
  }

  private translated(error: unknown, operation: string, { url }: Endpoint): Error {
    return translateEtcdError(error, `${operation} at etcd ${url}`);
  }
}
