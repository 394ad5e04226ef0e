import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
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

  /** The last round that was started, counted from 0; also 0 if no round was started. */
  async current(fileId: string): Promise<number> {
    const prefix = this.roundsOf(fileId);
    const { kvs } = await this.client.range({
      ...prefixRange(prefix),
      sort_order: "Descend",
      sort_target: "Key",
      limit: 1,
      keys_only: true,
    });
    const last = kvs[0]?.key.toString().slice(prefix.length);
    return last === undefined ? 0 : Number(last);
  }

  /** When a round started, milliseconds since the epoch. The first streamer that asks starts the round now, and deletes the key
   *  of the round before the previous one, and the checkpoints of old rounds.
   *  @throws EtcdUnavailable, EtcdOutOfSpace, EtcdRefused (for example, if the key has an unreadable value) */
  async startedAtMs(fileId: string, round: number): Promise<number> {
    const key = this.roundKey(fileId, round);
    const nowMs = this.clock.nowMs();
    const value = JSON.stringify({ started_at: new Date(nowMs).toISOString() });
    const old = [
      remove(this.roundKey(fileId, round - 2)),
      removeRange(this.checkpointsOf(`${fileId}:now:`), this.checkpointsOf(`${fileId}:now:${nowMs - keptMs}`)),
      ...(round >= keptRounds ? [removePrefix(`${this.checkpointsOf(`${fileId}:round:${round - keptRounds}`)}/`)] : []),
    ];
    const { responses } = await this.client.txn({
      compare: [isAbsent(key)],
      success: [put(key, value), ...old, get(key)],
      failure: [get(key)],
    });
    const text = responses.at(-1)?.response_range.kvs[0]?.value.toString() ?? "";
    const stored = parsed(text);
    const startedAtMs = Value.Check(storedRound, stored) ? Date.parse(stored.started_at) : NaN;
    if (!Number.isNaN(startedAtMs)) return startedAtMs;
    throw new EtcdRefused(`${key} in etcd is not a round: ${text.slice(0, 200)}; delete the key`);
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
