import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binaries } from "./postgres-command.ts";
import { runInTrixie, type TrixieCommand } from "./trixie-server.ts";

/** A copy of a server's data, which can answer in the server's place. */
export interface PostgresStandby {
  /** Copies the data of the server, which must be down after a clean shutdown: the state of a standby that receives nothing
   *  from now on, or of a backup. It replaces an earlier copy. */
  readonly copy: () => Promise<void>;
  /** Replaces the data of the server, which must be down, by the copy. The server has the copy's data at its next start.
   *  @param isPromoted true: the server starts as a standby, which `pg_promote` makes the primary, on a timeline of its own;
   *    false: it starts as a restored backup, on the same timeline */
  readonly takeOver: (isPromoted: boolean) => Promise<void>;
  /** Runs a query on the data of the server while it is down.
   *  @param statement a query with one column of texts, which have no quotation marks
   *  @returns the texts */
  readonly readStopped: (database: string, statement: string) => Promise<string[]>;
}

/** The folders of a server's data, as this process sees them. */
export interface PostgresFolders {
  readonly data: string;
  /** Undefined without the tablespace `tables`. */
  readonly tables: string | undefined;
  /** Where the copy is kept. */
  readonly copy: string;
}

/** Makes the standby of a server.
 *  @param place where commands on the server's data run */
export function standbyOf(folders: PostgresFolders, place: Omit<TrixieCommand, "command">): PostgresStandby {
  const originals = { data: folders.data, ...(folders.tables === undefined ? {} : { tables: folders.tables }) };
  const pairs = Object.entries(originals).map(([name, path]) => ({ original: path, copied: join(folders.copy, name) }));
  return {
    copy: async () => {
      rmSync(folders.copy, { recursive: true, force: true });
      for (const { original, copied } of pairs) await copyFolder(original, copied);
    },
    takeOver: async (isPromoted) => {
      for (const { original, copied } of pairs) {
        // the folder itself may be the root of a filesystem
        for (const name of readdirSync(original)) rmSync(join(original, name), { recursive: true });
        await copyFolder(copied, original);
      }
      if (isPromoted) writeFileSync(join(folders.data, "standby.signal"), "");
    },
    readStopped: async (database, statement) => {
      // in single-user mode, which first recovers what a killed server had committed
      const query = `printf '%s\\n' "$1" | ${binaries}/postgres --single -D /srv/data "$2"`;
      const output = await runInTrixie({ ...place, command: ["sh", "-c", query, "sh", statement, database] });
      return [...output.matchAll(/^\t 1: \S+ = "([^"]*)"/gm)].map(([, text]) => text ?? "");
    },
  };
}

/** Copies the content of a folder, with owners and rights. */
export async function copyFolder(from: string, to: string): Promise<void> {
  mkdirSync(to, { recursive: true });
  const copy = Bun.spawn(["cp", "-a", "--reflink=auto", `${from}/.`, to], { stdio: ["ignore", "ignore", "pipe"] });
  const errors = await copy.stderr.text();
  if ((await copy.exited) !== 0) throw new Error(`${from} could not be copied: ${errors.trim()}`);
}
