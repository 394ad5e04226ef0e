import { bigint, index, integer, jsonb, pgTable, text, timestamp } from "drizzle-orm/pg-core";

// The tables of who may use the API, and who has changed something. schema.ts lists them for drizzle.

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });

/** The keys of people and programs. A key itself is not stored, only the SHA-256 of its text. */
export const accessKeys = pgTable("access_keys", {
  id: text("id").primaryKey(),
  name: text("name").notNull(),
  sha256: text("sha256").notNull(),
  scopes: jsonb("scopes").$type<readonly string[]>().notNull(),
  /** The GPUs that the key may see; NULL: all. A program that cannot enforce a selector must not accept a key that has one. */
  selector: jsonb("selector"),
  createdAt: instant("created_at").notNull().defaultNow(),
  expiresAt: instant("expires_at"),
  revokedAt: instant("revoked_at"),
  /** Written at most once a minute. */
  lastUsedAt: instant("last_used_at"),
});

/** Tickets that open one WebSocket each. A ticket itself is not stored, only the SHA-256 of its text; its row is deleted when it is
 *  used. */
export const accessTickets = pgTable("access_tickets", {
  sha256: text("sha256").primaryKey(),
  keyId: text("key_id").notNull(),
  expiresAt: instant("expires_at").notNull(),
});

/** People who have signed in. The text that the browser has is not stored, only its SHA-256. */
export const accessSessions = pgTable(
  "access_sessions",
  {
    sha256: text("sha256").primaryKey(),
    /** Names the session to people. */
    id: text("id").notNull().unique(),
    issuer: text("issuer").notNull(),
    subject: text("subject").notNull(),
    name: text("name").notNull(),
    groups: jsonb("groups").$type<readonly string[]>().notNull(),
    createdAt: instant("created_at").notNull().defaultNow(),
    expiresAt: instant("expires_at").notNull(),
  },
  (table) => [index("access_sessions_subject").on(table.issuer, table.subject)],
);

/** Who changed what, and who was refused. */
export const auditLog = pgTable(
  "audit_log",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    at: instant("at").notNull(),
    /** Empty if no key was given, or none that is valid. */
    keyId: text("key_id").notNull(),
    keyName: text("key_name").notNull(),
    address: text("address").notNull(),
    action: text("action").notNull(),
    target: text("target").notNull(),
    /** `ok`, or the code of the error. */
    result: text("result").notNull(),
    /** Equal refused attempts in a row are one row. */
    count: integer("count").notNull().default(1),
  },
  (table) => [index("audit_log_at").on(table.at)],
);
