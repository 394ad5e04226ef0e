import { aborted } from "../kit/aborted.ts";

/** The parts of a response's header that tell etcd's history. */
export interface HistoryHeader {
  readonly cluster_id: string;
  readonly revision: string;
  readonly raft_term: string;
}

/** What was known when a request was sent. */
export interface KnownHistory {
  readonly changes: number;
  readonly clusterId: string;
  readonly revision: bigint;
  readonly term: bigint;
}

/** Notices that etcd has lost what it had: its data directory was removed, a snapshot was restored, or the endpoints lead to another
 *  cluster. A removed directory often leaves the cluster's id as it was, because etcd derives it from the members' URLs. So the revision
 *  and the term count as well, which never go back, and a mark: a random text in a key, which the pipeline never changes.
 *
 *  Watches list their state again then, and leases count as lost: an older state may contain keys of a lease under positions that are
 *  older than what this process has published. */
export class EtcdHistory {
  private known: KnownHistory | undefined;
  private mark: string | undefined;
  private keyOfMark: string | undefined;
  private changeCount = 0;
  private readonly formerClusters = new Set<string>();
  private readonly listeners = new Set<(what: string) => void>();

  /** The number of times that another history has started. */
  get changes(): number {
    return this.changeCount;
  }

  /** The key of the mark; undefined until it was read once. A transaction that relies on what this process has read before reads it, too:
   *  other processes may have brought a new history beyond the revision that this one knows. */
  get markKey(): string | undefined {
    return this.keyOfMark;
  }

  /** Take it before a request is sent. */
  get current(): KnownHistory | undefined {
    return this.known;
  }

  /** @param header of the response to a request that etcd answers with its newest state
   *  @param before what was known when the request was sent: later responses may have overtaken this one */
  compare(header: HistoryHeader, before: KnownHistory | undefined): void {
    const { cluster_id: clusterId } = header;
    const [revision, term] = [BigInt(header.revision), BigInt(header.raft_term)];
    if (before !== undefined && before.changes !== this.changeCount) return;
    if (before !== undefined) {
      const what = differenceOf(before, { clusterId, revision, term });
      if (what !== undefined) this.begin(this.isFormer(clusterId, before) ? severalClusters : what);
    }
    if (this.known === undefined || this.known.revision < revision) {
      this.known = { changes: this.changeCount, clusterId, revision, term };
    }
  }

  /** @param key of the mark
   *  @param mark the key's value; undefined if etcd has no such key */
  compareMark(key: string, mark: string | undefined): void {
    this.keyOfMark = key;
    if (this.mark !== undefined && mark !== this.mark) {
      this.begin(
        mark === undefined ? "it has no longer the mark of this pipeline" : "the mark of this pipeline is another one",
      );
    }
    this.mark = mark;
  }

  /** @param listener called when another history has started, with what was noticed; it must not throw
   *  @returns a function that ends the calls */
  onChange(listener: (what: string) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Resolves to true at the next change, to false when the signal aborts. */
  async nextChange(signal: AbortSignal): Promise<boolean> {
    const changed = new AbortController();
    const leave = this.onChange(() => changed.abort());
    await aborted(AbortSignal.any([signal, changed.signal]));
    leave();
    return changed.signal.aborted;
  }

  private isFormer(clusterId: string, before: KnownHistory): boolean {
    const isFormer = this.formerClusters.has(clusterId);
    this.formerClusters.add(before.clusterId);
    return isFormer && clusterId !== before.clusterId;
  }

  private begin(what: string): void {
    this.changeCount += 1;
    this.known = undefined;
    this.mark = undefined;
    for (const listener of [...this.listeners]) listener(what);
  }
}

const severalClusters =
  "its members belong to different clusters: ETCD_ENDPOINTS must name members of one cluster, or this goes on";

function differenceOf(before: KnownHistory, now: Omit<KnownHistory, "changes">): string | undefined {
  if (now.clusterId !== before.clusterId) {
    return `another cluster answers (id ${hex(now.clusterId)}, before ${hex(before.clusterId)})`;
  }
  if (now.revision < before.revision) return `its revision went back from ${before.revision} to ${now.revision}`;
  return now.term < before.term ? `its term went back from ${before.term} to ${now.term}` : undefined;
}

/** As etcdctl shows ids. */
function hex(id: string): string {
  return BigInt(id).toString(16);
}
