import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { messageOf } from "../../src/kit/message-of.ts";
import { managedRoles } from "./managed-role.ts";

const savedInstanceSchema = Type.Object({
  role: Type.Union(managedRoles.map((role) => Type.Literal(role))),
  number: Type.Integer({ minimum: 1 }),
  restarts: Type.Integer({ minimum: 0 }),
  process: Type.Optional(
    Type.Object({
      pid: Type.Integer({ minimum: 1 }),
      startedAt: Type.String(),
      startedAtMs: Type.Number(),
      port: Type.Integer(),
      settingsKey: Type.String(),
      logOffset: Type.Number(),
    }),
  ),
});

const savedStateSchema = Type.Object({
  // a role that this file does not name yet has no processes
  counts: Type.Record(Type.String(), Type.Integer({ minimum: 0 })),
  /** The last command about each role. */
  commands: Type.Optional(
    Type.Record(Type.String(), Type.Object({ count: Type.Integer({ minimum: 0 }), atMs: Type.Number() })),
  ),
  highestTerm: Type.Optional(Type.Number()),
  settings: Type.Record(Type.String(), Type.String()),
  instances: Type.Array(savedInstanceSchema),
});

/** What the next supervisor must know if this one dies. */
export type SavedState = Static<typeof savedStateSchema>;
export type SavedCommands = NonNullable<SavedState["commands"]>;
export type SavedInstance = Static<typeof savedInstanceSchema>;
export type SavedProcess = NonNullable<SavedInstance["process"]>;

/** The state of a supervisor in a file. Only its owner may read it, because settings may contain passwords. */
export class StateFile {
  constructor(private readonly path: string) {}

  /** @returns undefined if there is no file, or none that this version can read */
  read(): SavedState | undefined {
    try {
      const value: unknown = JSON.parse(readFileSync(this.path, "utf8"));
      return Value.Check(savedStateSchema, value) ? value : undefined;
    } catch {
      return undefined;
    }
  }

  /** Replaces the file as a whole. @throws Error with a sentence for people */
  write(state: SavedState): void {
    const next = `${this.path}.next`;
    try {
      writeFileSync(next, JSON.stringify(state, null, 2), { mode: 0o600 });
      renameSync(next, this.path);
    } catch (cause) {
      throw new Error(`the supervisor cannot write ${this.path}: ${messageOf(cause)}`, { cause });
    }
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}
