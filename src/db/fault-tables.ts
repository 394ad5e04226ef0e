import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
} from "drizzle-orm/pg-core";

// The tables of faults. schema.ts lists them for drizzle. One process at a time writes all but requests and silences: the leader.

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });

/** Faults as they are now, or as they ended. */
export const faults = pgTable(
  "faults",
  {
    id: text("id").primaryKey(),
    name: text("name").notNull(),
    rule: text("rule").notNull(),
    severity: text("severity").notNull(),
    summary: text("summary").notNull(),
    /** `device`, `host`, `cluster` or `job`. */
    kind: text("kind").notNull(),
    clusterId: text("cluster_id").notNull(),
    /** The place at the beginning; empty if it does not apply, like the two columns below. */
    hostname: text("hostname").notNull(),
    uuid: text("uuid").notNull(),
    job: text("job").notNull(),
    startedAt: instant("started_at").notNull(),
    /** The workloads that held the device at the beginning. */
    holders: jsonb("holders").notNull(),
    action: text("action").notNull(),
    runbook: text("runbook").notNull(),
    state: text("state").notNull(),
    stateSince: instant("state_since").notNull(),
    /** NULL: it has not fired, or not yet. */
    firedAt: instant("fired_at"),
    endedAt: instant("ended_at"),
    value: doublePrecision("value"),
    why: text("why").notNull(),
    /** NULL until an operator acknowledges it. */
    acknowledgedBy: text("acknowledged_by"),
    acknowledgedAt: instant("acknowledged_at"),
    comment: text("comment"),
    /** The number of its changes in `fault_changes`. */
    changes: integer("changes").notNull(),
  },
  (table) => [
    index("faults_started").on(table.startedAt, table.id),
    index("faults_lasting")
      .on(table.startedAt, table.id)
      .where(sql`${table.endedAt} is null`),
    index("faults_ended").on(table.endedAt),
    index("faults_uuid").on(table.uuid, table.startedAt),
  ],
);

/** Every change of a fault's state. The sequence has no gap and is in the order of the commits: a reader that continues after the
 *  greatest number that it has seen misses none. */
export const faultChanges = pgTable(
  "fault_changes",
  {
    sequence: bigint("sequence", { mode: "number" }).primaryKey(),
    faultId: text("fault_id").notNull(),
    /** 1 for the fault's first change. */
    ordinal: integer("ordinal").notNull(),
    state: text("state").notNull(),
    at: instant("at").notNull(),
    value: doublePrecision("value"),
    why: text("why").notNull(),
    /** The operator by whom; empty if it is none. */
    author: text("author").notNull(),
    comment: text("comment").notNull(),
    toldAt: instant("told_at").notNull().defaultNow(),
  },
  (table) => [unique("fault_changes_ordinal").on(table.faultId, table.ordinal)],
);

/** The term in which faults are evaluated, in one row. A process that begins to lead raises the term; the writes of a former leader
 *  then find another one, and are refused. */
export const faultLeader = pgTable(
  "fault_leader",
  {
    row: integer("row").primaryKey().default(1),
    term: bigint("term", { mode: "number" }).notNull(),
    leader: text("leader").notNull(),
    since: instant("since").notNull().defaultNow(),
    /** The number of transactions of this term: a leader that does not know whether one was committed sees it here. */
    batch: bigint("batch", { mode: "number" }).notNull().default(0),
    /** The sequence of the newest change. */
    sequence: bigint("sequence", { mode: "number" }).notNull().default(0),
  },
  (table) => [check("fault_leader_one_row", sql`${table.row} = 1`)],
);

/** What the evaluator remembers of a device, host or cluster, as JSON. */
export const faultStates = pgTable(
  "fault_states",
  {
    /** `device`, `host`, `cluster` or `time`. */
    kind: text("kind").notNull(),
    /** The uuid of a device, a JSON list of cluster and host, or the id of a cluster. */
    place: text("place").notNull(),
    state: text("state").notNull(),
    savedAt: instant("saved_at").notNull().defaultNow(),
  },
  (table) => [primaryKey({ name: "fault_states_pkey", columns: [table.kind, table.place] })],
);

/** What operators have asked for; the leader carries it out. */
export const faultRequests = pgTable(
  "fault_requests",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    /** `acknowledge`, `reset` or `reboot`. */
    kind: text("kind").notNull(),
    /** Empty unless a fault is acknowledged. */
    faultId: text("fault_id").notNull(),
    /** The host or device that was reset or rebooted; otherwise empty. */
    clusterId: text("cluster_id").notNull(),
    hostname: text("hostname").notNull(),
    uuid: text("uuid").notNull(),
    author: text("author").notNull(),
    comment: text("comment").notNull(),
    requestedAt: instant("requested_at").notNull().defaultNow(),
    /** NULL until the leader has carried it out. */
    doneAt: instant("done_at"),
    /** `done`, or why not: `unknown_fault`, `not_firing`. Empty until then. */
    outcome: text("outcome").notNull().default(""),
  },
  (table) => [
    index("fault_requests_open")
      .on(table.id)
      .where(sql`${table.doneAt} is null`),
  ],
);

/** Faults that are not to be notified for a while. */
export const faultSilences = pgTable(
  "fault_silences",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    matchers: jsonb("matchers").notNull(),
    /** The bounds of the author: only faults within are silenced; NULL: all. */
    within: jsonb("within"),
    author: text("author").notNull(),
    reason: text("reason").notNull(),
    startsAt: instant("starts_at").notNull(),
    endsAt: instant("ends_at").notNull(),
    createdAt: instant("created_at").notNull().defaultNow(),
    /** Set if it was ended before its time. */
    endedAt: instant("ended_at"),
    endedBy: text("ended_by"),
  },
  (table) => [index("fault_silences_ends").on(table.endsAt)],
);

/** How far each receiver of webhooks is, as a sequence of `fault_changes`. */
export const faultReceivers = pgTable("fault_receivers", {
  /** The beginning of the SHA-256 of its URL. */
  receiver: text("receiver").primaryKey(),
  /** It was notified of the changes up to this one. */
  sequence: bigint("sequence", { mode: "number" }).notNull(),
  /** It may have been notified of the changes up to this one. */
  until: bigint("until", { mode: "number" }).notNull(),
});

/** Faults that began to fire under a silence: a receiver is notified if they still fire when it ends. */
export const faultPostponed = pgTable(
  "fault_postponed",
  { receiver: text("receiver").notNull(), faultId: text("fault_id").notNull() },
  (table) => [primaryKey({ name: "fault_postponed_pkey", columns: [table.receiver, table.faultId] })],
);
