import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Answers } from "./answers.ts";
import type { LeftKey } from "./etcd-content.ts";
import type { InputFile } from "./inputs.ts";

/** What a version of the program left behind, and what its API answered. */
export interface LeftBehind {
  readonly inputs: { readonly complete: InputFile; readonly halfRead: InputFile };
  /** A process that kept queue and hot tier in memory, stopped in the middle of an import. */
  readonly embedded: {
    /** As `packPGlite` gives it. */
    readonly pglite: Uint8Array;
    readonly answers: Answers;
    /** After the import had been finished. */
    readonly finished: Answers;
  };
  /** Processes with etcd and PostgreSQL, killed in the middle of an import. */
  readonly shared: {
    /** What `pg_dump --inserts` wrote, without lines for psql. */
    readonly postgresSql: string;
    readonly etcd: readonly LeftKey[];
    /** Of a gateway with etcd and the database. */
    readonly answers: Answers;
    readonly withoutEtcd: Answers;
    readonly withoutDatabase: Answers;
    readonly finished: Answers;
    /** The rows that were left to publish. */
    readonly rowsToPublish: number;
  };
}

/** Writes a fixture into a folder. */
export async function writeFixture(folder: string, { embedded, ...left }: LeftBehind): Promise<void> {
  const { pglite, ...answers } = embedded;
  const parts = { ...left, embedded: answers };
  await mkdir(folder, { recursive: true });
  for (const [part, content] of Object.entries(parts)) {
    await writeCompressed(join(folder, `${part}.json.zst`), Buffer.from(JSON.stringify(content)));
  }
  await writeCompressed(join(folder, "pglite.zst"), pglite);
}

/** Reads a fixture from its folder. */
export async function readFixture(folder: string): Promise<LeftBehind> {
  const json = async <Part extends keyof LeftBehind>(part: Part): Promise<LeftBehind[Part]> =>
    JSON.parse((await readCompressed(join(folder, `${part}.json.zst`))).toString()) as LeftBehind[Part];
  const pglite = await readCompressed(join(folder, "pglite.zst"));
  const embedded = { ...(await json("embedded")), pglite };
  return { inputs: await json("inputs"), shared: await json("shared"), embedded };
}

async function writeCompressed(path: string, bytes: Uint8Array): Promise<void> {
  await Bun.write(path, Bun.zstdCompressSync(bytes, { level: 22 }));
}

async function readCompressed(path: string): Promise<Buffer> {
  return Bun.zstdDecompressSync(await Bun.file(path).bytes());
}
