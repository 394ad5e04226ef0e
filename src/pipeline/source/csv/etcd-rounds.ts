import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { ICompare, IKeyValue, IRequestOp } from "etcd3";
import type { Clock } from "../../../kit/clock.ts";
import { EtcdRefused } from "../../../domain/errors.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { pipelineRoot } from "../../../etcd/pipeline-root.ts";
import { get, isAbsent, prefixRange, put, remove, removePrefix, removeRange } from "../../../etcd/requests.ts";

const storedRound = Type.Object({ started_at: Type.String({ description: "RFC 3339" }) });

/** The checkpoints of a round are kept for this time, and for at least this many rounds: a streamer that was frozen meanwhile must find
 *  that the round is done. If it is frozen for longer, it publishes the round again, and the store recognises the messages. */
const keptMs = 24 * 3_600_000;
const keptRounds = 1000;

/** A round of a file, and when it began (milliseconds since the epoch). */
export interface BegunRound {
  readonly round: number;
  readonly startedAtMs: number;
}

/** The rounds of a file that is played again and again (LOOP_MODE). All streamers agree on the current round and its start,
 *  so they all shift the file's times equally. */
export class EtcdRounds {
  private readonly checkpoints: string;

  /** @param topic the pipeline's topic */
  constructor(
    private readonly client: EtcdClient,
    private readonly clock: Clock,
    topic: string,
  ) {
    this.checkpoints = `${pipelineRoot(topic)}/checkpoints/`;
  }

  /** Begins a round of LOOP_MODE now, unless it or a later one has started: then the streamer joins the latest one, because it was frozen or
   *  cut off while others went on. The streamer that begins a round deletes the key of the round before the previous one, and the
   *  checkpoints of old rounds.
   *  @param round the round that the streamer wants to play; 0 if it does not know which one is played
   *  @throws EtcdUnavailable, EtcdOutOfSpace, EtcdRefused (for example, if the key has an unreadable value) */
  begin(fileId: string, round: number): Promise<BegunRound> {
    const rounds = prefixRange(this.roundsOf(fileId));
    const latest = { ...rounds, sort_order: "Descend", sort_target: "Key", limit: 1 } as const;
    const noneSince = { ...isAbsent(this.roundKey(fileId, round)), range_end: rounds.range_end };
    return this.beginIf(noneSince, { fileId, round, found: { request_range: latest } });
  }

  /** When a file began that is played once, with times that are shifted. It begins now unless it has started.
   *  @throws EtcdUnavailable, EtcdOutOfSpace, EtcdRefused */
  beginOnce(fileId: string): Promise<BegunRound> {
    const key = this.roundKey(fileId, 0);
    return this.beginIf(isAbsent(key), { fileId, round: 0, found: get(key) });
  }

  /** @param found reads the round that has started if the condition is false */
  private async beginIf(
    isNew: ICompare,
    { fileId, round, found }: { readonly fileId: string; readonly round: number; readonly found: IRequestOp },
  ): Promise<BegunRound> {
    const key = this.roundKey(fileId, round);
    const nowMs = this.clock.nowMs();
    const value = JSON.stringify({ started_at: new Date(nowMs).toISOString() });
    const old = [
      remove(this.roundKey(fileId, round - 2)),
      removeRange(this.checkpointsOf(`${fileId}:now:`), this.checkpointsOf(`${fileId}:now:${nowMs - keptMs}`)),
      ...(round >= keptRounds ? [removePrefix(`${this.checkpointsOf(`${fileId}:round:${round - keptRounds}`)}/`)] : []),
    ];
    const { responses } = await this.client.txn({
      compare: [isNew],
      success: [put(key, value), ...old, get(key)],
      failure: [found],
    });
    return begunRound(responses.at(-1)?.response_range.kvs[0]);
  }

  private roundsOf(fileId: string): string {
    return `${this.checkpointsOf(fileId)}/rounds/`;
  }

  /** What the keys of a source begin with, or of all sources whose ids begin so. */
  private checkpointsOf(sourceId: string): string {
    return this.checkpoints + encodeURIComponent(sourceId);
  }

  /** Zero-padded, so that etcd sorts the keys by round. */
  private roundKey(fileId: string, round: number): string {
    return this.roundsOf(fileId) + String(round).padStart(10, "0");
  }
}

function begunRound(kv: Pick<IKeyValue, "key" | "value"> | undefined): BegunRound {
  const [key, text] = [kv?.key.toString() ?? "", kv?.value.toString() ?? ""];
  const stored = parsed(text);
  const startedAtMs = Value.Check(storedRound, stored) ? Date.parse(stored.started_at) : NaN;
  if (!Number.isNaN(startedAtMs)) return { round: Number(key.slice(key.lastIndexOf("/") + 1)), startedAtMs };
  throw new EtcdRefused(`${key} in etcd is not a round: ${text.slice(0, 200)}; delete the key`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
