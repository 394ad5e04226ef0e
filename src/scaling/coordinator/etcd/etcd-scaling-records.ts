import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { IKeyValue, IRequestOp } from "etcd3";
import { encodeTime } from "ulid";
import { LeaseGone, TermEnded } from "../../../domain/errors.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { get, prefixRange, put, remove } from "../../../etcd/requests.ts";
import { fenced } from "../../election/etcd/etcd-leader-election.ts";
import { readLeader } from "../../election/etcd/leader-text.ts";
import type { Term } from "../../election/leader-election.ts";
import { type ScaledRole, scaledRoles } from "../policy.ts";
import {
  decisionsKeptMs,
  type Memories,
  type RecordedScaling,
  type ScalingFigures,
  type ScalingRecords,
  type ScalingUpdate,
} from "../scaling-records.ts";
import { storedDecisionSchema, storedStateSchema } from "../scaling-state.ts";
import { ScalingKeys } from "./scaling-keys.ts";

/** The records in etcd. Each write is one transaction that succeeds only in the writer's term. The figures are bound to the leader's
 *  lease: when the leader dies, they disappear instead of becoming old. */
export class EtcdScalingRecords implements ScalingRecords {
  private readonly keys: ScalingKeys;

  constructor(private readonly options: { readonly client: EtcdClient; readonly topic: string }) {
    this.keys = new ScalingKeys(options.topic);
  }

  async write(term: Term, { state, memories, figures, changes, atMs }: ScalingUpdate): Promise<void> {
    const { keys } = this;
    const refused = new TermEnded(`the term ${term.revision} has ended: another coordinator may lead`);
    const success = [
      put(keys.state, JSON.stringify(state)),
      put(keys.memory, JSON.stringify(memories)),
      ...this.figureOperations(figures, term),
      ...changes.map((change) => put(keys.decisions + change.id, JSON.stringify(change))),
      this.removalBefore(atMs - decisionsKeptMs),
    ];
    try {
      const { succeeded } = await this.options.client.txn({ compare: [fenced(term)], success });
      if (!succeeded) throw refused;
    } catch (error) {
      throw error instanceof LeaseGone ? refused : error;
    }
  }

  async read(maxChanges: number): Promise<RecordedScaling> {
    const { leader, state, memory, figures, decisions } = this.keys;
    const newestFirst = { sort_order: "Descend", sort_target: "Key", limit: maxChanges } as const;
    const { responses } = await this.options.client.txn({
      success: [
        get(leader),
        get(state),
        get(memory),
        { request_range: prefixRange(figures) },
        { request_range: { ...prefixRange(decisions), ...newestFirst } },
      ],
    });
    const [leaders = [], states = [], memoryValues = [], figureValues = [], kept = []] = responses.map(
      ({ response_range: { kvs } }) => kvs,
    );
    const leading = leaders[0];
    return {
      leader: leading && readLeader(leading.value, leading.create_revision),
      state: readJson(states[0], storedStateSchema),
      memories: readMemories(memoryValues[0]),
      figures: this.readFigures(figureValues),
      changes: kept.flatMap((pair) => readJson(pair, storedDecisionSchema) ?? []),
    };
  }

  private figureOperations({ backlogMessages, oldestAgeSeconds, desired }: ScalingFigures, term: Term): IRequestOp[] {
    const values: Readonly<Record<string, number | undefined>> = {
      backlog_messages: backlogMessages,
      oldest_age_seconds: oldestAgeSeconds,
      ...Object.fromEntries(scaledRoles.map((role) => [`desired/${role}`, desired[role]])),
    };
    return Object.entries(values).map(([name, value]) => {
      const key = this.keys.figures + name;
      return value === undefined ? remove(key) : put(key, String(value), term.leaseId);
    });
  }

  private readFigures(pairs: readonly IKeyValue[]): ScalingFigures {
    const values = new Map(
      pairs.map(({ key, value }) => [key.toString().slice(this.keys.figures.length), Number(value.toString())]),
    );
    const desired = scaledRoles.flatMap((role) => {
      const value = values.get(`desired/${role}`);
      return value === undefined ? [] : [[role, value] as const];
    });
    return {
      backlogMessages: values.get("backlog_messages"),
      oldestAgeSeconds: values.get("oldest_age_seconds"),
      desired: Object.fromEntries(desired),
    };
  }

  /** The ids of decisions begin with their time. */
  private removalBefore(atMs: number): IRequestOp {
    const { decisions } = this.keys;
    const range_end = Buffer.from(decisions + encodeTime(Math.max(0, atMs)));
    return { request_delete_range: { key: Buffer.from(decisions), range_end } };
  }
}

const memorySchema = Type.Record(
  Type.String(),
  Type.Object({
    desired: Type.Optional(Type.Number()),
    changedAtMs: Type.Optional(Type.Number()),
    decidedAtMs: Type.Optional(Type.Number()),
    command: Type.Optional(Type.Object({ count: Type.Number(), atMs: Type.Number() })),
    current: Type.Optional(Type.Number()),
    startedAtMs: Type.Optional(Type.Number()),
    belowSinceMs: Type.Optional(Type.Number()),
    ratePerSecond: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
    saturated: Type.Optional(Type.Boolean()),
    depthMessages: Type.Optional(Type.Number()),
    trial: Type.Optional(Type.Object({ from: Type.Number(), drainPerSecond: Type.Number() })),
    noGain: Type.Optional(Type.Object({ sinceMs: Type.Number(), drainPerSecond: Type.Number() })),
  }),
);

/** The memories that another version of the program has written count only if this version can use them. */
function readMemories(pair: IKeyValue | undefined): Memories {
  const read = readJson(pair, memorySchema) ?? {};
  const known = scaledRoles.flatMap((role: ScaledRole) =>
    read[role] === undefined ? [] : [[role, read[role]] as const],
  );
  return Object.fromEntries(known);
}

/** @returns undefined if there is no value, or another version has written one that this version cannot use */
function readJson<Schema extends TSchema>(pair: IKeyValue | undefined, schema: Schema): Static<Schema> | undefined {
  if (pair === undefined) return undefined;
  try {
    const read = Value.Clean(schema, JSON.parse(pair.value.toString()));
    return Value.Check(schema, read) ? read : undefined;
  } catch {
    return undefined;
  }
}
