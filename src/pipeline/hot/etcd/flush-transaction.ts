import type { IRequestOp, ITxnResponse } from "etcd3";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import type { EtcdHistory } from "../../../etcd/etcd-history.ts";
import { get, getKey, isAbsent, nested, put } from "../../../etcd/requests.ts";
import type { GpuUpdate } from "../newest-of-batch.ts";
import type { ExpiringKeys } from "./expiring-keys.ts";
import type { FlushMember } from "./flush-groups.ts";
import { clusterDocument, dataDocument, hostDocument } from "./hot-documents.ts";
import type { HotKeys } from "./hot-keys.ts";
import type { GpuPlan, DocumentCache } from "./document-cache.ts";

type Response = ITxnResponse["responses"][number];

interface Step {
  readonly operation: IRequestOp;
  readonly onResponse: (response: Response, revision: string) => void;
}

/** What the transactions of a process share, and the lease of this one's data. */
interface FlushParts {
  readonly keys: HotKeys;
  readonly cache: DocumentCache;
  readonly expiringKeys: ExpiringKeys;
  readonly leaseId: string;
}

/** One transaction of a flush. It writes each changed document in a nested transaction, which first compares the document's
 *  revision with the cached one. It writes the data of each host in the outer transaction, because etcd checks its quota only
 *  for the writes of the outer transaction. A host's documents come before its data, so that followers receive a GPU before
 *  its record.
 *
 *  Responses are handled in the order of the steps: the step that checks a host's document comes before those that call
 *  `isGone`. */
export class FlushTransaction {
  private readonly steps: Step[] = [];
  private readonly conflicting: GpuUpdate[] = [];
  private readonly clusters = new Set<string>();

  constructor(private readonly parts: FlushParts) {}

  addHost(host: string, members: readonly FlushMember[]): void {
    const [first] = members as [FlushMember];
    const cluster = this.parts.keys.cluster(first.plan.state.gpu.clusterId);
    if (!this.clusters.has(cluster) && !this.parts.cache.clusters.has(cluster)) {
      const operation = nested([isAbsent(cluster)], [put(cluster, clusterDocument(first.plan.state))]);
      this.steps.push({ operation, onResponse: () => this.parts.cache.clusters.add(cluster) });
    }
    this.clusters.add(cluster);
    const isGone = this.addHostDocument(host, cluster, first.plan);
    for (const { plan } of members) if (plan.write !== undefined) this.addWrite(plan, plan.write, isGone);
    const entries = members.flatMap(({ entry }) => (entry === undefined ? [] : [entry]));
    const unwritten = members.flatMap(({ plan }) => (plan.write === undefined ? [plan] : []));
    if (entries.length > 0) this.addData(host, entries, { unwritten, isGone });
  }

  /** @returns the updates whose documents in etcd differ from the cache */
  async send(client: EtcdClient): Promise<GpuUpdate[]> {
    this.addMark(client.history);
    const { responses, revision } = await client.txn({ success: this.steps.map(({ operation }) => operation) });
    this.steps.forEach(({ onResponse }, index) => onResponse(responses[index] as Response, revision));
    return this.conflicting;
  }

  /** Reads the mark of the history of etcd that the cache is about. */
  private addMark(history: EtcdHistory): void {
    const { markKey } = history;
    if (markKey === undefined) return;
    this.steps.push({
      operation: get(markKey),
      onResponse: ({ response_range }) => history.compareMark(markKey, response_range.kvs[0]?.value.toString()),
    });
  }

  /** Writes the host's document if none is cached. If one is cached, checks that it still exists: an operator may have
   *  deleted the host with everything below it.
   *  @returns a function that returns, once the response is handled, whether the document was deleted */
  private addHostDocument(host: string, cluster: string, plan: GpuPlan): () => boolean {
    if (!this.parts.cache.hosts.has(host)) {
      const operation = nested([isAbsent(host)], [put(host, hostDocument(plan.state))]);
      this.steps.push({ operation, onResponse: () => this.parts.cache.hosts.add(host) });
      return () => false;
    }
    let isGone = false;
    this.steps.push({
      operation: getKey(host),
      onResponse: ({ response_range }) => {
        isGone = response_range.kvs.length === 0;
        if (isGone) this.parts.cache.forgetHost(host, cluster);
      },
    });
    return () => isGone;
  }

  private addWrite(plan: GpuPlan, { compare, success }: NonNullable<GpuPlan["write"]>, isGone: () => boolean): void {
    this.steps.push({
      operation: nested(compare, success),
      onResponse: ({ response_txn }, revision) => {
        if (isGone() || !response_txn.succeeded) this.conflicting.push(plan.update);
        else this.parts.cache.recordWrite(plan, revision);
      },
    });
  }

  private addData(
    host: string,
    entries: readonly string[],
    { unwritten, isGone }: { readonly unwritten: readonly GpuPlan[]; readonly isGone: () => boolean },
  ): void {
    const [key, value] = [this.parts.expiringKeys.nextKey(host), dataDocument(entries)];
    this.steps.push({
      operation: put(key, value, this.parts.leaseId),
      onResponse: (_, revision) => {
        this.parts.expiringKeys.recordWrite(key, Buffer.byteLength(key) + Buffer.byteLength(value));
        for (const plan of unwritten) {
          if (isGone()) this.conflicting.push(plan.update);
          else this.parts.cache.recordWrite(plan, revision);
        }
      },
    });
  }
}
